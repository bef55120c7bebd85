"""Checksums, references and writes that are whole or not at all."""

from __future__ import annotations

import hashlib

import pytest

from astroemu.io.files import sha256, write_atomically
from astroemu.io.paths import looks_like_path


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"),
        (b"abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"),
    ],
)
def test_the_checksum_is_that_of_the_standard(tmp_path, content, expected):
    (tmp_path / "file").write_bytes(content)
    assert sha256(tmp_path / "file") == expected
    assert sha256(str(tmp_path / "file")) == expected


@pytest.mark.parametrize("size", [(1 << 20) - 1, 1 << 20, (2 << 20) + 5])
def test_a_file_longer_than_a_block_is_read_to_its_end(tmp_path, size):
    content = bytes(range(256)) * (size // 256 + 1)
    (tmp_path / "file").write_bytes(content[:size])
    assert sha256(tmp_path / "file") == hashlib.sha256(content[:size]).hexdigest()


@pytest.mark.parametrize(
    ("name", "path"),
    [
        ("acg", False),
        ("hera_h1c_idr3", False),
        ("21cmemu", False),
        ("acg.h5", True),
        ("./acg", True),
        ("../acg", True),
        ("data/acg", True),
        ("/data/acg", True),
        ("data/acg.h5", True),
    ],
)
def test_a_path_has_a_separator_or_a_suffix(name, path):
    assert looks_like_path(name) is path


def test_a_write_leaves_one_whole_file(tmp_path):
    seen = []

    def write(temporary):
        seen.append(temporary)
        temporary.write_text("new")
        assert not (tmp_path / "file.txt").exists()

    write_atomically(str(tmp_path / "file.txt"), write)
    assert (tmp_path / "file.txt").read_text() == "new"
    assert seen[0].parent == tmp_path
    assert list(tmp_path.iterdir()) == [tmp_path / "file.txt"]


def test_the_old_file_stands_until_the_new_one_is_whole(tmp_path):
    path = tmp_path / "file.txt"
    path.write_text("old")

    def write(temporary):
        temporary.write_text("new")
        assert path.read_text() == "old"

    write_atomically(path, write)
    assert path.read_text() == "new"


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
@pytest.mark.parametrize("before", ["old", None])
def test_a_write_that_fails_leaves_things_as_they_were(tmp_path, before, error):
    path = tmp_path / "file.txt"
    if before is not None:
        path.write_text(before)

    def write(temporary):
        temporary.write_text("hal")
        raise error

    with pytest.raises(error):
        write_atomically(path, write)
    assert [(file.name, file.read_text()) for file in tmp_path.iterdir()] == ([("file.txt", "old")] if before else [])


def test_a_writer_that_writes_nothing_is_an_error(tmp_path):
    with pytest.raises(FileNotFoundError):
        write_atomically(tmp_path / "file.txt", lambda temporary: None)
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_is_not_there_is_an_error(tmp_path):
    with pytest.raises(FileNotFoundError):
        write_atomically(tmp_path / "none" / "file.txt", lambda temporary: temporary.write_text("x"))
