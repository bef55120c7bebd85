"""The keras engine: a whole pipeline, traced once and compiled into one function.

    theta (n, d) -> [ providers -> matrices -> probes ] -> log-likelihoods (n,) of each probe

Batches are padded to powers of two, since XLA compiles once a shape, and cut where they would not fit
into memory. Networks are float32 and the rest float64, as in NumPy, on any device. What is declared
``host_only`` runs in NumPy around the compiled function: providers before it, probes after.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from astroemu.core.provider import Prediction
from astroemu.core.typing import FloatArray
from astroemu.errors import ConfigurationError, listing
from astroemu.model.backends.base import Backend
from astroemu.model.engine import Engine
from astroemu.model.operation_count import OperationCount, counting_namespace
from astroemu.model.pipeline import Pipeline, ProviderOutput

#: Arrays of a trace that live at once, over all that it makes: a compiler keeps fewer. A gradient keeps all.
_ALIVE, _ALIVE_GRADIENT = 1.0, 3.0
_LARGEST = 2**20
#: Batches up to this size are padded however much that adds: the call itself costs as much. On a CPU no
#: larger ones are made: their arrays would not stay in the cache.
_SMALL = 2**10


@dataclass(frozen=True)
class Compilation:
    """One entry of the compile report.

    Attributes
    ----------
    what : {"log-likelihood", "gradient"}
    backend, device : str
    batch, parameters : int
        Shape of theta.
    seconds : float
        Of tracing and compiling.
    """

    what: str
    backend: str
    device: str
    batch: int
    parameters: int
    seconds: float


class CompiledEngine(Engine):
    """One XLA program for the joint log-likelihood.

    Parameters
    ----------
    pipeline : Pipeline
    backend : Backend
    """

    name = "keras"

    def __init__(self, pipeline: Pipeline, backend: Backend) -> None:
        super().__init__(pipeline)
        self.backend = backend
        probes = pipeline.graph.probes
        self.on_device = tuple(key for key in pipeline.nuisance if not probes[key].host_only)
        self.on_host = tuple(key for key in pipeline.nuisance if probes[key].host_only)
        #: What was compiled so far.
        self.compilations: list[Compilation] = []
        self._functions: dict[tuple[str, int], Callable[..., Any]] = {}
        self._most: dict[str, int] = {}

    def log_likelihoods(self, theta: FloatArray) -> tuple[dict[str, FloatArray], Any]:
        values, asked, inside = self._in_chunks("log-likelihood", self._joint, theta)
        for key in self.on_host:
            predictions = {name: Prediction(*pair) for name, pair in asked[key].items()}
            with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
                values[key] = self.pipeline.probe_log_likelihood(key, theta, predictions)
        return {key: values[key] for key in self.pipeline.nuisance}, inside

    def value_and_grad(self, theta: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Joint log-likelihood ``(n,)``, and its gradient ``(n, d)``, if :meth:`demand_gradient` does not refuse."""
        self.demand_gradient()
        value, gradient = self._in_chunks("gradient", self._gradient, theta)
        return value, gradient

    def demand_gradient(self) -> None:
        """Refuse if there is no gradient.

        Raises
        ------
        ConfigurationError
            If a part of the model runs on the host, so that no gradient goes through it.
        """
        host = (*sorted(self.pipeline.host), *self.on_host)
        if host:
            raise ConfigurationError(
                f"no gradient goes through {listing(host)}, which run(s) on the host (`host_only`); put an emulator "
                "in the place of a simulator, or leave a probe out"
            )

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

    # --- what is traced -----------------------------------------------------------------------

    def _joint(self, theta: Any, given: Any, xp: Any) -> Any:
        provided = self.pipeline.run_providers(theta, xp, _unpacked(given))
        values = {
            key: self.pipeline.probe_log_likelihood(key, theta, self.pipeline.predictions_for(key, provided, xp), xp)
            for key in self.on_device
        }
        asked = {key: _packed(self.pipeline.predictions_for(key, provided, xp)) for key in self.on_host}
        return values, asked, provided.inside

    def _gradient(self, theta: Any, given: Any, xp: Any) -> Any:
        def total(points: Any) -> Any:
            values, _, inside = self._joint(points, given, xp)
            whole = xp.sum(xp.stack(list(values.values()), axis=0), axis=0)
            return whole if inside is None else xp.where(inside, whole, -np.inf)

        return self.backend.with_gradient(total)(theta)

    # --- batches ------------------------------------------------------------------------------

    def _in_chunks(self, what: str, function: Callable[..., Any], theta: FloatArray) -> Any:
        """Evaluate in padded pieces and join them."""
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
        """Start, stop and padded size of each piece."""
        most, start = self._largest(what, function, theta, packed), 0
        while start < len(theta):
            left = len(theta) - start
            bucket = 1 << (left - 1).bit_length()  # the power of two at or above
            if bucket > _SMALL and bucket - left > left // 8:
                bucket //= 2  # a second call costs less than the padding
            bucket = min(bucket, most)
            stop = min(start + bucket, len(theta))
            yield start, stop, bucket
            start = stop

    def _largest(self, what: str, function: Callable[..., Any], theta: FloatArray, packed: Any) -> int:
        """The largest power of two whose arrays fit into memory, from what one traced point makes."""
        if what not in self._most:
            tally = OperationCount()
            one = _map(lambda array: array[:1], (theta, packed))
            self.backend.trace(lambda t, g: function(t, g, counting_namespace(self.backend.xp, tally)), one)
            alive = _ALIVE if what == "log-likelihood" else _ALIVE_GRADIENT
            fits = max(int(self.backend.memory / (alive * max(tally.bytes_made, 1.0))), 1)
            self._most[what] = min(1 << (fits.bit_length() - 1), _LARGEST if self.backend.on_gpu else _SMALL)
        return self._most[what]

    def _compiled(self, what: str, function: Callable[..., Any], bucket: int, arguments: Any) -> Callable[..., Any]:
        if (what, bucket) not in self._functions:
            started = time.perf_counter()
            xp = self.backend.xp
            compiled = self.backend.compile(lambda t, g: function(t, g, xp), arguments)
            compiled(*arguments)  # some backends compile at the first call
            self._functions[what, bucket] = compiled
            seconds = time.perf_counter() - started
            parameters = arguments[0].shape[1]
            self.compilations.append(
                Compilation(what, self.backend.name, self.backend.device, bucket, parameters, seconds)
            )
        return self._functions[what, bucket]


def _packed(found: Any) -> dict[str, Any]:
    return {name: (prediction.value, prediction.error) for name, prediction in found.items()}


def _unpacked(given: Any) -> ProviderOutput:
    found, inside = given
    return ProviderOutput({name: Prediction(*pair) for name, pair in found.items()}, inside)


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
    """Repeat the last row, whose values are as good as any."""
    return array if len(array) == n else np.concatenate([array, np.repeat(array[-1:], n - len(array), axis=0)])


def _double(array: Any) -> Any:
    return array if array.dtype == bool else array.astype(float, copy=False)
