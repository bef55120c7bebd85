"""The keras engine: the complete pipeline, traced once and compiled into one function.

    theta (n, d) -> [ providers -> matrices -> probes ] -> log-likelihoods (n,) of each probe

XLA compiles each shape separately, so batches are padded to powers of two. A batch that would not fit into memory is
split. Networks are float32 and everything else float64, as in NumPy, on any device. Parts that are declared
``host_only`` run in NumPy outside the compiled function: providers before it, probes after it.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from astroemu.core.provider import Prediction
from astroemu.core.typing import FloatArray
from astroemu.errors import listing
from astroemu.model.backends.base import Backend
from astroemu.model.engine import ON_HOST, Engine, joined, pieces_of
from astroemu.model.operation_count import OperationCount, counting_namespace
from astroemu.model.pipeline import Pipeline, ProviderOutput

#: Assumed memory of a call, over the bytes of all arrays of a trace. A compiler keeps fewer arrays at once; a
#: gradient keeps them all, and its own.
_ALIVE, _ALIVE_GRADIENT = 1.0, 3.0
#: Largest padded batch on a GPU.
_LARGEST = 2**20
#: Batches up to this size are padded in any case: the call itself costs as much as the padding. It is also the
#: largest padded batch on a CPU, since arrays of larger ones would not stay in the cache.
_SMALL = 2**10


@dataclass(frozen=True)
class Compilation:
    """One entry of the compile report.

    Attributes
    ----------
    what : {"log-likelihood", "gradient"}
    backend, device : str
    batch, parameters : int
        Shape of ``theta``.
    seconds : float
        Time of tracing and compiling.
    """

    what: str
    backend: str
    device: str
    batch: int
    parameters: int
    seconds: float


class CompiledEngine(Engine):
    """An engine that compiles the joint log-likelihood into one XLA program.

    Parameters
    ----------
    pipeline : Pipeline
    backend : Backend
        The array library that compiles.

    Attributes
    ----------
    on_device, on_host : tuple of str
        Probes inside and outside the compiled function.
    compilations : list of Compilation
        What has been compiled so far.
    """

    name = "keras"

    def __init__(self, pipeline: Pipeline, backend: Backend) -> None:
        super().__init__(pipeline)
        self.backend = backend
        self.on_host = pipeline.host_probes_of(backend.name)
        self.on_device = tuple(key for key in pipeline.nuisance if key not in self.on_host)
        self.compilations: list[Compilation] = []
        self._functions: dict[tuple[str, int], Callable[..., Any]] = {}
        self._max_points: dict[str, int] = {}  # of one piece, by what is compiled

    def log_likelihoods(self, theta: FloatArray) -> tuple[dict[str, FloatArray], Any]:
        if self.pipeline.host or self.on_host:  # predictions on the host are not in the memory of the device
            return joined([self._evaluated(piece) for piece in pieces_of(theta, ON_HOST)])
        return self._evaluated(theta)

    def _evaluated(self, theta: FloatArray) -> tuple[dict[str, FloatArray], Any]:
        values, requested, inside = self._in_chunks("log-likelihood", self._joint, theta)
        for key in self.on_host:
            predictions = {name: Prediction(*parts) for name, parts in requested[key].items()}
            with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
                values[key] = self.pipeline.probe_log_likelihood(key, theta, predictions)
        return {key: values[key] for key in self.pipeline.nuisance}, inside

    def value_and_grad(self, theta: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Return the joint log-likelihood ``(n,)`` and its gradient ``(n, d)`` at ``theta (n, d)``.

        Raises
        ------
        ConfigurationError
            As :meth:`astroemu.model.pipeline.Pipeline.demand_gradient`.
        """
        self.pipeline.demand_gradient(self.backend.name)
        value, gradient = self._in_chunks("gradient", self._gradient, theta)
        return value, gradient

    def report(self) -> list[str]:
        lines = [f"engine {self.name}: {self.backend.name} on {self.backend.device}"]
        lines.append(f"in one function: {listing((*self._providers(), *self.on_device))}")
        if self.pipeline.host or self.on_host:
            lines.append(f"outside it, declared host_only: {listing((*sorted(self.pipeline.host), *self.on_host))}")
        lines += [
            f"compiled {c.what} for theta ({c.batch}, {c.parameters}) in {c.seconds:.2f} s" for c in self.compilations
        ]
        return lines

    def _providers(self) -> tuple[str, ...]:
        return tuple(step.key for step in self.pipeline.steps if step.key not in self.pipeline.host)

    # --- traced functions ---------------------------------------------------------------------

    def _joint(self, theta: Any, given: Any, xp: Any) -> Any:
        provided = self.pipeline.run_providers(theta, xp, _unpacked(given))
        values = {
            key: self.pipeline.probe_log_likelihood(key, theta, self.pipeline.predictions_for(key, provided, xp), xp)
            for key in self.on_device
        }
        requested = {key: _packed(self.pipeline.predictions_for(key, provided, xp)) for key in self.on_host}
        return values, requested, provided.inside

    def _gradient(self, theta: Any, given: Any, xp: Any) -> Any:
        def total(points: Any) -> Any:
            values, _, inside = self._joint(points, given, xp)
            whole = xp.sum(xp.stack(list(values.values()), axis=0), axis=0)
            return whole if inside is None else xp.where(inside, whole, -np.inf)

        return self.backend.with_gradient(total)(theta)

    # --- batches ------------------------------------------------------------------------------

    def _in_chunks(self, what: str, function: Callable[..., Any], theta: FloatArray) -> Any:
        """Evaluate a batch in padded pieces and join the results."""
        given = self.pipeline.on_host(theta)
        packed = (_packed(given.found), given.inside)
        pieces = []
        for start, stop, bucket in self._pieces(what, function, theta, packed):
            part = _map(lambda array, a=start, b=stop, n=bucket: _padded(array[a:b], n), (theta, packed))
            compiled = self._compiled(what, function, bucket, part)
            pieces.append(_map(lambda array, n=stop - start: _double(array[:n]), compiled(*part)))
        return pieces[0] if len(pieces) == 1 else _joined(pieces)

    def _pieces(
        self, what: str, function: Callable[..., Any], theta: FloatArray, packed: Any
    ) -> Iterator[tuple[int, int, int]]:
        """Yield the start, stop and padded size of each piece."""
        largest, start = self._largest_piece(what, function, theta, packed), 0
        while start < len(theta):
            left = len(theta) - start
            bucket = 1 << (left - 1).bit_length()  # the next power of two
            if bucket > _SMALL and bucket - left > left // 8:
                bucket //= 2  # a second call costs less than the padding
            bucket = min(bucket, largest)
            stop = min(start + bucket, len(theta))
            yield start, stop, bucket
            start = stop

    def _largest_piece(self, what: str, function: Callable[..., Any], theta: FloatArray, packed: Any) -> int:
        """Return the largest power of two whose arrays fit into memory, from the arrays of one traced point."""
        if what not in self._max_points:
            count = OperationCount()
            one = _map(lambda array: array[:1], (theta, packed))
            self.backend.trace(lambda t, g: function(t, g, counting_namespace(self.backend.xp, count)), one)
            alive = _ALIVE if what == "log-likelihood" else _ALIVE_GRADIENT
            fits = max(int(self.backend.memory / (alive * max(count.bytes_made, 1.0))), 1)
            limit = _LARGEST if self.backend.on_gpu else _SMALL
            self._max_points[what] = min(1 << (fits.bit_length() - 1), limit)
        return self._max_points[what]

    def _compiled(self, what: str, function: Callable[..., Any], bucket: int, arguments: Any) -> Callable[..., Any]:
        if (what, bucket) not in self._functions:
            started = time.perf_counter()
            xp = self.backend.xp
            compiled = self.backend.compile(lambda t, g: function(t, g, xp), arguments)
            compiled(*arguments)  # some backends compile in the first call
            self._functions[what, bucket] = compiled
            seconds = time.perf_counter() - started
            parameters = arguments[0].shape[1]
            self.compilations.append(
                Compilation(what, self.backend.name, self.backend.device, bucket, parameters, seconds)
            )
        return self._functions[what, bucket]


