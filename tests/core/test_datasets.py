"""Datasets of HDF5 files: netCDF's conventions, shapes that belong together, covariances, and places in messages."""

from __future__ import annotations

import h5py
import numpy as np
import pytest

from astroemu.core.datasets import Datasets, read_attribute
from astroemu.errors import DataError

K = np.array([0.1, 0.2, 0.4])


@pytest.fixture
def group():
    with h5py.File("mine.h5", "w", driver="core", backing_store=False) as file:
        yield file.create_group("band1/field_A")


def put(group, name, values, units="1/Mpc", **attributes):
    group[name] = values
    group[name].attrs.update({"units": units, **attributes} if units is not None else attributes)


FORMS = {
    "float32": (K.astype("f4"), "1/Mpc", {}),
    "big-endian": (K.astype(">f8"), "1/Mpc", {}),
    "another unit": (K / 1000, "1/kpc", {}),
    "a unit as bytes": (K, np.bytes_("1/Mpc"), {}),
    "a unit in an array": (K, np.array(["1/Mpc"], dtype=object), {}),
    "the attribute unit": (K, None, {"unit": "1/Mpc"}),
    "little h of the dataset": (K / 0.7, "h/Mpc", {"h": 0.7}),
    "packed": (np.array([1, 2, 4], "i2"), "1/Mpc", {"scale_factor": 0.1}),
    "packed with an offset": (np.array([0, 1, 3], "i2"), "1/Mpc", {"scale_factor": [0.1], "add_offset": 0.1}),
    "packed integers of another unit": (np.array([1, 2, 4], "u1"), "1/kpc", {"scale_factor": 1e-4}),
    "a mark that is not there": (K, "1/Mpc", {"_FillValue": np.nan, "missing_value": 1e20}),
    "a valid range": (K, "1/Mpc", {"valid_range": [0.0, 1.0]}),
}


@pytest.mark.parametrize("form", FORMS)
def test_every_accepted_form_is_the_plain_one(group, form):
    values, units, attributes = FORMS[form]
    put(group, "k", values, units, **attributes)
    found = Datasets(group).numbers("k", "1/Mpc", above=0, increasing=True)
    assert found.dtype == np.dtype("=f8")
    np.testing.assert_allclose(found, K, rtol=1e-7)


def test_little_h_of_the_file_is_used(group):
    group.file.attrs["h"] = 0.7
    put(group, "k", K / 0.7, "h Mpc^-1")
    np.testing.assert_allclose(Datasets(group).numbers("k", "1/Mpc"), K, rtol=1e-12)


