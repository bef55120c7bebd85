"""Standard output that cannot spoil a finished command."""

from __future__ import annotations

import os

import pytest

from astroemu.cli import terminal


def test_what_controls_a_terminal_is_shown(capsys):
    terminal.tell("a\x1b[2J")
    assert capsys.readouterr().out == "a\\x1b[2J\n"


@pytest.mark.attack("terminal", "standard output that is full (/dev/full) or closed (| head)")
def test_an_output_that_fails_does_not_end_the_command(monkeypatch, capfd):
    def fail(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(terminal.typer, "echo", fail)
    discarded = []
    monkeypatch.setattr(terminal, "_discard_output", lambda: discarded.append(True))
    terminal.tell("a")
    assert discarded == [True]


def test_what_is_left_to_print_goes_nowhere(monkeypatch, tmp_path):
    with (tmp_path / "out").open("w") as stream:
        monkeypatch.setattr("sys.stdout", stream)
        terminal._discard_output()
        stream.write("more")
    assert (tmp_path / "out").read_text() == ""


@pytest.mark.parametrize(("columns", "width"), [("200", 200), ("80", 80), ("5", 40)])
def test_the_width_is_that_of_the_terminal_but_not_less_than_40(columns, width, monkeypatch):
    monkeypatch.setattr(os, "environ", {**os.environ, "COLUMNS": columns})
    assert terminal.width() == width
