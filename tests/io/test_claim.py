"""Work folders: a new one is claimed, the same work continues, other work is refused before anything is written."""

from __future__ import annotations

import json

import numpy as np
import pytest

from astroemu.errors import DataError
from astroemu.io.claim import claim_folder, release_folder

CONTENT = {"seed": 3, "box": {"a": [0.0, 1.0]}}


def claim(note, content=CONTENT, **options):
    return claim_folder(note, content, "a calibration", "another seed or emulator", **options)


def test_a_new_folder_gets_a_note_of_its_work(tmp_path):
    note = tmp_path / "deep" / "work" / "note.json"
    claim(note, beside=lambda: {"date": "then"})
    assert json.loads(note.read_text()) == {**CONTENT, "date": "then"}
    assert list(note.parent.iterdir()) == [note]


def test_the_same_work_continues_and_leaves_the_note_alone(tmp_path):
    note = tmp_path / "note.json"
    claim(note, beside=lambda: {"date": "then"})
    before = note.read_text()
    (tmp_path / "block_1.h5").write_text("work")
    claim(note, beside=lambda: {"date": "now"})
    claim(note, {"seed": np.int64(3), "box": {"a": np.array([0.0, 1.0])}})
    assert note.read_text() == before


@pytest.mark.parametrize(
    ("other", "differs"),
    [
        ({"seed": 4, "box": CONTENT["box"]}, "differs: seed was 3 and is 4"),
        ({**CONTENT, "box": {}}, "box was not there and is {}; box.a was .* and is not there"),
        ({**CONTENT, "seed": "a" * 64}, r"seed was 3 and is aaaaaaaa\.\.\."),
    ],
)
def test_other_work_is_refused(tmp_path, other, differs):
    note = tmp_path / "note.json"
    claim(note)
    (tmp_path / "fits").mkdir()
    (tmp_path / "fits" / "000000.json").write_text("work")
    before = note.read_text()
    with pytest.raises(
        DataError, match=rf"holds a calibration of another seed or emulator \(see note\.json .*{differs}"
    ):
        claim(note, other)
    assert note.read_text() == before


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "is damaged"),
        ("{", "is damaged"),
        ("[]", "'box', 'seed'"),
        ("3", "another version"),
        ('{"seed": 3}', "box"),
    ],
)
def test_a_damaged_note_is_refused(tmp_path, text, words):
    (tmp_path / "note.json").write_text(text)
    with pytest.raises(DataError, match=rf"note\.json .*{words}"):
        claim(tmp_path / "note.json")
    assert (tmp_path / "note.json").read_text() == text


def test_a_folder_of_other_files_and_a_file_are_refused(tmp_path):
    (tmp_path / "thesis.tex").write_text("mine")
    for note in (tmp_path / "note.json", tmp_path / "thesis.tex" / "note.json"):
        with pytest.raises(DataError, match="holds something other than a calibration; choose another folder"):
            claim(note)
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.tex"]


def test_an_empty_folder_is_as_good_as_a_new_one(tmp_path):
    claim(tmp_path / "note.json")
    assert json.loads((tmp_path / "note.json").read_text()) == CONTENT


def test_a_note_whose_writing_was_killed_does_not_block_its_folder(tmp_path):
    note = tmp_path / "work" / "note.json"
    note.parent.mkdir()
    (note.parent / ".note.json.123.part").write_text('{"se')
    claim_folder(note, {"seed": 1}, "a calibration", "another seed")
    assert json.loads(note.read_text()) == {"seed": 1}


def test_a_note_without_work_beside_it_binds_nothing(tmp_path):
    note = tmp_path / "note.json"
    claim(note)
    (tmp_path / "fits").mkdir()
    (tmp_path / ".000000.h5.00ff.part").write_text("half")
    assert claim(note, {**CONTENT, "seed": 4}) == []
    assert json.loads(note.read_text())["seed"] == 4 and not (tmp_path / ".000000.h5.00ff.part").exists()


def test_only_code_can_be_accepted_and_the_note_keeps_what_was(tmp_path):
    note = tmp_path / "note.json"
    first = {**CONTENT, "code": {"source": {"mine": "a" * 64}}}
    second = {**CONTENT, "code": {"source": {"mine": "b" * 64}}}
    claim(note, first)
    (tmp_path / "work").write_text("work")
    with pytest.raises(
        DataError, match=r"code\.source\.mine was aaaaaaaa.* and is bbbbbbbb.*add --accept-changed-code"
    ):
        claim(note, second)
    with pytest.raises(DataError, match=r"seed was 3 and is 4; code\.source\.mine was [^-]*$"):
        claim(note, {**second, "seed": 4}, accept_changed_code=True)
    said = ["code.source.mine was aaaaaaaa... and is bbbbbbbb..."]
    assert claim(note, second, accept_changed_code=True) == said == claim(note, second)
    assert json.loads(note.read_text())["accepted"] == said


@pytest.mark.attack("work folders", "infinities, NaN and a nested table that has lost a key")
def test_every_value_of_a_note_is_compared(tmp_path):
    note, odd = tmp_path / "note.json", {"high": np.inf, "undefined": np.nan, "box": {"a": 1, "b": {}}}
    claim(note, odd)
    (tmp_path / "work").write_text("work")
    assert claim(note, odd) == []
    with pytest.raises(DataError, match=r"high was .*inf.* and is 1\.0; box\.b was \{\} and is not there"):
        claim(note, {"high": 1.0, "undefined": np.nan, "box": {"a": 1}})


def test_the_folder_of_finished_work_is_removed_with_the_note_last(tmp_path, monkeypatch):
    note = tmp_path / "parts" / "note.json"
    claim(note)
    (note.parent / "deep").mkdir()
    for name in ("block.h5", "deep/block.h5"):
        (note.parent / name).write_text("")
    order = []
    unlink = type(note).unlink
    monkeypatch.setattr(type(note), "unlink", lambda path, **how: (order.append(path.name), unlink(path, **how)))
    release_folder(note)
    assert order[-1] == "note.json" and not note.parent.exists()