REFUSED = {
    "little h without its value": (K, "h/Mpc", {}, r"Here h is H0 / \(100 km/s/Mpc\), and the file does not state"),
    "an h that is none": (K, "h/Mpc", {"h": -1.0}, "the attribute 'h' of 'band1/field_A/k': is -1"),
    "no unit": (K, None, {}, "is needed in '1/Mpc' but states no unit; add the attribute `units`"),
    "two units": (K, "1/Mpc", {"unit": "1/kpc"}, "states two units"),
    "another unit": (K, "Jy", {}, "has the unit 'Jy'"),
    "a unit that is a number": (K, 1.0, {}, "not a text"),
    "NaN": ([0.1, np.nan, 0.4], "1/Mpc", {}, "has no number .* at index 1"),
    "infinity": ([0.1, 0.2, np.inf], "1/Mpc", {}, "an infinite number at index 2"),
    "a fill value": ([0.1, 9.96921e36, 0.4], "1/Mpc", {"_FillValue": 9.96921e36}, "marked as missing.* at index 1"),
    "a fill value of float32": (
        np.array([0.1, 1e20, 0.4], "f4"), "1/Mpc", {"missing_value": 1e20}, "at index 1"),
    "a packed fill value": (
        np.array([1, -99, 4], "i2"), "1/Mpc", {"scale_factor": 0.1, "_FillValue": np.int16(-99)}, "at index 1"),
    "beyond the valid range": (K, "1/Mpc", {"valid_range": [0.0, 0.3]}, "at index 2"),
    "below the valid minimum": (K, "1/Mpc", {"valid_min": 0.15}, "at index 0"),
    "beyond the valid maximum": (K, "1/Mpc", {"valid_max": 0.3}, "at index 2"),
    "a range of one number": (K, "1/Mpc", {"valid_range": 1.0}, "must be two numbers"),
    "a scale of zero": (K, "1/Mpc", {"scale_factor": 0.0}, "leaves no data"),
    "a scale of text": (K, "1/Mpc", {"scale_factor": "ten"}, "scale_factor.*'ten' is not a number"),
    "unsigned numbers in signed ones": (np.array([1, 2], "i1"), "1/Mpc", {"_Unsigned": "true"}, "_Unsigned"),
    "zero": ([0.0, 0.1, 0.2], "1/Mpc", {}, "not above 0 at index 0"),
    "complex": (K + 1j, "1/Mpc", {}, "holds complex numbers"),
    "flags": (K > 0, "1/Mpc", {}, "holds truth values"),
    "text": (np.array([b"0.1", b"0.2"]), "1/Mpc", {}, "holds text"),
    "text of any length": (["0.1", "0.2"], "1/Mpc", {}, "holds text"),
    "a single number": (0.1, "1/Mpc", {}, r"has the shape \(\)"),
    "a matrix": (np.ones((3, 2)), "1/Mpc", {}, r"has the shape \(3, 2\), but along k it must be \(3,\)"),
    "nothing": (np.ones(0), "1/Mpc", {}, "is empty"),
    "no array": (h5py.Empty("f8"), "1/Mpc", {}, "holds no array"),
    "falling numbers": (K[::-1], "1/Mpc", {}, "must increase"),
}  # fmt: skip


@pytest.mark.parametrize("what", REFUSED)
def test_what_the_likelihood_would_misread_is_refused_with_its_place(group, what):
    values, units, attributes, message = REFUSED[what]
    put(group, "k", values, units, **attributes)
    with pytest.raises(DataError, match=message) as caught:
        Datasets(group).numbers("k", "1/Mpc", above=0, increasing=True)
    assert "band1/field_A/k" in str(caught.value)


def test_a_layout_may_define_the_unit(group):
    put(group, "k", K, None)
    np.testing.assert_array_equal(Datasets(group).numbers("k", "1/Mpc", assume_unit=True), K)


def test_a_missing_dataset_is_named(group):
    put(group, "delta2", K)
    with pytest.raises(DataError, match=r"'band1/field_A' has no dataset 'delta_2'\. Did you mean 'delta2'\?"):
        Datasets(group).numbers("delta_2")
    group.create_group("k")
    with pytest.raises(DataError, match="'band1/field_A/k' holds no array"):
        Datasets(group).numbers("k")
    with pytest.raises(DataError, match="'band1/field_A/delta2' is a dataset; a group"):
        Datasets(group["delta2"])


def test_datasets_that_belong_together_have_the_lengths_of_each_other(group):
    put(group, "k", K)
    put(group, "k_window", np.ones(4))
    put(group, "window", np.ones((4, 3)), "")
    data = Datasets(group)
    data.numbers("k", "1/Mpc")
    data.numbers("k_window", "1/Mpc")
    message = r"'band1/field_A/window' has the shape \(4, 3\), but along k and k_window it must be \(3, 4\)"
    with pytest.raises(DataError, match=message):
        data.numbers("window", "", ("k", "k_window"))
    with pytest.raises(DataError, match=r"must be \(2, 3\)"):
        data.numbers("window", "", (2, "k"))


