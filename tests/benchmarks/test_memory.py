"""The benchmark of memory."""

from __future__ import annotations

import json

import memory
import pytest


def test_a_row_is_measured_in_a_process_of_its_own():
    found = memory.of_a_process(["imports"])
    assert 20.0 < found["peak"] < 2000.0  # MB
    with pytest.raises(SystemExit, match="failed"):
        memory.of_a_process(["nonsense"])


def test_a_record_has_the_size_that_its_module_states():
    found = memory.measure(["record", "640", "1"])
    assert found["points"] == 640 and found["peak"] > 20.0
    assert 1e6 * found["file"] == pytest.approx(640 * 8 + 20 * 48, abs=100)  # and a head


def test_the_script_writes_a_row_for_each_request(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(memory, "of_a_process", memory.measure)
    out = tmp_path / "memory.json"
    memory.main(["--quick", "--only", "chain", "--only", "record", "--out", str(out)])
    written = json.loads(out.read_text())
    groups = [row["group"] for row in written["rows"]]
    assert groups == ["record"] * 2 + ["chain"] * 2 and written["unit"] == "MB"
    assert all(row["more"] == row["peak"] - written["imports"] for row in written["rows"])
    assert "emcee, 100 steps of 64 walkers" in capsys.readouterr().out


def test_the_sizes_are_those_that_are_asked_for():
    groups = [words for _, _, words in memory.rows(memory.GROUPS, quick=False)]
    assert ["batch", "reionization", "1000000"] in groups and ["record", "10000000", "1"] in groups
