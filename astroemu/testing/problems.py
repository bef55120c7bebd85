"""Problems with known answers: targets for samplers, a training set for kinds of emulators."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from astroemu.distribution import Uniform
from astroemu.errors import ProbeError
from astroemu.model import Model
from astroemu.namespace import NUMPY, Namespace
from astroemu.observable import Axis, Observable
from astroemu.parameter import Parameter
from astroemu.prior import Prior
from astroemu.probe import Probe
from astroemu.sampler import Layer, Target, rows
from astroemu.training_set import TrainingSet

Array = NDArray[np.float64]
MEAN = np.array([0.3, -0.2])
WIDTH = np.array([0.1, 0.25])
#: ln Z of a normalised Gaussian, far from the walls, in a flat box of area 100.
LOG_EVIDENCE = float(-np.log(100.0))


class Gaussian:
    """A normalised Gaussian of two dimensions in the box [-5, 5]^2; with a wall, -inf at x < mean."""

    names = ("x", "y")

    def __init__(self, *, wall: bool = False) -> None:
        self.wall = wall

    @property
    def log_evidence(self) -> float:
        """Half of the mass lies behind the wall."""
        return LOG_EVIDENCE - (np.log(2.0) if self.wall else 0.0)

    def prior_transform(self, u: Array) -> Array:
        return 10.0 * u - 5.0

    def prior_slope(self, u: Array) -> Array:
        return np.full(u.shape, 10.0)

    def log_prior(self, theta: Array) -> Array:
        return np.where(np.all(np.abs(theta) <= 5.0, axis=1), -np.log(100.0), -np.inf)

    def log_likelihood(self, theta: Array) -> Array:
        return np.where(self.wall & (theta[:, 0] < MEAN[0]), -np.inf, _log_density(theta, NUMPY))

    def value_and_grad(self, theta: Array) -> tuple[Array, Array]:
        value = self.log_likelihood(theta)
        return value, np.where(np.isfinite(value)[:, None], (MEAN - theta) / WIDTH**2, np.nan)


def _log_density(theta: Any, xp: Namespace) -> Any:
    r = (theta - MEAN) / WIDTH
    return -0.5 * xp.sum(r * r, axis=1) - np.sum(np.log(WIDTH * np.sqrt(2.0 * np.pi)))


class _NaNProbe(Probe):
    """The Gaussian as a probe of nuisance parameters only, NaN (not -inf) at x < mean."""

    parameters = tuple(Parameter(name, Uniform(-5.0, 5.0)) for name in Gaussian.names)

    @property
    def requires(self) -> dict[str, object]:  # type: ignore[override]
        return {}

    def log_likelihood(self, predictions: object, parameters: dict[str, Array], xp: Namespace) -> Array:  # type: ignore[override]
        theta = xp.stack([parameters[name] for name in Gaussian.names], axis=1)
        return xp.where(theta[:, 0] < MEAN[0], np.nan, _log_density(theta, xp))


class _Failing(Layer):
    """A target that raises, as a model does whose probe divides by zero, after some calls."""

    def __init__(self, target: Target, calls: int) -> None:
        super().__init__(target)
        self.left = calls

    def rows(self, theta: Array, *, gradient: bool) -> Array:
        self.left -= 1
        if self.left < 0:
            raise ProbeError("probe 'gaussian' failed: ZeroDivisionError: the kit's own")
        return rows(self.target, theta, gradient=gradient)


def with_nan() -> Model:
    """The Gaussian as a model, NaN behind the wall."""
    return Model(Prior(_NaNProbe.parameters), {}, {"gaussian": _NaNProbe()})


def that_fails(calls: int) -> Target:
    """The Gaussian, raising after some calls: a compiled model would call its probe once, to trace it."""
    return _Failing(Gaussian(), calls)


def training_set(n: int = 600) -> TrainingSet:
    """Points of two parameters ``a`` and ``b``: ``line(x) = a + b x`` and ``number = a b + 2``."""
    theta = np.random.default_rng(0).uniform(-1.0, 1.0, (n, 2))
    x = np.linspace(-1.0, 1.0, 6)
    observables = {"line": Observable("line", (Axis("x", x),), "mK"), "number": Observable("number")}
    values = {"line": theta[:, :1] + theta[:, 1:] * x, "number": theta[:, 0] * theta[:, 1] + 2.0}
    box = {"parameters": {name: {"low": -1.0, "high": 1.0} for name in "ab"}}
    return TrainingSet(("a", "b"), theta, observables, values, box)
