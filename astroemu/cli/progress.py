"""Display of progress, as a bar on a terminal and otherwise as lines, and of warnings."""

from __future__ import annotations

import sys
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

from astroemu.core.progress import Progress, ProgressCallback, silent

#: Seconds between lines if the output is not a terminal.
_EVERY = 10.0


@contextmanager
def shown(what: str) -> Iterator[ProgressCallback]:
    """Yield a callable that displays the progress of a task on the first process.

    Parameters
    ----------
    what : str
        The task, as it is displayed.
    """
    from astroemu.runtime.mpi import processes

    if not processes().is_root:
        yield silent
    elif sys.stderr.isatty():
        with _bar(what) as report:
            yield report
    else:
        yield _lines(what)


@contextmanager
def warned() -> Iterator[None]:
    """Print each warning of a run as one line, on the first process."""
    from astroemu.errors import DivergenceWarning, DoubleCountingWarning
    from astroemu.runtime.mpi import processes

    with warnings.catch_warnings():
        warnings.showwarning = _plain
        warnings.simplefilter("always" if processes().is_root else "ignore", DoubleCountingWarning)
        warnings.simplefilter("always", DivergenceWarning)
        yield


def _plain(message: Warning | str, *_: object, **__: object) -> None:
    print(f"warning: {message}", file=sys.stderr)


@contextmanager
def _bar(what: str) -> Iterator[ProgressCallback]:
    from rich.console import Console
    from rich.progress import BarColumn, TextColumn, TimeElapsedColumn
    from rich.progress import Progress as Bar

    columns = (
        TextColumn("{task.description}"),
        BarColumn(bar_width=24),
        TextColumn("{task.fields[text]}"),
        TimeElapsedColumn(),
    )
    with Bar(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(what, total=None, text="")

        def report(p: Progress) -> None:
            total = None if p.fraction is None else 1.0
            bar.update(task, total=total, completed=p.fraction or 0.0, text=_text(p))

        yield report


def _lines(what: str) -> ProgressCallback:
    last = [time.monotonic()]

    def report(p: Progress) -> None:
        if time.monotonic() - last[0] >= _EVERY:
            last[0] = time.monotonic()
            print(f"{what}: {_text(p)}", file=sys.stderr, flush=True)

    return report


def _text(p: Progress) -> str:
    return f"iteration {p.iteration:,}, {p.n_likelihood:,} evaluations, {p.status}"
