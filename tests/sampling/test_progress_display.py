"""The progress of a call in Python: on a terminal, in a notebook, and nowhere else."""

from __future__ import annotations

import io
import sys
from types import ModuleType, SimpleNamespace

import pytest

from astroemu.core.progress import Progress
from astroemu.sampling import progress_display
from astroemu.sampling.progress_display import displayed, in_notebook, on_terminal

STATE = Progress(1330, 186_064, "28 of 50 autocorrelation times", 0.5)


class Terminal(io.StringIO):
    def isatty(self):
        return True


@pytest.fixture
def notebook(monkeypatch):
    """A kernel of Jupyter, of which only what is displayed is seen."""
    shown = []

    def display(html, **_):
        shown.append(html)
        return SimpleNamespace(update=shown.append)

    ipython, tools = ModuleType("IPython"), ModuleType("IPython.display")
    ipython.get_ipython = lambda: SimpleNamespace(kernel=object())
    tools.HTML, tools.display = str, display
    monkeypatch.setitem(sys.modules, "IPython", ipython)
    monkeypatch.setitem(sys.modules, "IPython.display", tools)
    return shown


def test_a_notebook_shows_one_line_that_stays(notebook, monkeypatch):
    assert in_notebook()
    monkeypatch.setattr(progress_display, "_EVERY", 0.0)
    with displayed("<emcee>") as report:
        report(STATE)
    first, middle, last = notebook
    assert first.startswith("<div>&lt;emcee&gt; starting, 0 s")
    assert '<progress value="0.500" max="1"></progress> 28 of 50 autocorrelation times, 186,064 evaluations' in middle
    assert "iteration 1,330" in last and last.endswith("s</div>")


def test_a_terminal_shows_a_bar(monkeypatch):
    stream = Terminal()
    monkeypatch.setattr("sys.stderr", stream)
    monkeypatch.setenv("TERM", "xterm")
    assert on_terminal() and not in_notebook()
    with displayed("emcee") as report:
        report(STATE)
    assert "emcee" in stream.getvalue() and "28 of 50" in stream.getvalue()


@pytest.mark.parametrize("stream", [io.StringIO(), None])
def test_elsewhere_nothing_is_shown(monkeypatch, stream):
    monkeypatch.setattr("sys.stderr", stream)
    with displayed("emcee") as report:
        report(STATE)
    assert not on_terminal() and (stream is None or stream.getvalue() == "")


def test_a_terminal_without_a_cursor_shows_nothing(monkeypatch):
    monkeypatch.setattr("sys.stderr", Terminal())
    monkeypatch.setenv("TERM", "dumb")
    assert not on_terminal()