def _packed(found: Any) -> dict[str, Any]:
    return {name: (prediction.value, prediction.error, prediction.modes) for name, prediction in found.items()}


def _unpacked(given: Any) -> ProviderOutput:
    found, inside = given
    return ProviderOutput({name: Prediction(*parts) for name, parts in found.items()}, inside)


def _map(function: Callable[..., Any], nest: Any) -> Any:
    if nest is None:
        return None
    if isinstance(nest, dict):
        return {key: _map(function, item) for key, item in nest.items()}
    if isinstance(nest, tuple):
        return tuple(_map(function, item) for item in nest)
    return function(nest)


def _joined(pieces: list[Any]) -> Any:
    first = pieces[0]
    if first is None:
        return None
    if isinstance(first, dict):
        return {key: _joined([piece[key] for piece in pieces]) for key in first}
    if isinstance(first, tuple):
        return tuple(_joined([piece[i] for piece in pieces]) for i in range(len(first)))
    return np.concatenate(pieces)


def _padded(array: Any, n: int) -> Any:
    """Return the array with its last row repeated up to ``n`` rows."""
    return array if len(array) == n else np.concatenate([array, np.repeat(array[-1:], n - len(array), axis=0)])


def _double(array: Any) -> Any:
    return array if array.dtype == bool else array.astype(float, copy=False)
