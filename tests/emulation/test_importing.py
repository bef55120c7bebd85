"""Plain arrays made elsewhere: the same training set from npz, HDF5 and CSV."""

from __future__ import annotations

import h5py
import numpy as np
import pytest

from astroemu.emulation.importing import ImportTable, import_arrays
from astroemu.errors import ConfigurationError, DataError

RNG = np.random.default_rng(0)
THETA, CURVE, TAU, Z = RNG.random((20, 2)), RNG.random((20, 3)), RNG.random(20), np.array([6.0, 7.0, 8.0])
BOX = {
    "a": {"low": 0.0, "high": 1.0, "unit": "", "latex": "a"},
    "b": {"low": 0.0, "high": 1.0, "unit": "", "latex": ""},
}
FORM = {
    "theta": "theta",
    "citation": "Mine et al.",
    "observables": {
        "x_hi": {"values": "curve", "axes": [{"name": "z", "values": "z"}]},
        "tau_e": {"values": "tau"},
    },
}


def npz(folder, **changed):
    arrays = {"theta": THETA, "curve": CURVE, "tau": TAU, "z": Z} | changed
    np.savez(folder / "set.npz", **{name: value for name, value in arrays.items() if value is not None})
    return folder / "set.npz"


def hdf5(folder):
    with h5py.File(folder / "set.h5", "w") as file:
        for name, value in {"in/theta": THETA, "out/curve": CURVE, "out/tau": TAU, "z": Z}.items():
            file[name] = value
    return folder / "set.h5"


def csv(folder):
    header = "a,b,x 6,x 7,x 8,tau"
    table = np.column_stack([THETA, CURVE, TAU])
    np.savetxt(folder / "set.csv", table, delimiter=",", header=header, comments="", fmt="%.17g")
    return folder / "set.csv"


def form(**changed):
    return ImportTable.model_validate({**FORM, **changed})


IN_GROUPS = form(
    theta="in/theta",
    observables={
        "x_hi": {"values": "out/curve", "axes": [{"name": "z", "values": "z"}]},
        "tau_e": {"values": "out/tau"},
    },
)
IN_COLUMNS = form(
    theta={"a": "a", "b": "b"},
    observables={
        "x_hi": {"values": ["x_6", "x_7", "x_8"], "axes": [{"name": "z", "values": [6.0, 7.0, 8.0]}]},
        "tau_e": {"values": "tau"},
    },
)


@pytest.mark.parametrize(("write", "how"), [(npz, form()), (hdf5, IN_GROUPS), (csv, IN_COLUMNS)])
def test_every_kind_of_file_gives_the_same(tmp_path, write, how):
    data = import_arrays(write(tmp_path), how, BOX)
    assert data.names == ("a", "b") and data.observables["x_hi"].axes[0].name == "z"
    np.testing.assert_allclose(data.theta, THETA)
    np.testing.assert_allclose(data.values["x_hi"], CURVE, rtol=1e-6)
    np.testing.assert_allclose(data.values["tau_e"], TAU, rtol=1e-6)
    np.testing.assert_array_equal(data.observables["x_hi"].axes[0].values, Z)
    assert data.metadata["citation"] == "Mine et al." and len(data.metadata["imported"]["sha256"]) == 64
    assert data.metadata["parameters"]["a"]["high"] == 1.0


@pytest.mark.parametrize(
    ("arrays", "how", "error", "message"),
    [
        ({}, form(theta="teta"), ConfigurationError, r"no array 'teta'\. Did you mean 'theta'"),
        ({}, form(theta={"a": "tau"}), ConfigurationError, r"names 'a'; \[parameters\] has 'a', 'b'"),
        ({"theta": THETA[:, :1]}, form(), DataError, r"theta has the shape \(20, 1\)"),
        ({"curve": CURVE[:5]}, form(), DataError, r"'curve' has the shape \(5, 3\); 'x_hi' needs \(20, 3\)"),
        ({"z": Z[:2]}, form(), DataError, r"'x_hi' needs \(20, 2\)"),
        ({"tau": np.array(["x"] * 20)}, form(), DataError, "'tau' does not hold numbers"),
    ],
)
def test_what_does_not_fit_is_named(tmp_path, arrays, how, error, message):
    with pytest.raises(error, match=message):
        import_arrays(npz(tmp_path, **arrays), how, BOX)


def test_pickled_objects_are_never_read(tmp_path):
    path = npz(tmp_path, tau=np.array([{"run": "me"}], dtype=object))
    with pytest.raises(DataError, match="not a readable npz file"):
        import_arrays(path, form(), BOX)


@pytest.mark.parametrize("name", ["set.npz", "set.h5", "set.csv", "set.txt"])
def test_files_of_something_else_are_refused(tmp_path, name):
    path = tmp_path / name
    path.write_bytes(b"\x00\x01 no arrays \xff")
    with pytest.raises((DataError, ConfigurationError), match=name):
        import_arrays(path, form(), BOX)
    with pytest.raises(DataError, match="there is no file"):
        import_arrays(tmp_path / "absent.npz", form(), BOX)
