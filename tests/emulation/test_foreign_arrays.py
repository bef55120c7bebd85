"""What files made elsewhere state about their numbers is honoured or refused."""

from __future__ import annotations

import h5py
import numpy as np
import pytest

from astroemu.emulation.foreign_arrays import read_arrays
from astroemu.errors import ConfigurationError, DataError

VALUES = np.array([1.0, 2.5, -3.0])


def hdf5(folder, data, **attributes):
    with h5py.File(folder / "set.h5", "w") as file:
        file["run/y"] = data
        file["run/y"].attrs.update(attributes)
    return read_arrays(folder / "set.h5")


@pytest.mark.parametrize("dtype", ["f4", "f2", ">f8", "<f4", ">i4", "i8", "u1", "g"])
def test_real_numbers_of_every_type_are_read(tmp_path, dtype):
    data = np.array([1, 2, 100]).astype(dtype)
    np.savez(tmp_path / "set.npz", y=data)
    found = read_arrays(tmp_path / "set.npz").get("y")
    assert found.dtype == np.float64
    np.testing.assert_array_equal(found, [1.0, 2.0, 100.0])


def test_texts_that_are_numbers_are_read(tmp_path):
    np.savez(tmp_path / "set.npz", y=np.array([["1.5", "0.1D-02"], ["nan", "inf"]]), z=np.array([b"1", b"2"]))
    arrays = read_arrays(tmp_path / "set.npz")
    np.testing.assert_array_equal(arrays.get("y"), [[1.5, 0.001], [np.nan, np.inf]])
    np.testing.assert_array_equal(arrays.get("z"), [1.0, 2.0])


@pytest.mark.attack("import", "arrays that are complex, boolean, dates, tables, integers beyond 2^53, beyond float64")
@pytest.mark.parametrize(
    ("data", "words"),
    [
        (VALUES + 1j, "complex numbers"),
        (VALUES > 0, "truth values"),
        (np.array(["2024-01-01"], dtype="M8[D]"), "dates"),
        (np.array([3], dtype="m8[s]"), "durations"),
        (np.array([(1, 2.0)], dtype=[("a", int), ("b", float)]), "records"),
        (np.array([1, 2**53 + 1]), "9007199254740993 is an integer beyond"),
        (np.array([2**64 - 1], dtype=np.uint64), "is an integer beyond"),
        (np.array([-(2**60)]), "-1152921504606846976 is an integer beyond"),
        (np.array([np.longdouble("1e400")]), "larger than float64"),
        (np.array(["one"]), "'one' is not a number"),
    ],
)
def test_anything_else_is_refused(tmp_path, data, words):
    np.savez(tmp_path / "set.npz", y=data)
    with pytest.raises(DataError, match=f"set.npz: the array 'y' does not hold numbers: .*{words}"):
        read_arrays(tmp_path / "set.npz").get("y")


def test_packed_numbers_are_unpacked(tmp_path):
    packed = hdf5(tmp_path, np.array([0, 10, -999], dtype="i2"), scale_factor=0.5, add_offset=3.0, _FillValue=-999)
    np.testing.assert_array_equal(packed.get("run/y"), [3.0, 8.0, np.nan])
    np.testing.assert_array_equal(hdf5(tmp_path, VALUES, missing_value=[2.5]).get("run/y"), [1.0, np.nan, -3.0])
    np.testing.assert_array_equal(hdf5(tmp_path, VALUES, add_offset=1.0).get("run/y"), VALUES + 1)


@pytest.mark.attack("import", "attributes of netCDF: packed numbers, fill values, units, and some that are no numbers")
@pytest.mark.parametrize("attributes", [{"scale_factor": "2"}, {"add_offset": [1.0, 2.0]}, {"_FillValue": 1j}])
def test_an_attribute_that_cannot_be_honoured_is_refused(tmp_path, attributes):
    if attributes == {"scale_factor": "2"}:
        np.testing.assert_array_equal(hdf5(tmp_path, VALUES, **attributes).get("run/y"), 2 * VALUES)
        return
    with pytest.raises(DataError, match=r"set\.h5: the array 'run/y'"):
        hdf5(tmp_path, VALUES, **attributes).get("run/y")


@pytest.mark.parametrize("stated", ["1/Mpc", "Mpc^-1", " 1 / Mpc ", b"1/Mpc", ["1/Mpc"], "", "1"])
def test_an_equal_unit_is_accepted(tmp_path, stated):
    np.testing.assert_array_equal(hdf5(tmp_path, VALUES, units=stated).get("run/y", "1/Mpc"), VALUES)


@pytest.mark.attack("import", "units in attributes and headers that are not those of the recipe, with little h")
@pytest.mark.parametrize(("stated", "ours"), [("h/Mpc", "1/Mpc"), ("K^2", "mK^2"), ("mK", ""), ("cMpc", "Mpc")])
def test_another_unit_is_refused(tmp_path, stated, ours):
    with pytest.raises(ConfigurationError, match=f"set.h5: 'run/y' is in '{stated.replace('^', '.')}'"):
        hdf5(tmp_path, VALUES, unit=stated).get("run/y", ours)
    (tmp_path / "t.csv").write_text(f"y [{stated}]\n1\n")
    if stated != "cMpc":  # a label in a header is a part of the name
        with pytest.raises(ConfigurationError, match=r"t\.csv: 'y' is in"):
            read_arrays(tmp_path / "t.csv").get("y", ours)


def test_a_name_is_found_without_its_unit_and_with_underscores(tmp_path):
    (tmp_path / "t.csv").write_text("k (1/Mpc),x 6,y[0],P(mean)\n1,2,3,4\n")
    arrays = read_arrays(tmp_path / "t.csv")
    names = {"k": 1.0, "k (1/Mpc)": 1.0, "k_(1/Mpc)": 1.0, "x 6": 2.0, "x_6": 2.0, "y[0]": 3.0, "P(mean)": 4.0}
    assert {name: arrays.get(name, "1/Mpc" if name[0] == "k" else "").item() for name in names} == names
    with pytest.raises(ConfigurationError, match=r"t\.csv has no array 'kk'"):
        arrays.get("kk")
