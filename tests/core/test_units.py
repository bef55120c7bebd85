"""Units as text become units of astropy, including logarithms."""

from __future__ import annotations

import numpy as np
import pytest
from astropy import units as u
from astropy.cosmology.units import littleh
from helpers import POWER, UV_LF, Stub, StubProbe, uniform

import astroemu
from astroemu.core.requirement import Requirement
from astroemu.core.units import is_label, parse_unit, quantity
from astroemu.model.model import Model


@pytest.mark.parametrize(
    ("text", "unit"),
    [
        ("", u.dimensionless_unscaled),
        ("mK^2", u.mK**2),
        ("1/Mpc", u.Mpc**-1),
        ("keV", u.keV),
        ("log10(Mpc^-3 mag^-1)", u.dex(u.Mpc**-3 * u.mag**-1)),
        ("log10 Msun", u.dex(u.solMass)),
        ("log10 erg s^-1 Msun^-1 yr", u.dex(u.erg / u.s / u.solMass * u.yr)),
        ("Hubble time", u.dimensionless_unscaled),
    ],
)
def test_a_unit_is_read(text, unit):
    assert parse_unit(text) == unit


@pytest.mark.case(15)
@pytest.mark.parametrize(
    ("text", "unit"),
    [
        ("h^-1 Mpc", u.Mpc / littleh),
        ("Mpc/h", u.Mpc / littleh),
        ("h/Mpc", littleh / u.Mpc),
        ("Msun/h", u.solMass / littleh),
        ("h3 Mpc^-3", littleh**3 / u.Mpc**3),
        ("log10(h^-1 Msun)", u.dex(u.solMass / littleh)),
        ("km/hr", u.km / u.hour),
    ],
)
def test_h_is_little_h_and_never_the_hour(text, unit):
    assert parse_unit(text) == unit and not is_label(text)


@pytest.mark.case(16)
@pytest.mark.attack("units", "labels: comoving units, none, logarithms of labels, zero bytes, brackets without end")
@pytest.mark.parametrize(
    "text", ["cMpc", "none", "milliKelvinses", "log10 cMpc", "log10 mag", "(Mpc/h)^3", "1e400", "((("]
)
def test_what_astropy_does_not_know_is_a_label(text):
    found = quantity([1.0, 2.0], text)
    assert is_label(text) and str(found.unit) == text and found.unit == parse_unit(text)
    with pytest.raises(u.UnitConversionError):
        found.to(u.Mpc)


def test_style_is_no_reason_for_a_warning():
    assert parse_unit("km/s/Mpc") == u.km / u.s / u.Mpc


def test_a_logarithm_knows_what_it_is_the_logarithm_of():
    found = quantity([-3.0], "log10(Mpc^-3 mag^-1)")
    assert u.isclose(found.physical, 1e-3 / u.Mpc**3 / u.mag).all()


def test_a_model_predicts_quantities_on_request():
    stub = Stub(
        ("a",), {POWER: lambda t: np.full((len(t), POWER.size), 4.0), UV_LF: lambda t: np.zeros((len(t), UV_LF.size))}
    )
    at = {"z": np.array([7.0]), "k": np.array([0.1])}
    model = Model(uniform(a=(0, 1)), {"stub": stub}, {"p": StubProbe(Requirement("delta21_sq", at, "mK^2"))})
    found = model.predict(np.array([[0.5]]), units=True)
    assert found["delta21_sq"].to(u.K**2)[0, 0, 0] == 4e-6 * u.K**2
    assert found["log10_uv_lf"].physical[0, 0, 0] == 1 / u.Mpc**3 / u.mag
    assert isinstance(model.predict(np.array([[0.5]]))["delta21_sq"], np.ndarray)
    assert POWER.axes[1].quantity[0].to(1 / u.kpc).value == pytest.approx(POWER.axes[1].values[0] / 1000)


def test_every_unit_of_the_shipped_emulator_is_read():
    emulator = astroemu.load_emulator("acg")
    middle = np.array([[np.mean(emulator.bounds[name]) for name in emulator.parameters]])
    found = emulator.predict(middle, units=True)
    assert found["t_b"].to(u.K).unit == u.K and found["x_hi"].unit == u.dimensionless_unscaled
