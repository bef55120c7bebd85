"""Networks against a naive forward pass, and their file."""

from __future__ import annotations

import itertools
import json

import h5py
import numpy as np
import pytest
from helpers import refusal_of_odd
from scipy.special import expit

from astroemu.core.array_namespace import NUMPY
from astroemu.core.observable import Axis, Observable
from astroemu.emulation.transforms import Asinh, Fraction, IdentityTransform, Log10
from astroemu.errors import DataError
from astroemu_plugins.emulators.neural import NeuralEmulator
from astroemu_plugins.networks.layers import DenseLayers
from astroemu_plugins.networks.network import Input, Network, Output

NAIVE = {
    "elu": lambda x: np.where(x > 0, x, np.expm1(np.minimum(x, 0))),
    "leaky_relu": lambda x: np.where(x > 0, x, 0.2 * x),
    "relu": lambda x: np.maximum(x, 0),
    "sigmoid": expit,
    "silu": lambda x: x * expit(x),
    "tanh": np.tanh,
}
INPUTS = (Input("a", -1.0, 3.0), Input("b", 0.01, 1.0, log10=True), Input("c", 5.0, 6.0))
X = Observable("x", (Axis("z", np.arange(4.0)),))
Y = Observable("y", (Axis("z", np.arange(3.0)), Axis("k", np.arange(2.0))), "mK^2")
T = Observable("t")


def network(inputs, outputs, features=(), activation="silu", residual=False, seed=0, width=8):
    rng = np.random.default_rng(seed)
    n_in = len(inputs) + sum(f.size for f in features)
    widths = [n_in, width, width, width, sum(o.observable.size for o in outputs)]
    kernels = tuple(rng.normal(0, 0.6, (a, b)).astype(np.float32) for a, b in itertools.pairwise(widths))
    biases = tuple(rng.normal(0, 0.3, b).astype(np.float32) for b in widths[1:])
    return Network(inputs, tuple(features), tuple(outputs), DenseLayers(activation, residual, kernels, biases))


def made(activation="silu", residual=False):
    first = network(("a", "b"), [Output(X, Fraction(), np.full(4, 0.1))], activation=activation, residual=residual)
    outputs = [Output(T, IdentityTransform(), np.array([0.2])), Output(Y, Log10(), np.full(6, 0.01))]
    second = network(("c", "a"), outputs, features=[X], activation=activation, residual=residual, seed=1)
    return NeuralEmulator(INPUTS, {"first": first, "second": second}, {"name": "made"})


def forward(network, x):
    h, net = x, network.layers
    for i, (kernel, bias) in enumerate(zip(net.kernels[:-1], net.biases[:-1], strict=True)):
        g = NAIVE[net.activation](h @ kernel.astype(float) + bias)
        h = h + g if net.residual and i else g
    return h @ net.kernels[-1].astype(float) + net.biases[-1]


def points(n=20):
    return np.random.default_rng(5).uniform([-1, 0.01, 5], [3, 1, 6], (n, 3))


@pytest.mark.parametrize("residual", [False, True])
@pytest.mark.parametrize("activation", NAIVE)
def test_it_is_the_naive_network(activation, residual):
    emulator, theta = made(activation, residual), points()
    a, b, c = (theta[:, 0] - 1) / 2, np.log10(theta[:, 1]) + 1, (theta[:, 2] - 5.5) / 0.5
    x = expit(forward(emulator.networks["first"], np.stack([a, b], axis=1)))
    raw = forward(emulator.networks["second"], np.concatenate([np.stack([c, a], axis=1), x], axis=1))
    found = emulator.predict(theta)
    np.testing.assert_allclose(found["x"], x, atol=1e-5)
    np.testing.assert_allclose(found["t"], raw[:, 0], rtol=1e-4, atol=1e-4)
    np.testing.assert_allclose(found["y"].reshape(20, 6), 10 ** raw[:, 1:], rtol=1e-3)


