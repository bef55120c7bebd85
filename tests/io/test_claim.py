"""Work folders: a new one is claimed, the same work continues, other work is refused before anything is written."""

from __future__ import annotations

import json

import numpy as np
import pytest

from astroemu.errors import DataError
from astroemu.io.claim import claim_folder

CONTENT = {"seed": 3, "box": {"a": [0.0, 1.0]}}


def claim(note, content=CONTENT, **options):
    claim_folder(note, content, "a calibration", "another seed or emulator", **options)


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


@pytest.mark.parametrize("other", [{"seed": 4, "box": CONTENT["box"]}, {**CONTENT, "emulator": "acg"}])
def test_other_work_is_refused(tmp_path, other):
    note = tmp_path / "note.json"
    claim(note)
    before = note.read_text()
    with pytest.raises(DataError, match=r"holds a calibration of another seed or emulator \(see note\.json there\)"):
        claim(note, other)
    assert note.read_text() == before


@pytest.mark.parametrize("text", ["", "{", "[]", "3", '{"seed": 3}'])
def test_a_damaged_note_is_refused(tmp_path, text):
    (tmp_path / "note.json").write_text(text)
    with pytest.raises(DataError, match="choose another folder"):
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
