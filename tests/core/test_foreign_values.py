"""Numbers, flags and units of strangers: every accepted form gives the plain one, everything else is refused."""

from __future__ import annotations

import numpy as np
import pytest

from astroemu.core.foreign_values import as_flags, as_numbers, in_unit
from astroemu.errors import DataError


@pytest.mark.parametrize("kind", ["f8", "f4", "f2", ">f8", "<f4", ">i4", "u1", "u8", "i8", "longdouble"])
def test_numbers_of_any_real_type_become_float64(kind):
    found = as_numbers(np.array([1, 2, 3]).astype(kind))
    assert found.dtype == np.dtype("=f8")
    np.testing.assert_array_equal(found, [1.0, 2.0, 3.0])


def test_texts_of_numbers_are_read_also_with_exponents_of_fortran():
    np.testing.assert_array_equal(as_numbers(["1.5", " 1.0D-05", "0.25E+01", "nan"]), [1.5, 1e-5, 2.5, np.nan])
    np.testing.assert_array_equal(as_numbers(np.array([b"1.5", b"2"])), [1.5, 2.0])


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (np.array([1 + 0j]), "holds complex numbers"),
        (np.array([True]), "holds truth values"),
        (np.array(["seven"]), "'seven' is not a number"),
        (np.array(["2020-01-01"], "M8[D]"), "holds dates"),
        (np.array([None]), "holds objects"),
        (np.zeros(1, [("a", float)]), "holds records"),
    ],
)
def test_what_is_no_number_is_refused(values, message):
    with pytest.raises(DataError, match=message):
        as_numbers(values)


@pytest.mark.parametrize("kind", ["?", "u1", "i8", "f4", ">i2", "U5", "S5"])
def test_flags_of_any_type_are_flags(kind):
    found = as_flags(np.array([True, False, True]).astype(kind))
    assert found.dtype == bool and found.tolist() == [True, False, True]


def test_flags_as_words_are_flags():
    assert as_flags(["true", " FALSE ", "1", "0"]).tolist() == [True, False, True, False]


@pytest.mark.parametrize("values", [[0, 255], [3, 4, 5], [1.0, np.nan], [0.5], ["yes", ""], [1 + 0j], [-1, 0]])
def test_what_is_no_flag_is_refused(values):
    with pytest.raises(DataError):
        as_flags(np.array(values))


@pytest.mark.parametrize(
    ("stated", "wanted", "h", "factor"),
    [
        ("K^2", "mK^2", None, 1e6),
        ("mK2", "mK^2", None, 1.0),
        ("1e-6 / (mag Mpc3)", "1 / (mag Mpc3)", None, 1e-6),
        ("%", "", None, 0.01),
        ("1", "", None, 1.0),
        ("none", "", None, 1.0),
        ("h/Mpc", "1/Mpc", 0.7, 0.7),
        ("Mpc / h", "Mpc", 0.7, 1 / 0.7),
        ("h3 / (mag Mpc3)", "1 / (mag Mpc3)", 0.7, 0.7**3),
        ("h^-1 kpc", "Mpc", 0.5, 2e-3),
    ],
)
def test_units_are_converted(stated, wanted, h, factor):
    np.testing.assert_allclose(in_unit(np.array([1.0, 2.0]), stated, wanted, h), [factor, 2 * factor], rtol=1e-12)


@pytest.mark.parametrize(
    ("stated", "wanted", "message"),
    [
        ("Jy", "mK^2", "has the unit 'Jy', which cannot be converted"),
        ("", "mK^2", "has the unit '', which"),
        ("cMpc^-1", "1/Mpc", "has the unit 'cMpc.-1', which"),
        ("Mpc", "", "is needed in 'no unit'"),
        ("dex(1 / (mag Mpc3))", "1 / (mag Mpc3)", "a logarithm; give the linear values"),
        ("h/Mpc", "1/Mpc", r"Multiply the values by h\^1 and give the unit without h, or state h"),
        ("Mpc/h", "Mpc", r"Multiply the values by h\^-1"),
    ],
)
def test_units_that_cannot_be_converted_are_refused(stated, wanted, message):
    with pytest.raises(DataError, match=message):
        in_unit(np.ones(2), stated, wanted)


@pytest.mark.attack("data", "a column in magnitudes or in hours, which look like a number and like little h")
@pytest.mark.parametrize(("stated", "wanted"), [("mag", ""), ("h", "d"), ("mag(AB)", "mag"), ("mag(ST)", "mag")])
def test_logarithms_and_hours_are_not_taken_for_plain_units(stated, wanted):
    with pytest.raises(DataError):
        in_unit(np.ones(2), stated, wanted)
