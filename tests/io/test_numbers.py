"""Numbers as other programs write them."""

from __future__ import annotations

import math

import pytest

from astroemu.io.numbers import read_number, read_numbers


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("1", 1.0),
        (" -2.50 ", -2.5),
        (".5", 0.5),
        ("5.", 5.0),
        ("1e-46", 1e-46),
        ("+1.5E+39", 1.5e39),
        ("0.1D-05", 0.1e-5),
        ("-0.25d+3", -250.0),
        ("1D3", 1000.0),
        ("0.6953-309", 0.6953e-309),
        ("-0.112+104", -0.112e104),
        ("1.0q2", 100.0),
        ("0.000-000", 0.0),
        ("0", 0.0),
        ("inf", math.inf),
        ("-Infinity", -math.inf),
        ("5e-324", 5e-324),
        ("9007199254740993", 9007199254740992.0),
    ],
)
@pytest.mark.attack("numbers", "exponents of Fortran, with D and without a letter, infinities, denormal numbers")
def test_a_number_is_read(text, number):
    assert read_number(text) == number


@pytest.mark.parametrize("text", ["", "  ", "nan", "NaN", "-nan", "NA", "N/A", "null", "None", "--", "-"])
def test_a_missing_value_is_nan(text):
    assert math.isnan(read_number(text))


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("1_000", "is not a number"),
        ("1,5", "thousands separators"),
        ("0x10", "is not a number"),
        ("١٢", "is not a number"),
        ("\u22121", "is not a number"),
        ("2024-001", "is not a number"),
        ("1e", "is not a number"),
        ("1 2", "is not a number"),
        ("True", "is not a number"),
        ("****", "width of Fortran's format"),
        ("1e309", "larger than float64"),
        ("0.1+400", "larger than float64"),
        ("1D-400", "smaller than float64"),
        ("x" * 1000, r"'x{40}\.\.\.' is not a number"),
    ],
)
def test_anything_else_is_refused(text, words):
    with pytest.raises(ValueError, match=words):
        read_number(text)


def test_several_are_read_together():
    assert read_numbers(["1", "2.0-100"]) == [1.0, 2e-100]
