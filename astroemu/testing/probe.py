"""Checks of probes."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import Any

import numpy as np

from astroemu.core.distributions import Uniform
from astroemu.core.parameter import Parameter
from astroemu.core.prior import Prior
from astroemu.core.probe import Probe
from astroemu.core.provider import Prediction, Provider
from astroemu.core.requirement import Requirement
from astroemu.core.typing import FloatArray
from astroemu.core.units import parse_unit
from astroemu.errors import AstroemuError, ConfigurationError, closest
from astroemu.model.model import Model
from astroemu.testing.catalog import check_catalog
from astroemu.testing.findings import Report, Skipped, ensure
from astroemu.testing.recovery import recovers
from astroemu.testing.synthetic import Grid, fiducial, likelihood, middle, nuisance_at, spread
from astroemu.testing.traced_array import TRACED, TracedArray, traced, untraced

_MANY = 7


def check_probe(probe: Probe, providers: Mapping[str, Provider] | None = None, name: str = "") -> Report:
    """Return the report on a probe.

    Parameters
    ----------
    probe : Probe
    providers : mapping of str to Provider, optional
        Providers that may meet the requirements. Without them, only synthetic grids are used.
    name : str
        Name in the table; by default that of the class.

    Returns
    -------
    Report
    """
    report = Report(f"probe {name or type(probe).__name__!r}")
    if report.run("declarations", lambda: _declarations(probe)) and report.run("shapes", lambda: _shapes(probe)):
        _Examination(probe, report).run()
        report.run("requirements resolve", lambda: _resolvable(probe, providers))
        report.run("panels", lambda: _panels(probe, providers))
        report.run("catalogs", lambda: _catalogs(probe))
        report.run("simulate, then fit", lambda: recovers(probe))
    return report


def _declarations(probe: Probe) -> str:
    ensure(bool(type(probe).__doc__), "the class has no docstring")
    for option in list(inspect.signature(type(probe).__init__).parameters.values())[1:]:
        free = option.kind in (option.VAR_KEYWORD, option.VAR_POSITIONAL)
        ensure(free or option.annotation is not option.empty, f"the option {option.name!r} has no annotation")
    ensure(isinstance(probe.requires, Mapping), "`requires` is not a mapping")
    for key, requirement in probe.requires.items():
        ensure(isinstance(requirement, Requirement), f"requires[{key!r}] is not a Requirement")
        parse_unit(requirement.unit)
        again = probe.requires[key]
        ensure(
            requirement.observable == again.observable and requirement.size == again.size,
            f"requires[{key!r}] is different at each access",
        )
    names = [p.name for p in probe.parameters]
    ensure(len(set(names)) == len(names), f"a nuisance parameter is declared twice: {names}")
    for parameter in probe.parameters:
        ensure(parameter.name.isidentifier(), f"the name of the parameter {parameter.name!r} is not an identifier")
        parse_unit(parameter.unit)
    sizes = ", ".join(f"{r.observable} [{r.unit or '1'}] x {r.size}" for r in probe.requires.values())
    return f"{sizes or 'no observable'}; {len(names)} nuisance parameter(s)"


def _shapes(probe: Probe) -> str:
    for n in (0, 1, _MANY):
        values = {key: np.zeros((n, requirement.size)) for key, requirement in probe.requires.items()}
        found = likelihood(probe, values, middle(probe, n))
        ensure(found.shape == (n,), f"{n} point(s) give the shape {found.shape}; ({n},) is required")
    return f"n = 0, 1, {_MANY}"


class _Examination:
    """The checks that call the likelihood, with one small batch of points around the fiducial values."""

    def __init__(self, probe: Probe, report: Report) -> None:
        self.probe = probe
        self.report = report
        rng = np.random.default_rng(1)
        self.centre = fiducial(probe)
        try:
            steps = spread(probe, self.centre) * np.linspace(-1.0, 1.5, _MANY)
        except Skipped:
            steps = np.zeros(_MANY)
        self.values = {key: value + steps[:, None] for key, value in self.centre.items()}
        self.nuisance = nuisance_at(probe, rng.uniform(0.2, 0.8, (_MANY, len(probe.parameters))))
        self.reference = likelihood(probe, {k: v.copy() for k, v in self.values.items()}, self.nuisance)

    def run(self) -> None:
        """Run all of these checks."""
        for check, examine in (
            ("batch = single", self.batch_is_single),
            ("finite or -inf", self.finite),
            ("a NaN stays in its point", self.isolated),
            ("no state", self.stateless),
            ("emulator error", self.with_errors),
            ("engine: model = direct", self.in_a_model),
            ("engine: xp only", self.namespace_only),
        ):
            self.report.run(check, examine)

    def _rows(self, rows: Any) -> tuple[dict[str, FloatArray], dict[str, FloatArray]]:
        return {k: v[rows] for k, v in self.values.items()}, {k: v[rows] for k, v in self.nuisance.items()}

    def batch_is_single(self) -> str:
        single = np.concatenate([likelihood(self.probe, *self._rows(slice(i, i + 1))) for i in range(_MANY)])
        ensure(_same(single, self.reference), f"ln L is {single} point by point, but {self.reference} as a batch")
        return f"largest difference {_difference(single, self.reference):.1e}"

    def finite(self) -> str:
        ensure(bool(np.all(np.isfinite(self.reference))), f"ln L near its peak is {self.reference}")
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
        others = np.arange(_MANY) != 2
        ensure(not np.isfinite(found[2]), f"a prediction of NaN gives ln L = {found[2]}; NaN or -inf is required")
        ensure(_same(found[others], self.reference[others]), "NaN at one point changes ln L at the others")
        return ""

    def stateless(self) -> str:
        frozen = {k: v.copy() for k, v in self.values.items()}
        for value in (*self.values.values(), *self.nuisance.values()):
            value.flags.writeable = False
        first = likelihood(self.probe, self.values, self.nuisance)
        likelihood(self.probe, *self._rows(slice(2, 5)))
        ensure(
            np.array_equal(first, likelihood(self.probe, self.values, self.nuisance), equal_nan=True),
            "ln L of the same points changes after other points were evaluated",
        )
        ensure(all(np.array_equal(frozen[k], v) for k, v in self.values.items()), "it modified its input arrays")
        return ""

    def with_errors(self) -> str:
        if not self.values:
            raise Skipped("it requires no observable")
        none = {k: np.zeros_like(v) for k, v in self.values.items()}
        try:
            at_zero = likelihood(self.probe, self.values, self.nuisance, none)
        except ConfigurationError as refusal:
            return f"refused: {refusal}"
        ensure(_same(at_zero, self.reference), "an emulator error of zero gives another ln L than no error")
        stated = {k: 0.1 * np.abs(v) + 1e-3 for k, v in self.values.items()}
        found = likelihood(self.probe, self.values, self.nuisance, stated)
        ensure(bool(np.all(np.isfinite(found))), f"with an emulator's error of 10 % ln L is {found}")
        used = not np.allclose(found, self.reference, rtol=1e-12)
        return "used" if used else "not used"

    def in_a_model(self) -> str:
        grid = Grid(self.probe, self.centre)
        step = 0.1 * (np.mean([np.abs(v).mean() for v in self.centre.values()]) if self.centre else 1.0) or 1.0
        level = Parameter("level", Uniform(-step, step))
        free = any(not p.is_fixed for p in self.probe.parameters)
        ensure(bool(grid.provides) or free, "it has neither a requirement nor a free nuisance parameter")
        prior = Prior((level,) if grid.provides else self.probe.parameters)
        model = Model(prior, {"grid": grid} if grid.provides else {}, {"probe": self.probe})
        theta = model.prior.sample(_MANY, np.random.default_rng(2))
        column = {name: theta[:, j] for j, name in enumerate(model.names)}
        values = {
            key: grid.grid(r.observable, column["level"]) @ r.matrix(grid.provides[r.observable]).T
            for key, r in self.probe.requires.items()
        }
        fixed = {name: np.full(_MANY, value) for name, value in model.prior.fixed.items()}
        direct = likelihood(self.probe, values, {p.name: (column | fixed)[p.name] for p in self.probe.parameters})
        found = model.log_likelihood(theta)
        direct = np.where(np.isfinite(direct), direct, -np.inf)
        ensure(_same(found, direct), f"the model gives {found}, a direct call {direct}")
        return f"largest difference {_difference(found, direct):.1e}"

    def namespace_only(self) -> str:
        if self.probe.host_only:
            raise Skipped("host_only: its likelihood may leave the array namespace")
        predictions = {k: Prediction(traced(v)) for k, v in self.values.items()}
        nuisance = {k: traced(v) for k, v in self.nuisance.items()}
        with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
            found = self.probe.log_likelihood(predictions, nuisance, TRACED)
            ensure(isinstance(found, TracedArray), "the result was not computed by the array namespace")
        value = np.asarray(untraced(found), dtype=float)
        ensure(_same(value, self.reference), f"{value} through the namespace, {self.reference} in NumPy")
        return ""


def _same(a: FloatArray, b: FloatArray) -> bool:
    return bool(np.allclose(a, b, rtol=1e-9, atol=1e-8, equal_nan=True))


def _difference(a: FloatArray, b: FloatArray) -> float:
    both = np.isfinite(a) & np.isfinite(b)
    return float(np.max(np.abs(a[both] - b[both]), initial=0.0))


def _resolvable(probe: Probe, providers: Mapping[str, Provider] | None) -> str:
    if not probe.requires:
        raise Skipped("it requires no observable")
    if not providers:
        raise Skipped("no provider was given")
    found = [
        f"{requirement.observable} <- {', '.join(_providing(requirement, providers))}"
        for requirement in probe.requires.values()
    ]
    return "; ".join(dict.fromkeys(found))


def _providing(requirement: Requirement, providers: Mapping[str, Provider]) -> list[str]:
    """Return the names of the providers that meet a requirement; the check fails if none does."""
    good, refusals, known = [], [], set()
    for name, provider in providers.items():
        known |= set(provider.provides)
        observable = provider.provides.get(requirement.observable)
        if observable is None:
            continue
        try:
            requirement.matrix(observable)
            good.append(name)
        except AstroemuError as error:
            refusals.append(f"{name}: {error}")
    if not good and not refusals:
        hint = closest(requirement.observable, known)
        raise Skipped(f"nothing installed provides {requirement.observable!r}.{hint}")
    ensure(bool(good), "; ".join(refusals))
    return good


def _panels(probe: Probe, providers: Mapping[str, Provider] | None) -> str:
    panels = probe.panels()
    if not panels:
        raise Skipped("the probe has no panels")
    for panel in panels:
        lengths = {len(panel.x), len(panel.y), len(panel.error_low), len(panel.error_high), len(panel.kind)}
        ensure(len(lengths) == 1, f"{panel.title!r}: x, y, errors and kinds are of different lengths")
        ensure(bool(np.all(np.isfinite(panel.x)) and np.all(np.isfinite(panel.y))), f"{panel.title!r}: data not finite")
        bars = np.concatenate([panel.error_low, panel.error_high])
        ensure(bool(np.all(bars >= 0)), f"{panel.title!r}: an error bar is negative or NaN")
        if panel.curve_x is not None:
            ensure(panel.curve.size == len(panel.curve_x), f"{panel.title!r}: curve and curve_x differ in length")
        if providers and any(panel.curve.observable in p.provides for p in providers.values()):
            _providing(panel.curve, providers)
    return f"{len(panels)} panel(s)"


def _catalogs(probe: Probe) -> str:
    if not probe.catalogs:
        raise Skipped("the probe reads no catalogs")
    for catalog in probe.catalogs:
        check_catalog(catalog).demand()
    return ", ".join(catalog.name for catalog in probe.catalogs)
