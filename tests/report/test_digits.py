"""The digits of a number follow its standard deviation, in every form in which it is written."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from astroemu.report.digits import Digits, constant, with_error

STATISTICS = ("mean", "std", "median", "q16", "q84", "hpd68_low", "hpd68_high", "q025", "q975")


def row(mean, std, **changed):
    ends = {"q16": mean - std, "q84": mean + std, "q025": mean - 2 * std, "q975": mean + 2 * std}
    return {
        "mean": mean,
        "std": std,
        "median": mean,
        **ends,
        "hpd68_low": mean - std,
        "hpd68_high": mean + std,
    } | changed


@pytest.mark.case(17)
@pytest.mark.parametrize(
    ("mean", "std", "written", "interval"),
    [
        (0.02256, 0.00017, ("0.02256", "0.00017"), "0.02239 to 0.02273"),
        (1.04055, 0.00031, ("1.04055", "0.00031"), "1.04024 to 1.04086"),
        (5e40, 1e39, ("5.00e+40", "1.0e+39"), "4.90e+40 to 5.10e+40"),
        (2.1e-9, 3e-11, ("2.100e-09", "3.0e-11"), "2.070e-09 to 2.130e-09"),
        (123456.0, 20000.0, ("123000", "20000"), "103000 to 143000"),
        (2459000.5, 0.3, ("2459000.50", "0.30"), "2459000.20 to 2459000.80"),
    ],
)
def test_two_digits_of_the_standard_deviation_are_written(mean, std, written, interval):
    numbers = row(mean, std)
    digits = Digits.of_row(numbers)
    assert (digits(mean), digits(std)) == written
    assert digits.interval(numbers["q16"], numbers["q84"]) == interval


@pytest.mark.case(17)
def test_the_title_of_a_corner_plot_has_the_same_digits():
    assert Digits.of_row(row(0.02256, 0.00017)).title(0.02256, 0.0224, 0.02273) == "0.02256^{+0.00017}_{-0.00016}"
    assert Digits.of_row(row(5e40, 1e39)).title(5e40, 4.9e40, 5.2e40) == r"5.00^{+0.20}_{-0.10} \times 10^{40}"
    assert Digits.of_row(row(2.1e-9, 3e-11)).title(2.1e-9, 2.07e-9, 2.13e-9) == (
        r"2.100^{+0.030}_{-0.030} \times 10^{-9}"
    )
    assert Digits(-2).title(float("nan"), 0.0, 1.0) == "-"


@pytest.mark.case(34)
def test_both_ends_of_an_interval_have_the_same_places():
    assert Digits.of_row(row(-1.277, 0.2986)).interval(-1.5802, -1.0002) == "-1.58 to -1.00"


@pytest.mark.case(31)
def test_a_constant_has_four_digits():
    assert constant(row(0.673580375, 8.5e-8)) == "0.6736" and constant(row(147.0912, 0.0)) == "147.1"


@pytest.mark.attack("digits", "a standard deviation made by one far draw, zero, NaN, infinite or below rounding")
def test_a_useless_standard_deviation_does_not_decide():
    tail = row(0.0123, 50.0, q16=0.011, q84=0.0135)
    assert Digits.of_row(tail).interval(0.011, 0.0135) == "0.0110 to 0.0135"
    assert Digits.of_row(row(3.0, 0.0))(3.0) == "3.000"
    assert Digits.of_row(row(3.0, math.inf, q16=2.9, q84=3.1)).interval(2.9, 3.1) == "2.90 to 3.10"
    assert Digits.of_row(dict.fromkeys(STATISTICS, math.nan))(math.nan) == "-"
    assert Digits.of_row(dict.fromkeys(STATISTICS))(None) == "-"
    assert Digits.of_row(row(5e40, 0.1))(5e40) == "5.00000000000000e+40"


def test_a_number_that_is_not_finite_or_nearly_zero_can_be_written():
    assert Digits(-2)(math.inf) == "inf" and Digits(-2)(-math.inf) == "-inf"
    assert Digits(-2)(-0.001) == "0.00" and Digits(-12, exponent=True)(-1e-14) == "0"
    assert Digits(-2).interval(math.nan, 1.0) == "-"
    assert Digits(0).interval(-math.inf, 1.0) == "-inf to 1"


def test_a_standard_error_is_written_beside_its_number():
    assert with_error(-3.0, 0.125) == "-3.00 +- 0.12" and with_error(-3.731, 0.014) == "-3.731 +- 0.014"
    assert with_error(-3.0, None) == "-3.000 +- -" and with_error(3e-5, 2e-5) == "3.0e-05 +- 2.0e-05"


@given(st.floats(-1e300, 1e300), st.floats(min_value=1e-300, max_value=1e300))
def test_what_is_written_is_the_number_to_a_tenth_of_its_standard_deviation(mean, std):
    digits = Digits.of([mean, std], std)
    text = digits(mean)
    assert abs(float(text) - mean) <= max(0.06 * std, 1e-14 * abs(mean))
    assert len(text) <= 24