def test_rows_that_are_not_valid_are_neither_returned_nor_validated(group):
    put(group, "valid", np.array([0, 1, 1], "u1"), None)
    put(group, "k", [np.nan, 0.2, 0.4])
    put(group, "covariance", [[0.0, 0.0, 0.0], [0.0, 2.0, 0.5], [0.0, 0.5, 1.0]], "mK^4")
    data = Datasets(group)
    data.select("k", data.flags("valid", ("k",)))
    assert data.numbers("k", "1/Mpc").tolist() == [0.2, 0.4]
    assert data.covariance("covariance", "mK^4", "k").tolist() == [[2.0, 0.5], [0.5, 1.0]]
    group["k"][2] = np.inf
    with pytest.raises(DataError, match="infinite number at index 2"):
        data.numbers("k", "1/Mpc")


@pytest.mark.parametrize(
    ("matrix", "message"),
    [
        ([[1.0, 0.1], [0.2, 1.0]], r"not symmetric at index \(0, 1\)"),
        ([[1.0, 2.0], [2.0, 1.0]], "not positive definite"),
        ([[1.0, 0.0], [0.0, 0.0]], "variance that is not above 0 at index 1"),
        ([[1.0, 0.0], [0.0, -1.0]], "variance that is not above 0 at index 1"),
        ([[1.0, np.nan], [0.0, 1.0]], r"no number .* at index \(0, 1\)"),
        ([[1.0, 0.0]], r"has the shape \(1, 2\)"),
    ],
)
def test_a_matrix_that_is_no_covariance_is_refused(group, matrix, message):
    put(group, "covariance", matrix, "mK^4")
    with pytest.raises(DataError, match=message):
        Datasets(group).covariance("covariance", "mK^4", "k")


@pytest.mark.attack("data", "a covariance of units so small that its determinant underflows")
def test_a_covariance_of_tiny_numbers_is_one(group):
    matrix = 1e-300 * (np.eye(40) + 0.3)
    put(group, "covariance", matrix, "mK^4")
    np.testing.assert_array_equal(Datasets(group).covariance("covariance", "mK^4", "k"), matrix)


@pytest.mark.attack("data", "flags that are indices, 255 or packed")
@pytest.mark.parametrize("values", [[1, 2, 3], [0, 255, 255], [0.0, np.nan, 1.0]])
def test_what_is_no_flag_is_refused(group, values):
    put(group, "valid", values, None)
    with pytest.raises(DataError, match="the dataset 'band1/field_A/valid': holds"):
        Datasets(group).flags("valid")
    del group["valid"]
    put(group, "valid", [0, 1], None, scale_factor=0.5)
    with pytest.raises(DataError, match="scale_factor"):
        Datasets(group).flags("valid")


@pytest.mark.attack("data", "a dataset that was created and never written: zeros that nobody measured")
def test_a_dataset_without_content_is_refused(group):
    group.create_dataset("k", shape=(3,), dtype="f8").attrs["units"] = "1/Mpc"
    with pytest.raises(DataError, match="nothing was written into it"):
        Datasets(group).numbers("k", "1/Mpc")


def test_texts_lose_the_blanks_around_them(group):
    put(group, "spectrum", np.array([b"TT ", b"EE "]), None)
    put(group, "name", ["TT", "EE"], None)
    assert Datasets(group).texts("spectrum").tolist() == Datasets(group).texts("name").tolist() == ["TT", "EE"]
    put(group, "k", K)
    with pytest.raises(DataError, match="'band1/field_A/k': holds no text"):
        Datasets(group).texts("k")


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ("x", "not a number"),
        (np.nan, "one finite"),
        ([1.0, 2.0], "one finite"),
        (0.0, "is 0; it must be above 0"),
        (None, "has no attribute 'redshift'"),
    ],
)
def test_an_attribute_that_is_no_number_is_refused(group, value, message):
    group.attrs.update({} if value is None else {"redshift": value})
    with pytest.raises(DataError, match=f"'band1/field_A'.*{message}|'redshift'.*{message}"):
        read_attribute(group, "redshift", above=0)


def test_an_attribute_may_be_an_array_of_one_number_or_a_text_of_it(group):
    group.attrs.update({"redshift": np.array([7.9], "f4"), "z": "7.9"})
    assert read_attribute(group, "redshift") == pytest.approx(7.9) and read_attribute(group, "z") == 7.9
