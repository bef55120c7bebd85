"""Files from untrusted sources: those that declare too much or refer to other files are refused."""

from __future__ import annotations

import errno
import io
import os
import struct
import zipfile
import zlib

import h5py
import numpy as np
import pytest

from astroemu.emulation.importing import read_arrays
from astroemu.errors import DataError
from astroemu.io import hdf5_heaps, hdf5_objects, untrusted
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
    assert hdf5_objects.MOST_OBJECTS == 100_000
    monkeypatch.setattr(hdf5_objects, "MOST_OBJECTS", 6)
    with open_hdf5(path, "a file") as file:
        assert len(file) == 6
    monkeypatch.setattr(hdf5_objects, "MOST_OBJECTS", 5)
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


def texts(path, n, length, **storage):
    """Write an array of ``n`` texts that are all one text of ``length`` bytes in the file."""
    with h5py.File(path, "w") as file:
        file.create_dataset("x", shape=(n,), dtype=h5py.string_dtype(), **storage)
        file["x"][0] = "a" * length
    content = bytearray(path.read_bytes())
    heap = content.index(b"GCOL")
    place = content.index(struct.pack("<Q", heap)) - 4
    assert struct.unpack_from("<I", content, place)[0] == length
    reference = bytes(content[place : place + 16])
    content[place : place + 16 * n] = reference * n
    path.write_bytes(content)
    return place


@pytest.fixture(params=["searched", "too large to be searched"])
def searched(request, monkeypatch):
    """Both ways to count texts: from the bytes of a file, or by reading them in parts."""
    assert hdf5_heaps._SEARCHED == 64 << 20
    if request.param != "searched":
        monkeypatch.setattr(hdf5_heaps, "_SEARCHED", 0)


@pytest.mark.attack("HDF5", "20,000 texts that are all one text of 10 kB: 1 MB becomes 200 MB")
def test_texts_that_are_all_one_text_count_each(tmp_path, searched):
    path = tmp_path / "shared.h5"
    texts(path, 20_000, 10_000)
    assert path.stat().st_size < 400_000
    refused(path, "bytes of", "texts", "was made to exhaust the memory")


def test_texts_that_are_shared_within_the_limit_are_read(tmp_path, searched):
    path = tmp_path / "shared.h5"
    texts(path, 50, 1000)
    with open_hdf5(path, "a file") as file:
        assert set(file["x"].asstr()[()]) == {"a" * 1000}


@pytest.mark.attack("HDF5", "an attribute of 3,000 texts that are all one text of 100 kB")
def test_texts_of_an_attribute_count_each(tmp_path, searched):
    path = tmp_path / "attribute.h5"
    with h5py.File(path, "w") as file:
        file.attrs.create("names", ["a" * 100_000] + ["b"] * 2999, dtype=h5py.string_dtype())
    content = path.read_bytes()
    place = content.index(struct.pack("<I", 100_000))
    assert content[int.from_bytes(content[place + 4 : place + 12], "little") :].startswith(b"GCOL")
    path.write_bytes(content[:place] + content[place : place + 16] * 3000 + content[place + 16 * 3000 :])
    refused(path, "texts" if hdf5_heaps._SEARCHED else "the attribute 'names' of /")


@pytest.mark.attack("HDF5", "a long text that stands for 4,000 cells that were never written")
def test_texts_for_cells_that_were_never_written_count_each(tmp_path):
    path = tmp_path / "filled.h5"
    with h5py.File(path, "w") as file:
        file.create_dataset("x", shape=(4000,), dtype=h5py.string_dtype(), fillvalue="a" * 50_000)
    refused(path, "bytes of arrays and texts")


def test_many_different_texts_beside_a_long_one_are_read(tmp_path):
    path = tmp_path / "attribute.h5"
    with h5py.File(path, "w") as file:
        file.attrs["names"] = [f"name {i}" for i in range(2000)]
        file["metadata"] = "m" * 1_000_000
    with open_hdf5(path, "a file") as file:
        assert len(file.attrs["names"]) == 2000


