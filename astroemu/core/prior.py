"""The joint prior of independent parameters in a fixed order.

The prior defines the order of the columns of ``theta``. Fixed parameters are part of the prior, but not of ``theta``.
A sampler never receives them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from astroemu.core.parameter import Parameter
from astroemu.core.typing import FloatArray
from astroemu.errors import ConfigurationError
from astroemu.runtime.upper import upper


@dataclass(frozen=True)
class Prior:
    """Joint prior of independent parameters.

    In the methods below, n is the number of points and d the number of free parameters. Values of a parameter are in
    its unit.

    Attributes
    ----------
    parameters : tuple of Parameter
        Free and fixed ones, in order.

    Raises
    ------
    ConfigurationError
        If a name is given twice or no parameter is free.
    """

    parameters: tuple[Parameter, ...]

    def __post_init__(self) -> None:
        doubled = [name for name, count in Counter(p.name for p in self.parameters).items() if count > 1]
        if doubled:
            raise ConfigurationError(f"parameter {doubled[0]!r} is given twice; keep one of the two")
        if not self.free:
            raise ConfigurationError("every parameter is fixed, so there is nothing to infer; free one")

    @cached_property
    def free(self) -> tuple[Parameter, ...]:
        """Sampled parameters, in the order of the columns of ``theta``."""
        return tuple(p for p in self.parameters if not p.is_fixed)

    @cached_property
    def names(self) -> tuple[str, ...]:
        """Names of the sampled parameters, in the order of the columns of ``theta``."""
        return tuple(p.name for p in self.free)

    @cached_property
    def fixed(self) -> dict[str, float]:
        """Values of the fixed parameters, by name."""
        return {p.name: p.prior.support[0] for p in self.parameters if p.is_fixed}

    def __getitem__(self, name: str) -> Parameter:
        for p in self.parameters:
            if p.name == name:
                return p
        raise KeyError(name)

    def __contains__(self, name: object) -> bool:
        return any(p.name == name for p in self.parameters)

    def transform(self, u: FloatArray) -> FloatArray:
        """Return the parameters ``(n, d)`` of points ``(n, d)`` of the unit cube."""
        u = np.asarray(u, dtype=float)
        return np.stack([p.prior.transform(u[:, j]) for j, p in enumerate(self.free)], axis=1)

    def slope(self, u: FloatArray) -> FloatArray:
        """Return the derivative ``(n, d)`` of each parameter with respect to its ``u``, which is 1 / density."""
        theta = self.transform(u)
        with np.errstate(over="ignore"):
            return np.stack([np.exp(-p.prior.log_density(theta[:, j])) for j, p in enumerate(self.free)], axis=1)

    def log_density(self, theta: FloatArray) -> FloatArray:
        """Return the log prior density ``(n,)`` of points ``(n, d)``."""
        theta = np.asarray(theta, dtype=float)
        total = np.zeros(len(theta))
        for j, p in enumerate(self.free):
            total += p.prior.log_density(theta[:, j])
        return total

    def log_density_slope(self, theta: FloatArray) -> FloatArray:
        """Return the derivative ``(n, d)`` of the log prior density with respect to each parameter."""
        theta = np.asarray(theta, dtype=float)
        return np.stack([p.prior.log_density_slope(theta[:, j]) for j, p in enumerate(self.free)], axis=1)

    def sample(self, n: int, rng: np.random.Generator) -> FloatArray:
        """Return points ``(n, d)`` drawn from the prior."""
        return self.transform(rng.random((n, len(self.free))))

    def truncated(self, box: Mapping[str, tuple[float, float]]) -> Prior:
        """Return this prior restricted to a box.

        Parameters
        ----------
        box : mapping of str to (float, float)
            Lower and upper edge by parameter name. Other names are ignored.

        Raises
        ------
        ConfigurationError
            If the prior of a parameter does not overlap with its range.
        """
        return Prior(
            tuple(replace(p, prior=p.prior.truncated(*box[p.name])) if p.name in box else p for p in self.parameters)
        )

    def _repr_html_(self) -> str:
        return str(upper("prior_html")(self))

    def merged(self, extra: Iterable[Parameter]) -> Prior:
        """Return this prior with further parameters appended."""
        return Prior((*self.parameters, *extra))
