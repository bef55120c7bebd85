"""Where the time of a fit goes: seconds by component."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any


@dataclass
class Profile:
    """Times of the parts of a model, in the numpy engine; another engine has the likelihood as a whole.

    Attributes
    ----------
    likelihood : float
        Seconds in the joint log-likelihood.
    parts : mapping of str to [float, int]
        Seconds and calls of each provider and probe. Threads that work side by side each count.
    """

    likelihood: float = 0.0
    parts: dict[str, list[Any]] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)

    @contextmanager
    def whole(self) -> Iterator[None]:
        """Time the joint log-likelihood."""
        started = time.perf_counter()
        try:
            yield
        finally:
            self.likelihood += time.perf_counter() - started

    @contextmanager
    def part(self, name: str) -> Iterator[None]:
        """Time one provider or probe."""
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
        """The times as they are written to ``summary.json``, of a sampler that took ``wall`` seconds."""
        return {
            "likelihood_seconds": self.likelihood,
            "sampler_seconds": wall - self.likelihood,
            "components": {name: {"seconds": s, "calls": n} for name, (s, n) in sorted(self.parts.items())},
        }
