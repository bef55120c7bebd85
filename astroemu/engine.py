"""The abstract engine: what evaluates a pipeline. ``numpy`` is here; ``keras`` is in :mod:`astroemu.compiled`."""

from __future__ import annotations

import os
from abc import ABC, abstractmethod
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property
from typing import Any, Literal, cast

import numpy as np
from numpy.typing import NDArray

from astroemu.backends.backend import gpu_visible, load_backend
from astroemu.errors import ConfigurationError, listing
from astroemu.pipeline import Pipeline

Array = NDArray[np.float64]

#: ``auto``: keras where its backend sees a GPU, numpy elsewhere.
EngineName = Literal["auto", "numpy", "keras"]
ENGINES = ("auto", "numpy", "keras")
#: Fewest points for which a thread is worth its start, and most that are evaluated together.
_PIECE, _LARGEST = 192, 1024


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
    """NumPy, nothing compiled: it starts at once.

    Large batches are cut into pieces that threads evaluate side by side, each with one thread of the
    linear algebra: so all of the work is shared, not the matrix products alone. A model with a part that
    is declared ``host_only`` is evaluated in one piece, since such code may not bear threads.
    """

    name = "numpy"

    def __init__(self, pipeline: Pipeline) -> None:
        super().__init__(pipeline)
        whole = pipeline.host or any(pipeline.model.probes[key].host_only for key in pipeline.nuisance)
        self.threads = 1 if whole else cores()

    def log_likelihoods(self, theta: Array) -> tuple[dict[str, Array], Any]:
        pieces = min(len(theta) // _PIECE, self.threads)
        if pieces < 2:
            return self.pipeline.log_likelihoods(theta)
        with self._blas.limit(limits=1, user_api="blas"):
            found = list(self._pool.map(self._in_turn, np.array_split(theta, pieces)))
        return _joined(found)

    def _in_turn(self, theta: Array) -> tuple[dict[str, Array], Any]:
        """Evaluate in pieces that stay in the processor's cache."""
        pieces = np.array_split(theta, -(-len(theta) // _LARGEST))
        return _joined([self.pipeline.log_likelihoods(piece) for piece in pieces])

    @cached_property
    def _blas(self) -> Any:
        from threadpoolctl import ThreadpoolController

        return ThreadpoolController()

    @cached_property
    def _pool(self) -> ThreadPoolExecutor:
        return ThreadPoolExecutor(self.threads, thread_name_prefix="astroemu")

    def report(self) -> list[str]:
        return [f"engine {self.name}: {self.threads} thread(s) for batches of {2 * _PIECE} and more"]


def cores() -> int:
    """Number of cores that this process may use: those that it is bound to, or ``OMP_NUM_THREADS`` if fewer."""
    bound = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    stated = os.environ.get("OMP_NUM_THREADS", "")
    return min(bound, int(stated)) if stated.isdigit() and int(stated) else bound


def _joined(found: list[tuple[dict[str, Array], Any]]) -> tuple[dict[str, Array], Any]:
    if len(found) == 1:
        return found[0]
    values = {key: np.concatenate([parts[key] for parts, _ in found]) for key in found[0][0]}
    inside = [within for _, within in found]
    return values, None if inside[0] is None else np.concatenate(inside)


def engine_name(text: str) -> EngineName:
    """Return a text as the name of an engine.

    Raises
    ------
    ConfigurationError
        If it is none.
    """
    if text not in ENGINES:
        raise ConfigurationError(f"engine = {text!r} is not one of {listing(ENGINES)}")
    return cast(EngineName, text)


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
