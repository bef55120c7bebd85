"""What a terminal shows of a run: the bar, and warnings."""

from __future__ import annotations

import io
import warnings

import pytest
from rich.console import Console
from rich.progress import Progress as Bar

from astroemu.cli import progress
from astroemu.cli.terminal import heard as heard_by
from astroemu.cli.terminal import speaking
from astroemu.core.progress import Progress
from astroemu.errors import ReportWarning
from astroemu.sampling import progress_display
from astroemu.sampling.progress_display import in_words, on_terminal

STATE = Progress(1330, 186_064, "28 of 50 autocorrelation times", 0.5)


def shown(width, what):
    console = Console(file=io.StringIO(), width=width, force_terminal=True, color_system=None)
    bar = Bar(*progress_display.columns(), console=console, expand=True)
    bar.add_task(what, total=1.0, completed=STATE.fraction, text=in_words(STATE))
    console.print(bar.get_renderable())
    return console.file.getvalue()


@pytest.mark.case(35)
@pytest.mark.parametrize("width", [40, 80, 120])
def test_the_bar_fits_the_terminal_and_does_not_vanish(width):
    line = shown(width, "fit [red]a configuration of a long name")
    assert line.count("\n") == 1 and len(line) - 1 <= width
    assert "━" * 5 in line and "fit [red]a" in line  # markup of a name is text
    if width >= 80:
        assert "28 of 50 autocorrel" in line


@pytest.mark.attack("terminal", "TERM=dumb on a terminal; standard error closed")
def test_a_terminal_that_cannot_move_its_cursor_gets_lines(monkeypatch):
    class Terminal(io.StringIO):
        def isatty(self):
            return True

    monkeypatch.setattr("sys.stderr", Terminal())
    monkeypatch.setenv("TERM", "xterm")
    assert on_terminal()
    monkeypatch.setenv("TERM", "dumb")
    assert not on_terminal()
    monkeypatch.setattr(progress, "_EVERY", 0.0)
    with progress.shown("fit \x1b[2Jx") as report:
        report(STATE)
    lines = progress.sys.stderr.getvalue()
    assert lines.startswith(r"fit \x1b[2Jx: 28 of 50 autocorrelation times, 186,064 evaluations")
    monkeypatch.setattr("sys.stderr", None)
    assert not on_terminal()


def test_the_bar_says_what_it_does_before_the_first_likelihood(monkeypatch):
    stage = Progress.stage("building the model")
    assert stage.is_stage and not STATE.is_stage and in_words(stage) == "building the model"
    heard = []
    monkeypatch.setattr(progress, "on_terminal", lambda: False)
    with heard_by(heard.append), progress.shown("fit x") as report:
        report(stage)
        report(STATE)
        report(STATE)
    assert heard == ["building the model", in_words(STATE)]  # a line per minute goes into the log


def test_a_quiet_command_shows_no_progress(capsys):
    def speak() -> None:
        with progress.shown("fit x") as report:
            report(STATE)

    speaking(speak)(quiet=True, verbose=False)
    assert capsys.readouterr().err == ""


def test_a_warning_of_the_report_is_a_line_even_where_warnings_are_errors(capsys):
    with progress.warned():
        warnings.warn("corner.png was not written \x1b[2J", ReportWarning, stacklevel=1)
    assert capsys.readouterr().err == "warning: corner.png was not written \\x1b[2J\n"
