"""Timing of a joint log-likelihood, beside what the machine's linear algebra can do."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from astroemu.counting import Tally, counted
from astroemu.engine import EngineName, make_engine
from astroemu.model import Model
from astroemu.namespace import NUMPY

#: Seconds spent on each batch size.
_SECONDS = 1.0
#: Points on which the work of one is counted.
_COUNTED = 1000


@dataclass(frozen=True)
class Peak:
    """Best speed of a large matrix product, in FLOP a second: float32 and float64, all cores."""

    single: float
    double: float


@dataclass(frozen=True)
class Timing:
    """One row of the table.

    Attributes
    ----------
    engine, device : str
    batch : int
    microseconds : float
        A point; median over repetitions.
    gflops : float
        Rate of the matrix products' operations, 10^9 a second.
    of_sgemm : float
        That rate over the measured peak of float32 products.
    of_peak : float
        Time in which the measured peaks, float32 and float64 each with its own, would have done the
        products, over the time taken. NaN on a GPU, whose peaks are not measured.
    bytes_moved : float
        A point: arrays made, and read by products, weights included.
    compile_seconds : float
        Of this batch size; zero where nothing is compiled.
    repetitions : int
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
        """Return it as a mapping; what is not known is None."""
        return {key: None if value != value else value for key, value in asdict(self).items()}


def measured_peak(size: int = 2048) -> Peak:
    """Measure the speed of square matrix products in NumPy."""
    rates = []
    for dtype in (np.float32, np.float64):
        matrix = np.full((size, size), 0.5, dtype)
        rates.append(2.0 * size**3 / min(_times(np.matmul, (matrix, matrix), 0.5)))
    return Peak(*rates)


def bench_model(
    model: Model, batches: Sequence[int], engines: Sequence[EngineName] = ("numpy",), seed: int = 1
) -> tuple[Peak, list[Timing]]:
    """Time a model's log-likelihoods on prior draws, by engine and batch size.

    Raises
    ------
    ConfigurationError
        If an engine is asked for that cannot be had.
    """
    peak = measured_peak()
    rng = np.random.default_rng(seed)
    points = {batch: model.prior.sample(batch, rng) for batch in batches}
    rows = []
    for name in engines:
        engine = make_engine(name, model._pipeline)
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


def _timing(
    label: str,
    device: str,
    batch: int,
    seconds: float,
    cost: Tally,
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


def _cost(model: Model, batch: int) -> Tally:
    """Work of one point in a batch."""
    tally = Tally()
    theta = model.prior.sample(batch, np.random.default_rng(1))
    model._pipeline.log_likelihoods(theta, counted(NUMPY, tally))
    return Tally(*(value / batch for value in asdict(tally).values()))


def _times(function: Callable[..., Any], arguments: tuple[Any, ...], seconds: float) -> list[float]:
    """Durations of at least three calls, over about so many seconds."""
    function(*arguments)
    times: list[float] = []
    end = time.perf_counter() + seconds
    while time.perf_counter() < end or len(times) < 3:
        started = time.perf_counter()
        function(*arguments)
        times.append(time.perf_counter() - started)
    return times


def table(peak: Peak, rows: Sequence[Timing]) -> list[str]:
    """Return the timings as lines of text."""
    lines = [f"matrix products here: {1e-9 * peak.single:.0f} GFLOP/s in float32, {1e-9 * peak.double:.0f} in float64"]
    lines.append(
        f"{'engine':16s} {'batch':>8s} {'us a point':>11s} {'points a s':>12s} {'GFLOP/s':>8s} {'of sgemm':>9s} "
        f"{'of peak':>8s} {'kB a point':>11s} {'compiled in':>12s}"
    )
    for row in rows:
        lines.append(
            f"{row.engine:16s} {row.batch:8d} {row.microseconds:11.2f} {1e6 / row.microseconds:12,.0f} "
            f"{row.gflops:8.1f} {_percent(row.of_sgemm):>9s} {_percent(row.of_peak):>8s} "
            f"{1e-3 * row.bytes_moved:11.1f} " + (f"{row.compile_seconds:10.2f} s" if row.compile_seconds else "")
        )
    return [line.rstrip() for line in lines]


def _percent(share: float) -> str:
    return f"{100 * share:.0f} %" if share == share else "-"
