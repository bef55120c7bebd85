"""Parameters: labels, fixed values, and their tables in a configuration."""

from __future__ import annotations

import pytest

from astroemu.core.distributions import Fixed, LogUniform, Normal, TruncatedNormal, Uniform
from astroemu.core.parameter import Parameter, parameter_from
from astroemu.errors import ConfigurationError

WHERE = "fit.toml, [parameters.a]"


@pytest.mark.parametrize(
    ("latex", "unit", "label"),
    [
        ("", "", "x"),
        (r"\alpha_*", "", r"$\alpha_*$"),
        ("", "keV", "x [keV]"),
        ("E_0", "keV", "$E_0$ [keV]"),
        ("M", "log10 Msun", r"$M$ [$M_\odot$]"),
        ("L", "log10 erg s^-1 keV^-1 Msun^-1 yr", r"$L$ [erg s$^{-1}$ keV$^{-1}$ $M_\odot$$^{-1}$ yr]"),
    ],
)
def test_an_axis_label_is_the_symbol_and_the_unit(latex, unit, label):
    assert Parameter("x", Uniform(0, 1), latex, unit).label == label


@pytest.mark.parametrize(
    ("prior", "fixed"),
    [
        (Uniform(2, 6), False),
        (Fixed(0.3), True),
        (LogUniform(1e-2, 1e2), False),
        (Normal(-1, 2), False),
        (TruncatedNormal(0, 1, -1, 1), False),
    ],
)
def test_only_a_fixed_prior_makes_a_fixed_parameter(prior, fixed):
    assert Parameter("a", prior).is_fixed is fixed


def test_a_parameter_is_read_from_its_table():
    spec = {"distribution": "uniform", "low": 0, "high": 2, "latex": r"\alpha", "unit": "keV"}
    assert parameter_from("a", spec, WHERE) == Parameter("a", Uniform(0.0, 2.0), r"\alpha", "keV")
    assert parameter_from("a", {"distribution": "fixed", "value": 1}, WHERE) == Parameter("a", Fixed(1.0))
    assert spec["latex"] == r"\alpha", "the table of the caller is left as it was"


@pytest.mark.parametrize(
    ("name", "more", "message"),
    [
        ("alpha x", {}, "'alpha x' is not an identifier; use letters, digits and underscores"),
        ("a", {"latex": 3}, "latex = 3 must be text"),
        ("a", {"unit": ["keV"]}, r"unit = \['keV'\] must be text"),
        ("a", {"low": 2}, "low = 2.0 must be finite and below high = 1.0"),
        ("a", {"lwo": 2}, "unknown key 'lwo'.*Did you mean 'low'"),
    ],
)
def test_a_wrong_table_is_refused_with_its_place(name, more, message):
    with pytest.raises(ConfigurationError, match=rf"^fit\.toml, \[parameters\.a\]: .*{message}"):
        parameter_from(name, {"distribution": "uniform", "low": 0, "high": 1, **more}, WHERE)
