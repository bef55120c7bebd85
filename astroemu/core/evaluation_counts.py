"""What a likelihood met."""

from __future__ import annotations

from dataclasses import dataclass, replace


@dataclass
class EvaluationCounts:
    """What the log-likelihood met so far.

    Attributes
    ----------
    evaluated : int
        Points handed to the model.
    outside : int
        Of them, outside a provider's range: rejected with minus infinity.
    not_finite : int
        Of them, with a NaN or infinite likelihood inside the range: likewise minus infinity.
    """

    evaluated: int = 0
    outside: int = 0
    not_finite: int = 0

    def add(self, more: EvaluationCounts) -> None:
        """Count what another met."""
        self.evaluated += more.evaluated
        self.outside += more.outside
        self.not_finite += more.not_finite

    def since(self, before: EvaluationCounts) -> EvaluationCounts:
        """What was met after an earlier copy."""
        return EvaluationCounts(
            self.evaluated - before.evaluated, self.outside - before.outside, self.not_finite - before.not_finite
        )

    def copy(self) -> EvaluationCounts:
        """Return the present numbers."""
        return replace(self)
