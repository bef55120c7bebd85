"""Display of progress, as a bar on a terminal and otherwise as lines, and of warnings."""

from __future__ import annotations

import os
import sys
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from astroemu.cli.terminal import note, quiet, remark
from astroemu.core.progress import Progress, ProgressCallback, silent
from astroemu.io.terminal import visible_line

#: Seconds between lines if the output is not a terminal.
_EVERY = 10.0
#: Seconds between lines in the log of a run.
_LOGGED = 60.0


@contextmanager
def shown(what: str) -> Iterator[ProgressCallback]:
    """Yield a callable that displays the progress of a task on the first process.

    Parameters
    ----------
    what : str
        The task, as it is displayed.
    """
    from astroemu.runtime.mpi import processes

    what = visible_line(what)
    if not processes().is_root:
        yield silent
    elif quiet():
        yield _logged(silent)
    elif _can_move_the_cursor():
        with _bar(what) as report:
            yield _logged(report)
    else:
        yield _logged(_lines(what))


def _logged(display: ProgressCallback) -> ProgressCallback:
    """Return a display of progress that passes each stage, and a line per minute, to the log of the run."""
    last = [-_LOGGED]

    def report(p: Progress) -> None:
        display(p)
        if p.is_stage:
            note(p.status)
        elif time.monotonic() - last[0] >= _LOGGED:
            last[0] = time.monotonic()
            remark(_text(p), show=False)

    return report


def _can_move_the_cursor() -> bool:
    return sys.stderr is not None and sys.stderr.isatty() and os.environ.get("TERM", "") not in ("dumb", "unknown")


@contextmanager
def warned() -> Iterator[None]:
    """Print each warning of a run as one line, on the first process."""
    from astroemu.errors import DivergenceWarning, DoubleCountingWarning, ReportWarning, RunWarning
    from astroemu.runtime.mpi import processes

    with warnings.catch_warnings():
        warnings.showwarning = _plain
        warnings.simplefilter("always" if processes().is_root else "ignore", DoubleCountingWarning)
        for category in (DivergenceWarning, ReportWarning):
            warnings.simplefilter("always", category)
        warnings.simplefilter("default", RunWarning)  # once, though a command may read a run several times
        yield


def _plain(message: Warning | str, *_: object, **__: object) -> None:
    remark(f"warning: {message}")


def _columns() -> list[Any]:
    """Return the columns of the bar. In a narrow terminal the texts are cut, not the bar."""
    from rich.progress import BarColumn, TextColumn, TimeElapsedColumn
    from rich.table import Column

    def text(field: str, **options: Any) -> TextColumn:
        column = Column(no_wrap=True, overflow="ellipsis", **options)
        return TextColumn(f"{{task.{field}}}", markup=False, table_column=column)

    bar = BarColumn(bar_width=None, table_column=Column(width=12, no_wrap=True))
    elapsed = TimeElapsedColumn(table_column=Column(width=7, no_wrap=True))
    return [text("description", max_width=18), bar, text("fields[text]", ratio=1), elapsed]


@contextmanager
def _bar(what: str) -> Iterator[ProgressCallback]:
    from rich.console import Console
    from rich.progress import Progress as Bar

    with Bar(*_columns(), console=Console(stderr=True), transient=True, expand=True) as bar:
        task = bar.add_task(what, total=None, text="starting")

        def report(p: Progress) -> None:
            total = None if p.fraction is None else 1.0
            bar.update(task, total=total, completed=p.fraction or 0.0, text=_text(p))

        yield report


def _lines(what: str) -> ProgressCallback:
    """Return a callable that prints the progress at once, and then every ten seconds."""
    last = [-_EVERY]

    def report(p: Progress) -> None:
        if not p.is_stage and time.monotonic() - last[0] >= _EVERY:
            last[0] = time.monotonic()
            print(f"{what}: {_text(p)}", file=sys.stderr, flush=True)

    return report


def _text(p: Progress) -> str:
    return p.status if p.is_stage else f"{p.status}, {p.n_likelihood:,} evaluations, iteration {p.iteration:,}"
