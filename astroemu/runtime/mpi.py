"""The processes of an MPI job, or this one alone.

mpi4py is imported only where the environment shows that a launcher started the process, so a
plain run needs no MPI library.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from types import TracebackType
from typing import Any

from astroemu.errors import PluginError

#: Set by Open MPI, by MPICH and its relatives, by MVAPICH and by srun for every process that they start.
_LAUNCHED = ("OMPI_COMM_WORLD_SIZE", "PMI_SIZE", "MV2_COMM_WORLD_SIZE", "SLURM_STEP_NUM_TASKS")
#: Seconds before all are ended: a launcher now and then lost what was said at the very end.
_PASSED_ON = 0.2


@dataclass(frozen=True)
class Processes:
    """The processes that work together.

    Attributes
    ----------
    rank, size : int
    comm : mpi4py communicator, optional
        None where there is one process.
    """

    rank: int = 0
    size: int = 1
    comm: Any = None

    @property
    def is_root(self) -> bool:
        """Whether this process writes and speaks for all."""
        return self.rank == 0

    def broadcast(self, value: Any) -> Any:
        """Return the value that the first process has, on all."""
        return value if self.comm is None else self.comm.bcast(value, root=0)

    def allgather(self, value: Any) -> list[Any]:
        """Return the values that all processes have, by rank, on all."""
        return [value] if self.comm is None else list(self.comm.allgather(value))

    def barrier(self) -> None:
        """Return when all processes have come here."""
        if self.comm is not None:
            self.comm.Barrier()

    def abort(self, code: int) -> None:
        """End all processes now: one that raises would leave the others waiting for ever."""
        if self.comm is not None:
            sys.stderr.flush()
            time.sleep(_PASSED_ON)
            self.comm.Abort(code)


def launched() -> int:
    """Number of processes that a launcher says it started; one without a launcher."""
    return max((int(os.environ[name]) for name in _LAUNCHED if os.environ.get(name, "").isdigit()), default=1)


def cores() -> int:
    """Number of cores that this process may use: those that it is bound to, or ``OMP_NUM_THREADS`` if fewer."""
    bound = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    stated = os.environ.get("OMP_NUM_THREADS", "")
    return min(bound, int(stated)) if stated.isdigit() and int(stated) else bound


@lru_cache(maxsize=1)
def processes() -> Processes:
    """Return the processes of this job.

    Raises
    ------
    PluginError
        If a launcher started several but mpi4py cannot be used or sees only one.
    """
    expected = launched()
    if expected == 1:
        return Processes()
    try:
        from mpi4py import MPI
    except (ImportError, RuntimeError) as error:
        raise PluginError(
            f"this job has {expected} processes, but mpi4py cannot be used ({error}). Install an MPI run-time that "
            "it knows, such as `pip install mpich`, and start the job with that one's mpiexec"
        ) from None
    comm = MPI.COMM_WORLD
    if comm.Get_size() == 1:
        raise PluginError(
            f"mpiexec started {expected} processes, but mpi4py sees one: it belongs to another MPI than this mpiexec. "
            "Use the mpiexec of the run-time that mpi4py was built for or finds"
        )
    return Processes(comm.Get_rank(), comm.Get_size(), comm)


def abort_on_uncaught(everyone: Processes) -> None:
    """Let an exception that nothing catches end all processes of an MPI job: the others would wait for ever.

    Where there is one process nothing changes, and calling it again changes nothing.
    """
    before = sys.excepthook
    if everyone.comm is None or isinstance(before, _AbortingHook):
        return
    sys.excepthook = _AbortingHook(everyone, before)


@dataclass(frozen=True)
class _AbortingHook:
    everyone: Processes
    before: Callable[..., Any]

    def __call__(self, kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
        self.before(kind, error, trace)
        self.everyone.abort(1)
