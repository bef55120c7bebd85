"""Files from untrusted sources: those that declare too much or refer to other files are refused."""

from __future__ import annotations

import io
import os
import zipfile

import h5py
import numpy as np
import pytest

from astroemu.emulation.importing import read_arrays
from astroemu.errors import DataError
from astroemu.io import untrusted
from astroemu.io.untrusted import open_hdf5


def refused(path, *words):
    """Open an HDF5 file that must be refused."""
    with pytest.raises(DataError) as error, open_hdf5(path, "a file"):
        raise AssertionError("it was opened")
    for word in words:
        assert word in str(error.value)


@pytest.mark.parametrize("chunks", [None, True])
def test_a_declared_size_beyond_the_file_is_refused(tmp_path, chunks):
    path = tmp_path / "huge.h5"
    with h5py.File(path, "w") as file:
        file.create_dataset("x", shape=(1 << 40,), dtype="f8", chunks=chunks)
    assert path.stat().st_size < 100_000
    refused(path, "declares")


def test_many_arrays_count_together(tmp_path):
    path = tmp_path / "many.h5"
    with h5py.File(path, "w") as file:
        for i in range(40):
            file.create_dataset(f"x{i}", shape=(1 << 18,), dtype="f8", chunks=True)
    refused(path, "declares")


@pytest.fixture
def low_limit(monkeypatch):
    """A limit of 4 MiB beside the size of the file, so that small files exceed it."""
    assert untrusted.FREE_BYTES == 1 << 26
    monkeypatch.setattr(untrusted, "FREE_BYTES", 1 << 22)


def test_a_compressed_bomb_is_refused_and_an_honest_compression_is_not(tmp_path, low_limit):
    bomb, honest = tmp_path / "bomb.h5", tmp_path / "honest.h5"
    with h5py.File(bomb, "w") as file:
        file.create_dataset("x", data=np.zeros(1 << 21), compression="gzip")
    with h5py.File(honest, "w") as file:
        file.create_dataset("x", data=np.zeros(1 << 18), compression="gzip")
    refused(bomb, "declares")
    with open_hdf5(honest, "a file") as file:
        assert file["x"].shape == (1 << 18,)


@pytest.mark.parametrize("link", [h5py.SoftLink("/x"), h5py.ExternalLink("other.h5", "/x")], ids=["soft", "external"])
def test_links_are_refused(tmp_path, link):
    path = tmp_path / "link.h5"
    with h5py.File(path, "w") as file:
        file["x"] = 1.0
        file["group/y"] = link
    refused(path, "link")


def test_storage_in_other_files_is_refused(tmp_path):
    external, virtual = tmp_path / "external.h5", tmp_path / "virtual.h5"
    (tmp_path / "secret").write_bytes(b"secret!!")
    with h5py.File(external, "w") as file:
        file.create_dataset("x", shape=(1,), dtype="f8", external=[(str(tmp_path / "secret"), 0, 8)])
    with h5py.File(virtual, "w") as file:
        layout = h5py.VirtualLayout(shape=(1,), dtype="f8")
        layout[0] = h5py.VirtualSource(str(external), "x", shape=(1,))[0]
        file.create_virtual_dataset("x", layout)
    refused(external, "another file")
    refused(virtual, "another file")


def test_groups_that_loop_or_nest_are_refused(tmp_path):
    loop, deep = tmp_path / "loop.h5", tmp_path / "deep.h5"
    with h5py.File(loop, "w") as file:
        file["a/b"] = file["/"]
    with h5py.File(deep, "w") as file:
        file.create_group("/".join("g" * 100))
    refused(loop, "loop")
    refused(deep, "deep")


def test_more_objects_than_the_limit_are_refused(tmp_path, monkeypatch):
    path = tmp_path / "many.h5"
    with h5py.File(path, "w") as file:
        for i in range(6):
            file[f"x{i}"] = 1.0
    assert untrusted.MOST_OBJECTS == 100_000
    monkeypatch.setattr(untrusted, "MOST_OBJECTS", 6)
    with open_hdf5(path, "a file") as file:
        assert len(file) == 6
    monkeypatch.setattr(untrusted, "MOST_OBJECTS", 5)
    refused(path, "more than 5 objects")


