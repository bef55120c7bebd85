"""The problem that a sampler works on, and wrappers around it.

A :class:`Target` is anything with parameter names, a unit-cube transform, a log prior and a log-likelihood. A
:class:`TargetWrapper` is a target around another one: it may record, count or distribute the evaluations.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Protocol, cast

import numpy as np

from astroemu.core.typing import FloatArray
from astroemu.errors import ConfigurationError, SamplingError
from astroemu.runtime import interruption


class Target(Protocol):
    """The problem of a sampler: prior and log-likelihood of ``d`` parameters, for batches of ``n`` points."""

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the ``d`` sampled parameters."""
        ...

    def prior_transform(self, u: FloatArray) -> FloatArray:
        """Map points of the unit cube ``(n, d)`` to parameters ``(n, d)``."""
        ...

    def log_prior(self, theta: FloatArray) -> FloatArray:
        """Return the log prior density ``(n,)`` at ``theta (n, d)``."""
        ...

    def log_likelihood(self, theta: FloatArray) -> FloatArray:
        """Return the log-likelihood ``(n,)`` at ``theta (n, d)``: finite, or minus infinity."""
        ...


class GradientTarget(Target, Protocol):
    """The problem of a sampler that follows gradients.

    A target whose prior is no product of one-dimensional priors has the method ``prior_pullback`` in addition, see
    :func:`prior_pullback`.
    """

    def prior_slope(self, u: FloatArray) -> FloatArray:
        """Return the derivative ``(n, d)`` of each parameter of :meth:`prior_transform` with respect to its ``u``."""
        ...

    def value_and_grad(self, theta: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Return the log-likelihood ``(n,)`` and its gradient ``(n, d)``.

        The gradient is NaN where the log-likelihood is minus infinity.
        """
        ...


def gradient_target(target: Target) -> GradientTarget:
    """Return the target, checked to have gradients.

    A target may have the members of :class:`GradientTarget` and still lack gradients. Such a target raises an error
    in its method ``demand_gradient``.

    Raises
    ------
    ConfigurationError
        If the target has no gradients.
    """
    missing = [name for name in ("prior_slope", "value_and_grad") if not hasattr(target, name)]
    if missing:
        raise ConfigurationError(
            f"this sampler follows gradients, and {type(target).__name__} has no {' and no '.join(missing)}; use a "
            "sampler that needs no gradients, such as emcee"
        )
    if hasattr(target, "demand_gradient"):
        target.demand_gradient()
    return cast(GradientTarget, target)


def prior_pullback(target: Target, u: FloatArray, gradient: FloatArray) -> FloatArray:
    """Return the gradient ``(n, d)`` of a function with respect to ``u``, from that with respect to the parameters.

    A target may have a method of this name. Otherwise each parameter depends on its own ``u`` alone, and the gradient
    is multiplied by the slopes of the prior.
    """
    if hasattr(target, "prior_pullback"):
        return np.asarray(target.prior_pullback(u, gradient))
    return gradient * cast(GradientTarget, target).prior_slope(u)


class TargetWrapper(ABC):
    """A target around another one, which handles every batch in :meth:`evaluate`.

    Parameters
    ----------
    target : Target
        The inner target. Its gradients are passed on if it has any.
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

    def prior_pullback(self, u: FloatArray, gradient: FloatArray) -> FloatArray:
        return prior_pullback(self.target, u, gradient)

    def log_prior(self, theta: FloatArray) -> FloatArray:
        return self.target.log_prior(theta)

    def log_likelihood(self, theta: FloatArray) -> FloatArray:
        return self.evaluate(theta, gradient=False)[:, 0]

    def value_and_grad(self, theta: FloatArray) -> tuple[FloatArray, FloatArray]:
        found = self.evaluate(theta, gradient=True)
        return found[:, 0], found[:, 1:]

    def demand_gradient(self) -> None:
        """Raise an error if the inner target has no gradients."""
        gradient_target(self.target)

    @abstractmethod
    def evaluate(self, theta: FloatArray, *, gradient: bool) -> FloatArray:
        """Evaluate a batch ``theta (n, d)``.

        Returns
        -------
        (n, 1) or (n, 1 + d) array
            One row per point: the log-likelihood and, if ``gradient`` is true, its gradient.
        """


def evaluate(target: Target, theta: FloatArray, *, gradient: bool) -> FloatArray:
    """Evaluate a target; the result has the form of :meth:`TargetWrapper.evaluate`.

    Raises
    ------
    Terminated
        If Ctrl-C or SIGTERM has come since the last batch. This happens on the command line only.
    """
    interruption.check()
    if not gradient:
        return np.asarray(target.log_likelihood(theta))[:, None]
    value, slope = cast(GradientTarget, target).value_and_grad(theta)
    return np.concatenate([value[:, None], slope], axis=1)


#: Largest absolute value of the log-likelihood at the peak. Its neighbours are 1e-4 apart.
_LARGEST = 1e12
#: Number of points, and their largest extent in units of the distance of neighbouring numbers, that are called one.
_CLOUD, _ROUNDED = 8, 1000.0


class CountedTarget(TargetWrapper):
    """A target that counts its evaluated points and rejects NaN and plus infinity.

    A model never returns these values, but another target may. Samplers then hang or give wrong results. The same holds
    for problems that floating-point numbers cannot resolve, which are rejected too.

    Attributes
    ----------
    n : int
        Number of points evaluated so far.
    """

    def __init__(self, target: Target) -> None:
        super().__init__(target)
        self.n = 0

    def prior_transform(self, u: FloatArray) -> FloatArray:
        """Map points of the unit cube ``(n, d)`` to parameters ``(n, d)``.

        Raises
        ------
        SamplingError
            If the points are so close to each other that rounding decides between them.
        """
        if len(u) >= _CLOUD and np.any(close := np.ptp(u, axis=0) < _ROUNDED * np.spacing(np.max(u, axis=0))):
            name = self.names[int(np.argmax(close))]
            raise SamplingError(
                f"the posterior of {name!r} is too narrow for floating-point numbers in the range of its prior; narrow "
                "this prior, or check the errors of the data"
            )
        return self.target.prior_transform(u)

    def demand_resolved(self, log_likelihood: FloatArray) -> None:
        """Raise an error if the highest log-likelihood ``(n,)`` of the samples has no digits after the point.

        Raises
        ------
        SamplingError
        """
        _demand_digits(float(np.max(log_likelihood, initial=-np.inf)))

    def evaluate(self, theta: FloatArray, *, gradient: bool) -> FloatArray:
        """Evaluate a batch; see :meth:`TargetWrapper.evaluate`.

        Raises
        ------
        SamplingError
            If a log-likelihood is NaN or plus infinity. The message names the point.
        """
        self.n += len(theta)
        found = evaluate(self.target, theta, gradient=gradient)
        values = found[:, 0]
        if not np.max(values, initial=-np.inf) < np.inf:  # also false for NaN
            wrong = int(np.flatnonzero(~(values < np.inf))[0])
            point = dict(zip(self.names, np.asarray(theta)[wrong].tolist(), strict=True))
            raise SamplingError(f"a log-likelihood of {values[wrong]} at {point}; it must be finite or minus infinity")
        if np.max(values, initial=-np.inf) > _LARGEST:
            _demand_digits(float(np.max(values)))
        return found


def _demand_digits(highest: float) -> None:
    if _LARGEST < abs(highest) < np.inf:
        raise SamplingError(
            f"the highest log-likelihood is {highest:g}: floating-point numbers of this size are "
            f"{np.spacing(abs(highest)):g} apart, but differences of 1 matter. Check the data and their errors, or "
            "subtract a constant"
        )
