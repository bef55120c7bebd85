"""A target that all processes of an MPI job evaluate together; only the first process samples.

Every batch is split into one piece per process. A sampler needs no change for this: it requests the same points
in the same order as in a single process. The posterior therefore does not depend on the number of processes. The
time of the likelihood is shared, which is nearly all of the time if a probe takes milliseconds per point.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from astroemu.core.evaluation_counts import EvaluationCounts
from astroemu.core.typing import FloatArray
from astroemu.errors import AstroemuError, ProbeError
from astroemu.runtime.mpi import Processes
from astroemu.sampling.target import Target, TargetWrapper, evaluate

_STOP, _FAILED = "stop", "failed"


class MPITarget(TargetWrapper):
    """A target that the processes of an MPI job evaluate together.

    An exception on any process is raised again on the first one.

    Parameters
    ----------
    target : Target
        The same on all processes.
    processes : Processes
        The processes of the job.
    """

    def __init__(self, target: Target, processes: Processes) -> None:
        super().__init__(target)
        self.processes = processes
        self.counts: EvaluationCounts = getattr(target, "counts", EvaluationCounts())

    def evaluate(self, theta: FloatArray, *, gradient: bool) -> FloatArray:
        """Evaluate a batch on all processes; see :meth:`TargetWrapper.evaluate`.

        Call it on the first process, while the others are in :meth:`serve`.

        Raises
        ------
        AstroemuError, ProbeError
            The exception of the first process that failed.
        """
        if self.processes.comm is None:
            return evaluate(self.target, theta, gradient=gradient)
        pieces = np.array_split(np.asarray(theta, dtype=float), self.processes.size)
        answers = self.processes.comm.gather(
            self._answer(*self.processes.comm.scatter([(p, gradient) for p in pieces]))
        )
        for error in (answer for answer in answers if isinstance(answer, Exception)):
            raise error
        for _, counts in answers[1:]:
            self.counts.add(counts)
        return np.concatenate([found for found, _ in answers])

    def _answer(self, theta: FloatArray, gradient: bool) -> Any:
        before = self.counts.copy()
        try:
            return evaluate(self.target, theta, gradient=gradient), self.counts.since(before)
        except (AstroemuError, ProbeError) as error:
            return error
        except Exception as error:  # raised again on the first process
            return ProbeError(f"process {self.processes.rank}: {type(error).__name__}: {error}")

    def serve(self) -> None:
        """Evaluate the pieces that the first process sends, until it is finished.

        Raises
        ------
        SystemExit
            If the first process ended with an error. That process reports the error itself.
        """
        while True:
            piece = self.processes.comm.scatter(None)
            if isinstance(piece, str):
                if piece == _FAILED:
                    raise SystemExit(1)
                return
            self.processes.comm.gather(self._answer(*piece))

    @contextmanager
    def serving(self) -> Iterator[None]:
        """On the first process: release the other processes at the end, also after an error."""
        last = _FAILED
        try:
            yield
            last = _STOP
        finally:
            if self.processes.comm is not None:
                self.processes.comm.scatter([last] * self.processes.size)
