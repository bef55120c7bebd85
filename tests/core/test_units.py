"""Units as text become units of astropy, including logarithms."""

from __future__ import annotations

import numpy as np
import pytest
from astropy import units as u
from helpers import POWER, UV_LF, Stub, StubProbe, uniform

import astroemu
from astroemu.core.requirement import Requirement
from astroemu.core.units import parse_unit, quantity
from astroemu.errors import ConfigurationError
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


def test_what_is_no_unit_is_refused():
    with pytest.raises(ConfigurationError, match="'milliKelvinses' is not a unit that astropy knows"):
        parse_unit("milliKelvinses")


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
