"""Checksums, new files and folders, strict JSON, and writes that are complete or not done at all."""

from __future__ import annotations

import hashlib
import json

import numpy as np
import pytest

from astroemu.errors import DataError
from astroemu.io.files import make_folder, new_file, sha256, strict_json, write_atomically, write_json, write_text


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


def test_a_new_file_gets_its_folder_and_an_existing_one_is_refused(tmp_path):
    path = tmp_path / "deep" / "folder" / "new.h5"
    assert new_file(str(path)) == path
    assert path.parent.is_dir() and not path.exists()
    path.write_text("old")
    for taken in (path, path.parent):
        with pytest.raises(DataError, match="exists and is not overwritten; remove it or choose another name"):
            new_file(taken)
    assert path.read_text() == "old"


def test_a_folder_that_cannot_be_created_is_an_error(tmp_path):
    make_folder(tmp_path / "a" / "b")
    make_folder(tmp_path / "a" / "b")
    (tmp_path / "file").write_text("")
    for path in (tmp_path / "file", tmp_path / "file" / "b"):
        with pytest.raises(DataError, match=f"cannot create the folder {path}"):
            make_folder(path)


def test_json_is_strict_and_takes_numpy():
    value = {"a": np.float32(0.5), 1: np.arange(3), "b": (np.nan, np.inf, {"c": np.array([-np.inf])}), "d": np.int64(2)}
    text = strict_json(value)
    assert json.loads(text) == {"a": 0.5, "1": [0, 1, 2], "b": [None, None, {"c": [None]}], "d": 2}
    assert text.endswith("}\n") and "NaN" not in text


def test_json_and_text_are_written_complete(tmp_path):
    write_json(tmp_path / "a.json", {"x": [1.0, np.nan]})
    write_text(tmp_path / "a.txt", "é\n")
    assert json.loads((tmp_path / "a.json").read_text()) == {"x": [1.0, None]}
    assert (tmp_path / "a.txt").read_bytes() == "é\n".encode()
    assert {path.name for path in tmp_path.iterdir()} == {"a.json", "a.txt"}


def test_a_value_that_json_does_not_have_leaves_the_old_file(tmp_path):
    write_json(tmp_path / "a.json", 1)
    with pytest.raises(TypeError):
        write_json(tmp_path / "a.json", {"x": object()})
    assert (tmp_path / "a.json").read_text() == "1\n"


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
