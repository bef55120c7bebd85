"""Errors that depend on the point: factors of a known correlation, rows, files, and the compiled backends."""

from __future__ import annotations

import json
import shutil
from importlib import import_module

import h5py
import numpy as np
import pytest

from astroemu.core.array_namespace import NUMPY
from astroemu.core.observable import Axis, Observable
from astroemu.emulation.transforms import Fraction, Log10
from astroemu.errors import DataError
from astroemu_plugins.emulators.neural import NeuralEmulator
from astroemu_plugins.networks.error_network import ErrorNetwork, factors_of, strongest_factors
from astroemu_plugins.networks.layers import DenseLayers
from astroemu_plugins.networks.network import Input, Network, Output

INPUTS = (Input("a", -1.0, 3.0), Input("b", 5.0, 6.0))
X = Observable("x", (Axis("z", np.arange(4.0)),))
Y = Observable("y", (Axis("z", np.arange(3.0)), Axis("k", np.arange(2.0))), "mK^2")
LOADINGS = {"x": np.array([[0.9, 0.8, 0.5, 0.0], [0.0, 0.3, 0.5, 0.2]]), "y": np.full((1, 6), 0.7)}
POINTS = np.random.default_rng(5).uniform([-1, 5], [3, 6], (20, 2))


def layers(width, seed):
    rng = np.random.default_rng(seed)
    kernels = rng.normal(0, 0.5, (2, 8)), rng.normal(0, 0.5, (8, width))
    biases = rng.normal(0, 0.3, 8), rng.normal(-3, 0.3, width)
    return DenseLayers("silu", False, *(tuple(a.astype(np.float32) for a in arrays) for arrays in (kernels, biases)))


def made(errors=True):
    outputs = (Output(X, Fraction(), np.full(4, 0.1)), Output(Y, Log10(), np.full(6, 0.01)))
    stated = ErrorNetwork(layers(10, 1), LOADINGS) if errors else None
    return NeuralEmulator(INPUTS, {"all": Network(("a", "b"), (), outputs, layers(10, 0))}, {"name": "made"}, stated)


def sizes(theta):
    """The stated sizes ``(n, 10)`` by hand."""
    scaled, net = (theta - [1, 5.5]) / [2, 0.5], made().errors.layers
    u = scaled @ net.kernels[0] + net.biases[0]
    return np.exp(u / (1 + np.exp(-u)) @ net.kernels[1] + net.biases[1])


def predictions(emulator, rows=None):
    rows = {"x": np.arange(4), "y": np.arange(6)} if rows is None else rows
    return emulator.evaluator(rows)(POINTS, {}, NUMPY)


def shared(prediction):
    """Covariance ``(n, m, m)`` that the values share."""
    return prediction.modes.transpose(0, 2, 1) @ prediction.modes


def test_the_error_is_the_exponential_of_the_network_times_the_slope():
    found, size = predictions(made()), sizes(POINTS)
    x, y = found["x"].value, found["y"].value
    np.testing.assert_allclose(found["y"].error, np.log(10) * y * size[:, 4:], rtol=1e-5)
    np.testing.assert_allclose(found["x"].error, np.sqrt(x + 1e-3) * (1 - x + 1e-6) * size[:, :4], rtol=1e-5)


def test_modes_and_independent_rest_add_up_to_the_error():
    found = predictions(made())
    for prediction in found.values():
        total = np.sum(prediction.modes**2, axis=1) + prediction.independent_variance(NUMPY)
        np.testing.assert_allclose(total, prediction.error**2)
    shared = found["y"].modes[:, :, 0] * found["y"].modes[:, :, 5]
    np.testing.assert_allclose(shared.sum(axis=1), 0.49 * found["y"].error[:, 0] * found["y"].error[:, 5], rtol=1e-3)


def test_rows_are_slices_of_the_whole():
    whole, some = predictions(made()), predictions(made(), {"y": np.array([4, 1])})
    assert set(some) == {"y"}
    np.testing.assert_allclose(some["y"].error, whole["y"].error[:, [4, 1]], rtol=1e-6)
    assert some["y"].modes.shape == (20, 1, 2)


def test_values_do_not_depend_on_the_errors():
    for name, prediction in predictions(made()).items():
        np.testing.assert_array_equal(prediction.value, predictions(made(errors=False))[name].value)


