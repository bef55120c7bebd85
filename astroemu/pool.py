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
from numpy.typing import NDArray

from astroemu.counts import Counts
from astroemu.errors import AstroemuError, ProbeError
from astroemu.parallel import World
from astroemu.sampler import Layer, Target, rows

Array = NDArray[np.float64]
_STOP, _FAILED = "stop", "failed"


class Pool(Layer):
    """A target that the processes of a job evaluate together.

    Parameters
    ----------
    target : Target
        The same on all of them.
    world : World

    Raises
    ------
    Exception
        On the first process, what any of them raised.
    """

    def __init__(self, target: Target, world: World) -> None:
        super().__init__(target)
        self.world = world
        self.counts: Counts = getattr(target, "counts", Counts())

    def rows(self, theta: Array, *, gradient: bool) -> Array:
        """What was asked; to be called on the first process, while the others are in :meth:`serve`."""
        if self.world.comm is None:
            return rows(self.target, theta, gradient=gradient)
        pieces = np.array_split(np.asarray(theta, dtype=float), self.world.size)
        answers = self.world.comm.gather(self._answer(*self.world.comm.scatter([(p, gradient) for p in pieces])))
        for error in (answer for answer in answers if isinstance(answer, Exception)):
            raise error
        for _, counts in answers[1:]:
            self.counts.add(counts)
        return np.concatenate([found for found, _ in answers])

    def _answer(self, theta: Array, gradient: bool) -> Any:
        before = self.counts.copy()
        try:
            return rows(self.target, theta, gradient=gradient), self.counts.since(before)
        except (AstroemuError, ProbeError) as error:
            return error
        except Exception as error:  # it is raised again, on the first process
            return ProbeError(f"process {self.world.rank}: {type(error).__name__}: {error}")

    def serve(self) -> None:
        """Evaluate what the first process hands out, until it has no more.

        Raises
        ------
        SystemExit
            If the first process ended with an error, of which it speaks itself.
        """
        while True:
            piece = self.world.comm.scatter(None)
            if isinstance(piece, str):
                if piece == _FAILED:
                    raise SystemExit(1)
                return
            self.world.comm.gather(self._answer(*piece))

    @contextmanager
    def serving(self) -> Iterator[None]:
        """On the first process: let the others go at the end, whatever happens."""
        last = _FAILED
        try:
            yield
            last = _STOP
        finally:
            if self.world.comm is not None:
                self.world.comm.scatter([last] * self.world.size)
