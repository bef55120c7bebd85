"""The processes of an MPI job, or this single process.

mpi4py is imported only if environment variables show that a launcher started the process. A run without a launcher
therefore needs no MPI library.
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

#: Number of processes, as set in the environment by Open MPI, by MPICH and its derivatives, by MVAPICH and by srun.
_LAUNCHER_VARIABLES = ("OMPI_COMM_WORLD_SIZE", "PMI_SIZE", "MV2_COMM_WORLD_SIZE", "SLURM_STEP_NUM_TASKS")
#: Seconds to wait before an abort: launchers sometimes lost the last lines of output.
_FLUSH_SECONDS = 0.2


@dataclass(frozen=True)
class Processes:
    """Processes that work together.

    Attributes
    ----------
    rank, size : int
        Number of this process, from 0, and number of processes.
    comm : mpi4py communicator, optional
        None for a single process.
    """

    rank: int = 0
    size: int = 1
    comm: Any = None

    @property
    def is_root(self) -> bool:
        """True on rank 0, which writes files and prints."""
        return self.rank == 0

    def broadcast(self, value: Any) -> Any:
        """Return the value of rank 0, on all processes."""
        return value if self.comm is None else self.comm.bcast(value, root=0)

    def allgather(self, value: Any) -> list[Any]:
        """Return the values of all processes in the order of their ranks, on all processes."""
        return [value] if self.comm is None else list(self.comm.allgather(value))

    def barrier(self) -> None:
        """Return after all processes have called this method."""
        if self.comm is not None:
            self.comm.Barrier()

    def abort(self, code: int) -> None:
        """End all processes at once with an exit code. Otherwise they would wait for ever for one that raised."""
        if self.comm is not None:
            sys.stderr.flush()
            time.sleep(_FLUSH_SECONDS)
            self.comm.Abort(code)


def launched() -> int:
    """Return the number of processes that a launcher states, or 1 without a launcher."""
    return max((int(os.environ[name]) for name in _LAUNCHER_VARIABLES if os.environ.get(name, "").isdigit()), default=1)


def cores() -> int:
    """Return the number of cores that this process may use.

    This is the number of cores that it is bound to, or ``OMP_NUM_THREADS`` if that is smaller.
    """
    bound = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    stated = os.environ.get("OMP_NUM_THREADS", "")
    return min(bound, int(stated)) if stated.isdigit() and int(stated) else bound


@lru_cache(maxsize=1)
def processes() -> Processes:
    """Return the processes of this job.

    Raises
    ------
    PluginError
        If a launcher started several processes, but mpi4py cannot be used or sees only one.
    """
    expected = launched()
    if expected == 1:
        return Processes()
    try:
        from mpi4py import MPI
    except (ImportError, RuntimeError) as error:
        missing = "pip install mpi4py. " if isinstance(error, ModuleNotFoundError) else ""
        raise PluginError(
            f"this job has {expected} processes, but mpi4py cannot be used ({error}). {missing}Install an MPI run-time "
            "that it supports, such as `pip install mpich`, and start the job with its mpiexec"
        ) from None
    comm = MPI.COMM_WORLD
    if comm.Get_size() == 1:
        raise PluginError(
            f"mpiexec started {expected} processes, but mpi4py sees one: it belongs to another MPI than this mpiexec. "
            "Use the mpiexec of the run-time that mpi4py was built with or finds"
        )
    return Processes(comm.Get_rank(), comm.Get_size(), comm)


def abort_on_uncaught(everyone: Processes) -> None:
    """Make an uncaught exception end all processes of an MPI job. Otherwise the others would wait for ever.

    A single process is left as it is. A second call has no effect.

    Parameters
    ----------
    everyone : Processes
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