def test_rows_are_slices_of_the_whole():
    emulator, theta = made(), points()
    whole = emulator.predict(theta)
    rows = {"y": np.array([1, 4]), "x": np.array([2])}
    found = emulator.evaluator(rows)(theta, {}, NUMPY)
    assert set(found) == {"x", "y"}
    np.testing.assert_allclose(found["y"].value, whole["y"].reshape(20, 6)[:, [1, 4]], rtol=1e-5)
    np.testing.assert_allclose(found["x"].value, whole["x"][:, [2]], rtol=1e-5)


def test_the_error_is_carried_by_the_slope():
    emulator, theta = made(), points()
    found = emulator.evaluator({"y": np.arange(6), "x": np.arange(4), "t": np.arange(1)})(theta, {}, NUMPY)
    np.testing.assert_allclose(found["y"].error, np.log(10) * 0.01 * found["y"].value)
    x = found["x"].value
    np.testing.assert_allclose(found["x"].error, 0.1 * x * (1 - x))
    np.testing.assert_allclose(found["t"].error, 0.2 * np.ones((20, 1)))


def test_parameters_by_name_and_points_outside():
    emulator, theta = made(), points(3)
    by_name = {"c": theta[:, 2], "a": theta[:, 0], "b": theta[:, 1]}
    np.testing.assert_array_equal(emulator.predict(by_name)["y"], emulator.predict(theta)["y"])
    with pytest.raises(DataError, match=r"b = 2 is not in \[0\.01, 1\]"):
        emulator.predict(np.array([[0.0, 2.0, 5.5]]))
    with pytest.raises(DataError, match="Did you mean 'a'"):
        emulator.predict({**by_name, "aa": theta[:, 0]})
    with pytest.raises(DataError, match="missing parameters: 'c'"):
        emulator.predict({"a": theta[:, 0], "b": theta[:, 1]})
    with pytest.raises(DataError, match=r"theta\[None\]"):
        emulator.predict(theta[0])


def test_the_file_gives_the_same_back_and_is_not_overwritten(tmp_path):
    emulator, theta = made(), points()
    emulator.save(tmp_path / "e.h5")
    again = NeuralEmulator.load(tmp_path / "e.h5")
    for name, values in emulator.predict(theta).items():
        np.testing.assert_array_equal(again.predict(theta)[name], values)
    assert again.provides == emulator.provides and again.bounds == emulator.bounds
    assert len(next(iter(again.sources.values()))) == 64
    with pytest.raises(DataError, match="not overwritten"):
        emulator.save(tmp_path / "e.h5")


BIAS = "networks/first/layers/bias1"


def rewritten(group, old, new):
    assert old in group.attrs["header"]
    group.attrs["header"] = group.attrs["header"].replace(old, new)


@pytest.mark.parametrize(
    "damage",
    [
        lambda f: f.attrs.modify("format", 99),
        lambda f: f.attrs.modify("inputs", "{"),
        lambda f: f.__delitem__("provenance"),
        lambda f: f.__delitem__("networks/first/layers/kernel1"),
        lambda f: (f.__delitem__(BIAS), f.create_dataset(BIAS, data=np.zeros(3))),
        lambda f: rewritten(f["networks/first"], "silu", "lambda x: x"),
        lambda f: rewritten(f["networks/second"], '"log10"', '"exec"'),
        lambda f: rewritten(f["networks/first"], '"dense"', '"pickle"'),
    ],
)
def test_a_damaged_file_is_refused(damage, tmp_path):
    made().save(tmp_path / "e.h5")
    with h5py.File(tmp_path / "e.h5", "r+") as file:
        damage(file)
    with pytest.raises(DataError, match=r"e\.h5"):
        NeuralEmulator.load(tmp_path / "e.h5")


