"""Standard output that cannot spoil a finished command."""

from __future__ import annotations

import os
import shutil
import sys

import typer

from astroemu.io.terminal import visible

#: The narrowest terminal for which tables are made, in characters.
_NARROWEST = 40


def width() -> int:
    """Return the number of characters in a line of the terminal; 80 if the output is none."""
    return max(shutil.get_terminal_size().columns, _NARROWEST)


def tell(text: str) -> None:
    """Print a text whose facts are in files too.

    Characters that control a terminal are shown as escapes. An output that was closed, as by ``| head``, or that is
    full, does not end the command.
    """
    try:
        typer.echo(visible(text))
    except OSError:
        _discard_output()


def _discard_output() -> None:
    """Send what is still to be printed nowhere, so that it cannot fail again when the process ends."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, sys.stdout.fileno())
    os.close(nowhere)
