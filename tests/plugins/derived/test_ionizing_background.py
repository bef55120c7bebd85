"""Emissivity and ionizing background: by hand, and against the numbers that Gaikwad+23 derived."""

from __future__ import annotations

import numpy as np
import pytest
from astropy import constants, units
from helpers import Stub, StubProbe, uniform

from astroemu.core.array_namespace import NUMPY
from astroemu.core.catalog import load_catalog
from astroemu.core.observable import Axis, Observable
from astroemu.core.provider import Prediction
from astroemu.core.requirement import Requirement
from astroemu.errors import ConfigurationError
from astroemu.model.model import Model
from astroemu_plugins.derived.ionizing_background import IonizingBackground
from astroemu_plugins.derived.ionizing_emissivity import IonizingEmissivity
from astroemu_plugins.simulators.park19 import Park19

#: Mean free paths of Gaikwad+23 (arXiv:2304.02038, Table 3) in comoving Mpc/h, and the h of their simulations.
Z = np.linspace(4.9, 6.0, 12)
MFP = [50.119, 57.412, 46.452, 40.832, 34.041, 29.242, 28.907, 22.961, 16.596, 13.183, 10.471, 8.318]
H = 0.678


def test_the_emissivity_by_hand():
    """One photon per baryon in 0.5 Hubble times at z = 6, in cgs units of astropy."""
    provider = IonizingEmissivity(6.0, 7.0, photon_efficiency=1.0)
    wanted = np.array([0])
    n_ion = {"n_ion": Prediction(np.ones((1, 21)))}
    found = provider.evaluator({"n_ion_dot": wanted})(np.array([[0.7, 0.3, 0.05, 0.5]]), n_ion, NUMPY)["n_ion_dot"]
    h0 = 70.0 * units.km / units.s / units.Mpc
    critical = 3.0 * h0**2 / (8.0 * np.pi * constants.G)
    baryons = (0.05 * critical / constants.m_p).to(units.Mpc**-3)
    hubble = h0 * np.sqrt(0.3 * 7.0**3 + 0.7)
    expected = (baryons * hubble / 0.5).to(1e50 / units.s / units.Mpc**3).value
    assert found.value[0, 0] == pytest.approx(expected, rel=3e-3)  # radiation is in H(z) too
    assert found.error is None


def test_the_emissivity_is_that_of_the_luminosity_function():
    """In park19: escaping photons per stellar baryon times the star formation rate density, with f_esc = 1."""
    names = [p.name for p in Park19.parameters]
    values = {"log10_f_star10": -1.3, "alpha_star": 0.5, "log10_f_esc10": 0.0, "alpha_esc": 0.0, "log10_m_turn": 8.7}
    values |= {"t_star": 0.5, "clumping": 3.0, "h": 0.6774, "omega_m": 0.3075, "omega_b": 0.0486, "sigma_8": 0.82}
    theta = np.array([[{**values, "n_s": 0.97}[name] for name in names]])
    out, park = Park19().simulate(theta), Park19().provides
    z, m_uv = (axis.values for axis in park["log10_uv_lf"].axes)
    at = list(z).index(6.0)
    phi = 10.0 ** out["log10_uv_lf"][0, at]
    sfr = 1.15e-28 * 10 ** ((51.63 - m_uv) / 2.5)  # Msun / yr
    seen = np.trapezoid(phi * sfr, m_uv) * units.Msun / units.yr
    photons = (5000.0 * seen / constants.m_p).to(1 / units.s).value / 1e50
    provider = IonizingEmissivity(5.8, 6.2)
    given = {"n_ion": Prediction(out["n_ion"] @ provider.requires[0].matrix(park["n_ion"]).T)}
    cosmology = np.array([[0.6774, 0.3075, 0.0486, 0.5]])
    all_rows = {"n_ion_dot": np.arange(len(provider._z))}
    found = provider.evaluator(all_rows)(cosmology, given, NUMPY)["n_ion_dot"].value[0]
    total = np.interp(6.0, provider._z, found)
    assert 0.9 < photons / total < 1.0  # the table ends at M_UV = -10, where a few per cent of the stars are fainter


def test_the_relation_gives_the_rates_of_gaikwad_from_their_emissivities_and_mean_free_paths():
    rate, emissivity = (load_catalog(name).table() for name in ("photoionization_rate", "ionizing_emissivity"))
    expected = np.asarray(rate["gamma_hi"]) * 1e12
    found = []
    for i, z in enumerate(Z):
        provider = IonizingBackground(z, z + 0.05)
        path = MFP[i] / H / (1.0 + z)
        theta = np.array([[np.log10(path), 0.0]])
        given = {"n_ion_dot": Prediction(np.full((1, 2), emissivity["n_ion_dot"][i] / 1e50))}
        found.append(provider.evaluator({"gamma_hi": np.array([0])})(theta, given, NUMPY)["gamma_hi"].value[0, 0])
    ratio = np.array(found) / expected
    np.testing.assert_allclose(ratio[:-1], 1.0, atol=0.008)
    assert ratio[-1] == pytest.approx(1.0, abs=0.07)  # at z = 6.0


def test_the_mean_free_path_is_a_power_law():
    provider = IonizingBackground()
    z = provider.provides["lambda_mfp"].axes[0].values
    rows = {"lambda_mfp": np.arange(len(z))}
    found = provider.evaluator(rows)(np.array([[0.0, 10.0]]), {}, NUMPY)["lambda_mfp"].value[0]
    np.testing.assert_allclose(found, ((1 + z) / 7.0) ** -10.0)
    assert found[np.argmin(np.abs(z - 6.0))] == pytest.approx(1.0)


def test_errors_of_the_history_reach_the_rate():
    grid = np.linspace(4.0, 9.0, 51)
    photons = Observable("n_ion", (Axis("z", grid),))
    stub = Stub(("n",), {photons: lambda t: np.repeat(t, 51, 1)}, errors={"n_ion": lambda t: 0.1 * np.repeat(t, 51, 1)})
    fixed = {"h": 0.68, "omega_m": 0.31, "omega_b": 0.049, "t_star": 0.5, "log10_mfp_6": 0.0, "mfp_slope": 10.0}
    cosmology = Stub((), {Observable(k): lambda t, v=v: np.full(len(t), v) for k, v in fixed.items()})
    probe = StubProbe(Requirement("gamma_hi", {"z": np.array([5.0, 5.5])}, "1e-12 / s"))
    providers = {"s": stub, "c": cosmology, "e": IonizingEmissivity(), "b": IonizingBackground()}
    model = Model(uniform(n=(0.5, 2.0)), providers, {"p": probe})
    model.log_likelihood(np.array([[1.0], [2.0]]))
    np.testing.assert_allclose(probe.seen.error / probe.seen.value, 0.1, rtol=1e-6)
    np.testing.assert_allclose(probe.seen.value[1], 2.0 * probe.seen.value[0], rtol=1e-9)


@pytest.mark.parametrize(
    ("provider", "options"),
    [
        (IonizingEmissivity, {"z_min": 8.0, "z_max": 7.0}),
        (IonizingEmissivity, {"photon_efficiency": 0.0}),
        (IonizingBackground, {"z_min": 7.0}),
        (IonizingBackground, {"alpha_s": 0.0}),
        (IonizingBackground, {"beta": 2.0}),
    ],
)
def test_options_without_meaning_are_refused(provider, options):
    with pytest.raises(ConfigurationError, match=next(iter(options))):
        provider(**options)