@pytest.mark.parametrize("userblock", [0, 512])
@pytest.mark.attack("HDF5", "a reference that states a text of 2 GB, in a file of 7 kB")
def test_a_text_that_is_stated_longer_than_it_can_be_is_refused(tmp_path, userblock):
    path = tmp_path / "stated.h5"
    with h5py.File(path, "w", userblock_size=userblock) as file:
        file["x"] = ["abc"] * 3
    content = bytearray(path.read_bytes())
    address = struct.pack("<Q", content.index(b"GCOL") - userblock)
    place = content.index(address) - 4
    with open_hdf5(path, "a file") as file:
        assert list(file["x"].asstr()) == ["abc"] * 3
    struct.pack_into("<I", content, place, 0x7FFFFFF0)
    path.write_bytes(content)
    refused(path, "states a text of 2.15e+09 bytes, which is not there")


def test_bytes_that_look_like_a_reference_are_none(tmp_path):
    """The header of the eighth object, one byte earlier, is the address 2048; numbers may be anything."""
    path = tmp_path / "alike.h5"
    with h5py.File(path, "w") as file:
        file.attrs["names"] = [f"alpha_{i:x}" for i in range(16)]
        file["x"] = np.array([-1, 2048, 7] * 100)
    content = path.read_bytes()
    assert content.index(b"GCOL") == 2048 and content.count(struct.pack("<Q", 2048)) > 116
    with open_hdf5(path, "a file") as file:
        assert len(file.attrs["names"]) == 16


def test_texts_in_many_heaps_are_counted(tmp_path):
    path = tmp_path / "heaps.h5"
    with h5py.File(path, "w") as file:
        file["x"] = ["a" * 3000 for _ in range(300)]
    heaps = hdf5_heaps.read_heaps(path)
    assert len(heaps) > hdf5_heaps._FEW
    assert hdf5_heaps.stated_bytes(path, heaps, [], 1 << 30) == 900_000
    assert hdf5_heaps.stated_bytes(path, heaps[:2], [], 1 << 30) == sum(sum(h.sizes.values()) for h in heaps[:2])


@pytest.mark.attack("HDF5", "a chunk of 1 GB for an array of ten numbers, in a file of 15 kB")
def test_a_chunk_counts_as_a_whole(tmp_path):
    path = tmp_path / "chunk.h5"
    with h5py.File(path, "w") as file:
        file.create_dataset("x", shape=(10,), maxshape=(None,), chunks=(1 << 27,), dtype="f8", compression="gzip")
    refused(path, "declares 1.07e+09 bytes")


def bomb(path, size, declared):
    """Write a chunk that declares ``declared`` bytes and unpacks to ``size``."""
    with h5py.File(path, "w") as file:
        data = file.create_dataset("x", shape=(declared,), dtype="u1", chunks=(declared,), compression="gzip")
        data.id.write_direct_chunk((0,), zlib.compress(bytes(size), 9))


@pytest.mark.attack("HDF5", "a chunk that unpacks to much more than it declares")
def test_a_chunk_that_holds_more_than_it_declares_is_refused(tmp_path, low_limit):
    bomb(tmp_path / "bomb.h5", 1 << 24, 1 << 10)
    refused(tmp_path / "bomb.h5", "the array '/x': a chunk holds more than it declares")
    bomb(tmp_path / "honest.h5", 1 << 20, 1 << 20)
    with open_hdf5(tmp_path / "honest.h5", "a file") as file:
        assert not file["x"][()].any()


