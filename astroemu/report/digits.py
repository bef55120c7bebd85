"""How results are written: the digits of a number follow its standard deviation.

Tables, pages and titles of figures all use :class:`Digits`, so that a quantity looks the same everywhere.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

#: The intervals of a row of statistics, by their heading.
INTERVALS = {
    "68 % interval": ("q16", "q84"),
    "shortest 68 %": ("hpd68_low", "hpd68_high"),
    "95 % interval": ("q025", "q975"),
}
#: What stands for a number that is not defined.
UNDEFINED = "-"
#: Significant digits of a number that has no standard deviation.
_PLAIN = 4
#: Significant digits that a float has.
_LARGEST = 15
#: A standard deviation this much wider than the 68 % interval is made by a tail: the interval sets the digits.
_TAIL = 5.0


@dataclass(frozen=True)
class Digits:
    """The form in which all numbers of one quantity are written.

    Attributes
    ----------
    place : int
        Power of ten of the last digit: -2 for hundredths.
    exponent : bool
        True if each number has a power of ten of its own, such as ``5.00e+40``.
    """

    place: int
    exponent: bool = False

    @classmethod
    def of(cls, values: Iterable[Any], std: Any) -> Digits:
        """Return the form of numbers with two digits of their standard deviation.

        Parameters
        ----------
        values : iterable of float or None
            All numbers that are written in this form.
        std : float or None
            Without a positive one, the numbers have four significant digits.
        """
        sizes = [abs(value) for value in values if _is_finite(value)]
        largest = max(sizes, default=0.0)
        top = _order(largest, _LARGEST) if largest else 0
        if _is_finite(std) and std > 0:
            place = max(_order(std, 2) - 1, top - _LARGEST + 1)
        else:
            place = (_order(largest, _PLAIN) if largest else 0) - _PLAIN + 1
        exponent = (place > 0 and largest >= 1e6) or 0 < largest < 1e-4
        return cls(place, exponent)

    @classmethod
    def of_row(cls, row: Mapping[str, Any]) -> Digits:
        """Return the form of a row of statistics, see :func:`astroemu.sampling.statistics.statistics`."""
        std, low, high = (math.nan if row.get(key) is None else row[key] for key in ("std", "q16", "q84"))
        half = 0.5 * (high - low)
        if 0 < half < math.inf and not std <= _TAIL * half:
            std = half
        ends = (row.get(key) for pair in INTERVALS.values() for key in pair)
        return cls.of([row.get("mean"), row.get("median"), row.get("std"), *ends], std)

    def __call__(self, value: Any) -> str:
        """Return the text of a number; a minus sign stands for one that is not defined."""
        if value is None or value != value:
            return UNDEFINED
        if math.isinf(value):
            return "inf" if value > 0 else "-inf"
        if self.exponent:
            digits = _order(value, _LARGEST) - self.place
            return f"{value:.{max(digits, 0)}e}" if abs(value) > 0.5 * 10.0**self.place else "0"
        rounded = round(float(value), -self.place) + 0.0  # no negative zero
        return f"{rounded:.{max(-self.place, 0)}f}"

    def interval(self, low: Any, high: Any) -> str:
        """Return the text of an interval, both ends to the same place."""
        ends = self(low), self(high)
        return UNDEFINED if UNDEFINED in ends else f"{ends[0]} to {ends[1]}"

    def title(self, median: Any, low: Any, high: Any) -> str:
        """Return mathtext, without dollar signs, of a median and the distances to the ends of its interval."""
        numbers = [median, None if median is None else high - median, None if median is None else median - low]
        if not all(map(_is_finite, numbers)):
            return self(median)
        power, form = 0, self
        if self.exponent:
            power = _order(max(map(abs, numbers)), _LARGEST)
            numbers = [number / 10.0**power for number in numbers]
            form = Digits(self.place - power)
        middle, above, below = map(form, numbers)
        text = f"{middle}^{{+{above}}}_{{-{below}}}"
        return text if not power else rf"{text} \times 10^{{{power}}}"


def with_error(value: Any, error: Any) -> str:
    """Return a number and its standard error, as ``-3.00 +- 0.12``."""
    digits = Digits.of([value, error], error)
    return f"{digits(value)} +- {digits(error)}"


def constant(row: Mapping[str, Any]) -> str:
    """Return the text of a number that the inputs fix."""
    return Digits.of([row.get("median")], None)(row.get("median"))


def _is_finite(value: Any) -> bool:
    return value is not None and math.isfinite(value)


def _order(value: float, digits: int) -> int:
    """Return the power of ten of the first digit, after rounding to a number of significant digits."""
    return int(f"{abs(value):.{digits - 1}e}".partition("e")[2])
