"""The polynomial emulator on functions that it can and cannot represent."""

from __future__ import annotations

import json

import h5py
import numpy as np
import pytest
from helpers import refusal_of_odd

from astroemu.core.array_namespace import NUMPY
from astroemu.core.observable import Axis, Observable
from astroemu.emulation.loading import load_emulator
from astroemu.emulation.training_set import TrainingSet
from astroemu.errors import ConfigurationError, DataError, PluginError
from astroemu_plugins.emulators.polynomial import PolynomialEmulator, _Basis, _powers

X = np.linspace(0.0, 1.0, 7)
BOX = {"a": {"low": -1.0, "high": 3.0}, "b": {"low": 10.0, "high": 20.0}, "c": {"low": 0.0, "high": 1.0}}


def cubic(theta):
    a, b, c = (theta[:, [k]] for k in range(3))
    return 3 + a * X + 0.01 * b**2 * c - a * a * c * X**2 + 0.1 * c**3


def training_set(n=200, function=cubic, seed=1, noise=0.0):
    rng = np.random.default_rng(seed)
    low, high = np.array([(p["low"], p["high"]) for p in BOX.values()]).T
    theta = rng.uniform(low, high, (n, 3))
    y = function(theta) + noise * rng.standard_normal((n, len(X)))
    curve, number = Observable("y", (Axis("x", X),), "mK"), Observable("t")
    return TrainingSet(
        tuple(BOX), theta, {"y": curve, "t": number}, {"y": y, "t": np.exp(theta[:, 0])}, {"parameters": BOX}
    )


def trained(data=None, **settings):
    given = {"degree": 3, "outputs": ["y"]} | settings
    return PolynomialEmulator.train(data or training_set(), given, seed=1, log=lambda text: None)


def test_a_cubic_is_learnt_exactly():
    emulator, new = trained(), training_set(50, seed=2)
    np.testing.assert_allclose(emulator.predict(new.theta)["y"], cubic(new.theta), rtol=1e-10)


def test_the_prefactor_is_taken_out():
    def function(theta):
        return np.exp(2 * theta[:, [0]] - theta[:, [2]]) * (1 + theta[:, [1]] * X)

    new = training_set(50, function, seed=2)
    exact = trained(training_set(function=function), degree=1, prefactor={"a": 2.0, "c": -1.0})
    np.testing.assert_allclose(exact.predict(new.theta)["y"], function(new.theta), rtol=1e-9)
    without = trained(training_set(function=function), degree=1).predict(new.theta)["y"]
    assert np.abs(without / function(new.theta) - 1).max() > 1


def test_the_stated_error_is_that_on_new_points():
    def function(theta):
        return np.exp(0.5 * theta[:, [0]]) * np.sin(0.3 * theta[:, [1]] + X) + theta[:, [2]]

    emulator, new = trained(training_set(300, function), degree=4), training_set(4000, function, seed=3)
    stated = emulator.evaluator({"y": np.arange(7)})(new.theta, {}, NUMPY)["y"].error[0]
    found = np.sqrt(np.mean((emulator.predict(new.theta)["y"] - function(new.theta)) ** 2, axis=0))
    np.testing.assert_allclose(stated, found, rtol=0.25)
    assert np.all(stated > 0)


def test_the_error_can_be_left_out():
    prediction = trained(state_error=False).evaluator({"y": np.arange(7)})(training_set(3).theta, {}, NUMPY)["y"]
    assert prediction.error is None


def test_costs_shape_the_degree():
    assert len(_powers([1, 1, 1], 3)) == 20
    terms = {tuple(row) for row in _powers([1, 0.5, 3], 3).tolist()}
    assert (0, 6, 0) in terms and (1, 4, 0) in terms and (0, 0, 1) in terms
    assert (1, 0, 1) not in terms and (0, 7, 0) not in terms


def test_the_basis_is_legendres():
    powers, box = _powers([1, 1], 5), np.array([[-1.0, 1.0], [-1.0, 1.0]])
    u = np.random.default_rng(1).uniform(-1, 1, (20, 2))
    values = np.polynomial.legendre.legvander(u, 5)
    expected = np.stack([values[:, 0, i] * values[:, 1, j] for i, j in powers], axis=1)
    np.testing.assert_allclose(_Basis(box, powers)(u, NUMPY), expected, atol=1e-13)


