"""Progress of a sampling run, and the function that receives it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Progress:
    """State of a run.

    Attributes
    ----------
    iteration : int
    n_likelihood : int
        Number of likelihood evaluations so far.
    status : str
        Quantity that this sampler monitors, such as autocorrelation times or the remaining evidence.
    fraction : float, optional
        Completed fraction of the work, between 0 and 1. None if the sampler cannot estimate it.
    """

    iteration: int
    n_likelihood: int
    status: str
    fraction: float | None = None

    @classmethod
    def stage(cls, what: str) -> Progress:
        """Return the state of work before the first likelihood, such as the loading of a model."""
        return cls(0, 0, what)

    @property
    def is_stage(self) -> bool:
        """True before the first likelihood."""
        return not self.iteration and not self.n_likelihood


#: A function that a sampler calls from time to time with its progress.
ProgressCallback = Callable[[Progress], None]


def silent(_: Progress) -> None:
    """Ignore the progress: the callback of a run without output."""
