"""Checksums, new files and folders, strict JSON, and writes that are complete or not done at all."""

from __future__ import annotations

import errno
import hashlib
import io
import json
import math
import os
import struct
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from astroemu.errors import DataError
from astroemu.io.files import (
    make_folder,
    new_file,
    parse_json,
    read_json,
    sha256,
    strict_json,
    write_atomically,
    write_json,
    write_text,
)


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
    nan, inf, minus = ({"float": word} for word in ("nan", "inf", "-inf"))
    assert json.loads(text) == {"a": 0.5, "1": [0, 1, 2], "b": [nan, inf, {"c": [minus]}], "d": 2}
    assert text.endswith("}\n") and "NaN" not in text


@pytest.mark.case(1)
def test_infinities_and_nan_are_read_back(tmp_path):
    write_json(tmp_path / "a.json", {"k_max": math.inf, "low": [np.float32(-np.inf), {"x": np.nan}], "none": None})
    found = read_json(tmp_path / "a.json")
    assert found["k_max"] == math.inf and found["low"][0] == -math.inf and math.isnan(found["low"][1]["x"])
    assert found["none"] is None


@pytest.mark.parametrize(
    "value",
    [
        {"float": "inf"},
        {"float": "=nan"},
        {"float": "==-inf"},
        {"float": "other"},
        {"float": "inf", "more": 1},
        {"float": 1.5},
        {"float": {"float": "inf"}},
        {"float": math.inf},
        [{"float": ["nan"]}, "inf"],
    ],
)
def test_a_table_of_the_user_is_never_taken_for_a_number(value):
    assert parse_json(strict_json(value)) == value


_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False)
    | st.text()
    | st.sampled_from(["inf", "=inf", "==nan", "-inf", "=", "float"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.text(max_size=3) | st.just("float"), inner, max_size=3)
        | st.builds(lambda item: {"float": item}, inner)
    ),
    max_leaves=8,
)


@given(_values)
@settings(max_examples=50)
def test_any_value_is_read_as_it_was_written(value):
    assert parse_json(strict_json(value)) == value


@given(st.floats(allow_nan=False))
@settings(max_examples=50)
def test_floats_keep_all_their_bits(value):
    assert struct.pack("d", parse_json(strict_json(value))) == struct.pack("d", value)


def test_null_and_the_literals_of_other_writers_are_read():
    found = parse_json('{"a": null, "b": NaN, "c": [Infinity, -Infinity, 1e999]}')
    assert found["a"] is None and math.isnan(found["b"]) and found["c"] == [math.inf, -math.inf, math.inf]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "not JSON"),
        ("[" * 100_000, "nested too deeply"),
        ('{"a": 1, "a": 2}', "given twice"),
        ("9" * 5000, "digits"),
    ],
)
def test_json_that_is_damaged_names_its_file(tmp_path, text, words):
    (tmp_path / "a.json").write_text(text)
    with pytest.raises(DataError, match=rf"a\.json is damaged: .*{words}"):
        read_json(tmp_path / "a.json")


def test_json_that_is_missing_or_no_text_names_its_file(tmp_path):
    (tmp_path / "b.json").write_bytes(b"\xff")
    for name in ("a.json", "b.json"):
        with pytest.raises(DataError, match=name):
            read_json(tmp_path / name)


def test_json_and_text_are_written_complete(tmp_path):
    write_json(tmp_path / "a.json", {"x": [1.0, 2]})
    write_text(tmp_path / "a.txt", "é\n")
    assert json.loads((tmp_path / "a.json").read_text()) == {"x": [1.0, 2]}
    assert (tmp_path / "a.txt").read_bytes() == "é\n".encode()
    assert {path.name for path in tmp_path.iterdir()} == {"a.json", "a.txt"}


@pytest.mark.attack("files", "a path with bytes that are no text, in a page or a table")
def test_bytes_of_a_name_that_are_not_text_are_written_as_escapes(tmp_path):
    write_text(tmp_path / "a.txt", os.fsdecode(b"caf\xe9"))
    write_json(tmp_path / "a.json", os.fsdecode(b"caf\xe9"))
    assert (tmp_path / "a.txt").read_text() == "caf\\udce9"
    assert read_json(tmp_path / "a.json") == os.fsdecode(b"caf\xe9")


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
    with pytest.raises(DataError, match=r"cannot write .*file\.txt"):
        write_atomically(tmp_path / "file.txt", lambda temporary: None)
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_is_not_there_is_an_error(tmp_path):
    with pytest.raises(DataError, match=r"cannot write .*file\.txt: No such file or directory; the folder"):
        write_text(tmp_path / "none" / "file.txt", "x")


def names(folder):
    return sorted(path.name for path in folder.iterdir())


