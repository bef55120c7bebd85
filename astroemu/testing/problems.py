"""Problems with known results: targets for samplers, and a training set for kinds of emulators."""

from __future__ import annotations

from typing import Any

import numpy as np

from astroemu.core.array_namespace import NUMPY, Namespace
from astroemu.core.distributions import Uniform
from astroemu.core.observable import Axis, Observable
from astroemu.core.parameter import Parameter
from astroemu.core.prior import Prior
from astroemu.core.probe import Probe
from astroemu.core.typing import FloatArray
from astroemu.emulation.training_set import TrainingSet
from astroemu.errors import ProbeError
from astroemu.model.model import Model
from astroemu.sampling.samples import Samples
from astroemu.sampling.target import Target, TargetWrapper, evaluate
from astroemu.testing.findings import ensure

MEAN = np.array([0.3, -0.2])
WIDTH = np.array([0.1, 0.25])
#: ln Z of a normalised Gaussian, far from the edges, with a flat prior of area 100.
LOG_EVIDENCE = float(-np.log(100.0))


class Gaussian:
    """A normalised two-dimensional Gaussian in the box [-5, 5]^2.

    Parameters
    ----------
    wall : bool
        If true, the log-likelihood is minus infinity at x < mean.
    """

    names = ("x", "y")

    def __init__(self, *, wall: bool = False) -> None:
        self.wall = wall

    @property
    def log_evidence(self) -> float:
        """ln Z. With the wall, half of the evidence is missing."""
        return LOG_EVIDENCE - (np.log(2.0) if self.wall else 0.0)

    def prior_transform(self, u: FloatArray) -> FloatArray:
        return 10.0 * u - 5.0

    def prior_slope(self, u: FloatArray) -> FloatArray:
        return np.full(u.shape, 10.0)

    def log_prior(self, theta: FloatArray) -> FloatArray:
        return np.where(np.all(np.abs(theta) <= 5.0, axis=1), -np.log(100.0), -np.inf)

    def log_likelihood(self, theta: FloatArray) -> FloatArray:
        return np.where(self.wall & (theta[:, 0] < MEAN[0]), -np.inf, _log_density(theta, NUMPY))

    def value_and_grad(self, theta: FloatArray) -> tuple[FloatArray, FloatArray]:
        value = self.log_likelihood(theta)
        return value, np.where(np.isfinite(value)[:, None], (MEAN - theta) / WIDTH**2, np.nan)


def _log_density(theta: Any, xp: Namespace) -> Any:
    r = (theta - MEAN) / WIDTH
    return -0.5 * xp.sum(r * r, axis=1) - np.sum(np.log(WIDTH * np.sqrt(2.0 * np.pi)))


class _NaNProbe(Probe):
    """The Gaussian as a probe with nuisance parameters only; it gives NaN, not -inf, at x < mean."""

    parameters = tuple(Parameter(name, Uniform(-5.0, 5.0)) for name in Gaussian.names)

    @property
    def requires(self) -> dict[str, object]:  # type: ignore[override]
        return {}

    def log_likelihood(self, predictions: object, parameters: dict[str, FloatArray], xp: Namespace) -> FloatArray:  # type: ignore[override]
        theta = xp.stack([parameters[name] for name in Gaussian.names], axis=1)
        return xp.where(theta[:, 0] < MEAN[0], np.nan, _log_density(theta, xp))


class _Failing(TargetWrapper):
    """A target that raises after some calls, like a model whose probe divides by zero."""

    def __init__(self, target: Target, calls: int) -> None:
        super().__init__(target)
        self.left = calls

    def evaluate(self, theta: FloatArray, *, gradient: bool) -> FloatArray:
        self.left -= 1
        if self.left < 0:
            raise ProbeError("probe 'gaussian' failed: ZeroDivisionError: the kit's own")
        return evaluate(self.target, theta, gradient=gradient)


