"""The abstract engine: what evaluates a pipeline. ``numpy`` is here; ``keras`` is in :mod:`astroemu.compiled`."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from astroemu.backends.backend import gpu_visible, load_backend
from astroemu.pipeline import Pipeline

Array = NDArray[np.float64]

#: ``auto``: keras where its backend sees a GPU, numpy elsewhere.
EngineName = Literal["auto", "numpy", "keras"]
ENGINES = ("auto", "numpy", "keras")


class Engine(ABC):
    """Evaluates the log-likelihoods of a pipeline on whole batches."""

    name: str

    def __init__(self, pipeline: Pipeline) -> None:
        self.pipeline = pipeline

    @abstractmethod
    def log_likelihoods(self, theta: Array) -> tuple[dict[str, Array], Any]:
        """As :meth:`astroemu.pipeline.Pipeline.log_likelihoods`, with NumPy arrays."""

    def report(self) -> list[str]:
        """Say in a few lines what evaluates the model."""
        return [f"engine {self.name}"]


class NumpyEngine(Engine):
    """NumPy, nothing compiled: starts at once, and is the faster one on a CPU for small batches."""

    name = "numpy"

    def log_likelihoods(self, theta: Array) -> tuple[dict[str, Array], Any]:
        return self.pipeline.log_likelihoods(theta)


def make_engine(name: EngineName, pipeline: Pipeline) -> Engine:
    """Build the engine that a configuration names.

    Raises
    ------
    ConfigurationError
        For ``keras`` without a backend that can compile.
    """
    if name == "numpy" or (name == "auto" and not gpu_visible()):
        return NumpyEngine(pipeline)
    from astroemu.compiled import CompiledEngine

    backend = load_backend()
    if name == "auto" and not backend.on_gpu:
        return NumpyEngine(pipeline)
    return CompiledEngine(pipeline, backend)
