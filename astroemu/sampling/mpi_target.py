"""The processes of an MPI job as one likelihood: the first one samples, all evaluate.

Every batch is cut into one piece a process. So any sampler runs under MPI, unchanged: it asks the same questions in
the same order as it would alone, and the posterior does not depend on the number of processes. What it gains is the
time of the likelihood, which is nearly all of it for a probe that takes milliseconds a point.
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
    """A target that the processes of a job evaluate together.

    Parameters
    ----------
    target : Target
        The same on all of them.
    processes : Processes

    Raises
    ------
    Exception
        On the first process, what any of them raised.
    """

    def __init__(self, target: Target, processes: Processes) -> None:
        super().__init__(target)
        self.processes = processes
        self.counts: EvaluationCounts = getattr(target, "counts", EvaluationCounts())

    def evaluate(self, theta: FloatArray, *, gradient: bool) -> FloatArray:
        """What was asked; to be called on the first process, while the others are in :meth:`serve`."""
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
        except Exception as error:  # it is raised again, on the first process
            return ProbeError(f"process {self.processes.rank}: {type(error).__name__}: {error}")

    def serve(self) -> None:
        """Evaluate what the first process hands out, until it has no more.

        Raises
        ------
        SystemExit
            If the first process ended with an error, of which it speaks itself.
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
        """On the first process: let the others go at the end, whatever happens."""
        last = _FAILED
        try:
            yield
            last = _STOP
        finally:
            if self.processes.comm is not None:
                self.processes.comm.scatter([last] * self.processes.size)