@pytest.mark.parametrize("storage", [{"scaleoffset": 3}, {"compression": 32001}])
@pytest.mark.attack("HDF5", "filters of HDF5 that lose digits, or load a library")
def test_other_filters_are_refused_with_a_remedy(tmp_path, storage):
    path = tmp_path / "filter.h5"
    with h5py.File(path, "w") as file:
        if "scaleoffset" in storage:
            file.create_dataset("x", data=np.zeros(100), chunks=(10,), **storage)
        else:
            plist = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
            plist.set_chunk((10,))
            plist.set_filter(32001, h5py.h5z.FLAG_OPTIONAL, ())
            h5py.h5d.create(file.id, b"x", h5py.h5t.NATIVE_DOUBLE, h5py.h5s.create_simple((100,)), plist)
    refused(path, "uses the filter", "h5repack -f GZIP=4")


@pytest.mark.attack("HDF5", "one filter twice, so that a bomb is packed into a bomb")
def test_a_filter_twice_is_refused(tmp_path):
    plist = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
    plist.set_chunk((10,))
    for _ in range(2):
        plist.set_deflate(9)
    with h5py.File(tmp_path / "twice.h5", "w") as file:
        h5py.h5d.create(file.id, b"x", h5py.h5t.NATIVE_DOUBLE, h5py.h5s.create_simple((100,)), plist)
    refused(tmp_path / "twice.h5", "uses one filter twice")


def test_compressed_texts_are_refused_with_a_remedy(tmp_path):
    path = tmp_path / "texts.h5"
    with h5py.File(path, "w") as file:
        file.create_dataset("x", data=["a", "b"], dtype=h5py.string_dtype(), compression="gzip")
    refused(path, "write them without compression")


@pytest.mark.parametrize("kind", ["f8,i4", "V8", h5py.ref_dtype])
def test_records_and_other_types_are_refused(tmp_path, kind):
    with h5py.File(tmp_path / "kind.h5", "w") as file:
        file.create_dataset("x", shape=(3,), dtype=kind)
    refused(tmp_path / "kind.h5", "the array '/x' holds neither numbers nor text")


def test_every_kind_of_number_and_text_is_read(tmp_path):
    path = tmp_path / "kinds.h5"
    given = {
        "bool": np.array([True]),
        "int": np.array([-1], ">i2"),
        "float": np.array([0.5], ">f8"),
        "half": np.float16([1]),
        "complex": np.array([1j]),
        "bytes": np.array([b"ab"]),
        "enum": np.array([2], h5py.enum_dtype({"x": 2})),
    }
    with h5py.File(path, "w") as file:
        for name, values in given.items():
            file[name] = values
        file["text"], file["nothing"], file["none"] = ["é"], h5py.Empty("f8"), np.zeros(0)
        file.create_dataset("fixed", data=np.array(["é".encode()], h5py.string_dtype(length=2)))
    with open_hdf5(path, "a file") as file:
        assert all(file[name][0] == values[0] for name, values in given.items())
        assert file["text"].asstr()[0] == file["fixed"].asstr()[0] == "é"


@pytest.mark.parametrize("code", [errno.ENOLCK, errno.EOPNOTSUPP, errno.ENOSYS])
def test_a_file_system_without_locks_is_read(tmp_path, monkeypatch, code):
    path, opened = tmp_path / "a.h5", h5py.File
    with h5py.File(path, "w") as file:
        file["x"] = 1.0

    def without_locks(*arguments, locking=None):
        if locking is not False:
            raise OSError(code, "no locks")
        return opened(*arguments, locking=locking)

    monkeypatch.setattr(h5py, "File", without_locks)
    with open_hdf5(path, "a file") as file:
        assert file["x"][()] == 1.0


@pytest.mark.parametrize(
    ("content", "words"),
    [(b"\x1f\x8b\x08", "gzip; unpack"), ("a".encode("utf-16"), "save it as UTF-8"), (b"PK\x03\x04\xff", "zip archive")],
)
def test_a_file_that_is_no_text_says_what_it_is(tmp_path, content, words):
    (tmp_path / "a.toml").write_bytes(content + b"\xff")
    with pytest.raises(DataError, match=words):
        untrusted.read_text(tmp_path / "a.toml")
