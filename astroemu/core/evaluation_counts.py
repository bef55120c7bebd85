"""Counts of the points at which a log-likelihood was evaluated."""

from __future__ import annotations

from dataclasses import dataclass, replace


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
    """

    evaluated: int = 0
    outside: int = 0
    not_finite: int = 0

    def add(self, more: EvaluationCounts) -> None:
        """Add other counts to these in place."""
        self.evaluated += more.evaluated
        self.outside += more.outside
        self.not_finite += more.not_finite

    def since(self, before: EvaluationCounts) -> EvaluationCounts:
        """Return the difference from an earlier copy."""
        return EvaluationCounts(
            self.evaluated - before.evaluated, self.outside - before.outside, self.not_finite - before.not_finite
        )

    def copy(self) -> EvaluationCounts:
        """Return a copy with the present numbers."""
        return replace(self)