def test_references_and_ragged_arrays_are_refused(tmp_path):
    path = tmp_path / "ragged.h5"
    with h5py.File(path, "w") as file:
        file.create_dataset("x", shape=(2,), dtype=h5py.vlen_dtype(np.float64))
    refused(path, "numbers nor text")


def test_a_pipe_is_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "pipe.h5")
    os.mkfifo(tmp_path / "pipe.toml")
    refused(tmp_path / "pipe.h5", "no file")
    with pytest.raises(DataError, match=r"pipe\.toml is not a file"):
        untrusted.read_text(tmp_path / "pipe.toml")


def test_an_npz_file_is_held_to_its_directory_and_its_headers(tmp_path, low_limit):
    bomb, liar, pickled = tmp_path / "bomb.npz", tmp_path / "liar.npz", tmp_path / "pickled.npz"
    np.savez_compressed(bomb, x=np.zeros(1 << 21))
    header = io.BytesIO()
    np.lib.format.write_array_header_1_0(header, {"descr": "<f8", "fortran_order": False, "shape": (1 << 40,)})
    with zipfile.ZipFile(liar, "w") as archive:
        archive.writestr("x.npy", header.getvalue())
    np.savez(pickled, x=np.array([{}], dtype=object))
    for path, words in ((bomb, "declares"), (liar, "declares .* bytes and holds")):
        with pytest.raises(DataError, match=words):
            untrusted.check_npz(path)
    for path in (bomb, liar, pickled):
        with pytest.raises(DataError, match=path.name):
            read_arrays(path)


def test_a_text_has_a_largest_size(tmp_path):
    (tmp_path / "long.toml").write_text("#" * 2000)
    assert len(untrusted.read_text(tmp_path / "long.toml", 2000)) == 2000
    with pytest.raises(DataError, match="larger"):
        untrusted.read_text(tmp_path / "long.toml", 1999)
    with (tmp_path / "long.ecsv").open("wb") as file:
        file.truncate((64 << 20) + 1)
    with pytest.raises(DataError, match="larger than 64 MiB"):
        untrusted.read_text(tmp_path / "long.ecsv")


def test_text_that_is_not_utf8_is_refused(tmp_path):
    (tmp_path / "latin.toml").write_bytes("é".encode("latin-1"))
    with pytest.raises(DataError, match=r"latin\.toml is not UTF-8 text"):
        untrusted.read_text(tmp_path / "latin.toml")


def test_a_heap_on_which_the_library_would_loop_is_refused(tmp_path):
    """Seeds 300150, 302095 and 303250 of ``tests/fuzz/files.py``."""
    path = tmp_path / "heap.h5"
    with h5py.File(path, "w") as file:
        file.attrs["text"] = "x" * 200
    content = bytearray(path.read_bytes())
    heap = content.index(b"GCOL")
    free = heap + 16 + 16 + 200  # after the head and the text comes the free space
    assert content[free : free + 2] == b"\0\0"
    assert int.from_bytes(content[free + 8 : free + 16], "little") > 16
    with open_hdf5(path, "a file") as file:
        assert file.attrs["text"] == "x" * 200
    content[free + 8 : free + 16] = bytes(8)
    path.write_bytes(content)
    refused(path, "heap", "without a size")


def test_a_text_that_was_damaged_into_another_ragged_type_is_refused(tmp_path):
    """Seed 307640 of ``tests/fuzz/files.py``: the HDF5 library crashed the process."""
    path = tmp_path / "ragged_attribute.h5"
    with h5py.File(path, "w") as file:
        file.attrs["text"] = "x" * 200
    content = bytearray(path.read_bytes())
    kind = content.index(b"\x19\x01\x01\x00\x10\x00\x00\x00")  # a variable-length text in UTF-8
    content[kind + 1] = 174
    path.write_bytes(content)
    refused(path, "'text'", "neither numbers nor text")
