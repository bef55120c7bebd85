"""The abstract engine: what evaluates a pipeline. ``numpy`` is here; ``keras`` is in :mod:`astroemu.compiled`."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import cached_property
from typing import Any, Literal, cast

import numpy as np
from numpy.typing import NDArray

from astroemu.backends.backend import gpu_visible, load_backend
from astroemu.errors import ConfigurationError, listing
from astroemu.parallel import cores
from astroemu.pipeline import Pipeline

Array = NDArray[np.float64]

#: ``auto``: keras where its backend sees a GPU, numpy elsewhere.
EngineName = Literal["auto", "numpy", "keras"]
ENGINES = ("auto", "numpy", "keras")
#: Points of a piece, whose arrays stay in the cache of a core.
_PIECE = 256
#: From here on threads share the batch.
_SHARED = 64


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
    linear algebra: so all of the work is shared, not the matrix products alone. The cuts depend on the batch
    alone, so that machines with more or fewer cores round alike. A model with a part that is declared
    ``host_only`` is evaluated in one piece, since such code may not bear threads.
    """

    name = "numpy"

    def __init__(self, pipeline: Pipeline) -> None:
        super().__init__(pipeline)
        self.whole = bool(pipeline.host) or any(pipeline.model.probes[key].host_only for key in pipeline.nuisance)
        self.threads = 1 if self.whole else cores()

    def log_likelihoods(self, theta: Array) -> tuple[dict[str, Array], Any]:
        n = len(theta)
        if n < 2:  # products of vectors come to no harm, and holding costs some microseconds
            return self.pipeline.log_likelihoods(theta)
        with self._held():
            if self.whole or n < _SHARED:
                return self.pipeline.log_likelihoods(theta)
            pieces = np.array_split(theta, max(2, -(-n // _PIECE)))
            run = map if self.threads == 1 else self._pool.map
            return _joined(list(run(self.pipeline.log_likelihoods, pieces)))

    @contextmanager
    def _held(self) -> Iterator[None]:
        """Hold the linear algebra to one thread.

        Two threads that share a small product wait for each other: on a busy machine for a hundred times as long
        as the product takes.
        """
        before = [(library, library.get_num_threads()) for library in self._libraries]
        try:
            for library, _ in before:
                library.set_num_threads(1)
            yield
        finally:
            for library, number in before:
                library.set_num_threads(number)

    @cached_property
    def _libraries(self) -> list[Any]:
        from threadpoolctl import ThreadpoolController

        return list(ThreadpoolController().select(user_api="blas").lib_controllers)

    @cached_property
    def _pool(self) -> ThreadPoolExecutor:
        return ThreadPoolExecutor(self.threads, thread_name_prefix="astroemu")

    def report(self) -> list[str]:
        return [f"engine {self.name}: {self.threads} thread(s) for batches of {_SHARED} and more"]


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
