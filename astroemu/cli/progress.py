"""What a command shows of its progress, as a bar on a terminal and otherwise as lines, and its warnings."""

from __future__ import annotations

import sys
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

from astroemu.cli.terminal import note, quiet, remark
from astroemu.core.progress import Progress, ProgressCallback, silent
from astroemu.io.terminal import visible_line
from astroemu.sampling.progress_display import bar, in_words, on_terminal

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
    elif on_terminal():
        with bar(what) as report:
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
            remark(in_words(p), show=False)

    return report


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


def _lines(what: str) -> ProgressCallback:
    """Return a callable that prints the progress at once, and then every ten seconds."""
    last = [-_EVERY]

    def report(p: Progress) -> None:
        if not p.is_stage and time.monotonic() - last[0] >= _EVERY:
            last[0] = time.monotonic()
            print(f"{what}: {in_words(p)}", file=sys.stderr, flush=True)

    return report
