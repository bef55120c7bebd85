"""Emulators and derived quantities: each check of their evaluation fails for a mutant with one error."""

from __future__ import annotations

import numpy as np
import pytest
from helpers import KnownEmulator

from astroemu import Axis, Observable, Prediction, Provider, Requirement
from astroemu.testing import check_derived, check_emulator


def failed(report):
    return {finding.check for finding in report.failures}


class Good(KnownEmulator):
    """A line, and a level without an error."""

    def evaluator(self, rows):
        plain = super().evaluator(rows)
        return lambda theta, observables, xp: self.changed(theta, plain(theta, observables, xp))

    def changed(self, theta, found):
        return found


def with_value(found, value):
    return {**found, "line": Prediction(value, found["line"].error)} if "line" in found else found


class ItsBuffer(Good):
    buffer = np.zeros((100, 3))

    def changed(self, theta, found):
        if "line" not in found:
            return found
        n, m = found["line"].value.shape
        self.buffer[:n, :m] = found["line"].value
        return with_value(found, self.buffer[:n, :m])


class WritesIntoTheta(Good):
    def changed(self, theta, found):
        theta += 1.0
        return found


class SinglePrecision(Good):
    def changed(self, theta, found):
        return with_value(found, found["line"].value.astype(np.float32)) if "line" in found else found


class MixesItsBatch(Good):
    def changed(self, theta, found):
        return with_value(found, found["line"].value + 0.1 * theta.sum()) if "line" in found else found


class SortsItsRows(Good):
    def changed(self, theta, found):
        return with_value(found, np.sort(found["line"].value, axis=0)) if "line" in found else found


class Remembers(Good):
    calls = 0

    def changed(self, theta, found):
        self.calls += 1
        return with_value(found, found["line"].value + 1e-9 * self.calls) if "line" in found else found


class IgnoresRows(Good):
    def evaluator(self, rows):
        return KnownEmulator.evaluator(self, {name: np.arange(self.provides[name].size) for name in rows})


class FirstRows(Good):
    """It gives as many rows as requested, but always the first ones."""

    def evaluator(self, rows):
        return KnownEmulator.evaluator(self, {name: np.arange(len(wanted)) for name, wanted in rows.items()})


class NotFinite(Good):
    def changed(self, theta, found):
        undefined = np.where(theta[:, :1] > 0.5, np.nan, 0.0)
        return with_value(found, found["line"].value + undefined) if "line" in found else found


class Errors(Good):
    error = -0.1

    def changed(self, theta, found):
        if "line" not in found:
            return found
        return {**found, "line": Prediction(found["line"].value, 0.0 * found["line"].value + self.error)}


class NaNErrors(Errors):
    error = np.nan


class InfiniteErrors(Errors):
    error = np.inf


class ErrorsOfAnotherShape(Good):
    def changed(self, theta, found):
        return {**found, "line": Prediction(found["line"].value, 0.1)} if "line" in found else found


class Forgets(Good):
    def changed(self, theta, found):
        return {name: p for name, p in found.items() if name != "level"}


class Prints(Good):
    def changed(self, theta, found):
        print("predicting")
        return found


class PredictsOtherwise(Good):
    def predict(self, theta, *, units=False):
        return {name: 1.001 * value for name, value in super().predict(theta, units=units).items()}


class Extrapolates(Good):
    def predict(self, theta, *, units=False):
        return super().predict(np.clip(theta, 0.0, 1.0), units=units)


MUTANTS = [
    (ItsBuffer, {"results of its own"}, "return the same memory"),
    (WritesIntoTheta, {"shapes"}, "writes into theta"),
    (SinglePrecision, {"shapes"}, "line: the value is of the type float32"),
    (MixesItsBatch, {"batch = single"}, "line of row 0"),
    (SortsItsRows, {"batch = single"}, "line of row"),
    (Remembers, {"no state"}, "line of row 0 changes"),
    (IgnoresRows, {"rows = rows of the whole"}, "1 rows were requested, and 3 returned"),
    (FirstRows, {"rows = rows of the whole"}, "the rows [2], evaluated alone, have other values"),
    (NotFinite, {"batch = single"}, "is not finite"),
    (Errors, {"stated error"}, "-0.1 in row 0"),
    (NaNErrors, {"stated error"}, "nan in row 0"),
    (InfiniteErrors, {"stated error"}, "an error is infinite"),
    (ErrorsOfAnotherShape, {"shapes"}, "line: the error has the shape ()"),
    (Forgets, {"shapes"}, "returned no level"),
    (Prints, {"process state"}, "prints 'predicting'"),
    (PredictsOtherwise, {"prediction"}, "`predict` and the evaluator differ"),
    (Extrapolates, {"refuses the outside"}, "was evaluated"),
]


def test_the_original_conforms():
    report = check_emulator(Good(), saved=False)
    report.demand()
    assert [f.check for f in report.findings if f.outcome == "skipped"] == ["file"]


@pytest.mark.parametrize(("mutant", "checks", "words"), MUTANTS, ids=[mutant.__name__ for mutant, *_ in MUTANTS])
def test_an_emulator_with_one_error_fails_the_check_that_is_meant_for_it(mutant, checks, words, capsys):
    mutant.__doc__ = "A mutant."
    report = check_emulator(mutant(), saved=False)
    capsys.readouterr()
    assert failed(report) == checks, report.table()
    assert words in report.failures[0].detail


X = np.linspace(0.0, 1.0, 4)


class Ionised(Provider):
    """q = 1 - h x_HI."""

    parameters = ("h",)
    requires = (Requirement("x_hi", {"z": X}),)

    @property
    def provides(self):
        return {"q": Observable("q", (Axis("z", X),))}

    def evaluator(self, rows):
        def evaluate(theta, observables, xp):
            x = observables["x_hi"]
            return {"q": Prediction(self.q(theta, x.value)[:, rows["q"]], x.error[:, rows["q"]])}

        return evaluate

    def q(self, theta, x):
        return 1.0 - theta[:, :1] * x


class WritesIntoItsInput(Ionised):
    def q(self, theta, x):
        x *= theta[:, :1]
        return 1.0 - x


class OfTheWholeBatch(Ionised):
    def q(self, theta, x):
        return 1.0 - theta[:, :1].sum() * x


class Twice(Ionised):
    parameters = ("h", "h")


def test_a_derived_quantity_is_examined():
    report = check_derived(Ionised())
    report.demand()
    assert report.findings[0].detail == "q of h" and len(report.findings) == 8


@pytest.mark.parametrize(
    ("mutant", "check", "words"),
    [
        (WritesIntoItsInput, "shapes", "writes into theta or another input"),
        (OfTheWholeBatch, "batch = single", "q of row 0"),
        (Twice, "declarations", "a parameter twice"),
    ],
)
def test_a_derived_quantity_with_one_error_fails(mutant, check, words):
    mutant.__doc__ = "A mutant."
    report = check_derived(mutant())
    assert failed(report) == {check}, report.table()
    assert words in report.failures[0].detail
