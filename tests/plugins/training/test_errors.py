"""Errors from held-out points: a known size and a known correlation are found, and the points must be new."""

from __future__ import annotations

import json

import numpy as np
import pytest
from helpers import command

from astroemu.core.array_namespace import NUMPY
from astroemu.core.observable import Axis, Observable
from astroemu.emulation.training_set import TrainingSet
from astroemu.emulation.transforms import IdentityTransform
from astroemu.errors import DataError
from astroemu_plugins.emulators.neural import NeuralEmulator
from astroemu_plugins.networks.layers import DenseLayers
from astroemu_plugins.networks.network import Input, Network, Output
from astroemu_plugins.training.errors import chi2_per_output, fit_residuals
from astroemu_plugins.training.settings import ErrorSettings

# TensorFlow and Keras warn about their own dependencies when they are imported.
pytestmark = [pytest.mark.filterwarnings("default"), pytest.mark.usefixtures("without_xla")]

SHORT = {"hidden": [16], "epochs": 7, "batch_size": 64, "learning_rate": 1e-2}
X = Observable("x", (Axis("z", np.arange(6.0)),))
N = Observable("n")
FACTOR = np.array([0.9, 0.8, 0.7, 0.6, 0.5, 0.4])


def size(theta):
    """Known size ``(n,)`` of the residuals: it changes by a factor of 20."""
    return 0.01 * np.exp(1.5 * theta[:, 0])


def drawn(n=4000, seed=0, tail=0.0):
    """Points ``(n, 2)`` and residuals of ``x`` with a common factor, and of the number ``n``."""
    rng = np.random.default_rng(seed)
    theta = rng.uniform(-1, 1, (n, 2))
    x = FACTOR * rng.normal(size=(n, 1)) + np.sqrt(1 - FACTOR**2) * rng.normal(size=(n, 6))
    number = rng.normal(size=(n, 1))
    outliers = rng.random((n, 1)) < tail
    return theta, {
        "x": size(theta)[:, None] * np.where(outliers, 30.0, 1.0) * x,
        "n": 2 * size(theta)[:, None] * number,
    }


def emulator(**provenance):
    """It predicts 0 everywhere, so that the values of a training set are the residuals."""
    layers = DenseLayers("silu", False, (np.zeros((2, 7), np.float32),), (np.zeros(7, np.float32),))
    outputs = tuple(Output(o, IdentityTransform(), np.full(o.size, 0.05)) for o in (X, N))
    made = NeuralEmulator(
        (Input("a", -1.0, 1.0), Input("b", -1.0, 1.0)),
        {"all": Network(("a", "b"), (), outputs, layers)},
        {"name": "zero", "simulation": {"design": {"kind": "sobol", "n": 8, "seed": 1}}, **provenance},
    )
    made.training_points = np.random.default_rng(77).random((50, 2))
    return made


def held_out(n=4000, **metadata):
    theta, found = drawn(n)
    return TrainingSet(("a", "b"), theta, {"x": X, "n": N}, {"x": found["x"], "n": found["n"][:, 0]}, metadata)


def settings(**errors):
    return {"networks": {"all": {"outputs": ["x", "n"]}}, "errors": {**SHORT, **errors}}


@pytest.fixture(scope="module")
def fitted(without_xla):
    return emulator().with_errors(held_out(), settings(), seed=1, log=lambda _: None)


def test_the_size_at_each_point_and_the_common_factor_are_recovered(fitted):
    theta, found = drawn(3000, seed=9)
    stated = fitted.evaluator({"x": np.arange(6), "n": np.arange(1)})(theta, {}, NUMPY)
    ratio = stated["x"].error / size(theta)[:, None]
    assert np.all(np.abs(np.log(np.quantile(ratio, (0.05, 0.5, 0.95)))) < 0.15)
    assert np.quantile(stated["n"].error[:, 0] / size(theta), 0.5) == pytest.approx(2.0, rel=0.1)
    covariance = np.einsum("nri,nrj->nij", stated["x"].modes, stated["x"].modes) / stated["x"].error[:, :1, None] ** 2
    np.testing.assert_allclose(covariance[0, 0, 1:], FACTOR[0] * FACTOR[1:], atol=0.15)
    loadings = fitted.errors.loadings["x"]
    assert chi2_per_output(found["x"] / stated["x"].error, loadings) == pytest.approx(1.0, abs=0.1)
    np.testing.assert_allclose(stated["n"].modes[:, 0], stated["n"].error)  # one number is one mode


def test_two_thirds_lie_within_the_error_also_where_it_is_small(fitted):
    theta, found = drawn(3000, seed=9)
    stated = fitted.evaluator({"x": np.arange(6)})(theta, {}, NUMPY)["x"].error
    for low, high in ((-1, -0.5), (-0.5, 0.5), (0.5, 1)):
        there = (theta[:, 0] >= low) & (theta[:, 0] < high)
        units = np.abs(found["x"][there]) / stated[there]
        assert 0.63 < np.mean(units <= 1) < 0.73 and 0.93 < np.mean(units <= 2) < 0.97


