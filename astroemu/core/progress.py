"""core.progress."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Progress:
    """Where a run stands.

    Attributes
    ----------
    iteration, n_likelihood : int
    status : str
        What matters for this sampler: autocorrelation times reached, evidence left, ...
    fraction : float, optional
        Share of the work done, where the sampler can tell.
    """

    iteration: int
    n_likelihood: int
    status: str
    fraction: float | None = None


ProgressCallback = Callable[[Progress], None]


def silent(_: Progress) -> None:
    """Report nothing."""
