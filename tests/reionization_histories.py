"""A reionization history, and its optical depth by astropy: what ours is compared with."""

from __future__ import annotations

import numpy as np
from astropy import constants, units
from astropy.cosmology import FlatLambdaCDM as Astropy
from scipy.integrate import quad

Y_HE = 0.245


def tanh_history(z, middle=7.7, width=0.5):
    """The ionised fraction of CAMB's hydrogen transition."""
    y, dy = (1 + z) ** 1.5, 1.5 * np.sqrt(1 + middle) * width
    return 0.5 * (1 + np.tanh(((1 + middle) ** 1.5 - y) / dy))


def by_astropy(h, omega_m, omega_b, ionised):
    """tau = int c n_e sigma_T (1 + z)^2 / H dz, all from astropy: [H] with neutrinos, critical density, constants."""
    cosmology = Astropy(H0=100 * h, Om0=omega_m, Ob0=omega_b, Tcmb0=2.7255, Neff=3.046)
    hydrogen = ((1 - Y_HE) * omega_b * cosmology.critical_density0 / constants.m_p).to("1/cm3")
    helium = Y_HE / (4 * (1 - Y_HE))
    sigma = 6.6524587321e-25 * units.cm**2
    scale = (constants.c * hydrogen * sigma / cosmology.H0).to("").value

    def integrand(z):
        return (1 + z) ** 2 * cosmology.inv_efunc(z) * ionised(z) * (1 + helium * (2 if z < 3 else 1))

    return scale * (quad(integrand, 0, 3)[0] + quad(integrand, 3, 30, limit=200)[0])