def test_rows_inputs_and_outputs_can_be_chosen():
    emulator = trained(outputs=["t"], inputs=["a"], degree=12)
    assert emulator.parameters == ("a",) and list(emulator.provides) == ["t"]
    np.testing.assert_allclose(emulator.predict(np.array([[0.5]]))["t"], [np.exp(0.5)], rtol=1e-6)
    both, theta = trained(outputs=["t", "y"]), training_set(5, seed=4).theta
    found = both.evaluator({"y": np.array([6, 2])})(theta, {}, NUMPY)
    np.testing.assert_allclose(found["y"].value, both.predict(theta)["y"][:, [6, 2]])
    assert set(found) == {"y"}


def test_fewer_components_lose_accuracy():
    new = training_set(50, seed=2)
    errors = [np.abs(trained(components=k).predict(new.theta)["y"] - cubic(new.theta)).max() for k in (1, 2, 3)]
    assert errors[0] > errors[1] > 100 * errors[2]


def test_a_file_gives_the_same(tmp_path):
    emulator, theta = trained(prefactor={"a": 0.1}), training_set(5, seed=4).theta
    emulator.save(tmp_path / "p.h5")
    again = load_emulator(tmp_path / "p.h5")
    assert isinstance(again, PolynomialEmulator) and again.bounds == emulator.bounds
    np.testing.assert_array_equal(again.predict(theta)["y"], emulator.predict(theta)["y"])


def test_a_damaged_file_is_refused(tmp_path):
    trained().save(tmp_path / "p.h5")
    with h5py.File(tmp_path / "p.h5", "r+") as file:
        del file["arrays/mean"]
        file["arrays/mean"] = np.zeros(3)
    with pytest.raises(DataError, match=r"'mean' has the shape \(3,\), not \(7,\)"):
        load_emulator(tmp_path / "p.h5")


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"degree": 9}, "has 220 terms, for which 200 points are too few"),
        ({"degree": 200}, "more than 20000 terms"),
        ({"outputs": ["z"]}, "outputs: no 'z'"),
        ({"inputs": ["d"]}, "inputs: no 'd'"),
        ({"prefactor": {"d": 1.0}}, "prefactor: no 'd'"),
        ({"costs": {"a": 0.0}}, "costs must be above 0"),
        ({"grade": 2}, "grade"),
    ],
)
def test_settings_that_cannot_be_are_refused(settings, message):
    with pytest.raises(ConfigurationError, match=message):
        trained(**settings)


def test_data_that_cannot_be_learnt_are_refused():
    data = training_set()
    data.values["y"][3, 2] = np.nan
    with pytest.raises(DataError, match="1 of 200 points hold values that are not finite"):
        trained(data)
    data = training_set()
    data.theta[:, 1] = 12.0
    plain = TrainingSet(data.names, data.theta, data.observables, data.values)
    with pytest.raises(DataError, match="'b' is 12 at every point"):
        trained(plain)


def replaced(file, key, data):
    del file[key]
    file[key] = data


def observable(file, **changed):
    stated = json.loads(file["observables/y"].asstr()[()])
    replaced(file, "observables/y", json.dumps({**stated, **changed}))


def axis(values):
    return [{"name": "x", "unit": "", "values": values}]