def test_a_feature_must_come_from_a_network_before():
    late = network(("a",), [Output(T, IdentityTransform(), np.zeros(1))], features=[X])
    with pytest.raises(DataError, match="'late' builds on 'x'"):
        NeuralEmulator(INPUTS, {"late": late}, {})


def test_asinh_outputs():
    output = Output(X, Asinh(0.0, 20.0), np.full(4, 0.1))
    emulator = NeuralEmulator(INPUTS, {"n": network(("a", "b", "c"), [output])}, {})
    found = emulator.evaluator({"x": np.arange(4)})(points(), {}, NUMPY)["x"]
    np.testing.assert_allclose(found.error, 0.1 * np.sqrt(found.value**2 + 400), rtol=1e-9)


def header(file, network, change):
    group = file[f"networks/{network}"]
    stated = json.loads(group.attrs["header"])
    change(stated)
    group.attrs["header"] = json.dumps(stated)


def inputs(file, **changed):
    stated = json.loads(file.attrs["inputs"])
    stated[0] |= changed
    file.attrs["inputs"] = json.dumps(stated)


def filled(file, key, value):
    file[key][...] = value


ODD = {
    "'a': an edge is NaN": lambda f: inputs(f, low=float("nan")),
    "'a': edges are equal": lambda f: inputs(f, low=2.0, high=2.0),
    "'a': edges are exchanged": lambda f: inputs(f, low=3.0, high=1.0),
    "'a': log10 of a range that begins at 0": lambda f: inputs(f, low=0.0, log10=True),
    "low: a text": lambda f: inputs(f, low="1"),
    "log10: a number": lambda f: inputs(f, log10=1),
    "'a': an unknown entry": lambda f: inputs(f, colour="red"),
    "first: a parameter twice": lambda f: inputs(f, name="b"),
    "inputs: a table": lambda f: f.attrs.__setitem__("inputs", "{}"),
    "networks: one twice": lambda f: f.attrs.__setitem__("networks", '["first", "first"]'),
    "networks: a number": lambda f: f.attrs.__setitem__("networks", 1),
    "header: null": lambda f: f["networks/first"].attrs.__setitem__("header", "null"),
    "outputs: none": lambda f: header(f, "first", lambda h: h.pop("outputs")),
    "features: a table": lambda f: header(f, "second", lambda h: h.update(features={})),
    "layers: an unknown kind": lambda f: header(f, "first", lambda h: h["layers"].update(kind=None)),
    "asinh: a wrong number": lambda f: header(
        f, "second", lambda h: h["outputs"][1].update(transform={"transform": "asinh", "scale": 0})
    ),
    "transform: a text for a number": lambda f: header(
        f, "second", lambda h: h["outputs"][1].update(transform={"transform": "asinh", "scale": "2"})
    ),
    "transform: a huge number": lambda f: header(
        f, "second", lambda h: h["outputs"][1].update(transform={"transform": "asinh", "scale": 10**400})
    ),
    "kernel0: NaN": lambda f: filled(f, "networks/first/layers/kernel0", np.nan),
    "bias1: infinite": lambda f: filled(f, BIAS, np.inf),
    "x: a NaN error": lambda f: filled(f, "networks/first/error/x", np.nan),
    "'x': a negative error": lambda f: filled(f, "networks/first/error/x", -1.0),
    "error: missing": lambda f: f["networks/first"].__delitem__("error"),
}


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    path = tmp_path_factory.mktemp("neural") / "whole.h5"
    made().save(path)
    return path


@pytest.mark.attack("emulator files", "odd neural emulators: edges, weights, errors, transforms, headers")
@pytest.mark.parametrize("odd", ODD.values(), ids=ODD)
def test_an_odd_file_is_refused_with_its_path_and_the_key(whole, odd, tmp_path, request):
    said = refusal_of_odd(NeuralEmulator.load, whole, odd, tmp_path, DataError)
    assert request.node.callspec.id.split(":")[0].strip("'") in said