def with_nan() -> Model:
    """Return the Gaussian as a model whose likelihood is NaN at x < mean."""
    return Model(Prior(_NaNProbe.parameters), {}, {"gaussian": _NaNProbe()})


def that_fails(calls: int) -> Target:
    """Return the Gaussian as a target that raises after some calls.

    It is no model, because a compiled model calls its probe only once, to trace it.
    """
    return _Failing(Gaussian(), calls)


def training_set(n: int = 600) -> TrainingSet:
    """Return ``n`` points of two parameters ``a`` and ``b``: ``line(x) = a + b x`` and ``number = a b + 2``."""
    theta = np.random.default_rng(0).uniform(-1.0, 1.0, (n, 2))
    x = np.linspace(-1.0, 1.0, 6)
    observables = {"line": Observable("line", (Axis("x", x),), "mK"), "number": Observable("number")}
    values = {"line": theta[:, :1] + theta[:, 1:] * x, "number": theta[:, 0] * theta[:, 1] + 2.0}
    box = {"parameters": {name: {"low": -1.0, "high": 1.0} for name in "ab"}}
    return TrainingSet(("a", "b"), theta, observables, values, box)


_ERRORS = 5.0


def _demand_likelihoods(stated: FloatArray, true: FloatArray) -> None:
    """Compare the log-likelihoods ``(n,)`` of samples with those of the target at the same points."""
    rows = np.flatnonzero(~(np.isclose(stated, true, atol=1e-6) & np.isfinite(stated)))
    if rows.size:
        row = rows[0]
        behind = np.isneginf(true[row])
        remedy = "leave such rows out, and set log_volume" if behind else "log_likelihood does not belong to theta"
        ensure(False, f"row {row}: the samples say {stated[row]:g}, the target says {true[row]:g}; {remedy}")


def agrees(samples: Samples, problem: Gaussian) -> str:
    """Compare samples with the known properties of a Gaussian and return the differences as text.

    Raises
    ------
    NonConformance
        If they differ by more than five standard errors, or the samples are inconsistent.
    """
    ensure(samples.names == problem.names, f"the columns are {samples.names}, not {problem.names}")
    ensure(samples.converged, f"not converged: {samples.reason}")
    ensure(abs(float(samples.weight.sum()) - 1.0) < 1e-9, "the weights do not sum to one")
    ensure(samples.n_likelihood > 0, "it did not count its likelihood evaluations")
    _demand_likelihoods(samples.log_likelihood, problem.log_likelihood(samples.theta))
    mean, width = (MEAN.copy(), WIDTH.copy())
    if problem.wall:  # a half-normal
        mean[0] += WIDTH[0] * np.sqrt(2 / np.pi)
        width[0] *= np.sqrt(1 - 2 / np.pi)
    error = width / np.sqrt(samples.ess)
    pull = np.abs(samples.mean() - mean) / error
    ensure(bool(np.all(pull < _ERRORS)), f"means {samples.mean()} instead of {mean} (+- {error})")
    spread = np.abs(samples.std() - width) / error
    ensure(bool(np.all(spread < _ERRORS)), f"widths {samples.std()} instead of {width} (+- {error})")
    if samples.log_birth is not None:
        born = bool(np.all(samples.log_birth < samples.log_likelihood))
        ensure(born, "the likelihood of a sample is not above its log_birth")
    detail = f"means within {pull.max():.1f} errors, {samples.ess:.0f} effective samples"
    if samples.log_evidence is None:
        return f"{detail}; no evidence"
    ensure(0.0 < float(samples.log_evidence_err or 0.0) < np.inf, "ln Z has no error, or an infinite one")
    off = abs(samples.log_evidence - problem.log_evidence) / float(samples.log_evidence_err or 1.0)
    ensure(
        off < _ERRORS, f"ln Z = {samples.log_evidence:.3f} +- {samples.log_evidence_err}, not {problem.log_evidence}"
    )
    return f"{detail}; ln Z within {off:.1f} errors"
