"""Timing of a joint log-likelihood."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

import numpy as np

from astroemu.model import Model

#: Seconds spent on each batch size.
_SECONDS = 1.0


def bench_model(model: Model, batches: Sequence[int], seed: int = 1) -> list[dict[str, Any]]:
    """Return the microseconds a point of a model's log-likelihood, by batch size.

    The points are prior draws; the figure is the median over repetitions of about one second.
    """
    rng = np.random.default_rng(seed)
    rows = []
    for batch in batches:
        theta = model.prior.sample(batch, rng)
        model.log_likelihood(theta)
        times: list[float] = []
        end = time.perf_counter() + _SECONDS
        while time.perf_counter() < end or len(times) < 3:
            started = time.perf_counter()
            model.log_likelihood(theta)
            times.append(time.perf_counter() - started)
        rows.append({"batch": batch, "microseconds": 1e6 * float(np.median(times)) / batch, "repetitions": len(times)})
    return rows
