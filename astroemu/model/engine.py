"""The abstract engine, which evaluates a pipeline.

The two engines are in :mod:`~astroemu.model.numpy_engine` and :mod:`~astroemu.model.compiled_engine`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any

from astroemu.core.typing import FloatArray
from astroemu.model.pipeline import Pipeline


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
