"""Ctrl-C and SIGTERM: a flag that is looked at between batches, and an end within a second.

Python raises the exception of a signal between any two instructions of the main thread. That thread may just hand over
a lock to a worker thread. The lock then stays closed, and the process waits for it for ever. A signal therefore only
sets a flag here, which :func:`check` reads between batches of likelihoods. Code that does not look at the flag gets the
exception after a moment. A process that has not ended after a second is ended.

Only the command line installs these handlers. They are removed when a command ends without a signal.
"""

from __future__ import annotations

import _thread
import contextlib
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, NoReturn

from astroemu.errors import Terminated

_SIGNALS = (signal.SIGINT, signal.SIGTERM)
#: Seconds after a signal: the exception for code that does not look at the flag, and the end of the process by itself
#: and by the system. The system needs no lock of Python.
_RAISED, _ENDED, _KILLED = 0.3, 1.0, 2.0


@dataclass
class _Received:
    """The signal that was received: its number, what is printed about it, and whether its exception was raised."""

    number: int
    message: Callable[[int], str]
    raised: bool = False
    told: bool = False


_received: _Received | None = None


@contextlib.contextmanager
def handled(message: Callable[[int], str]) -> Iterator[None]:
    """End the process within a second after SIGINT or SIGTERM, with the exit code 128 plus the number of the signal.

    Parameters
    ----------
    message : callable
        Returns the line about the end, from the exit code.

    Raises
    ------
    Terminated
        Inside the block, after a signal.
    """
    global _received
    if threading.current_thread() is not threading.main_thread():  # it cannot install handlers
        yield
        return

    def receive(number: int, _: Any) -> None:
        global _received
        if _received is None:
            _received = _Received(number, message)
            _thread.start_new_thread(_end, (_received,))  # threading.Thread waits for a lock
            if signal.getsignal(signal.SIGALRM) is signal.SIG_DFL:
                signal.setitimer(signal.ITIMER_REAL, _KILLED)
        elif not _received.raised:
            _raise(_received)

    before = {number: signal.signal(number, receive) for number in _SIGNALS}
    try:
        yield
    finally:
        if _received is None:
            for number, handler in before.items():
                signal.signal(number, handler)


def check() -> None:
    """Raise the exception of a signal that was received. Call it where an exception leaves nothing half done.

    Raises
    ------
    Terminated
    """
    if _received is not None and not _received.raised:
        _raise(_received)


def tell(line: str) -> None:
    """Print the line about the end to standard error, once. It does not wait for a lock, as a print does."""
    if _received is not None:
        if _received.told:
            return
        _received.told = True
    with contextlib.suppress(OSError):
        os.write(2, f"{line}\n".encode())


def leave(code: int) -> NoReturn:
    """End the process with an exit code. After a signal, it ends without the clean-up of the interpreter.

    That clean-up ends the thread that would end the process, and can take seconds on a busy machine. The system would
    then end it, with another exit code.

    Raises
    ------
    SystemExit
        If no signal was received. The process may then belong to a caller, such as a test.
    """
    if _received is None:
        raise SystemExit(code)
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(AttributeError, OSError, ValueError):  # none, or closed
            stream.flush()
    os._exit(code)


def _raise(received: _Received) -> None:
    received.raised = True
    raise Terminated(128 + received.number)


def _end(received: _Received) -> None:
    """Raise the exception in the main thread if nobody has looked at the flag; later, end the process."""
    time.sleep(_RAISED)
    if not received.raised:
        signal.pthread_kill(threading.main_thread().ident or 0, received.number)
    time.sleep(_ENDED - _RAISED)
    tell(received.message(128 + received.number))
    os._exit(128 + received.number)