def test_the_predictions_are_the_same_and_the_provenance_says_from_what_the_errors_are(fitted):
    theta = drawn(50)[0]
    for name, values in emulator().predict(theta).items():
        np.testing.assert_array_equal(fitted.predict(theta)[name], values)
    note = json.loads(json.dumps(fitted.provenance["errors"]))
    assert note["data"] == held_out().digest and (note["points"], note["coverage"]["points"]) == (3200, 800)
    assert note["coverage"]["within"]["x"][0] == pytest.approx(0.683, abs=0.05)


@pytest.mark.slow
def test_a_few_outliers_do_not_widen_the_errors_of_all_points():
    theta, found = drawn(2000, tail=0.01)
    errors = fit_residuals(theta, found, ErrorSettings(**SHORT), seed=1, log=lambda _: None)
    stated = errors.evaluator({"x": np.arange(6)})(theta, NUMPY)["x"][0]
    assert np.median(stated / size(theta)[:, None]) == pytest.approx(1.0, abs=0.15)


def test_undefined_residuals_and_an_output_that_is_never_defined_are_left_out():
    theta, found = drawn(600)
    found["x"][::3, 1] = np.nan
    found["x"][:, 2] = np.nan
    errors = fit_residuals(theta, found, ErrorSettings(**{**SHORT, "epochs": 1}), seed=1, log=lambda _: None)
    stated, factors = errors.evaluator({"x": np.arange(6)})(theta, NUMPY)["x"]
    assert np.all(np.isfinite(stated)) and np.all(np.isfinite(factors))


def test_with_too_few_points_the_file_says_so_and_keeps_one_error_per_output():
    said = []
    found = emulator().with_errors(held_out(500), settings(), seed=1, log=said.append)
    assert found.errors is None and "500 points are too few" in said[0] and "2000" in said[0]
    assert "errors" not in found.provenance


def test_errors_can_be_left_out():
    off = {"networks": {"all": {"outputs": ["x", "n"]}}, "errors": None}
    assert emulator().with_errors(held_out(), off, seed=1, log=lambda _: None).errors is None


def repeated():
    data = held_out(3000)
    data.theta[:50] = 2 * emulator().training_points - 1
    return data


def other_grid():
    theta, found = drawn(3000)
    other = Observable("x", (Axis("z", np.arange(6.0) + 1),))
    return TrainingSet(("a", "b"), theta, {"x": other, "n": N}, {"x": found["x"], "n": found["n"][:, 0]})


def outside():
    data = held_out(3000)
    data.theta[7, 0] = 1.5
    return data


REFUSED = {
    "the same data": (lambda: emulator(data=held_out(3000).digest), lambda: held_out(3000), "trained on"),
    "the same design": (emulator, lambda: held_out(3000, design={"kind": "sobol", "n": 64, "seed": 1}), "seed 1"),
    "an added part of the same design": (
        emulator,
        lambda: held_out(3000, added=[{"design": {"kind": "sobol", "n": 64, "seed": 1}}]),
        "seed 1",
    ),
    "points of the training": (emulator, repeated, "50 points of the data are training points"),
    "other names": (emulator, lambda: TrainingSet(("a", "c"), *_rest(held_out(3000))), "the data have 'a', 'c'"),
    "another grid": (emulator, other_grid, "'x' has another grid"),
    "points outside": (emulator, outside, "1 points lie outside.*row 7"),
}


def _rest(data):
    return data.theta, data.observables, data.values


@pytest.mark.attack("errors of emulators", "held-out points that are not held out, or of other names, grids and ranges")
@pytest.mark.parametrize("case", REFUSED.values(), ids=REFUSED)
def test_points_that_are_not_new_or_do_not_fit_are_refused(case):
    made, data, message = case
    with pytest.raises(DataError, match=message):
        made().with_errors(data(), settings(), seed=1, log=lambda _: None)


RECIPE = """
[parameters]
a = { distribution = "uniform", low = -1.0, high = 1.0 }
b = { distribution = "uniform", low = -1.0, high = 1.0 }

[training.networks.all]
outputs = ["x", "n"]

[training.errors]
hidden = [4]
epochs = 1
"""


def test_the_command_fits_the_errors_only(tmp_path):
    (tmp_path / "recipe.toml").write_text(RECIPE)
    emulator().save(tmp_path / "old.h5")
    held_out(2500).save(tmp_path / "new.h5")
    words = [
        "train",
        str(tmp_path / "recipe.toml"),
        "--data",
        str(tmp_path / "new.h5"),
        "--out",
        str(tmp_path / "e.h5"),
    ]
    code, said, _ = command(*words, "--errors-of", str(tmp_path / "old.h5"))
    assert code == 0 and "errors: x: " in said and "Written: " in said
    made = NeuralEmulator.load(tmp_path / "e.h5")
    assert made.errors is not None and made.provenance["errors"]["points"] == 2000
    np.testing.assert_array_equal(made.training_points, NeuralEmulator.load(tmp_path / "old.h5").training_points)
    words[-1] = str(tmp_path / "again.h5")
    code, _, error = command(*words, "--errors-of", str(tmp_path / "old.h5"), "--logs", str(tmp_path / "logs"))
    assert code == 2 and "leave out --reuse and --logs" in error and not (tmp_path / "again.h5").exists()