GRID = X.tolist()
ODD = {
    "format: a text": lambda f: f.attrs.__setitem__("format", "new"),
    "format: NaN": lambda f: f.attrs.__setitem__("format", np.nan),
    "format: 0": lambda f: f.attrs.__setitem__("format", 0),
    "format: missing": lambda f: f.attrs.__delitem__("format"),
    "format 2: newer": lambda f: f.attrs.__setitem__("format", 2),
    "emulator: a list": lambda f: f.attrs.__setitem__("emulator", [1, 2]),
    "'b': an edge is NaN": lambda f: f.attrs.__setitem__("box", '{"a": [-1, 3], "b": [NaN, 20], "c": [0, 1]}'),
    "'b': edges are equal": lambda f: f.attrs.__setitem__("box", '{"a": [-1, 3], "b": [20, 20], "c": [0, 1]}'),
    "'b': edges are exchanged": lambda f: f.attrs.__setitem__("box", '{"a": [-1, 3], "b": [20, 10], "c": [0, 1]}'),
    "'b': an edge is a text": lambda f: f.attrs.__setitem__("box", '{"a": [-1, 3], "b": ["10", 20], "c": [0, 1]}'),
    "'b': an edge is true": lambda f: f.attrs.__setitem__("box", '{"a": [-1, 3], "b": [true, 20], "c": [0, 1]}'),
    "'b': three edges": lambda f: f.attrs.__setitem__("box", '{"a": [-1, 3], "b": [10, 15, 20], "c": [0, 1]}'),
    "box: a parameter twice": lambda f: f.attrs.__setitem__("box", '{"a": [-1, 3], "b": [0, 1], "b": [0, 1]}'),
    "box: a list": lambda f: f.attrs.__setitem__("box", "[[0, 1]]"),
    "box: a number": lambda f: f.attrs.__setitem__("box", 3.0),
    "box: no JSON": lambda f: f.attrs.__setitem__("box", "{"),
    "box: missing": lambda f: f.attrs.__delitem__("box"),
    "powers: a parameter too few": lambda f: f.attrs.__setitem__("box", '{"a": [-1, 3], "b": [10, 20]}'),
    "prefactor: a list": lambda f: f.attrs.__setitem__("prefactor", "[]"),
    "prefactor: NaN": lambda f: f.attrs.__setitem__("prefactor", '{"a": NaN}'),
    "prefactor: a text": lambda f: f.attrs.__setitem__("prefactor", '{"a": "2"}'),
    "prefactor: of another parameter": lambda f: f.attrs.__setitem__("prefactor", '{"z": 1.0}'),
    "observables: one twice": lambda f: f.attrs.__setitem__("observables", '["y", "y"]'),
    "observables: a number": lambda f: f.attrs.__setitem__("observables", "[1]"),
    "observables: a table": lambda f: f.attrs.__setitem__("observables", "{}"),
    "y: missing": lambda f: f["observables"].__delitem__("y"),
    "y: of another name": lambda f: observable(f, name="z"),
    "name: no text": lambda f: observable(f, name=3),
    "unit: null": lambda f: observable(f, unit=None),
    "axes: null": lambda f: observable(f, axes=None),
    "'x': no numbers": lambda f: observable(f, axes=axis(["0", "1"])),
    "'x': decreasing": lambda f: observable(f, axes=axis(GRID[::-1])),
    "'x': a NaN": lambda f: observable(f, axes=axis([*GRID[:-1], float("nan")])),
    "mean: one node too few": lambda f: observable(f, axes=axis(GRID[:-1])),
    "axes of one name": lambda f: observable(f, axes=axis(GRID) * 2),
    "powers: not whole": lambda f: replaced(f, "powers", f["powers"][()] + 0.5),
    "powers: negative": lambda f: replaced(f, "powers", f["powers"][()] - 5),
    "rows: no powers": lambda f: replaced(f, "powers", np.zeros((0, 3), int)),
    "powers: a vector": lambda f: replaced(f, "powers", np.zeros(3, int)),
    "weights: NaN": lambda f: replaced(f, "arrays/weights", np.full_like(f["arrays/weights"][()], np.nan)),
    "components: another shape": lambda f: replaced(f, "arrays/components", np.zeros((2, 3))),
    "mean: complex": lambda f: replaced(f, "arrays/mean", np.zeros(7, complex)),
    "scale: infinite": lambda f: replaced(f, "arrays/scale", np.full(7, np.inf)),
    "error: negative": lambda f: replaced(f, "arrays/error", np.full(7, -1.0)),
    "arrays: missing": lambda f: f.__delitem__("arrays"),
    "provenance: a list": lambda f: replaced(f, "provenance", "[]"),
    "simulation: a text": lambda f: replaced(f, "provenance", '{"simulation": "mine", "training": {}}'),
    "training: null": lambda f: replaced(f, "provenance", '{"training": null}'),
    "training_points: another shape": lambda f: f.create_dataset("training_points", data=np.zeros((5, 2))),
    "training_points: one number": lambda f: f.create_dataset("training_points", data=1.0),
}


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    path = tmp_path_factory.mktemp("polynomial") / "whole.h5"
    trained(degree=1).save(path)
    return path


@pytest.mark.attack("emulator files", "fifty odd polynomial emulators: kinds, edges, grids, shapes, names, versions")
@pytest.mark.parametrize("odd", ODD.values(), ids=ODD)
def test_an_odd_file_is_refused_with_its_path_and_the_key(whole, odd, tmp_path, request):
    said = refusal_of_odd(load_emulator, whole, odd, tmp_path, (DataError, PluginError))
    key = request.node.callspec.id.split(":")[0].strip("'")
    assert key.split()[0] in said


def test_a_refinement_finds_the_number_of_points():
    assert trained(degree=1).provenance["points"] == 200


def test_what_it_states_of_itself_is_read_back_with_infinities_and_other_letters(tmp_path):
    emulator = trained(degree=1)
    emulator.provenance["simulation"] = {
        "citation": "Zoë, \u03c4",
        "parameters": {"a": {"low": -np.inf, "high": np.inf}},
    }
    emulator.save(tmp_path / "e.h5")
    assert load_emulator(tmp_path / "e.h5").provenance == emulator.provenance
