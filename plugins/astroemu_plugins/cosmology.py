"""Flat LambdaCDM for structure formation: expansion, growth and the variance of the matter field.

One object holds a batch of cosmologies, and every method returns the batch axis first. The formulae are those of
21cmFAST, so quantities built on them can be compared with 21cmFAST number by number:

* the transfer function without wiggles of Eisenstein & Hu (1999, ApJ 511, 5; equations 14 to 31);
* the growth factor of Carroll, Press & Turner (1992, ARA&A 30, 499; equation 29);
* a top-hat filter.

The filter depends on k and R only through the product kR. With fixed grids of both it is a constant matrix, and the
variances of all cosmologies are one matrix product.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Any

import numpy as np

from astroemu.core.typing import FloatArray

#: ln of the radii [Mpc] of the top-hat filter: 10^5.7 to 10^17.4 solar masses at Omega_m h^2 = 0.14.
LN_RADIUS = np.linspace(np.log(0.0145), np.log(115.0), 256)
_LN_K = np.linspace(np.log(1e-4), np.log(3e3), 700)
_K = np.exp(_LN_K)

C_CM = 2.99792458e10  # cm / s
MPC_CM = 3.0856775814913673e24
M_SUN_G = 1.98840987e33
YEAR_S = 3.15576e7
SIGMA_T = 6.6524587321e-25  # cm^2
_G = 6.6743e-8  # cgs
_M_P = 1.67262192e-24  # g
H100 = 1e7 / MPC_CM  # 100 km/s/Mpc in 1/s


def radiation_density(h: Any, t_cmb: float = 2.7255) -> Any:
    """Return the density of photons and three massless neutrinos over the critical density.

    Parameters
    ----------
    h : array
        Hubble constant over 100 km/s/Mpc, of any shape.
    t_cmb : float
        CMB temperature [K].

    Returns
    -------
    array
        Of the shape of ``h``.
    """
    return 4.18343e-5 * (t_cmb / 2.7255) ** 4 / h**2


def hydrogen_density(h: Any, omega_b: Any, y_he: float) -> Any:
    """Return the comoving number density of hydrogen nuclei [1/cm^3].

    Parameters
    ----------
    h, omega_b : array
        Hubble constant over 100 km/s/Mpc and baryons over the critical density; any arrays of the same shape.
    y_he : float
        Helium mass fraction.

    Returns
    -------
    array
        Of the shape of ``h``.
    """
    return omega_b * _critical(h) * (1.0 - y_he) / _M_P


def _critical(h: Any) -> Any:
    """Return the critical density today [g/cm^3]."""
    return 3.0 * (h * H100) ** 2 / (8.0 * np.pi * _G)


@dataclass(frozen=True, eq=False)
class Cosmology:
    """A batch of ``n`` flat cosmologies.

    Attributes
    ----------
    h, omega_m, omega_b, sigma_8, n_s : (n,) array
        Hubble constant over 100 km/s/Mpc; total matter and baryons over the critical density; rms of the linear
        matter field in spheres of 8 Mpc/h; primordial spectral index.
    y_he : float
        Helium mass fraction.
    t_cmb : float
        CMB temperature [K].
    """

    h: FloatArray
    omega_m: FloatArray
    omega_b: FloatArray
    sigma_8: FloatArray
    n_s: FloatArray
    y_he: float = 0.245
    t_cmb: float = 2.7255

    @cached_property
    def omega_r(self) -> FloatArray:
        """Photons and three massless neutrinos over the critical density: ``(n,)``."""
        return np.asarray(radiation_density(self.h, self.t_cmb))

    @cached_property
    def omega_l(self) -> FloatArray:
        """Cosmological constant over the critical density: ``(n,)``."""
        return 1.0 - self.omega_m - self.omega_r

    def hubble(self, z: FloatArray) -> FloatArray:
        """Return the expansion rate ``(n, m)`` [1/s] at redshifts ``(m,)``."""
        a = 1.0 + np.asarray(z)
        e2 = self.omega_m[:, None] * a**3 + self.omega_r[:, None] * a**4 + self.omega_l[:, None]
        return self.h[:, None] * H100 * np.sqrt(e2)

    def growth(self, z: FloatArray) -> FloatArray:
        """Return the linear growth factor ``(n, m)`` at redshifts ``(m,)``; it is one today."""
        a = 1.0 + np.asarray(z)
        matter = self.omega_m[:, None] * a**3
        at_z = matter / (self.omega_l[:, None] + matter + self.omega_r[:, None] * a**4)
        return _carroll(at_z) / (_carroll(self.omega_m[:, None]) * a)

    @cached_property
    def matter_density(self) -> FloatArray:
        """Comoving matter density [Msun/Mpc^3]: ``(n,)``."""
        return np.asarray(self.omega_m * _critical(self.h) * MPC_CM**3 / M_SUN_G)

    @cached_property
    def hydrogen_density(self) -> FloatArray:
        """Comoving number density of hydrogen nuclei [1/cm^3]: ``(n,)``."""
        return np.asarray(hydrogen_density(self.h, self.omega_b, self.y_he))

    @cached_property
    def helium_to_hydrogen(self) -> float:
        """Number of helium nuclei per hydrogen nucleus."""
        return self.y_he / (4.0 * (1.0 - self.y_he))

    @cached_property
    def ln_mass(self) -> FloatArray:
        """Natural logarithm of the mass [Msun] within each radius of :data:`LN_RADIUS`: ``(n, R)``."""
        return np.log(4.0 / 3.0 * np.pi * self.matter_density)[:, None] + 3.0 * LN_RADIUS

    @cached_property
    def sigma(self) -> tuple[FloatArray, FloatArray]:
        """Rms of the linear matter field today within each radius, and |d ln sigma / d ln M|: ``(n, R)`` each."""
        power = _K ** (3.0 + self.n_s[:, None]) * self._transfer() ** 2  # times dk/k
        at_8 = np.sum(power * _top_hat(_K * (8.0 / self.h[:, None])) ** 2, axis=1)
        power *= (self.sigma_8**2 / at_8)[:, None]
        square, slope = _filters()
        variance = power @ square
        return np.sqrt(variance), -(power @ slope) / (6.0 * variance)

    def _transfer(self) -> FloatArray:
        """Return the matter transfer function ``(n, k)`` without wiggles and without massive neutrinos."""
        om, ob = (self.omega_m * self.h**2)[:, None], (self.omega_b * self.h**2)[:, None]
        theta, f_b = self.t_cmb / 2.7, ob / om
        z_eq = 2.5e4 * om * theta**-4 - 1.0
        k_eq = 0.0746 * om * theta**-2
        b1 = 0.313 * om**-0.419 * (1.0 + 0.607 * om**0.674)
        z_d = 1291.0 * om**0.251 / (1.0 + 0.659 * om**0.828) * (1.0 + b1 * ob ** (0.238 * om**0.223))
        y_d = (1.0 + z_eq) / (1.0 + z_d)
        r_d, r_eq = (31.5 * ob * theta**-4 * 1000.0 / (1.0 + z) for z in (z_d, z_eq))
        sound = (2.0 / (3.0 * k_eq)) * np.sqrt(6.0 / r_eq)
        sound *= np.log((np.sqrt(1.0 + r_d) + np.sqrt(r_d + r_eq)) / (1.0 + np.sqrt(r_eq)))
        p_c = 0.25 * (np.sqrt(1.0 + 24.0 * (1.0 - f_b)) - 5.0)  # minus the p_c of the paper, whose p_cb is zero here
        alpha = (1.0 - f_b) * (2.0 * p_c + 5.0) / 5.0 * (1.0 - 0.553 * f_b + 0.126 * f_b**3)
        alpha *= (1.0 + y_d) ** p_c * (1.0 - 0.5 * p_c * (1.0 + 1.0 / (7.0 * (3.0 + 4.0 * p_c))) / (1.0 + y_d))
        beta = 1.0 / (1.0 - 0.949 * f_b)
        q = _K * theta**2 / om
        q = q / (np.sqrt(alpha) + (1.0 - np.sqrt(alpha)) / (1.0 + (0.43 * _K * sound) ** 4))
        log = np.log(np.e + 1.84 * beta * np.sqrt(alpha) * q)
        return np.asarray(log / (log + q**2 * (14.4 + 325.0 / (1.0 + 60.5 * q**1.11))))


def _carroll(omega: FloatArray) -> FloatArray:
    """Return the growth suppression g of Carroll, Press & Turner (1992, equation 29), of the shape of ``omega``."""
    return np.asarray(2.5 * omega / (1.0 / 70.0 + omega * (209.0 - omega) / 140.0 + omega ** (4.0 / 7.0)))


def _top_hat(x: FloatArray) -> FloatArray:
    """Return the Fourier transform of a spherical top-hat at ``x = k R``, of the shape of ``x``."""
    small = x < 1e-2
    safe = np.where(small, 1.0, x)
    return np.where(small, 1.0 - x * x / 10.0, 3.0 * (np.sin(safe) - safe * np.cos(safe)) / safe**3)


@lru_cache(maxsize=1)
def _filters() -> tuple[FloatArray, FloatArray]:
    """Return W^2 and d W^2 / d ln R of the top-hat filter: ``(k, R)`` each."""
    x = _K[:, None] * np.exp(LN_RADIUS)
    w = _top_hat(x)
    small = x < 1e-2
    safe = np.where(small, 1.0, x)
    slope = np.where(small, -x * x / 5.0, 3.0 * np.sin(safe) / safe - 3.0 * w)
    return w * w, 2.0 * w * slope
