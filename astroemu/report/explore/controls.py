"""The range of a slider, and how its position becomes the value of a parameter."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from astroemu.core.distributions import LogUniform
from astroemu.core.parameter import Parameter
from astroemu.core.prior import Prior
from astroemu.core.typing import FloatArray
from astroemu.errors import ConfigurationError
from astroemu.io.numbers import read_number
from astroemu.io.toml import dump_toml

#: Positions of a slider.
_STEPS = 1000
#: Probability beyond each end of a slider, where the prior has no end.
_TAIL = 1e-4


@dataclass(frozen=True)
class Scale:
    """The scale of one slider.

    Attributes
    ----------
    parameter : Parameter
    low, high : float
        Range of the slider, in the unit of the parameter: that of the prior, or its central 99.98 % where the prior has
        no end.
    """

    parameter: Parameter
    low: float
    high: float

    @classmethod
    def of(cls, parameter: Parameter) -> Scale:
        """Return the scale of a parameter."""
        low, high = parameter.prior.support
        tails = parameter.prior.transform(np.array([_TAIL, 1 - _TAIL]))
        return cls(
            parameter,
            low if math.isfinite(low) else float(tails[0]),
            high if math.isfinite(high) else float(tails[1]),
        )

    @property
    def logarithmic(self) -> bool:
        """True if the slider moves the logarithm of the parameter."""
        return isinstance(self.parameter.prior, LogUniform)

    @property
    def ends(self) -> tuple[float, float]:
        """Lowest and highest position of the slider."""
        return self.position(self.low), self.position(self.high)

    @property
    def step(self) -> float:
        """Distance of two positions."""
        low, high = self.ends
        return (high - low) / _STEPS

    def position(self, value: float) -> float:
        """Return the position of a value."""
        return math.log(value) if self.logarithmic else value

    def value(self, position: float) -> float:
        """Return the value at a position, with digits that its step can tell apart."""
        if self.logarithmic:
            value = float(f"{math.exp(position):.5g}")
        else:
            value = round(position, max(0, 1 - math.floor(math.log10(self.step))))
        return min(max(value, self.low), self.high)  # the ends themselves may have more digits

    def text(self, value: float) -> str:
        """Return the digits of a value that a hundredth of a step can tell apart."""
        if self.logarithmic:
            return f"{value:.7g}"
        return f"{round(value, max(0, 2 - math.floor(math.log10(self.step)))):.15g}"

    def read(self, text: str) -> float:
        """Return the value that a user typed.

        Raises
        ------
        ConfigurationError
            If it is not a number, or the prior excludes it.
        """
        name = self.parameter.name
        try:
            value = read_number(text)
        except ValueError as error:
            example = f"{0.5 * (self.low + self.high):.4g}"
            raise ConfigurationError(f"{name}: {error}. Type a number, such as {example}") from None
        low, high = self.parameter.prior.support
        if not low <= value <= high:
            raise ConfigurationError(f"{name} = {value:.10g} is outside its prior, {low:.10g} to {high:.10g}")
        return value

    def widened(self, value: float) -> Scale:
        """Return this scale, widened to a value beyond an end of the slider that is no end of the prior."""
        return Scale(self.parameter, min(self.low, value), max(self.high, value))


def point_toml(prior: Prior, theta: FloatArray) -> str:
    """Return the parameters at a point as fixed values, for a configuration.

    Parameters
    ----------
    prior : Prior
    theta : (d,) array
    """
    values = {**prior.fixed, **dict(zip(prior.names, theta.tolist(), strict=True))}
    return dump_toml({"parameters": {p.name: _fixed(p, values[p.name]) for p in prior.parameters}}).lstrip()


def _fixed(parameter: Parameter, value: float) -> Mapping[str, Any]:
    texts = {key: getattr(parameter, key) or None for key in ("latex", "unit")}
    return {"distribution": "fixed", "value": value, **texts}
