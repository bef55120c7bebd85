"""Structure formation: against astropy, direct quadrature and limits that are known."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.integrate import quad

from astroemu_plugins.cosmology import C_CM, LN_RADIUS, MPC_CM, SIGMA_T, Cosmology

PLANCK = {"h": 0.6774, "omega_m": 0.3075, "omega_b": 0.0486, "sigma_8": 0.82, "n_s": 0.97}
OTHER = {"h": 0.75, "omega_m": 0.25, "omega_b": 0.04, "sigma_8": 0.9, "n_s": 1.0}
BOTH = Cosmology(**{key: np.array([PLANCK[key], OTHER[key]]) for key in PLANCK})
Z = np.array([0.0, 3.0, 6.0, 10.0, 30.0])


@pytest.mark.parametrize(("row", "values"), [(0, PLANCK), (1, OTHER)])
def test_expansion_and_densities_are_those_of_astropy(row, values):
    from astropy.cosmology import FlatLambdaCDM

    same = FlatLambdaCDM(H0=100 * values["h"], Om0=values["omega_m"], Ob0=values["omega_b"], Tcmb0=2.7255, Neff=3.0459)
    np.testing.assert_allclose(BOTH.hubble(Z)[row], same.H(Z).to_value("1/s"), rtol=1e-4)
    density = same.critical_density0.to_value("Msun / Mpc3") * values["omega_m"]
    assert BOTH.matter_density[row] == pytest.approx(density, rel=1e-4)


def test_growth_is_that_of_the_exact_integral():
    """D = 5/2 Omega_m E int dz (1 + z) / E^3, without radiation; the fit is good to 1 %."""
    for row, values in enumerate((PLANCK, OTHER)):
        om = values["omega_m"]

        def e(z, om=om):
            return np.sqrt(om * (1 + z) ** 3 + 1 - om)

        exact = [e(z) * quad(lambda x, e=e: (1 + x) / e(x) ** 3, z, np.inf)[0] for z in Z]
        np.testing.assert_allclose(BOTH.growth(Z)[row], np.array(exact) / exact[0], rtol=0.015)


def test_sigma_in_eight_megaparsecs_is_what_it_is_normalised_to():
    for row, values in enumerate((PLANCK, OTHER)):
        found = np.interp(np.log(8 / values["h"]), LN_RADIUS, BOTH.sigma[0][row])
        assert found == pytest.approx(values["sigma_8"], rel=1e-3)


def test_the_slope_is_the_derivative_of_sigma():
    sigma, slope = BOTH.sigma
    expected = -np.gradient(np.log(sigma), axis=1) / np.gradient(BOTH.ln_mass, axis=1)
    np.testing.assert_allclose(slope[:, 1:-1], expected[:, 1:-1], rtol=2e-3)


def test_the_transfer_function_is_one_on_large_scales_and_falls():
    transfer = BOTH._transfer()
    np.testing.assert_allclose(transfer[:, 0], 1.0, rtol=2e-3)
    assert np.all(np.diff(transfer, axis=1) < 0)


def test_the_transfer_function_is_that_of_the_paper_at_one_scale():
    """Equations 14 to 31 of Eisenstein & Hu (1999), written out again for f_nu = 0 at k = 1 / Mpc."""
    om, ob, theta, k = 0.3075 * 0.6774**2, 0.0486 * 0.6774**2, 2.7255 / 2.7, 1.0
    f_b, f_c = ob / om, 1 - ob / om
    z_eq, k_eq = 2.5e4 * om / theta**4 - 1, 7.46e-2 * om / theta**2
    b_1 = 0.313 * om**-0.419 * (1 + 0.607 * om**0.674)
    z_d = 1291 * om**0.251 / (1 + 0.659 * om**0.828) * (1 + b_1 * ob ** (0.238 * om**0.223))
    y_d, r_d, r_eq = (1 + z_eq) / (1 + z_d), 31.5e3 * ob / theta**4 / (1 + z_d), 31.5e3 * ob / theta**4 / (1 + z_eq)
    s = 2 / (3 * k_eq) * np.sqrt(6 / r_eq) * np.log((np.sqrt(1 + r_d) + np.sqrt(r_d + r_eq)) / (1 + np.sqrt(r_eq)))
    p_c, p_cb = (5 - np.sqrt(1 + 24 * f_c)) / 4, 0.0
    alpha = f_c * (5 - 2 * (p_c + p_cb)) / (5 - 4 * p_cb) * (1 - 0.553 * f_b + 0.126 * f_b**3)
    alpha *= (1 + y_d) ** (p_cb - p_c) * (1 + (p_c - p_cb) / 2 * (1 + 1 / ((3 - 4 * p_c) * (7 - 4 * p_cb))) / (1 + y_d))
    gamma = np.sqrt(alpha) + (1 - np.sqrt(alpha)) / (1 + (0.43 * k * s) ** 4)
    q = k * theta**2 / om / gamma
    log = np.log(np.e + 1.84 / (1 - 0.949 * f_b) * np.sqrt(alpha) * q)
    expected = log / (log + q**2 * (14.4 + 325 / (1 + 60.5 * q**1.11)))
    from astroemu_plugins.cosmology import _LN_K

    found = np.exp(np.interp(0.0, _LN_K, np.log(BOTH._transfer()[0])))
    assert found == pytest.approx(expected, rel=1e-4)


def test_one_gigaparsec_of_ionised_gas_scatters_as_it_should():
    """n_H of the Planck cosmology is 1.88e-7 / cm^3."""
    assert BOTH.hydrogen_density[0] == pytest.approx(1.89e-7, rel=0.01)
    assert BOTH.hydrogen_density[0] * SIGMA_T * 1e3 * MPC_CM == pytest.approx(3.88e-4, rel=0.01)
    assert C_CM == 2.99792458e10
