"""Numbers as Fortran writes them."""

from __future__ import annotations

import numpy as np
import pytest

from astroemu.errors import SamplingError
from astroemu_plugins.samplers.multinest_files import evidences, numbers


@pytest.mark.parametrize(
    ("word", "value"),
    [
        ("0.695263411054392617-309", 0.695263411054392617e-309),
        ("-0.25-300", -0.25e-300),
        ("2.0+100", 2e100),
        ("2.+100", 2e100),
        ("0.5E+00", 0.5),
        ("-0.123E-05", -0.123e-5),
        ("0.1D-01", 0.01),
        ("0.1d02", 10.0),
        ("0.1D+200", 1e199),
        ("-1.5-100", -1.5e-100),
        ("12", 12.0),
        ("-0.1797693134862315708+309", -1.797693134862315708e308),
        ("Infinity", np.inf),
        ("-Infinity", -np.inf),
    ],
)
def test_a_number_of_fortran_is_read(word, value):
    np.testing.assert_array_equal(numbers(f"   {word}   1.0\n"), [[value, 1.0]])


def test_nan_is_read():
    assert np.isnan(numbers("NaN")[0, 0])


def test_rows_stay_rows():
    np.testing.assert_array_equal(numbers(" 0.5E+00 -0.25-300\n 0.1E-01 2.0+100\n"), [[0.5, -0.25e-300], [0.01, 2e100]])
    assert numbers(" 1 2 3\n").shape == (1, 3)


@pytest.mark.parametrize("text", ["*****", "1 2\n1\n", "0.5-0.25"])
def test_what_is_no_number_is_an_error(text):
    with pytest.raises(SamplingError, match="MultiNest wrote a file that cannot be read"):
        numbers(text)


def test_both_evidences_are_read_with_their_errors():
    text = """Nested Sampling Global Log-Evidence           :    -0.175D+01  +/-    0.792602E-01
Nested Importance Sampling Global Log-Evidence:    0.695263411054392617-309  +/-   NaN
"""
    found = evidences(text)
    assert found["Nested"] == (-1.75, 0.0792602)
    assert found["Importance"][0] == 0.695263411054392617e-309 and np.isnan(found["Importance"][1])


def test_a_file_without_evidences_has_none():
    assert evidences("NaN") == {}
