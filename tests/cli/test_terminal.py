"""Standard output that cannot spoil a finished command."""

from __future__ import annotations

import os

import pytest
import typer
from helpers import command

from astroemu.cli import terminal
from astroemu.errors import ConfigurationError


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


def said(capsys, **options):
    """What a command with all ways of speaking prints, and what a listener hears."""
    heard = []

    def speak(what: str) -> None:
        terminal.tell(f"{what} in a file")
        terminal.answer(f"{what} answered")
        terminal.note(f"{what} noted")
        terminal.remark(f"{what} remarked")

    with terminal.heard(heard.append):
        terminal.speaking(speak)("x", **{"quiet": False, "verbose": False, **options})
    assert heard == ["x in a file", "x answered", "x noted", "x remarked"]
    return capsys.readouterr()


def test_quiet_leaves_out_what_is_in_files_and_verbose_adds_the_steps(capsys):
    usual = said(capsys)
    assert usual.out == "x in a file\nx answered\n" and usual.err == "x remarked\n"
    quiet = said(capsys, quiet=True)
    assert quiet.out == "x answered\n" and quiet.err == "x remarked\n"
    verbose = said(capsys, verbose=True)
    assert verbose.out == usual.out and verbose.err == "x noted\nx remarked\n"
    assert not terminal.quiet() and not terminal.verbose()  # they hold for one command only
    with pytest.raises(ConfigurationError, match="exclude each other"):
        said(capsys, quiet=True, verbose=True)


def test_every_command_has_the_short_help_and_both_options():
    from astroemu.cli import app

    code, text, _ = command("-h")
    assert code == 0 and "-h, --help" in text and "--install-completion" in text
    commands = typer.main.get_command(app).commands
    for name, each in commands.items():
        for leaf in getattr(each, "commands", {name: each}).values():
            assert {"quiet", "verbose"} <= {parameter.name for parameter in leaf.params}, name
    code, text, _ = command("catalogs", "show", "-h")
    assert code == 0 and "--quiet" in text and "List every row" in text


def test_a_long_line_is_folded_on_a_terminal_only(monkeypatch):
    line = "  tensorflow  absent  " + "word " * 30
    assert terminal.fitted(line, 8) == line

    class Screen:
        def isatty(self):
            return True

    monkeypatch.setattr("sys.stdout", Screen())
    monkeypatch.setattr(os, "environ", {**os.environ, "COLUMNS": "60"})
    lines = terminal.fitted(line, 8).splitlines()
    assert len(lines) > 2 and max(map(len, lines)) <= 60 and lines[1].startswith(" " * 8 + "word")


def test_the_shell_completes_commands_options_and_names_of_plugins(monkeypatch, capsys):
    from astroemu.cli import app

    def completed(words: str, last: int) -> list[str]:
        monkeypatch.setenv("_ASTROEMU_COMPLETE", "complete_bash")
        monkeypatch.setenv("COMP_WORDS", words)
        monkeypatch.setenv("COMP_CWORD", str(last))
        with pytest.raises(SystemExit):
            app(prog_name="astroemu")
        return capsys.readouterr().out.split()

    assert {"explain", "export"} <= {*completed("astroemu exp", 1)}
    assert completed("astroemu fit --acc", 2) == ["--accept-changed-code"]
    assert completed("astroemu list emc", 2) == ["emcee"]
