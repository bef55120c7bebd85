"""Checks of trained emulators and of kinds of emulators."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from astroemu.core.typing import FloatArray
from astroemu.core.units import parse_unit
from astroemu.emulation.emulator import Emulator
from astroemu.emulation.loading import load_emulator
from astroemu.errors import DataError
from astroemu.io.files import strict_json
from astroemu.testing.evaluation import CLOSE, Evaluation
from astroemu.testing.findings import Report, Skipped, ensure
from astroemu.testing.problems import training_set

_MANY = 5


def check_emulator(emulator: Emulator, name: str = "", *, saved: bool = True) -> Report:
    """Return the report on a trained emulator.

    Parameters
    ----------
    emulator : Emulator
    name : str
        Name in the table; by default its kind.
    saved : bool
        True if its kind is installed, so that the engine can read a saved file.
    """
    report = Report(f"emulator {name or emulator.kind!r}")
    if report.run("declarations", lambda: _declarations(emulator)):
        theta = _points(emulator)
        if Evaluation(emulator, theta, {}).run(report):
            report.run("prediction", lambda: _prediction(emulator, theta))
            report.run("refuses the outside", lambda: _outside(emulator, theta))
            report.run("file", lambda: _file(emulator, theta, saved))
    return report


def check_kind_of_emulator(kind: type[Emulator], settings: Mapping[str, Any] | None = None, name: str = "") -> Report:
    """Train a small emulator of a kind twice on the training set of the kit; return the report on it.

    Parameters
    ----------
    kind : type
    settings : mapping, optional
        Its ``[training]`` table for the set of :func:`astroemu.testing.problems.training_set`; by default
        ``kind.trial``.
    name : str
        Name in the table; by default that of the kind.
    """
    report = Report(f"kind of emulator {name or kind.kind!r}")
    made: list[Emulator] = []

    def train() -> str:
        chosen = kind.trial if settings is None else settings
        if not chosen:
            raise Skipped("it has no `trial` settings")
        for _ in range(2):
            made.append(kind.train(training_set(), chosen, seed=1, log=lambda _: None))
        first, second = (_predicted(e, _points(e)) for e in made)
        same = all(np.array_equal(first[key], second[key]) for key in first)
        ensure(same, "the same data, settings and seed give a different emulator")
        ensure("seed" in strict_json(made[0].provenance), "the provenance does not hold the seed")
        return "twice, with identical results"

    if report.run("trains", train) and made:
        report.findings += check_emulator(made[0], saved=kind.kind == name).findings
    return report


def _points(emulator: Emulator) -> FloatArray:
    rng = np.random.default_rng(1)
    columns = []
    for name in emulator.parameters:
        low, high = emulator.bounds[name]
        if np.isfinite(high - low):
            columns.append(rng.uniform(low + 0.1 * (high - low), high - 0.1 * (high - low), _MANY))
        else:
            columns.append(np.clip(rng.standard_normal(_MANY), low, high))
    return np.stack(columns, axis=1)


def _predicted(emulator: Emulator, theta: FloatArray) -> dict[str, FloatArray]:
    return emulator.predict(theta)


def _declarations(emulator: Emulator) -> str:
    ensure(bool(type(emulator).__doc__), "the class has no docstring")
    missing = set(emulator.parameters) - set(emulator.bounds)
    ensure(not missing, f"no bounds for {', '.join(sorted(missing))}")
    for name, observable in emulator.provides.items():
        ensure(observable.name == name, f"the observable under the key {name!r} has the name {observable.name!r}")
        parse_unit(observable.unit)
        for axis in observable.axes:
            parse_unit(axis.unit)
    strict_json(emulator.provenance)
    return f"{len(emulator.parameters)} parameters; {', '.join(emulator.provides)}"


def _prediction(emulator: Emulator, theta: FloatArray) -> str:
    """Check that `predict` gives the values of the evaluator, on the grids of the observables."""
    direct = Evaluation(emulator, theta, {}).predict()
    for name, values in _predicted(emulator, theta).items():
        wanted = (len(theta), *emulator.provides[name].shape)
        ensure(values.shape == wanted, f"{name}: the shape is {values.shape}, not {wanted}")
        same = np.allclose(values.reshape(len(theta), -1), direct[name].value, equal_nan=True, **CLOSE)
        ensure(same, f"{name}: `predict` and the evaluator differ")
    return ""


def _outside(emulator: Emulator, theta: FloatArray) -> str:
    for j, name in enumerate(emulator.parameters):
        low, high = emulator.bounds[name]
        if np.isfinite(high):
            beyond = theta[:1].copy()
            beyond[0, j] = high + 0.01 * (high - low if np.isfinite(low) else 1.0)
            try:
                emulator.predict(beyond)
            except DataError:
                return f"{name} = {beyond[0, j]:g}"
            ensure(False, f"{name} = {beyond[0, j]:g} is outside the training range, but was evaluated")
    raise Skipped("its training range has no upper edge")


def _file(emulator: Emulator, theta: FloatArray, saved: bool) -> str:
    if not saved:
        raise Skipped("its kind is not installed under its own name")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "emulator.h5"
        emulator.save(path)
        again = load_emulator(path)
        ensure(type(again) is type(emulator), f"the file is read as {type(again).__name__}")
        first, second = _predicted(emulator, theta), _predicted(again, theta)
        for name in first:
            ensure(np.allclose(first[name], second[name], equal_nan=True, **CLOSE), f"{name} differs after reading")
        return f"{path.stat().st_size / 1024:.0f} kB, equal after reading"
