"""Sliders: their ranges, and values that are typed."""

from __future__ import annotations

import tomllib

import numpy as np
import pytest
from helpers import line_prior

from astroemu.core.distributions import Fixed, LogUniform, Normal, TruncatedNormal, Uniform
from astroemu.core.parameter import Parameter, parameter_from
from astroemu.errors import ConfigurationError
from astroemu.report.explore.controls import Scale, point_toml


def scale(prior):
    return Scale.of(Parameter("a", prior))


def test_a_slider_has_the_range_of_the_prior():
    assert (scale(Uniform(-2.0, 3.0)).low, scale(Uniform(-2.0, 3.0)).high) == (-2.0, 3.0)


def test_a_prior_without_an_end_has_a_slider_with_both():
    both = scale(Normal(1.0, 2.0))
    assert (both.low, both.high) == pytest.approx((1 - 2 * 3.719, 1 + 2 * 3.719), abs=1e-3)
    one = scale(TruncatedNormal(0.0, 1.0, low=0.0))
    assert one.low == 0.0 and one.high == pytest.approx(3.8906, abs=1e-3)


def test_a_logarithmic_prior_has_a_logarithmic_slider():
    found = scale(LogUniform(1e-3, 10.0))
    low, high = found.ends
    assert found.value(0.5 * (low + high)) == pytest.approx(0.1, rel=1e-4)
    assert (found.value(low), found.value(high)) == (1e-3, 10.0)


@pytest.mark.parametrize("low, high", [(-3.0, 0.0), (38.0, 42.0), (0.123456789, 0.123556789), (1e-7, 3e-7), (0.0, 9e9)])
def test_every_position_has_a_value_of_its_own_within_the_prior(low, high):
    found = scale(Uniform(low, high))
    values = [found.value(position) for position in np.linspace(*found.ends, 1001)]
    assert len(set(values)) == 1001 and min(values) >= low and max(values) <= high


def test_values_of_a_slider_are_short():
    assert scale(Uniform(-3.0, 0.0)).value(-2.9970000000000003) == -2.997


def test_a_value_is_shown_with_the_digits_of_the_slider():
    assert scale(Uniform(-3.0, 0.0)).text(-1.2232451912345) == "-1.22325"
    assert scale(Uniform(-3.0, 0.0)).text(-0.5) == "-0.5"
    assert scale(Uniform(0.0, 9e9)).text(1234567890.123) == "1234567890"
    assert scale(LogUniform(1e-3, 10.0)).text(0.00123456789) == "0.001234568"


def test_a_typed_number_is_read_exactly():
    assert scale(Uniform(0.0, 1.0)).read(" 0.123456789012 ") == 0.123456789012
    assert scale(Uniform(0.0, 1.0)).read("5e-1") == 0.5


@pytest.mark.parametrize(
    "text, message",
    [
        ("abc", r"a: 'abc' is not a number. Type a number, such as 0.5"),
        ("1,5", "without thousands separators"),
        ("1.5", r"a = 1.5 is outside its prior, 0 to 1"),
        ("inf", "outside its prior"),
        ("nan", "outside its prior"),
        ("", "outside its prior"),
        ("1e999", "larger than float64"),
    ],
)
def test_a_typed_text_that_is_no_value_is_refused(text, message):
    with pytest.raises(ConfigurationError, match=message):
        scale(Uniform(0.0, 1.0)).read(text)


def test_a_value_beyond_a_slider_that_is_no_end_of_the_prior_widens_it():
    found = scale(Normal(0.0, 1.0))
    assert found.read("7") == 7.0
    assert found.widened(7.0).high == 7.0 and found.widened(7.0).low == found.low
    assert found.widened(0.5) == found


def test_a_point_is_written_for_a_configuration():
    prior = line_prior(h=Fixed(0.7)).merged([Parameter("t", Uniform(0.0, 1.0), r"t_*", "Myr")])
    text = point_toml(prior, np.array([0.1, -1 / 3, 0.25]))
    tables = tomllib.loads(text)["parameters"]
    values = {"slope": 0.1, "offset": -1 / 3, "h": 0.7, "t": 0.25}
    assert {name: table["value"] for name, table in tables.items()} == values
    parameter = parameter_from("t", tables["t"], "here")
    assert parameter == Parameter("t", Fixed(0.25), r"t_*", "Myr")
