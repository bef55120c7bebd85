"""What a command says: results, notes and warnings, on the terminal and in the log of a run.

Standard output cannot spoil a finished command. ``--quiet`` leaves out what is in files too, and ``--verbose`` adds
notes on each step.
"""

from __future__ import annotations

import functools
import inspect
import os
import shutil
import sys
import textwrap
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from contextvars import ContextVar
from typing import Any

import typer

from astroemu.cli.foreign import silenced
from astroemu.errors import ConfigurationError
from astroemu.io.terminal import visible

#: The narrowest terminal for which tables are made, in characters.
_NARROWEST = 40

#: -1 with ``--quiet``, 1 with ``--verbose``.
_level: ContextVar[int] = ContextVar("level", default=0)
#: Receives everything that a command says: the log of a run.
_listener: ContextVar[Callable[[str], None]] = ContextVar("listener", default=lambda _: None)

_QUIET = typer.Option(False, "--quiet", "-q", help="Print no progress, and nothing that is written to files too.")
_VERBOSE = typer.Option(False, "--verbose", "-v", help="Also print each step, and the messages of other libraries.")


def width() -> int:
    """Return the number of characters in a line of the terminal; 80 if the output is none."""
    return max(shutil.get_terminal_size().columns, _NARROWEST)


def fitted(line: str, indent: int = 2) -> str:
    """Return a line in several lines if it is too long for the terminal. In a file or a pipe it stays one line."""
    on_terminal = sys.stdout is not None and sys.stdout.isatty()
    if not on_terminal or len(line) <= width():
        return line
    return textwrap.fill(line, width(), subsequent_indent=" " * indent, break_long_words=False, break_on_hyphens=False)


def quiet() -> bool:
    """Return True within a command with ``--quiet``."""
    return _level.get() < 0


def verbose() -> bool:
    """Return True within a command with ``--verbose``."""
    return _level.get() > 0


def speaking(command: Callable[..., None]) -> Callable[..., None]:
    """Return a command with the options ``--quiet`` and ``--verbose``, which hold while it runs."""

    @functools.wraps(command)
    def run(*arguments: Any, quiet: bool, verbose: bool, **options: Any) -> None:
        if quiet and verbose:
            raise ConfigurationError("--quiet and --verbose exclude each other; leave one out")
        token = _level.set(int(verbose) - int(quiet))
        try:
            with nullcontext() if verbose else silenced():
                command(*arguments, **options)
        finally:
            _level.reset(token)

    signature = inspect.signature(command, eval_str=True)
    added = [
        inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=option, annotation=bool)
        for name, option in (("quiet", _QUIET), ("verbose", _VERBOSE))
    ]
    run.__signature__ = signature.replace(parameters=[*signature.parameters.values(), *added])  # type: ignore[attr-defined]
    run.__annotations__ = {**command.__annotations__, "quiet": bool, "verbose": bool}
    return run


@contextmanager
def heard(listener: Callable[[str], None]) -> Iterator[None]:
    """Context manager that passes everything a command says to a function too."""
    token = _listener.set(listener)
    try:
        yield
    finally:
        _listener.reset(token)


def tell(text: str) -> None:
    """Print a text whose facts are in files too, unless with ``--quiet``."""
    if quiet():
        _listener.get()(text)
    else:
        answer(text)


def answer(text: str) -> None:
    """Print the result of a command.

    Characters that control a terminal are shown as escapes. An output that was closed, as by ``| head``, or that is
    full, does not end the command.
    """
    _listener.get()(text)
    try:
        typer.echo(visible(text))
    except OSError:
        _discard_output()


def note(text: str) -> None:
    """Print a line on a step of the work with ``--verbose``, to standard error. The log has it in any case."""
    remark(text, show=verbose())


def remark(text: str, *, show: bool = True) -> None:
    """Pass a line to the log, and print it to standard error if ``show`` is true."""
    _listener.get()(text)
    if show:
        print(visible(text), file=sys.stderr, flush=True)


def _discard_output() -> None:
    """Send what is still to be printed nowhere, so that it cannot fail again when the process ends."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, sys.stdout.fileno())
    os.close(nowhere)
