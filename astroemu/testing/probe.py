"""Checks of probes."""

from __future__ import annotations

import inspect
from collections.abc import Iterable, Mapping

import numpy as np

from astroemu.core.panel import Panel
from astroemu.core.probe import Probe
from astroemu.core.provider import Prediction, Provider
from astroemu.core.requirement import Requirement
from astroemu.core.typing import FloatArray
from astroemu.core.units import is_label
from astroemu.errors import AstroemuError, ConfigurationError, closest, listing
from astroemu.model.model import Model
from astroemu.testing.catalog import check_catalog
from astroemu.testing.examination import Examination, polite, shapes
from astroemu.testing.far_away import falls_away, prefers_its_data
from astroemu.testing.findings import Finding, Report, Skipped, ensure
from astroemu.testing.mock_data import draws_its_own, normalises
from astroemu.testing.recovery import MockFits, favours_truth, recovers
from astroemu.testing.synthetic import fiducial, middle, spread
from astroemu.testing.truths import Line, constant_lines, model_lines

#: Most required values for which mock data with an emulator error are fitted: its covariance is solved at each node.
_MOST_WITH_ERRORS = 100
#: Prior draws among which the best one is the starting point.
_DRAWS = 200


def check_probe(
    probe: Probe, providers: Mapping[str, Provider] | None = None, name: str = "", model: Model | None = None
) -> Report:
    """Return the report on a probe.

    Parameters
    ----------
    probe : Probe
    providers : mapping of str to Provider, optional
        Providers that may meet the requirements; by default those of the model.
    name : str
        Name in the table; by default that of the class.
    model : Model, optional
        A model that has this probe. Its predictions are then the starting point and the truths of mock data. Without
        it they are constants, which do not suit a probe that needs the shape of a history.

    Returns
    -------
    Report
    """
    report = Report(f"probe {name or type(probe).__name__!r}")
    if providers is None and model is not None:
        providers = model.providers
    good = report.run("declarations", lambda: _declarations(probe))
    if good:
        report.run("process state", lambda: polite(probe))
    if good and report.run("shapes", lambda: shapes(probe)):
        _examine(probe, report, model)
        report.run("requirements resolve", lambda: _resolvable(probe, providers))
        report.run("panels", lambda: _panels(probe, providers))
        report.run("catalogs", lambda: _catalogs(probe))
    return report


def _examine(probe: Probe, report: Report, model: Model | None) -> None:
    """Run the checks that call the likelihood and draw mock data."""
    made: list[Examination] = []

    def start() -> str:
        centre = fiducial(probe) if model is None else _best(probe, model)
        try:
            steps, note = spread(probe, centre), ""
        except Skipped as reason:
            steps, note = {}, f"; {reason}"
        # A requirement without effect is moved by its own size.
        steps = {key: steps.get(key) or float(np.abs(value).max()) or 1.0 for key, value in centre.items()}
        made.append(Examination(probe, centre, steps))
        sizes = ", ".join(f"{key} = {np.mean(value):.4g} +- {steps[key]:.2g}" for key, value in centre.items())
        return f"{sizes or 'no prediction'}; ln L = {made[0].reference.max():.4g}{note}"

    if not report.run("highest ln L", start):
        return
    examination = made[0]
    if not examination.run(report):
        return
    if report.holds("falls away", lambda: falls_away(probe, examination.centre, examination.steps)) and report.holds(
        "prefers its data", lambda: prefers_its_data(probe)
    ):
        _examine_mocks(probe, report, examination.centre, model)


def _best(probe: Probe, model: Model) -> dict[str, FloatArray]:
    """Return the predictions at the prior draw of highest likelihood, by requirement."""
    key = _key(probe, model)
    theta = model.prior.sample(_DRAWS, np.random.default_rng(9))
    theta = theta[model.in_range(theta)]
    log_l = model.log_likelihood_by_probe(theta)[key]
    ensure(bool(np.any(np.isfinite(log_l))), f"ln L is minus infinity at all of {len(theta)} draws from the prior")
    predictions, _ = model.probe_inputs(theta[[int(np.argmax(log_l))]])[key]
    return {name: np.array(each.value)[0] for name, each in predictions.items()}


def _key(probe: Probe, model: Model) -> str:
    for key, other in model.probes.items():
        if other is probe:
            return key
    raise ConfigurationError(f"the model {model.name!r} does not have this probe")


_MOCK_CHECKS = ("log_normalisation", "data favour their truth", "simulate, then fit", "with emulator error")


