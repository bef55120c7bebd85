"""The best fit: the maximum of the posterior or of the likelihood, found from several starts."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from astroemu.core.typing import FloatArray
from astroemu.errors import SamplingError
from astroemu.model.model import Model

#: Number of prior draws; the best of them are the starts.
_DRAWS = 1000
#: Step in units of the prior's width, and change of the value below which it does not depend on a parameter. A Gaussian
#: of more than twice this width changes less.
_NEAR, _NO_CHANGE = 0.1, 1e-3


@dataclass(frozen=True)
class BestFit:
    """A best fit.

    Attributes
    ----------
    names : tuple of str
        The free parameters.
    theta : (d,) array
        Their values at the maximum, each in the unit of its parameter.
    value : float
        Log-posterior (without the evidence) or log-likelihood at ``theta``.
    log_likelihood : float
        Total log-likelihood at ``theta``.
    by_probe : dict of str to float
        Log-likelihood of each probe.
    starts : (s,) array
        Value at which each start ended, highest first. Different values mean several local maxima.
    evaluations : int
        Number of points at which the gradient was computed.
    at_edge : tuple of str
        Parameters that ended at an edge of their prior.
    flat : tuple of str
        Parameters of which the value does not depend around the maximum: any value near by is as good.
    """

    names: tuple[str, ...]
    theta: FloatArray
    value: float
    log_likelihood: float
    by_probe: dict[str, float]
    starts: FloatArray
    evaluations: int
    at_edge: tuple[str, ...]
    flat: tuple[str, ...] = ()


def find_best_fit(model: Model, *, starts: int = 8, prior: bool = True, seed: int = 1) -> BestFit:
    """Return the maximum, found with L-BFGS-B (Byrd et al. 1995, SIAM J. Sci. Comput. 16, 1190).

    The starts are the best of 1000 prior draws. Parameters are scaled by the width of their prior and stay inside
    its range.

    Parameters
    ----------
    model : Model
    starts : int
        Number of starting points.
    prior : bool
        If true, maximise the posterior density; otherwise the likelihood, inside the prior's range.
    seed : int
        Seed of the prior draws.

    Returns
    -------
    BestFit

    Raises
    ------
    ConfigurationError
        If the model has no gradient, see :meth:`astroemu.model.model.Model.value_and_grad`.
    SamplingError
        If no prior draw has a finite likelihood.
    """
    from scipy.optimize import minimize

    draws = model.prior.sample(_DRAWS, np.random.default_rng(seed))
    values = model.log_likelihood(draws) + (model.log_prior(draws) if prior else 0.0)
    if not np.any(np.isfinite(values)):
        raise SamplingError(f"none of {_DRAWS} prior draws has a finite likelihood; narrow the priors")
    order = np.argsort(-np.where(np.isfinite(values), values, -np.inf))
    begin = draws[order[: min(starts, int(np.isfinite(values).sum()))]]
    low, high, width = prior_frame(model)
    objective = _Objective(model, low, width, prior)
    bounds = (np.stack([low, high], axis=1) - objective.origin[:, None]) / width[:, None]
    ends = [
        minimize(
            objective,
            (point - objective.origin) / width,
            jac=True,
            method="L-BFGS-B",
            bounds=bounds,
            options={"maxiter": 500, "ftol": 1e-10, "gtol": 1e-4},
        )
        for point in begin
    ]
    ends.sort(key=lambda end: float(end.fun))
    theta = np.minimum(np.maximum(objective.origin + width * ends[0].x, low), high)  # rounding only
    parts = {key: float(part[0]) for key, part in model.log_likelihood_by_probe(theta[None]).items()}
    total = sum(parts.values())
    edge = (theta - low < 1e-6 * width) | (high - theta < 1e-6 * width)
    return BestFit(
        model.names,
        theta,
        total + (float(model.log_prior(theta[None])[0]) if prior else 0.0),
        total,
        parts,
        -np.array([float(end.fun) for end in ends]),
        objective.evaluations,
        tuple(name for name, at in zip(model.names, edge, strict=True) if at),
        _flat(model, theta, low, high, width, prior=prior),
    )


def _flat(
    model: Model, theta: FloatArray, low: FloatArray, high: FloatArray, width: FloatArray, *, prior: bool
) -> tuple[str, ...]:
    """Return the parameters whose value may change by a tenth of their prior's width, to both sides, with no effect."""
    step = np.diag(_NEAR * width)
    points = np.clip(np.concatenate([theta[None], theta + step, theta - step]), low, high)
    values = model.log_likelihood(points) + (model.log_prior(points) if prior else 0.0)
    change = np.abs(values[1:] - values[0]).reshape(2, -1).max(axis=0)
    return tuple(name for name, known in zip(model.names, change, strict=True) if known < _NO_CHANGE)


def prior_frame(model: Model) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Return the lower and upper edge of the prior and the width of its central 68 %, each ``(d,)``."""
    low, high = np.array([p.prior.support for p in model.prior.free]).T
    quantiles = model.prior.transform(np.repeat([[0.1587], [0.8413]], len(low), axis=1))
    return low, high, np.asarray(quantiles[1] - quantiles[0])


class _Objective:
    """The function for the minimiser: minus the value, and its gradient, in scaled parameters."""

    def __init__(self, model: Model, low: FloatArray, width: FloatArray, prior: bool) -> None:
        middle = model.prior.transform(np.full((1, len(low)), 0.5))[0]
        self.origin = np.where(np.isfinite(low), low, middle)
        self.evaluations = 0
        self._evaluate: Callable[[FloatArray], tuple[FloatArray, FloatArray]] = lambda x: model.value_and_grad(
            x, prior=prior
        )
        self._width = width

    def __call__(self, x: FloatArray) -> tuple[float, FloatArray]:
        value, gradient = self._evaluate((self.origin + self._width * x)[None])
        self.evaluations += 1
        if not np.isfinite(value[0]):
            return 1e300, np.zeros_like(x)  # the line search steps back from such a point
        return -float(value[0]), -gradient[0] * self._width
