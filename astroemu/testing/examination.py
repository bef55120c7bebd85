"""Checks of a probe's likelihood on one small batch of points around its highest value."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from astroemu.core.array_namespace import NUMPY
from astroemu.core.distributions import Uniform
from astroemu.core.parameter import Parameter
from astroemu.core.prior import Prior
from astroemu.core.probe import Probe
from astroemu.core.provider import Prediction
from astroemu.core.typing import FloatArray
from astroemu.errors import ConfigurationError
from astroemu.model.model import Model
from astroemu.testing.findings import Report, Skipped, ensure
from astroemu.testing.process_state import unchanged
from astroemu.testing.synthetic import Grid, likelihood, middle, nuisance_at, read_only, returned
from astroemu.testing.traced_array import TRACED, TracedArray, traced, untraced

MANY = 7
#: Step of the derivative that finds arithmetic in single precision, in units of the spread, and its largest error.
_FINE, _COARSE, _DERIVATIVE = 1e-9, 1e-4, 0.2
#: Relative difference of ln L that rounding can make.
_ROUNDING = 1e-13


@dataclass
class Examination:
    """Checks that call the likelihood, with one small batch of points.

    Attributes
    ----------
    probe : Probe
    centre : mapping of str to (size,) array
        Predictions of high likelihood, by requirement.
    steps : mapping of str to float
        Step of all values of a requirement that lowers ln L by about two.
    """

    probe: Probe
    centre: Mapping[str, FloatArray]
    steps: Mapping[str, float]

    @cached_property
    def values(self) -> dict[str, FloatArray]:
        """Predictions ``(MANY, size)`` by requirement: the same step for all values, and random steps in two points."""
        rng = np.random.default_rng(8)
        values = {}
        for key, value in self.centre.items():
            moves = np.repeat(np.linspace(-1.0, 1.5, MANY)[:, None], value.size, axis=1)
            moves[-2:] += rng.uniform(-1.0, 1.0, moves[-2:].shape)
            values[key] = value + self.steps[key] * moves
        return values

    @cached_property
    def nuisance(self) -> dict[str, FloatArray]:
        """Nuisance parameters ``(MANY,)`` inside their priors."""
        u = np.random.default_rng(1).uniform(0.2, 0.8, (MANY, len(self.probe.parameters)))
        return nuisance_at(self.probe, u)

    @cached_property
    def reference(self) -> FloatArray:
        """ln L of the batch, ``(MANY,)``."""
        return likelihood(self.probe, self.values, self.nuisance).copy()

    def run(self, report: Report) -> bool:
        """Run these checks, and return whether the first three have passed, on which all others rely."""
        for check, examine in (
            ("no state", self.stateless),
            ("results of its own", self.owned),
            ("batch = single", self.batch_is_single),
        ):
            if not report.run(check, examine):
                return False
        for check, examine in (
            ("finite or -inf", self.finite),
            ("a NaN stays in its point", self.isolated),
            ("double precision", self.precise),
            ("requirements used", self.requirements_used),
            ("nuisance parameters used", self.nuisance_used),
            ("emulator error", self.with_errors),
            ("engine: model = direct", self.in_a_model),
            ("engine: xp only", self.namespace_only),
        ):
            report.run(check, examine)
        return True

    def _rows(self, rows: Any) -> tuple[dict[str, FloatArray], dict[str, FloatArray]]:
        return {k: v[rows] for k, v in self.values.items()}, {k: v[rows] for k, v in self.nuisance.items()}

    def batch_is_single(self) -> str:
        single = np.concatenate([likelihood(self.probe, *self._rows(slice(i, i + 1))) for i in range(MANY)])
        _demand_same(single, self.reference, "alone", "in a batch")
        backwards = likelihood(self.probe, *self._rows(slice(None, None, -1)))[::-1]
        _demand_same(backwards, self.reference, "in a batch of the opposite order", "in a batch")
        return f"largest difference {_difference(single, self.reference):.1e}"

    def finite(self) -> str:
        possible = np.isfinite(self.reference)
        ensure(bool(np.all(possible | (self.reference == -np.inf))), f"ln L near its peak is {self.reference}")
        ensure(bool(possible.any()), "ln L is minus infinity near its peak")
        worst = -np.inf
        for scale in (1e3, 1e8, 1e100):
            for sign in (1.0, -1.0):
                far = {k: np.full((1, v.shape[1]), sign * scale) for k, v in self.values.items()}
                value = likelihood(self.probe, far, middle(self.probe, 1))[0]
                ensure(value != np.inf, f"ln L is plus infinity where every value is {sign * scale:g}")
                worst = max(worst, float(value)) if np.isfinite(value) else worst
        return f"{self.reference.max():.4g} near the peak; far away at most {worst:.4g}"

    def isolated(self) -> str:
        if not self.values:
            raise Skipped("it requires no observable")
        spoilt = {k: v.copy() for k, v in self.values.items()}
        for value in spoilt.values():
            value[2] = np.nan
        found = likelihood(self.probe, spoilt, self.nuisance)
        others = np.arange(MANY) != 2
        ensure(not np.isfinite(found[2]), f"a prediction of NaN gives ln L = {found[2]}; NaN or -inf is required")
        _demand_same(found[others], self.reference[others], "beside a point of NaN", "without it")
        return ""

    def stateless(self) -> str:
        first = likelihood(self.probe, self.values, self.nuisance).copy()
        again = likelihood(self.probe, self.values, self.nuisance).copy()
        ensure(
            np.array_equal(first, again, equal_nan=True),
            f"the same call again gives another ln L in row {_row(first, again)}: "
            "it draws random numbers or keeps state",
        )
        likelihood(self.probe, *self._rows(slice(2, 5)))
        third = likelihood(self.probe, self.values, self.nuisance)
        ensure(
            np.array_equal(first, third, equal_nan=True),
            f"after other points were evaluated, ln L changes in row {_row(first, third)}",
        )
        return ""

    def owned(self) -> str:
        """Check that each call returns an array of its own."""
        first = likelihood(self.probe, self.values, self.nuisance)
        for rows in (slice(None), slice(1, 4)):
            values, nuisance = self._rows(rows)  # copies: a result may be a view of an input
            later = likelihood(
                self.probe, {k: v.copy() for k, v in values.items()}, {k: v.copy() for k, v in nuisance.items()}
            )
            ensure(
                not np.shares_memory(first, later),
                f"two calls, of {MANY} and {len(later)} points, return the same memory: "
                "the second call changes the result of the first. Return a new array",
            )
        return ""

    def precise(self) -> str:
        """Compare the derivatives over a tiny and a small step. Single precision does not see the tiny one."""
        if not self.values:
            raise Skipped("it requires no observable")

        def slope(h: float) -> tuple[FloatArray, FloatArray]:
            ends = [
                likelihood(self.probe, {k: v + sign * h * self.steps[k] for k, v in self.values.items()}, self.nuisance)
                for sign in (1.0, -1.0)
            ]
            with np.errstate(invalid="ignore"):
                return (ends[0] - ends[1]) / (2 * h), np.abs(ends[0])

        (fine, size), (coarse, _) = slope(_FINE), slope(_COARSE)
        rng = np.random.default_rng(10)
        noise = 20.0 * np.finfo(float).eps * size / _FINE
        for _ in range(4):  # the effect of rounding the predictions themselves
            rounded = {k: v * (1 + 4e-16 * rng.choice([-1, 1], v.shape)) for k, v in self.values.items()}
            moved = likelihood(self.probe, rounded, self.nuisance)
            with np.errstate(invalid="ignore"):
                noise = np.maximum(noise, 5.0 * np.abs(moved - self.reference) / _FINE)
        with np.errstate(invalid="ignore"):
            measurable = np.isfinite(coarse) & (noise < 0.02 * np.abs(coarse))
        if measurable.sum() < 3:
            raise Skipped("ln L is too large here to tell single from double precision")
        wrong = measurable & ~(np.abs(fine - coarse) < _DERIVATIVE * np.abs(coarse))
        ensure(
            wrong.sum() <= measurable.sum() / 2,
            f"ln L does not follow a change of the predictions by {_FINE:g} of their spread (row {np.argmax(wrong)}: "
            "the change is not that of its derivative). It is computed in single precision, or rounded",
        )
        return f"follows steps of {_FINE:g} of the spread"

    def requirements_used(self) -> str:
        for key in self.values:
            ensure(
                self._matters(key),
                f"ln L does not change with requires[{key!r}] ({self.probe.requires[key].observable}); remove it",
            )
        return ", ".join(self.values)

    def _matters(self, key: str) -> bool:
        moves = (1.0, -1.0, 1e3, -1e3, 1e6, -1e6)
        return any(self._changes({**self.values, key: self.values[key] + k * self.steps[key]}) for k in moves)

    def nuisance_used(self) -> str:
        free = [p for p in self.probe.parameters if not p.is_fixed]
        if not free:
            raise Skipped("it declares no free nuisance parameter")
        for parameter in free:
            quantiles = (0.001, 0.05, 0.5, 0.95, 0.999)
            across = [np.full(MANY, parameter.prior.transform(np.array([u]))[0]) for u in quantiles]
            ensure(
                any(self._changes(self.values, {**self.nuisance, parameter.name: value}) for value in across),
                f"ln L does not change with the nuisance parameter {parameter.name!r} over its prior, from "
                f"{across[0][0]:.4g} to {across[-1][0]:.4g}; use it or remove it",
            )
        return ", ".join(p.name for p in free)

    def _changes(self, values: Mapping[str, FloatArray], nuisance: Mapping[str, FloatArray] | None = None) -> bool:
        """Return whether ln L changes by more than rounding at one of the points."""
        return _differ(likelihood(self.probe, values, self.nuisance if nuisance is None else nuisance), self.reference)

    def with_errors(self) -> str:
        if not self.values:
            raise Skipped("it requires no observable")
        none = {k: np.zeros_like(v) for k, v in self.values.items()}
        try:
            at_zero = likelihood(self.probe, self.values, self.nuisance, none)
        except ConfigurationError as refusal:
            return f"refused: {refusal}"
        _demand_same(at_zero, self.reference, "with an emulator error of zero", "without one")
        stated = {k: 0.1 * np.abs(v) + 1e-3 for k, v in self.values.items()}
        found = likelihood(self.probe, self.values, self.nuisance, stated)
        lost = np.isfinite(self.reference) & ~np.isfinite(found)
        ensure(not lost.any(), f"with an emulator's error of 10 % ln L is {found}")
        unused = [key for key in self.values if self._matters(key) and not self._error_matters(key, none)]
        reason = self.probe.ignores_emulator_error
        if not unused:
            ensure(not reason, f"`ignores_emulator_error` is {reason!r}, but the error changes ln L")
            return "used"
        ensure(
            bool(reason),
            f"ln L is the same with any emulator error of {', '.join(unused)}, as if predictions were exact. "
            "Add `predictions[...].error` in quadrature, or state the reason in the attribute `ignores_emulator_error`",
        )
        return f"left out on purpose: {reason}"

    def _error_matters(self, key: str, none: Mapping[str, FloatArray]) -> bool:
        """Return whether ln L depends on the error of one requirement, at points on both sides of the peak."""
        size = self.steps[key]
        for shift in (0.0, 3.0, -3.0):
            values = {**self.values, key: self.values[key] + shift * size}
            exact = likelihood(self.probe, values, self.nuisance, none)
            for factor in (1.0, 100.0):
                error = {**none, key: np.full_like(values[key], factor * size)}
                uncertain = likelihood(self.probe, values, self.nuisance, error)
                if _differ(uncertain, exact):
                    return True
        return False

    def in_a_model(self) -> str:
        grid = Grid(self.probe, self.centre)
        step = 0.1 * (np.mean([np.abs(v).mean() for v in self.centre.values()]) if self.centre else 1.0) or 1.0
        level = Parameter("level", Uniform(-step, step))
        free = any(not p.is_fixed for p in self.probe.parameters)
        ensure(bool(grid.provides) or free, "it has neither a requirement nor a free nuisance parameter")
        prior = Prior((level,) if grid.provides else self.probe.parameters)
        model = Model(prior, {"grid": grid} if grid.provides else {}, {"probe": self.probe})
        theta = model.prior.sample(MANY, np.random.default_rng(2))
        column = {name: theta[:, j] for j, name in enumerate(model.names)}
        values = {
            key: grid.grid(r.observable, column["level"]) @ r.matrix(grid.provides[r.observable]).T
            for key, r in self.probe.requires.items()
        }
        fixed = {name: np.full(MANY, value) for name, value in model.prior.fixed.items()}
        direct = likelihood(self.probe, values, {p.name: (column | fixed)[p.name] for p in self.probe.parameters})
        found = model.log_likelihood(theta)
        direct = np.where(np.isfinite(direct), direct, -np.inf)
        _demand_same(found, direct, "in a model", "from a direct call")
        return f"largest difference {_difference(found, direct):.1e}"

    def namespace_only(self) -> str:
        if self.probe.host_only:
            raise Skipped("host_only: its likelihood may leave the array namespace")
        predictions = {k: Prediction(traced(v)) for k, v in self.values.items()}
        nuisance = {k: traced(v) for k, v in self.nuisance.items()}
        with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
            try:
                found = self.probe.log_likelihood(predictions, nuisance, TRACED)
            except TypeError as error:
                ensure("ufunc" not in str(error), f"a function of NumPy was called; use that of xp ({error})")
                raise
            ensure(isinstance(found, TracedArray), "the result was not computed by the array namespace")
        value = np.asarray(untraced(found), dtype=float)
        _demand_same(value, self.reference, "through the namespace", "in NumPy")
        return ""


def polite(probe: Probe) -> str:
    """Check that the first call of each method changes nothing in the user's process. Other checks report exceptions.

    A change inside ``np.errstate`` would be undone at its end, so it is compared before.
    """
    nuisance = middle(probe, 1)
    predictions = {key: Prediction(read_only(np.zeros((1, each.size)))) for key, each in probe.requires.items()}
    calls: dict[str, Callable[[], Any]] = {
        "panels": lambda: probe.panels(),
        "log_likelihood": lambda: probe.log_likelihood(predictions, nuisance, NUMPY),
        "log_normalisation": lambda: probe.log_normalisation(predictions, nuisance),
        "simulate": lambda: probe.simulate(predictions, nuisance, np.random.default_rng(1)),
    }
    with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
        for name, call in calls.items():
            with unchanged(f"`{name}`"), contextlib.suppress(Exception, SystemExit):
                call()
    return ""


def shapes(probe: Probe) -> str:
    """Check shape and type of the result for no point, one point and many points."""
    for n in (0, 1, MANY):
        values = {key: np.zeros((n, requirement.size)) for key, requirement in probe.requires.items()}
        found = returned(probe, values, middle(probe, n))
        shape = np.shape(found)
        ensure(shape == (n,), f"{n} point(s) give the shape {shape}; ({n},) is required")
        dtype = getattr(found, "dtype", None)
        ensure(dtype == np.float64, f"ln L is of the type {dtype or type(found).__name__}; a float64 array is required")
    return f"n = 0, 1, {MANY}"


def _demand_same(a: FloatArray, b: FloatArray, how_a: str, how_b: str) -> None:
    if not np.allclose(a, b, rtol=1e-9, atol=1e-8, equal_nan=True):
        row = _row(a, b)
        ensure(False, f"ln L of row {row} is {a[row]:.10g} {how_a}, but {b[row]:.10g} {how_b}")


def _differ(a: FloatArray, b: FloatArray) -> bool:
    """Return whether two results differ by more than rounding."""
    both = np.isfinite(a) & np.isfinite(b)
    with np.errstate(invalid="ignore"):
        off = np.abs(a - b) > _ROUNDING * (np.abs(a) + np.abs(b))
    return bool(np.any(off & both) or np.any(np.isfinite(a) != np.isfinite(b)))


def _row(a: FloatArray, b: FloatArray) -> int:
    """Return the row in which two results differ most."""
    with np.errstate(invalid="ignore"):
        off = np.where(a == b, 0.0, np.abs(a - b))
    return int(np.argmax(np.where(np.isnan(off), np.inf, off)))


def _difference(a: FloatArray, b: FloatArray) -> float:
    both = np.isfinite(a) & np.isfinite(b)
    return float(np.max(np.abs(a[both] - b[both]), initial=0.0))
