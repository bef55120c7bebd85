"""Finished simulations, read from training sets and plain arrays, and put in the place of an emulator."""

from __future__ import annotations

import h5py
import numpy as np
import pytest
from helpers import KnownEmulator

from astroemu.core.observable import Axis, Observable
from astroemu.emulation.reference import ReferenceSimulations, TabulatedProvider, load_simulations
from astroemu.emulation.training_set import TrainingSet
from astroemu.errors import ConfigurationError, DataError

X = KnownEmulator.X


def simulations(n=40):
    theta = np.random.default_rng(0).random((n, 2))
    return ReferenceSimulations(theta, {"line": theta[:, :1] + theta[:, 1:] * X, "level": theta[:, 0]})


def plain_arrays(path, **changed):
    """An HDF5 file of one simulation on a larger grid; None leaves an array out."""
    arrays = {
        "theta": np.array([[0.25, 0.5]]),
        "line": np.array([[0.5, 0.6, 0.75, 1.0]]),
        "x": np.array([0.0, 0.4, 1.0, 2.0]),
    } | changed
    names = arrays.pop("names", ["b", "a"])
    with h5py.File(path, "w") as file:
        for name, value in arrays.items():
            if value is not None:
                file[name] = value
        file["theta"].attrs["names"] = names
    return path


def test_recorded_simulations_know_their_own_points_only():
    data = simulations()
    evaluate = TabulatedProvider(KnownEmulator(), data).evaluator({"line": np.array([1])})
    found = evaluate(data.theta[[7, 2]], {}, None)["line"].value
    np.testing.assert_array_equal(found, data.values["line"][[7, 2], 1:2])
    with pytest.raises(DataError, match="there is no simulation at"):
        evaluate(np.array([[0.5, 0.5]]), {}, None)


def test_only_observables_that_were_simulated_are_provided():
    data = simulations()
    provider = TabulatedProvider(KnownEmulator(), ReferenceSimulations(data.theta, {"level": data.values["level"]}))
    assert list(provider.provides) == ["level"] and provider.parameters == ("a", "b")


def test_plain_arrays_on_a_larger_grid(tmp_path):
    found = load_simulations(KnownEmulator(), plain_arrays(tmp_path / "sims.h5"))
    np.testing.assert_array_equal(found.theta, [[0.5, 0.25]])
    np.testing.assert_array_equal(found.values["line"], [[0.5, 0.75, 1.0]])


def test_an_observable_may_have_a_grid_of_its_own(tmp_path):
    path = plain_arrays(tmp_path / "sims.h5", x=np.arange(9.0), x_line=np.array([0.0, 0.4, 1.0, 2.0]))
    np.testing.assert_array_equal(load_simulations(KnownEmulator(), path).values["line"], [[0.5, 0.75, 1.0]])


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"x": None}, r"'line': no array gives the 'x' of its axis 1"),
        ({"x": np.array([0.0, 0.4, 1.0, 2.1])}, "'line': the 'x' of the simulations lacks the emulator's nodes"),
        ({"names": ["b", "c"]}, r"the simulations have 'b', 'c' .* the emulator takes 'a', 'b'"),
        ({"names": "b"}, r"the simulations have 'b' in an array of the shape \(1, 2\)"),
        ({"line": np.ones((2, 4))}, r"'line' has the shape \(2, 4\); 1 points with 1 axes are needed"),
        ({"line": np.ones(4)}, r"'line' has the shape \(4,\); 1 points"),
        ({"line": np.ones((1, 4)) + 1j}, "'line' does not hold numbers: holds complex numbers"),
        ({"theta": np.array([[0.25, np.nan]])}, "theta holds numbers that are not finite"),
        ({"theta": np.ones((0, 2)), "line": np.ones((0, 4))}, "theta has no rows"),
    ],
)
def test_plain_arrays_that_do_not_fit_are_refused(tmp_path, changed, message):
    with pytest.raises(DataError, match=message):
        load_simulations(KnownEmulator(), plain_arrays(tmp_path / "sims.h5", **changed))


def test_a_training_set_is_read_in_the_emulators_order(tmp_path):
    data, emulator = simulations(), KnownEmulator()
    TrainingSet(("b", "a"), data.theta[:, ::-1], emulator.provides, data.values).save(tmp_path / "set.h5")
    found = load_simulations(emulator, tmp_path / "set.h5")
    np.testing.assert_array_equal(found.theta, data.theta)
    np.testing.assert_array_equal(found.values["line"], data.values["line"])
    other = {"line": Observable("line", (Axis("x", X + 1.0),), "mK")}
    TrainingSet(("b", "a"), data.theta, other, {"line": data.values["line"]}).save(tmp_path / "other.h5")
    with pytest.raises(DataError, match="'line' has another grid or unit than the emulator's"):
        load_simulations(emulator, tmp_path / "other.h5")


@pytest.mark.attack("validate", "plain arrays that are packed, or in another unit than the emulator's")
def test_what_plain_arrays_state_is_honoured_or_refused(tmp_path):
    path = plain_arrays(tmp_path / "sims.h5", line=np.array([[50, 60, 75, 100]], dtype="i2"))
    with h5py.File(path, "r+") as file:
        file["line"].attrs.update({"scale_factor": 0.01, "units": "mK"})
    np.testing.assert_array_equal(load_simulations(KnownEmulator(), path).values["line"], [[0.5, 0.75, 1.0]])
    with h5py.File(path, "r+") as file:
        file["line"].attrs["units"] = "K"
    with pytest.raises(ConfigurationError, match=r"sims\.h5: 'line' is in 'K', but is expected in 'mK'"):
        load_simulations(KnownEmulator(), path)