def _examine_mocks(probe: Probe, report: Report, centre: Mapping[str, FloatArray], model: Model | None) -> None:
    """Run the checks of ``simulate`` and ``log_normalisation``; a check that fails leaves out those that rely on it."""
    lines: list[Line] = []
    fits: list[MockFits] = []

    def own() -> str:
        if type(probe).simulate is Probe.simulate:
            raise Skipped("the probe has no `simulate`")
        try:
            lines.extend(_lines(probe, centre, model))
        except NotImplementedError as reason:
            raise Skipped(str(reason)) from None
        return draws_its_own(probe, lines)

    def favoured() -> str:
        fits.append(MockFits.of(probe, lines))
        return favours_truth(fits[0])

    if (
        report.run("simulate", own)
        and report.holds("log_normalisation", lambda: normalises(probe, lines[0]))
        and report.run("data favour their truth", favoured)
        and report.holds("simulate, then fit", lambda: recovers(fits[0]))
    ):
        report.run("with emulator error", lambda: _recovers_with_errors(probe, centre, model))
    because = report.findings[-1]
    done = {finding.check for finding in report.findings}
    for check in _MOCK_CHECKS:
        if check not in done:
            reason = because.detail if because.outcome == "skipped" else f"{because.check!r} failed"
            report.findings.append(Finding(check, "skipped", reason))


def _lines(probe: Probe, centre: Mapping[str, FloatArray], model: Model | None) -> Iterable[Line]:
    if model is None:
        return constant_lines(probe, centre)
    return model_lines(probe, model, _key(probe, model), errors=_size(centre) <= _MOST_WITH_ERRORS)


def _size(centre: Mapping[str, FloatArray]) -> int:
    return sum(value.size for value in centre.values())


def _recovers_with_errors(probe: Probe, centre: Mapping[str, FloatArray], model: Model | None) -> str:
    if model is not None:
        raise Skipped("the predictions of the model have their errors in the check above")
    if _size(centre) > _MOST_WITH_ERRORS:
        raise Skipped(f"{_size(centre)} values are too many for this check, which takes at most {_MOST_WITH_ERRORS}")
    if probe.ignores_emulator_error:
        raise Skipped(f"left out on purpose: {probe.ignores_emulator_error}")
    try:
        return recovers(MockFits.of(probe, constant_lines(probe, centre, error=True), 100))
    except ConfigurationError as refusal:
        raise Skipped(f"refused: {refusal}") from None


def _declarations(probe: Probe) -> str:
    ensure(bool(type(probe).__doc__), "the class has no docstring")
    for option in list(inspect.signature(type(probe).__init__).parameters.values())[1:]:
        free = option.kind in (option.VAR_KEYWORD, option.VAR_POSITIONAL)
        ensure(free or option.annotation is not option.empty, f"the option {option.name!r} has no annotation")
    ensure(isinstance(probe.requires, Mapping), "`requires` is not a mapping")
    for key, requirement in probe.requires.items():
        ensure(isinstance(requirement, Requirement), f"requires[{key!r}] is not a Requirement")
        again = probe.requires[key]
        ensure(
            requirement.observable == again.observable and requirement.size == again.size,
            f"requires[{key!r}] is different at each access",
        )
    names = [p.name for p in probe.parameters]
    ensure(len(set(names)) == len(names), f"a nuisance parameter is declared twice: {names}")
    for parameter in probe.parameters:
        ensure(parameter.name.isidentifier(), f"the name of the parameter {parameter.name!r} is not an identifier")
    sizes = ", ".join(f"{r.observable} [{r.unit or '1'}] x {r.size}" for r in probe.requires.values())
    units = {r.unit for r in probe.requires.values()} | {p.unit for p in probe.parameters}
    labels = {unit for unit in units if is_label(unit)}
    note = f"; {listing(labels)} no unit, but a label" if labels else ""
    return f"{sizes or 'no observable'}; {len(names)} nuisance parameter(s){note}"


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
        size = 1 if panel.curve_x is None else len(panel.curve_x)
        if isinstance(panel.curve, Requirement):
            ensure(panel.curve.size == size, f"{panel.title!r}: curve and curve_x differ in length")
            if providers and any(panel.curve.observable in p.provides for p in providers.values()):
                _providing(panel.curve, providers)
        else:
            shape = _drawn_shape(probe, panel)
            ensure(shape == (2, size), f"{panel.title!r}: for 2 points the curve is {shape}; {(2, size)} is needed")
    return f"{len(panels)} panel(s)"


def _drawn_shape(probe: Probe, panel: Panel) -> tuple[int, ...]:
    """Return the shape of a curve that is a function, for two points."""
    assert not isinstance(panel.curve, Requirement)
    wanted = probe.requires if panel.requires is None else panel.requires
    predictions = {key: Prediction(np.ones((2, requirement.size))) for key, requirement in wanted.items()}
    with np.errstate(all="ignore"):
        return np.shape(panel.curve(predictions, middle(probe, 2)))


def _catalogs(probe: Probe) -> str:
    if not probe.catalogs:
        raise Skipped("the probe reads no catalogs")
    for catalog in probe.catalogs:
        check_catalog(catalog).demand()
    return ", ".join(catalog.name for catalog in probe.catalogs)
