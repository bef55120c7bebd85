"""Counts of the points at which a log-likelihood was evaluated."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace


@dataclass
class EvaluationCounts:
    """Number of evaluated points and of rejected points.

    Attributes
    ----------
    evaluated : int
        Points passed to the model.
    outside : int
        Those of them outside the range of a provider. Their log-likelihood is minus infinity.
    not_finite : int
        Those of them inside the range with a NaN or infinite log-likelihood. It is replaced by minus infinity.
    by_probe : dict of str to int
        Those of ``not_finite`` at which a probe gave no finite value, by probe. One point may count for several. Points
        that came from a record, or whose gradient was computed, are not among them.
    """

    evaluated: int = 0
    outside: int = 0
    not_finite: int = 0
    by_probe: dict[str, int] = field(default_factory=dict)

    def add(self, more: EvaluationCounts) -> None:
        """Add other counts to these in place."""
        self.evaluated += more.evaluated
        self.outside += more.outside
        self.not_finite += more.not_finite
        self.blame(more.by_probe)

    def blame(self, numbers: Mapping[str, int]) -> None:
        """Add numbers of points to those of each probe."""
        for name, number in numbers.items():
            if number:
                self.by_probe[name] = self.by_probe.get(name, 0) + number

    def since(self, before: EvaluationCounts) -> EvaluationCounts:
        """Return the difference from an earlier copy."""
        difference = EvaluationCounts(
            self.evaluated - before.evaluated, self.outside - before.outside, self.not_finite - before.not_finite
        )
        difference.blame({name: n - before.by_probe.get(name, 0) for name, n in self.by_probe.items()})
        return difference

    def copy(self) -> EvaluationCounts:
        """Return a copy with the present numbers."""
        return replace(self, by_probe=dict(self.by_probe))
