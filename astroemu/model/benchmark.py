"""Timing of a joint log-likelihood, compared with the speed of the machine's matrix products."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from astroemu.core.array_namespace import NUMPY
from astroemu.model.engines import EngineName, make_engine
from astroemu.model.model import Model
from astroemu.model.operation_count import OperationCount, counting_namespace

#: Seconds of measurement per batch size.
_SECONDS = 1.0
#: Largest batch on which the operations per point are counted.
_COUNTED = 1000


@dataclass(frozen=True)
class Peak:
    """Highest measured speed of large matrix products on all cores, in floating-point operations per second.

    Attributes
    ----------
    single, double : float
        In float32 and in float64.
    """

    single: float
    double: float


@dataclass(frozen=True)
class Timing:
    """The timing of one engine at one batch size.

    Attributes
    ----------
    engine, device : str
    batch : int
        Number of points.
    microseconds : float
        Time per point; median over repetitions.
    gflops : float
        Rate of the operations of the matrix products, in 10^9 per second.
    of_sgemm : float
        That rate over the measured peak of float32 products. NaN on a GPU, whose peaks are not measured.
    of_peak : float
        Time of the products at the measured peaks (float32 and float64 products each at their own), over the
        time taken. NaN on a GPU.
    bytes_moved : float
        Bytes per point: arrays created, and arrays read by products, weights included.
    compile_seconds : float
        Compile time of this batch size; zero if nothing is compiled.
    repetitions : int
        Number of timed calls.
    """

    engine: str
    device: str
    batch: int
    microseconds: float
    gflops: float
    of_sgemm: float
    of_peak: float
    bytes_moved: float
    compile_seconds: float
    repetitions: int

    def to_json(self) -> dict[str, Any]:
        """Return the row as a mapping, with None for NaN."""
        return {key: None if value != value else value for key, value in asdict(self).items()}


def measured_peak(size: int = 2048) -> Peak:
    """Return the speed of products of two ``(size, size)`` matrices in NumPy."""
    rates = []
    for dtype in (np.float32, np.float64):
        matrix = np.full((size, size), 0.5, dtype)
        rates.append(2.0 * size**3 / min(_times(np.matmul, (matrix, matrix), 0.5)))
    return Peak(*rates)


def bench_model(
    model: Model, batches: Sequence[int], engines: Sequence[EngineName] = ("numpy",), seed: int = 1
) -> tuple[Peak, list[Timing]]:
    """Time the log-likelihoods of a model on prior draws.

    Parameters
    ----------
    model : Model
    batches : sequence of int
        Batch sizes.
    engines : sequence of str
    seed : int
        Of the prior draws.

    Returns
    -------
    peak : Peak
    timings : list of Timing
        One per engine and batch size.

    Raises
    ------
    ConfigurationError
        If an engine is not available.
    """
    peak = measured_peak()
    rng = np.random.default_rng(seed)
    points = {batch: model.prior.sample(batch, rng) for batch in batches}
    rows = []
    for name in engines:
        engine = make_engine(name, model.pipeline)
        for batch in batches:
            theta = points[batch]
            compiled = list(getattr(engine, "compilations", ()))
            engine.log_likelihoods(theta)
            new = list(getattr(engine, "compilations", ()))[len(compiled) :]
            times = _times(engine.log_likelihoods, (theta,), _SECONDS)
            backend = getattr(engine, "backend", None)
            label = engine.name if backend is None else f"{engine.name}/{backend.name}"
            device = "cpu" if backend is None else backend.device
            seconds = float(np.median(times)) / batch
            rows.append(
                _timing(
                    label,
                    device,
                    batch,
                    seconds,
                    _cost(model, min(batch, _COUNTED)),
                    peak,
                    sum(c.seconds for c in new),
                    len(times),
                )
            )
    return peak, rows


def likelihood_times(model: Model, batches: Sequence[int], seconds: float = 0.3, seed: int = 1) -> dict[int, float]:
    """Return the microseconds per likelihood of a model with its own engine, by batch size.

    Each is a median over calls of about ``seconds`` in all, at draws from the prior.
    """
    rng = np.random.default_rng(seed)
    found = {}
    for batch in batches:
        times = _times(model.engine.log_likelihoods, (model.prior.sample(batch, rng),), seconds)
        found[batch] = 1e6 * float(np.median(times)) / batch
    return found


def _timing(
    label: str,
    device: str,
    batch: int,
    seconds: float,
    cost: OperationCount,
    peak: Peak,
    compile_seconds: float,
    repetitions: int,
) -> Timing:
    rate = (cost.flops + cost.flops_double) / seconds
    ideal = cost.flops / peak.single + cost.flops_double / peak.double
    here = device == "cpu"
    return Timing(
        label,
        device,
        batch,
        1e6 * seconds,
        1e-9 * rate,
        rate / peak.single if here else float("nan"),
        ideal / seconds if here else float("nan"),
        cost.bytes_made + cost.bytes_read,
        compile_seconds,
        repetitions,
    )


def _cost(model: Model, batch: int) -> OperationCount:
    """Return the operations and bytes per point in a batch of this size."""
    count = OperationCount()
    theta = model.prior.sample(batch, np.random.default_rng(1))
    model.pipeline.log_likelihoods(theta, counting_namespace(NUMPY, count))
    return OperationCount(*(value / batch for value in asdict(count).values()))


def _times(function: Callable[..., Any], arguments: tuple[Any, ...], seconds: float) -> list[float]:
    """Return the durations of at least three calls, repeated for about this many seconds."""
    function(*arguments)
    times: list[float] = []
    end = time.perf_counter() + seconds
    while time.perf_counter() < end or len(times) < 3:
        started = time.perf_counter()
        function(*arguments)
        times.append(time.perf_counter() - started)
    return times
