"""The abstract engine, which evaluates a pipeline.

There are two: :mod:`~astroemu.model.numpy_engine` and :mod:`~astroemu.model.compiled_engine`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any

from astroemu.core.typing import FloatArray
from astroemu.model.pipeline import Pipeline


class Engine(ABC):
    """Evaluates the log-likelihoods of a pipeline on whole batches."""

    name: str

    def __init__(self, pipeline: Pipeline) -> None:
        self.pipeline = pipeline

    @abstractmethod
    def log_likelihoods(self, theta: FloatArray) -> tuple[dict[str, FloatArray], Any]:
        """As :meth:`astroemu.model.pipeline.Pipeline.log_likelihoods`, with NumPy arrays."""

    def report(self) -> list[str]:
        """Say in a few lines what evaluates the model."""
        return [f"engine {self.name}"]
