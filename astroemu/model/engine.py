"""The abstract engine, which evaluates a pipeline.

The two engines are in :mod:`~astroemu.model.numpy_engine` and :mod:`~astroemu.model.compiled_engine`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any

import numpy as np

from astroemu.core.typing import FloatArray
from astroemu.model.pipeline import Pipeline

#: Largest number of points that parts on the host get at once. All of their predictions are in memory together: tens
#: of kilobytes per point for spectra of the CMB.
ON_HOST = 2048


class Engine(ABC):
    """The evaluation of a pipeline for batches of points.

    Parameters
    ----------
    pipeline : Pipeline
    """

    #: Name in configurations.
    name: str

    def __init__(self, pipeline: Pipeline) -> None:
        self.pipeline = pipeline

    @abstractmethod
    def log_likelihoods(self, theta: FloatArray) -> tuple[dict[str, FloatArray], Any]:
        """Return the log-likelihoods ``(n,)`` of each probe at ``theta (n, d)``, and which points are in range.

        The result is that of :meth:`astroemu.model.pipeline.Pipeline.log_likelihoods`, in NumPy arrays.
        """

    def report(self) -> list[str]:
        """Return a few lines that describe the engine."""
        return [f"engine {self.name}"]


def pieces_of(theta: FloatArray, largest: int) -> list[FloatArray]:
    """Return a batch ``(n, d)`` in pieces of at most so many points, in order."""
    return [theta[start : start + largest] for start in range(0, max(len(theta), 1), largest)]


def joined(found: list[tuple[dict[str, FloatArray], Any]]) -> tuple[dict[str, FloatArray], Any]:
    """Return the results of pieces, each as from :meth:`Engine.log_likelihoods`, as those of the batch."""
    if len(found) == 1:
        return found[0]
    values = {key: np.concatenate([parts[key] for parts, _ in found]) for key in found[0][0]}
    inside = [within for _, within in found]
    return values, None if inside[0] is None else np.concatenate(inside)
