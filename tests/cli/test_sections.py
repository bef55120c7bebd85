"""The help of the command line: sections, and the complete first sentence of each command."""

from __future__ import annotations

import pytest
from helpers import command


def test_the_help_lists_each_command_once_in_its_section():
    code, text, _ = command("--help")
    assert code == 0
    lines = text.splitlines()
    sections = [line for line in lines if line.endswith(":") and not line.startswith(" ")]
    assert sections == [
        "Options:",
        "Fits and their results:",
        "Calibration and mock data:",
        "Training emulators:",
        "Plugins, data and installation:",
    ]
    for name, section in {"fit": 1, "mock": 2, "train": 3, "list": 4, "catalogs": 4}.items():
        places = [i for i, line in enumerate(lines) if line.startswith(f"  {name} ")]
        assert len(places) == 1
        above = [line for line in lines[: places[0]] if line in sections]
        assert above[-1] == sections[section]


@pytest.mark.parametrize("group", [(), ("catalogs",)])
def test_no_sentence_is_cut(group):
    _, text, _ = command(*group, "--help")
    assert "..." not in text.replace("[ARGS]...", "")


def test_commands_without_a_section_are_listed_as_commands():
    _, text, _ = command("catalogs", "--help")
    assert "Commands:\n  list " in text
