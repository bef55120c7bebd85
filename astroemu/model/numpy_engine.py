"""The numpy engine: a pipeline in NumPy, with threads for large batches."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import cached_property
from typing import Any

import numpy as np

from astroemu.core.typing import FloatArray
from astroemu.model.engine import ON_HOST, Engine, joined, pieces_of
from astroemu.model.pipeline import Pipeline
from astroemu.runtime.mpi import cores

#: Largest number of points of a piece; its arrays stay in the cache of a core.
_PIECE = 256
#: Bytes of an array whose release tells glibc to keep memory of this size, see :func:`_keep_memory`.
_KEPT = 31 * 2**20
#: Smallest batch that is split among threads.
_SHARED = 64


class NumpyEngine(Engine):
    """An engine in NumPy. It compiles nothing and starts at once.

    Large batches are split into pieces, which threads evaluate in parallel. Each thread uses one thread of the linear
    algebra library. All of the work is therefore shared, not only the matrix products. The pieces depend only on the
    batch, so the number of cores does not change the rounding. Two kinds of models are evaluated without threads,
    which are not safe there: those with a part that is declared ``host_only``, and those with a part that writes into
    arrays that it returned earlier. Their pieces are large, and follow each other.

    Parameters
    ----------
    pipeline : Pipeline

    Attributes
    ----------
    whole : bool
        True if a batch is evaluated without threads, in pieces of at most :data:`ON_HOST` points.
    threads : int
    """

    name = "numpy"

    def __init__(self, pipeline: Pipeline) -> None:
        super().__init__(pipeline)
        self.whole = bool(pipeline.host) or any(pipeline.graph.probes[key].host_only for key in pipeline.nuisance)
        self.threads = 1 if self.whole else cores()
        self._tried = False
        _keep_memory()

    def log_likelihoods(self, theta: FloatArray) -> tuple[dict[str, FloatArray], Any]:
        n = len(theta)
        if n < 2:  # a single point needs no limit on threads, and setting it costs some microseconds
            return self.pipeline.log_likelihoods(theta)
        with self._one_blas_thread():
            if n < _SHARED:
                return self.pipeline.log_likelihoods(theta)
            if self._in_order(theta):  # no threads; the pieces only bound the memory
                return joined([self.pipeline.log_likelihoods(piece) for piece in pieces_of(theta, ON_HOST)])
            pieces = np.array_split(theta, max(2, -(-n // _PIECE)))
            run = map if self.threads == 1 else self._pool.map
            return joined(list(run(self.pipeline.log_likelihoods, pieces)))

    def _in_order(self, theta: FloatArray) -> bool:
        """Return True if batches are not shared. At the first large batch, try whether threads would be safe."""
        if not self.whole and not self._tried:
            self.whole = self.pipeline.overwrites_results(theta[:_SHARED])
            self._tried = True
        return self.whole

    @contextmanager
    def _one_blas_thread(self) -> Iterator[None]:
        """Limit the linear algebra library to one thread.

        Two threads that share a small product wait for each other. On a busy machine this can take a hundred times
        as long as the product itself.
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


def _keep_memory() -> None:
    """Let the C library keep the memory of temporary arrays, instead of asking the system for it in each operation.

    glibc adapts to the largest array that was released so far (``mallopt(3)``, dynamic threshold). It costs nothing,
    since no page of this array is touched. Batches then take up to a fifth less time.
    """
    np.empty(_KEPT, dtype=np.uint8)
