"""Checks of simulators."""

from __future__ import annotations

import numpy as np

from astroemu.core.typing import FloatArray
from astroemu.core.units import parse_unit
from astroemu.emulation.simulator import Simulator
from astroemu.io.files import strict_json
from astroemu.testing.findings import Report, Skipped, ensure


def check_simulator(simulator: Simulator, name: str = "", points: int = 3) -> Report:
    """Return the report on a simulator; it is run at ``points`` points, at some of them several times."""
    report = Report(f"simulator {name or type(simulator).__name__!r}")
    if report.run("declarations", lambda: _declarations(simulator)):
        theta = _points(simulator, points)
        found: dict[str, FloatArray] = {}

        def run() -> str:
            found.update(_simulated(simulator, theta))
            return f"{points} points, {', '.join(found)}"

        if report.run("shapes", run):
            report.run("the same again", lambda: _again(simulator, theta, found))
            report.run("batch = single", lambda: _batch(simulator, theta, found))
    return report


def _declarations(simulator: Simulator) -> str:
    ensure(bool(type(simulator).__doc__), "the class has no docstring")
    ensure(bool(simulator.version), "no version")
    strict_json(simulator.settings)
    ensure(simulator.batch >= 1, f"batch = {simulator.batch}")
    names = [p.name for p in simulator.parameters]
    ensure(len(set(names)) == len(names) > 0, f"parameters {names}")
    for parameter in simulator.parameters:
        parse_unit(parameter.unit)
    for name, observable in simulator.provides.items():
        ensure(observable.name == name, f"the observable under the key {name!r} has the name {observable.name!r}")
        parse_unit(observable.unit)
        for axis in observable.axes:
            parse_unit(axis.unit)
    for what in ("licence", "citation"):
        ensure(bool(getattr(simulator, what)), f"no {what}: it is stored with every training set")
    return f"version {simulator.version}, {len(names)} parameters"


def _points(simulator: Simulator, n: int) -> FloatArray:
    u = np.random.default_rng(1).uniform(0.2, 0.8, (n, len(simulator.parameters)))
    return np.stack([p.prior.transform(u[:, j]) for j, p in enumerate(simulator.parameters)], axis=1)


def _simulated(simulator: Simulator, theta: FloatArray) -> dict[str, FloatArray]:
    found = {name: np.asarray(values) for name, values in simulator.simulate(theta).items()}
    missing = set(simulator.provides) - set(found)
    ensure(not missing, f"it did not return {', '.join(sorted(missing))}")
    for name, observable in simulator.provides.items():
        wanted = (len(theta), *observable.shape)
        ensure(found[name].shape == wanted, f"{name}: the shape is {found[name].shape}, not {wanted}")
        ensure(not np.any(np.isinf(found[name])), f"{name}: a value is infinite; undefined values must be NaN")
    return found


def _again(simulator: Simulator, theta: FloatArray, found: dict[str, FloatArray]) -> str:
    given = theta.copy()
    again = _simulated(simulator, theta)
    ensure(np.array_equal(given, theta), "it modified its input array")
    differing = [name for name in found if not np.array_equal(found[name], again[name], equal_nan=True)]
    if differing:
        raise Skipped(f"random results: {', '.join(differing)}")
    return ""


def _batch(simulator: Simulator, theta: FloatArray, found: dict[str, FloatArray]) -> str:
    single = _simulated(simulator, theta[1:2])
    for name, values in found.items():
        close = np.allclose(single[name][0], values[1], rtol=2e-4, atol=1e-5, equal_nan=True)
        ensure(close, f"{name} differs between a batch and its points")
    return ""