@pytest.mark.parametrize("m", [30, 250])
def test_the_factors_of_a_known_correlation_are_found(m):
    truth = np.sqrt(0.6) * np.sin(np.linspace(0.3, 2.8, m))[None] / 1.0
    correlation = truth.T @ truth
    correlation[np.diag_indices(m)] = 1.0
    found = strongest_factors(factors_of(correlation, 5))
    np.testing.assert_allclose((found.T @ found)[0, 1:], correlation[0, 1:], atol=0.02)
    assert len(found) <= 3


@pytest.mark.filterwarnings("default")  # of TensorFlow and JAX about their own dependencies
@pytest.mark.parametrize("name", ["tensorflow", "jax"])
def test_a_compiled_backend_agrees_with_numpy(name):
    library = pytest.importorskip(name)
    backend = import_module(f"astroemu.model.backends.{name}").make()
    constant = library.constant if name == "tensorflow" else library.numpy.asarray
    rows = {"x": np.arange(4), "y": np.array([5, 2])}
    found = made().evaluator(rows)(constant(POINTS), {}, backend.xp)
    for observable, expected in predictions(made(), rows).items():
        for field in ("value", "error", "modes"):
            np.testing.assert_allclose(
                np.asarray(getattr(found[observable], field)), getattr(expected, field), rtol=1e-6, atol=1e-12
            )


def test_one_output_is_one_mode():
    """Probes combine modes of several predictions, so that each has at least one."""
    np.testing.assert_array_equal(factors_of(np.ones((1, 1)), 3), [[1.0]])
    assert factors_of(np.zeros((0, 0)), 3).shape == (1, 0)


def test_the_file_of_format_2_gives_the_same_back(tmp_path):
    made().save(tmp_path / "e.h5")
    with h5py.File(tmp_path / "e.h5") as file:
        assert file.attrs["format"] == 2
    again = predictions(NeuralEmulator.load(tmp_path / "e.h5"))
    for name, prediction in predictions(made()).items():
        np.testing.assert_array_equal(again[name].value, prediction.value)
        np.testing.assert_array_equal(again[name].error, prediction.error)
        np.testing.assert_allclose(shared(again[name]), shared(prediction), atol=1e-9)


def test_a_file_of_format_1_still_states_one_error_per_output(tmp_path):
    made(errors=False).save(tmp_path / "e.h5")
    with h5py.File(tmp_path / "e.h5", "r+") as file:
        file.attrs["format"] = 1
    found = predictions(NeuralEmulator.load(tmp_path / "e.h5"))
    np.testing.assert_allclose(found["y"].error, np.log(10) * 0.01 * found["y"].value)
    assert found["y"].modes is None


def outputs(file, names):
    file["errors"].attrs["outputs"] = json.dumps(names)


def replaced(file, key, values):
    del file[key]
    file[key] = values


DAMAGE = {
    "loadings above one": lambda f: replaced(f, "errors/loadings/x", np.full((2, 4), 0.9)),
    "loadings that are NaN": lambda f: replaced(f, "errors/loadings/x", np.full((2, 4), np.nan)),
    "loadings of too few outputs": lambda f: replaced(f, "errors/loadings/x", np.zeros((2, 3))),
    "loadings of three dimensions": lambda f: replaced(f, "errors/loadings/x", np.zeros((2, 2, 4))),
    "no loadings": lambda f: f["errors"].__delitem__("loadings"),
    "an observable is missing": lambda f: outputs(f, ["x"]),
    "an unknown observable": lambda f: outputs(f, ["x", "q"]),
    "weights that are NaN": lambda f: replaced(f, "errors/layers/bias1", np.full(10, np.nan, np.float32)),
    "layers of too few inputs": lambda f: replaced(f, "errors/layers/kernel0", np.zeros((3, 8), np.float32)),
    "no header": lambda f: f["errors"].attrs.__delitem__("layers"),
    "a dataset in place of the group": lambda f: replaced(f, "errors", np.zeros(3)),
}


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    path = tmp_path_factory.mktemp("errors") / "whole.h5"
    made().save(path)
    return path


@pytest.mark.attack("emulator files", "damaged error networks: loadings, weights, headers")
@pytest.mark.parametrize("damage", DAMAGE.values(), ids=DAMAGE)
def test_a_damaged_error_network_is_refused_with_the_path(whole, damage, tmp_path):
    path = tmp_path / "odd.h5"
    shutil.copyfile(whole, path)
    with h5py.File(path, "r+") as file:
        damage(file)
    with pytest.raises(DataError, match=r"odd\.h5"):
        NeuralEmulator.load(path)
