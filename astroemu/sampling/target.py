"""sampling.target."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Protocol, cast

import numpy as np

from astroemu.core.typing import FloatArray
from astroemu.errors import ConfigurationError, SamplingError


class Target(Protocol):
    """What a sampler needs of a problem."""

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the ``d`` sampled parameters."""
        ...

    def prior_transform(self, u: FloatArray) -> FloatArray:
        """Unit cube ``(n, d)`` to parameters ``(n, d)``."""
        ...

    def log_prior(self, theta: FloatArray) -> FloatArray:
        """Log prior density ``(n,)``."""
        ...

    def log_likelihood(self, theta: FloatArray) -> FloatArray:
        """Log-likelihood ``(n,)``: finite, or minus infinity."""
        ...


class GradientTarget(Target, Protocol):
    """What a sampler needs that follows gradients. The parameters are independent under the prior."""

    def prior_slope(self, u: FloatArray) -> FloatArray:
        """Derivative ``(n, d)`` of each parameter of :meth:`prior_transform` with respect to its own ``u``."""
        ...

    def value_and_grad(self, theta: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Log-likelihood ``(n,)`` and its gradient ``(n, d)``, which is NaN where the former is minus infinity."""
        ...


def with_gradient(target: Target) -> GradientTarget:
    """Return a target that has gradients.

    A target whose gradients may be missing although it has these members says so by a method ``demand_gradient``.

    Raises
    ------
    ConfigurationError
        If it has none.
    """
    missing = [name for name in ("prior_slope", "value_and_grad") if not hasattr(target, name)]
    if missing:
        raise ConfigurationError(
            f"this sampler follows gradients, and {type(target).__name__} has no {' and no '.join(missing)}; take a "
            "sampler that needs none, such as emcee"
        )
    if hasattr(target, "demand_gradient"):
        target.demand_gradient()
    return cast(GradientTarget, target)


class TargetWrapper(ABC):
    """A target around another one, which does something with every batch that passes.

    Parameters
    ----------
    target : Target
    """

    def __init__(self, target: Target) -> None:
        self.target = target

    @property
    def names(self) -> tuple[str, ...]:
        return self.target.names

    def prior_transform(self, u: FloatArray) -> FloatArray:
        return self.target.prior_transform(u)

    def prior_slope(self, u: FloatArray) -> FloatArray:
        return cast(GradientTarget, self.target).prior_slope(u)

    def log_prior(self, theta: FloatArray) -> FloatArray:
        return self.target.log_prior(theta)

    def log_likelihood(self, theta: FloatArray) -> FloatArray:
        return self.evaluate(theta, gradient=False)[:, 0]

    def value_and_grad(self, theta: FloatArray) -> tuple[FloatArray, FloatArray]:
        found = self.evaluate(theta, gradient=True)
        return found[:, 0], found[:, 1:]

    def demand_gradient(self) -> None:
        """Refuse if the target within has no gradients."""
        with_gradient(self.target)

    @abstractmethod
    def evaluate(self, theta: FloatArray, *, gradient: bool) -> FloatArray:
        """What was asked, one row a point: the log-likelihood, and its gradient if that is wanted, ``(n, 1 + d)``."""


def evaluate(target: Target, theta: FloatArray, *, gradient: bool) -> FloatArray:
    """Ask a target, as :meth:`TargetWrapper.rows` answers."""
    if not gradient:
        return np.asarray(target.log_likelihood(theta))[:, None]
    value, slope = cast(GradientTarget, target).value_and_grad(theta)
    return np.concatenate([value[:, None], slope], axis=1)


class CountedTarget(TargetWrapper):
    """A target that counts the points evaluated through it, and refuses what no log-likelihood is.

    A model never gives NaN or plus infinity, another target may; samplers hang on them, or go on with garbage.
    """

    def __init__(self, target: Target) -> None:
        super().__init__(target)
        self.n = 0

    def evaluate(self, theta: FloatArray, *, gradient: bool) -> FloatArray:
        self.n += len(theta)
        found = evaluate(self.target, theta, gradient=gradient)
        values = found[:, 0]
        if not np.max(values, initial=-np.inf) < np.inf:  # NaN too
            wrong = int(np.flatnonzero(~(values < np.inf))[0])
            point = dict(zip(self.names, np.asarray(theta)[wrong].tolist(), strict=True))
            raise SamplingError(f"a log-likelihood of {values[wrong]} at {point}; it must be finite or minus infinity")
        return found
