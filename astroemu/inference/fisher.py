"""The Fisher matrix of a model: the Gaussian approximation of its posterior.

    F_ij = - d^2 ln L / d theta_i d theta_j  at the maximum,   C = (F + P)^-1

The second derivatives are central differences of the compiled gradient; the steps follow the measured width. ``P`` is
the information of the prior: the inverse variance of each parameter. A flat prior counts as a Gaussian of the same
variance. A direction that the data do not constrain is therefore as wide as its prior.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from astroemu.core.typing import FloatArray
from astroemu.errors import SamplingError, listing
from astroemu.inference.best_fit import prior_frame
from astroemu.model.model import Model

#: Step in units of the conditional width. Larger steps leave the parabola; smaller ones show the float32 rounding.
_STEP = 0.2


@dataclass(frozen=True)
class FisherForecast:
    """The Gaussian approximation of a posterior at one point.

    Attributes
    ----------
    names : tuple of str
        The free parameters.
    theta : (d,) array
        The point, each value in the unit of its parameter.
    data, prior : (d, d) array
        Information of the likelihood and of the prior, in inverse products of the parameters' units.
    covariance : (d, d) array
        Inverse of the sum of both.
    """

    names: tuple[str, ...]
    theta: FloatArray
    data: FloatArray
    prior: FloatArray
    covariance: FloatArray

    @property
    def std(self) -> FloatArray:
        """Marginal standard deviations, ``(d,)``."""
        return np.sqrt(np.diag(self.covariance))

    @property
    def conditional(self) -> FloatArray:
        """Standard deviations if all other parameters are known, ``(d,)``."""
        return np.asarray(1.0 / np.sqrt(np.diag(self.data + self.prior)))


def fisher_matrix(model: Model, theta: FloatArray, *, prior: bool = True) -> FisherForecast:
    """Return the Fisher matrix at a point.

    Parameters
    ----------
    model : Model
    theta : (d,) array
        The maximum, see :func:`astroemu.inference.best_fit.find_best_fit`. At other points the approximation is
        worse.
    prior : bool
        If true, add the information of the prior.

    Returns
    -------
    FisherForecast

    Raises
    ------
    ConfigurationError
        If the model has no gradient.
    SamplingError
        If the sum is not positive definite, or the likelihood is not finite within one step of the point.
    """
    low, high, width = prior_frame(model)
    information = _prior_information(model) if prior else np.zeros((len(theta), len(theta)))
    step = 0.01 * width
    for _ in range(3):
        data = _hessian(model, theta, np.minimum(step, 0.1 * width), low, high)
        curvature = np.maximum(np.diag(data), 0.0) + 1.0 / width**2
        step = _STEP / np.sqrt(curvature)
    total = data + information
    scale = np.sqrt(np.abs(np.diag(total)))
    open_ = _open(total, scale)
    if open_.any():
        names = listing(name for name, is_open in zip(model.names, open_, strict=True) if is_open)
        raise SamplingError(
            f"the Fisher matrix is not positive definite in {names}: the point is no maximum, or the data leave this "
            "direction " + ("open" if prior else "open; add the prior's information (leave out --no-prior)")
        )
    covariance = np.linalg.inv(total / np.outer(scale, scale)) / np.outer(scale, scale)
    return FisherForecast(model.names, np.asarray(theta), data, information, covariance)


def _open(total: FloatArray, scale: FloatArray) -> NDArray[np.bool_]:
    """Return which parameters ``(d,)`` take part in the direction without information, if there is one."""
    if np.any(scale == 0):
        return np.asarray(scale == 0)
    values, vectors = np.linalg.eigh(total / np.outer(scale, scale))
    part = np.abs(vectors[:, 0])
    return np.asarray((part > 0.3 * part.max()) & (values[0] <= 0))


def _hessian(model: Model, theta: FloatArray, step: FloatArray, low: FloatArray, high: FloatArray) -> FloatArray:
    """Return minus the second derivatives ``(d, d)``, by central differences of gradients; moved inwards at an edge."""
    centre = np.minimum(np.maximum(theta, low + step), high - step)
    points = np.concatenate([centre + np.diag(step), centre - np.diag(step)])
    _, gradient = model.value_and_grad(points)
    if not np.all(np.isfinite(gradient)):
        raise SamplingError(
            "the likelihood is not finite within one step of the point, so it has no second derivative there"
        )
    ahead, behind = np.split(gradient, 2)
    second = -(ahead - behind) / (2.0 * step[:, None])
    return 0.5 * (second + second.T)


def _prior_information(model: Model) -> FloatArray:
    """Return the inverse covariance ``(d, d)`` of the prior: by the midpoint rule in its quantiles if it is a product.

    Otherwise it comes from draws of the prior.
    """
    if model.prior.joint:
        drawn = model.prior.sample(100_000, np.random.default_rng(0))
        return np.asarray(np.linalg.inv(np.atleast_2d(np.cov(drawn.T))))
    u = (np.arange(2000) + 0.5) / 2000
    return np.diag([1.0 / np.var(p.prior.transform(u)) for p in model.prior.free])
