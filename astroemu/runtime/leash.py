"""Processes that end with the process that started them.

A child watches one end of a pipe whose other end only its parent holds. The kernel closes that end however the parent
ends, also by ``kill -9``. The child then ends itself and all that it has started. This module is small, because the
process of MultiNest imports it.
"""

from __future__ import annotations

import os
import selectors
import shutil
import signal
import threading
import time
from contextlib import suppress
from pathlib import Path
from typing import NoReturn

#: Seconds between two looks at the parent itself: a fork of the parent may hold its end of the pipe.
_EVERY = 1.0
#: Seconds that the leash needs at most to remove a folder.
_MOMENT = 0.5


def end_with_parent(pipe: int, folder: Path | None = None) -> None:
    """Make this process, and all that it starts, end when its parent ends or closes the pipe.

    The process leads a group of its own from now on. A signal of the terminal reaches the parent alone.

    Parameters
    ----------
    pipe : int
        File descriptor from which nothing is ever read. At its end the parent has ended.
    folder : Path, optional
        Temporary folder that is then removed.
    """
    with suppress(OSError):  # it leads a session already
        os.setpgid(0, 0)
    threading.Thread(target=_watch, args=(pipe, os.getppid(), folder), name="leash", daemon=True).start()


def _watch(pipe: int, parent: int, folder: Path | None) -> None:
    with selectors.DefaultSelector() as selector:
        selector.register(pipe, selectors.EVENT_READ)
        while not selector.select(timeout=_EVERY) and os.getppid() == parent:
            pass
    end_group(folder)


def give_up() -> NoReturn:
    """End this process. If its parent has ended, the leash gets the time to remove the temporary folder first."""
    time.sleep(_MOMENT)
    os._exit(1)


def end_group(folder: Path | None = None) -> NoReturn:
    """Remove a temporary folder, and kill this process with the group that it leads."""
    if folder is not None:
        shutil.rmtree(folder, ignore_errors=True)
    if os.getpgrp() == os.getpid():
        os.killpg(0, signal.SIGKILL)
    os._exit(1)
