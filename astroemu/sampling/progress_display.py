"""The progress of a run, drawn on a terminal or in a notebook.

Calls in Python use :func:`displayed`: a script whose output goes to a file shows nothing. Commands, which print lines
there, use the parts.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from html import escape
from typing import Any

from astroemu.core.progress import Progress, ProgressCallback, silent

#: Seconds between two updates in a notebook.
_EVERY = 0.2
_START = Progress.stage("starting")


def in_notebook() -> bool:
    """Return True inside a kernel of Jupyter. Nothing is imported."""
    shell = getattr(sys.modules.get("IPython"), "get_ipython", lambda: None)()
    return shell is not None and hasattr(shell, "kernel")


def on_terminal() -> bool:
    """Return True if standard error is a terminal that can move its cursor."""
    return sys.stderr is not None and sys.stderr.isatty() and os.environ.get("TERM", "") not in ("dumb", "unknown")


@contextmanager
def displayed(what: str) -> Iterator[ProgressCallback]:
    """Yield a callable that displays the progress of a task where a person sees it.

    Parameters
    ----------
    what : str
        The task, as it is displayed.
    """
    from astroemu.runtime.mpi import processes

    if not processes().is_root:
        yield silent
    elif in_notebook():
        with _in_notebook(what) as report:
            yield report
    elif on_terminal():
        with bar(what) as report:
            yield report
    else:
        yield silent


def in_words(p: Progress) -> str:
    """Return the state of a run in words."""
    return p.status if p.is_stage else f"{p.status}, {p.n_likelihood:,} evaluations, iteration {p.iteration:,}"


def columns() -> list[Any]:
    """Return the columns of the bar. In a narrow terminal the texts are cut, not the bar."""
    from rich.progress import BarColumn, TextColumn, TimeElapsedColumn
    from rich.table import Column

    def text(field: str, **options: Any) -> TextColumn:
        column = Column(no_wrap=True, overflow="ellipsis", **options)
        return TextColumn(f"{{task.{field}}}", markup=False, table_column=column)

    width = BarColumn(bar_width=None, table_column=Column(width=12, no_wrap=True))
    elapsed = TimeElapsedColumn(table_column=Column(width=7, no_wrap=True))
    return [text("description", max_width=18), width, text("fields[text]", ratio=1), elapsed]


@contextmanager
def bar(what: str) -> Iterator[ProgressCallback]:
    """Yield a callable that draws the progress of a task as a bar on standard error, which vanishes at the end."""
    from rich.console import Console
    from rich.progress import Progress as Bar

    with Bar(*columns(), console=Console(stderr=True), transient=True, expand=True) as shown:
        task = shown.add_task(what, total=None, text=_START.status)

        def report(p: Progress) -> None:
            total = None if p.fraction is None else 1.0
            shown.update(task, total=total, completed=p.fraction or 0.0, text=in_words(p))

        yield report


@contextmanager
def _in_notebook(what: str) -> Iterator[ProgressCallback]:
    """Show one line of HTML, which is replaced as the run goes on and stays with its last state."""
    from IPython.display import HTML, display  # type: ignore[import-not-found, unused-ignore]

    started = last = time.monotonic()
    latest = _START
    handle = display(HTML(_html(what, latest, 0.0)), display_id=True)

    def report(p: Progress) -> None:
        nonlocal last, latest
        latest = p
        if time.monotonic() - last >= _EVERY:
            last = time.monotonic()
            handle.update(HTML(_html(what, p, last - started)))

    yield report
    handle.update(HTML(_html(what, latest, time.monotonic() - started)))


def _html(what: str, p: Progress, seconds: float) -> str:
    part = "" if p.fraction is None else f'<progress value="{min(max(p.fraction, 0.0), 1.0):.3f}" max="1"></progress> '
    return f"<div>{escape(what)} {part}{escape(in_words(p))}, {seconds:.0f} s</div>"
