"""Figures of a validation."""

from __future__ import annotations

import numpy as np
from helpers import KnownEmulator
from matplotlib import image

from astroemu.emulation.reference import ReferenceSimulations
from astroemu.report.emulator_accuracy import _along_first_axis, _residual, draw_validation


def test_errors_are_fractional_where_an_observable_spans_decades():
    truth = np.array([[1.0, 10.0, 1000.0]])
    residual, kind = _residual(truth, truth * 1.1)
    assert kind == "fractional error"
    np.testing.assert_allclose(residual, 0.1)
    residual, kind = _residual(truth - 2.0, truth - 1.5)
    assert kind == "absolute error" and residual.tolist() == [[0.5, 0.5, 0.5]]
    assert _residual(np.array([[1.0, 50.0]]), np.array([[1.0, 50.0]]))[1] == "absolute error"


def test_errors_are_sorted_by_the_first_axis():
    observable = KnownEmulator().provides["line"]
    x, rows = _along_first_axis(observable, np.arange(12.0).reshape(4, 3))
    np.testing.assert_array_equal(x, KnownEmulator.X)
    assert rows.tolist() == [[0, 3, 6, 9], [1, 4, 7, 10], [2, 5, 8, 11]]


def test_a_validation_has_its_figures(tmp_path):
    emulator = KnownEmulator()
    emulator.provenance["history"] = {"line": {"loss": [1.0, 0.1], "validation": [1.0, 0.2]}}
    theta = np.random.default_rng(1).random((30, 2))
    line = theta[:, :1] + theta[:, 1:] * KnownEmulator.X
    draw_validation(emulator, ReferenceSimulations(theta, {"line": line, "level": 1.01 * theta[:, 0]}), tmp_path)
    names = {"errors", "line", "level", "agreement", "calibration", "history"}
    assert {path.stem for path in tmp_path.iterdir()} == names
    assert all(image.imread(path)[:, :, :3].std() > 0.01 for path in tmp_path.iterdir())
