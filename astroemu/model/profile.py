"""Times of the components of a fit."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any


@dataclass
class Profile:
    """Times of the parts of a model. With the keras engine, compiled parts are measured only in total.

    Attributes
    ----------
    likelihood : float
        Seconds in the joint log-likelihood.
    parts : mapping of str to [float, int]
        Seconds and number of calls of each provider and probe. The times of parallel threads are added.
    """

    likelihood: float = 0.0
    parts: dict[str, list[Any]] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)

    @contextmanager
    def whole(self) -> Iterator[None]:
        """Measure the time of the joint log-likelihood."""
        started = time.perf_counter()
        try:
            yield
        finally:
            self.likelihood += time.perf_counter() - started

    @contextmanager
    def part(self, name: str) -> Iterator[None]:
        """Measure the time of one provider or probe."""
        started = time.perf_counter()
        try:
            yield
        finally:
            spent = time.perf_counter() - started
            with self._lock:
                entry = self.parts.setdefault(name, [0.0, 0])
                entry[0] += spent
                entry[1] += 1

    def summary(self, wall: float) -> dict[str, Any]:
        """Return the times in the form of ``summary.json``, for a sampler run of ``wall`` seconds."""
        return {
            "likelihood_seconds": self.likelihood,
            "sampler_seconds": wall - self.likelihood,
            "components": {name: {"seconds": s, "calls": n} for name, (s, n) in sorted(self.parts.items())},
        }
