"""Parallel jobs in worker processes on one machine.

The workers compute, and only the caller writes. They end with it, together with all that they have started
(:mod:`astroemu.runtime.leash`).
"""

from __future__ import annotations

import copy
import multiprocessing
import os
import signal
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from multiprocessing.connection import Connection, wait
from typing import Any

from astroemu.errors import ProbeError, Terminated, WorkerError
from astroemu.runtime.leash import end_with_parent

#: Signals of a process that has done something wrong itself. The others come from outside.
_OWN_FAULT = {signal.SIGSEGV, signal.SIGABRT, signal.SIGFPE, signal.SIGILL, signal.SIGBUS}
#: Seconds that an idle worker gets to end by itself.
_GRACE = 5.0


def run_jobs(
    work: Callable[[Any], Any],
    jobs: Sequence[Any],
    workers: int,
    describe: Callable[[Any], str] = lambda _: "a job",
) -> Iterator[Any]:
    """Yield the result of ``work(job)`` for each job, in the order in which they finish.

    Parameters
    ----------
    work : callable
        A function defined at module level, because the processes are spawned and never forked.
    jobs : sequence
        Arguments of ``work``.
    workers : int
        Number of processes. With one, the work is done in this process, in order.
    describe : callable
        Returns the name of a job for messages.

    Raises
    ------
    WorkerError
        If a worker was killed.
    ProbeError
        If the work ended its process by ``sys.exit`` or ``os._exit``, or crashed it.
    """
    if workers == 1 or len(jobs) < 2:
        for job in jobs:
            yield _contained(work, job, describe)
        return
    crew = _started(work, min(workers, len(jobs)), describe)
    try:
        waiting = list(reversed(jobs))
        for worker in crew:
            worker.give(waiting.pop())
        while busy := {end: worker for worker in crew if worker.busy for end in worker.ends}:
            for worker in dict.fromkeys(busy[end] for end in wait(list(busy))):
                result = worker.result()
                if waiting:
                    worker.give(waiting.pop())
                yield result
        for worker in crew:
            worker.dismiss()
    finally:
        for worker in crew:
            worker.kill()


class _Worker:
    """A worker process, seen from the process that started it."""

    def __init__(self, work: Callable[[Any], Any], describe: Callable[[Any], str]) -> None:
        spawn = multiprocessing.get_context("spawn")
        self.pipe, theirs = spawn.Pipe()
        self.process = spawn.Process(target=_serve, args=(theirs, work))
        self.process.start()
        theirs.close()
        self.describe, self.job, self.busy = describe, None, False

    @property
    def ends(self) -> tuple[Any, int]:
        """What becomes readable when the worker has a result or ends."""
        return self.pipe, self.process.sentinel

    def give(self, job: Any) -> None:
        self.job, self.busy = job, True
        with suppress(BrokenPipeError, ConnectionResetError):  # it has ended, which `result` reports
            self.pipe.send((job,))

    def result(self) -> Any:
        """Return the result of the job, or raise its exception."""
        try:
            done, value, trace = self.pipe.recv()
        except (EOFError, OSError):
            raise self._ended() from None
        self.busy = False
        if done:
            return value
        if isinstance(value, SystemExit) and not isinstance(value, Terminated):
            raise _called_exit(value, self.describe(self.job))
        raise value from RuntimeError(f"in a worker process:\n{trace}")

    def _ended(self) -> Exception:
        self.process.join(_GRACE)
        code, what = self.process.exitcode, self.describe(self.job)
        if code is not None and code < 0:
            name = signal.Signals(-code).name if -code in set(signal.Signals) else f"signal {-code}"
            if -code in _OWN_FAULT:
                return ProbeError(f"{what}: compiled code has crashed its process ({name}); correct the plugin")
            return WorkerError(
                f"{what}: its worker process {self.process.pid} was killed by {name}. Usually the memory was full: use "
                "fewer workers or a machine with more memory. The same command continues with what is finished"
            )
        return ProbeError(f"{what}: the plugin has ended its process with exit code {code}; it must raise an exception")

    def dismiss(self) -> None:
        """Let an idle worker end by itself."""
        with suppress(OSError):
            self.pipe.send(None)
        self.process.join(_GRACE)

    def kill(self) -> None:
        """End the worker and all that it has started."""
        if self.process.is_alive():
            with suppress(OSError):
                os.killpg(self.process.pid or 0, signal.SIGKILL)
            self.process.kill()
        self.process.join()
        self.pipe.close()


def _started(work: Callable[[Any], Any], n: int, describe: Callable[[Any], str]) -> list[_Worker]:
    # One thread per worker: several multithreaded processes that compete for cores are slower.
    with _environment("OMP_NUM_THREADS", "1"):
        crew: list[_Worker] = []
        try:
            for _ in range(n):
                crew.append(_Worker(work, describe))
        except BaseException:
            for worker in crew:
                worker.kill()
            raise
    return crew


@contextmanager
def _environment(name: str, value: str) -> Iterator[None]:
    """Context manager in which an environment variable has a value, unless it is set already."""
    if name in os.environ:
        yield
        return
    os.environ[name] = value
    try:
        yield
    finally:
        os.environ.pop(name, None)


def _serve(pipe: Connection, work: Callable[[Any], Any]) -> None:
    """Work on jobs until there are no more. This runs in a worker process."""
    parent = multiprocessing.parent_process()
    assert parent is not None
    end_with_parent(parent.sentinel)
    while (message := pipe.recv()) is not None:
        try:
            pipe.send((True, work(*message), ""))
        except BaseException as error:
            _report(pipe, error, traceback.format_exc())


def _report(pipe: Connection, error: BaseException, trace: str) -> None:
    """Send an exception, or one that says the same if it cannot be made again in another process."""
    try:
        copy.copy(error)
        pipe.send((False, error, trace))
    except Exception:
        pipe.send((False, RuntimeError(f"{type(error).__name__}: {error}"), trace))


def _contained(work: Callable[[Any], Any], job: Any, describe: Callable[[Any], str]) -> Any:
    """Return the result of a job in this process, which the job may not end."""
    try:
        return work(job)
    except Terminated:
        raise
    except SystemExit as error:
        raise _called_exit(error, describe(job)) from error


def _called_exit(error: SystemExit, what: str) -> ProbeError:
    return ProbeError(f"{what}: the plugin called sys.exit({error.code!r}); it must raise an exception instead")
