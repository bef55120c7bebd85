"""The log of a run: ``log.txt`` in its folder, with what the commands that made it have said.

The folder is known only after the configuration was read. Lines that come earlier wait in memory. A run that is resumed
appends to its log. No number depends on the log, and a log that cannot be written does not end the run.
"""

from __future__ import annotations

import os
import shlex
import sys
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Self

from astroemu.errors import AstroemuError, ProbeError, Terminated
from astroemu.io.terminal import visible
from astroemu.runtime.provenance import utc

#: Name of the file in the run folder.
LOG = "log.txt"


class RunLog:
    """Context manager that writes what a command says, with the time in UTC before each line.

    Parameters
    ----------
    command : str
        The command line, as the first line of the log.
    """

    def __init__(self, command: str) -> None:
        self._waiting: list[str] = []
        self._file: IO[str] | None = None
        self.write(command)

    def open(self, folder: Path) -> None:
        """Append to the log in this folder from now on, beginning with the lines that wait.

        A link in the place of the log is not followed.
        """
        with suppress(OSError):
            flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0)
            number = os.open(folder / LOG, flags, 0o666)
            self._file = os.fdopen(number, "a", encoding="utf-8", errors="backslashreplace")
            waiting, self._waiting = self._waiting, []
            self._put("".join(waiting))

    def write(self, text: str) -> None:
        """Write a text. Its lines after the first are indented."""
        first, *others = visible(text).rstrip("\n").split("\n")
        lines = f"{utc()}  {first}\n" + "".join(f"    {line}\n" for line in others)
        if self._file is None:
            self._waiting.append(lines)
        else:
            self._put(lines)

    def _put(self, lines: str) -> None:
        if self._file is None:
            return
        try:
            self._file.write(lines)
            self._file.flush()
        except OSError:  # a full disk: the run itself says so, where it cannot write its results
            file, self._file = self._file, None
            with suppress(OSError):
                file.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: Any, error: BaseException | None, trace: TracebackType | None) -> None:
        if isinstance(error, Terminated):
            self.write(f"ended by a signal, with the exit code {error.code}; --resume goes on from here")
        elif isinstance(error, AstroemuError | ProbeError):
            self.write(f"ended by an error: {error}")
        elif error is not None:
            self.write(f"ended by {type(error).__name__}: {error}")
        if self._file is not None:
            with suppress(OSError):
                self._file.close()


def command_line() -> str:
    """Return the command line of this process, as it can be pasted into a shell."""
    return "astroemu " + shlex.join(sys.argv[1:])