@pytest.mark.parametrize("target", ["mine.txt", "nothing"])
@pytest.mark.parametrize("write", [write_text, lambda path, text: write_atomically(path, lambda t: t.write_text(text))])
def test_a_link_is_replaced_and_what_it_points_to_stays(tmp_path, target, write):
    (tmp_path / "mine.txt").write_text("precious")
    link = tmp_path / "table.txt"
    link.symlink_to(tmp_path / target)
    write(link, "new")
    assert not link.is_symlink() and link.read_text() == "new"
    assert (tmp_path / "mine.txt").read_text() == "precious" and names(tmp_path) == ["mine.txt", "table.txt"]


@pytest.mark.attack("files", "a link to nothing where a new file is to be written")
def test_a_link_to_nothing_is_not_a_free_name(tmp_path):
    (tmp_path / "new.h5").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(DataError, match="exists and is not overwritten"):
        new_file(tmp_path / "new.h5")


#: What the operating system may say at each step of a write.
STEPS = ("open", "write", "fsync", "replace")
ERRORS = ("ENOSPC", "EDQUOT", "EIO", "EACCES", "EROFS", "EFBIG", "ESTALE", "ENOENT")


def failing(monkeypatch, step, error):
    """Let one step of every write fail."""

    def fail(*_, **__):
        raise OSError(getattr(errno, error), os.strerror(getattr(errno, error)))

    class Full(io.BytesIO):
        write = fail

    if step == "write":
        monkeypatch.setattr(os, "fdopen", lambda descriptor, *_: os.close(descriptor) or Full())
    elif step == "replace":
        monkeypatch.setattr(Path, "replace", fail)
    else:
        monkeypatch.setattr(os, step, fail)


@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize("error", ERRORS)
@pytest.mark.parametrize("before", [None, "old"])
def test_an_error_at_any_step_names_the_file_and_leaves_the_old_one(tmp_path, monkeypatch, step, error, before):
    path = tmp_path / "file.txt"
    if before:
        path.write_text(before)
    with monkeypatch.context() as patched:
        failing(patched, step, error)
        with pytest.raises(DataError) as caught:
            write_text(path, "new")
    assert str(caught.value).startswith(f"cannot write {path}: {os.strerror(getattr(errno, error))}")
    assert names(tmp_path) == (["file.txt"] if before else []) and (not before or path.read_text() == before)


def test_an_error_says_what_to_do(tmp_path, monkeypatch):
    failing(monkeypatch, "fsync", "EDQUOT")
    with pytest.raises(DataError, match="your quota is used up; free some space"):
        write_text(tmp_path / "a", "x")


@pytest.mark.attack("files", "a name of 300 characters; a file or a folder in the way")
def test_a_path_that_cannot_be_written_is_an_error(tmp_path):
    (tmp_path / "file").write_text("")
    (tmp_path / "folder").mkdir()
    for path, words in (
        (tmp_path / ("x" * 300), "choose a shorter name"),
        (tmp_path / "file" / "a", "a part of the path is a file"),
        (tmp_path / "folder", "there is a folder of this name"),
    ):
        with pytest.raises(DataError, match=words):
            write_text(path, "x")
    assert names(tmp_path) == ["file", "folder"]


@pytest.mark.attack("files", "the folder is removed while a file is written")
def test_a_folder_that_is_removed_meanwhile_is_an_error(tmp_path):
    (tmp_path / "gone").mkdir()

    def write(temporary):
        (tmp_path / "gone").rmdir()
        temporary.write_text("x")

    with pytest.raises(DataError, match=r"cannot write .*gone/a.*removed meanwhile"):
        write_atomically(tmp_path / "gone" / "a", write)


def test_a_checksum_of_what_cannot_be_read_names_the_file(tmp_path):
    with pytest.raises(DataError, match=r"cannot read .*none"):
        sha256(tmp_path / "none")


@pytest.mark.attack("files", "two commands that write one new file at once")
def test_a_new_file_replaces_nothing_that_came_meanwhile(tmp_path):
    path = new_file(tmp_path / "out.json")
    (tmp_path / "out.json").write_text("of another process")
    with pytest.raises(DataError, match="exists and is not overwritten"):
        write_text(path, "mine")
    assert path.read_text() == "of another process"
    assert [file.name for file in tmp_path.iterdir()] == ["out.json"]


def test_a_new_file_is_written_where_there_are_no_hard_links(tmp_path, monkeypatch):
    def refuse(*_, **__):
        raise PermissionError

    monkeypatch.setattr("os.link", refuse)
    write_text(new_file(tmp_path / "out.txt"), "mine")
    assert [file.read_text() for file in tmp_path.iterdir()] == ["mine"]
