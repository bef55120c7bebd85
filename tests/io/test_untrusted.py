"""Files of strangers: what asks for too much, leads out of itself or hides code is refused."""

from __future__ import annotations

import gzip
import io
import os
import zipfile

import h5py
import numpy as np
import pytest

from astroemu.core.catalog import Catalog
from astroemu.emulation.importing import read_arrays
from astroemu.errors import AstroemuError, DataError
from astroemu.inference.configuration import load_configuration
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


def test_a_compressed_bomb_is_refused_and_an_honest_compression_is_not(tmp_path):
    bomb, honest = tmp_path / "bomb.h5", tmp_path / "honest.h5"
    with h5py.File(bomb, "w") as file:
        file.create_dataset("x", data=np.zeros(1 << 24), compression="gzip")
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


def test_references_and_ragged_arrays_are_refused(tmp_path):
    path = tmp_path / "ragged.h5"
    with h5py.File(path, "w") as file:
        file.create_dataset("x", shape=(2,), dtype=h5py.vlen_dtype(np.float64))
    refused(path, "numbers nor text")


def test_a_pipe_is_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "pipe.h5")
    os.mkfifo(tmp_path / "pipe.toml")
    refused(tmp_path / "pipe.h5", "no file")
    with pytest.raises(AstroemuError, match=r"pipe\.toml"):
        load_configuration(tmp_path / "pipe.toml")


def test_an_npz_file_is_held_to_its_directory_and_its_headers(tmp_path):
    bomb, liar, pickled = tmp_path / "bomb.npz", tmp_path / "liar.npz", tmp_path / "pickled.npz"
    np.savez_compressed(bomb, x=np.zeros(1 << 24))
    header = io.BytesIO()
    np.lib.format.write_array_header_1_0(header, {"descr": "<f8", "fortran_order": False, "shape": (1 << 40,)})
    with zipfile.ZipFile(liar, "w") as archive:
        archive.writestr("x.npy", header.getvalue())
    np.savez(pickled, x=np.array([{}], dtype=object))
    for path in (bomb, liar, pickled):
        with pytest.raises(DataError, match=path.name):
            read_arrays(path)


def test_an_ecsv_file_is_not_unpacked_and_makes_no_objects(tmp_path):
    packed, code = tmp_path / "packed.ecsv", tmp_path / "code.ecsv"
    packed.write_bytes(gzip.compress(b"# %ECSV 1.0\n"))
    mark = tmp_path / "mark"
    code.write_text(
        "# %ECSV 1.0\n# ---\n# datatype:\n# - {name: z, datatype: float64}\n"
        f"# meta: !!python/object/apply:os.mkdir ['{mark}']\n# schema: astropy-2.0\nz\n1.0\n"
    )
    for path in (packed, code):
        with pytest.raises(DataError, match=path.name):
            Catalog(path.name, path).table()
    assert not mark.exists()


@pytest.mark.parametrize("text", ["x = " + "9" * 6000, "x = " + "[" * 5000, "x = " + "{a=" * 3000, "a = '\\x00'\n\x00"])
def test_strange_toml_is_refused(tmp_path, text):
    (tmp_path / "strange.toml").write_text(text)
    with pytest.raises(AstroemuError, match=r"strange\.toml"):
        load_configuration(tmp_path / "strange.toml")


def test_a_text_has_a_largest_size(tmp_path):
    (tmp_path / "long.toml").write_text("#" * 2000)
    assert len(untrusted.read_text(tmp_path / "long.toml", 2000)) == 2000
    with pytest.raises(DataError, match="larger"):
        untrusted.read_text(tmp_path / "long.toml", 1999)


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
