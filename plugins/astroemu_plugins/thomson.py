"""The Thomson optical depth of a reionization history."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from astroemu.core.array_namespace import Namespace
from astroemu_plugins.cosmology import C_CM, H100, SIGMA_T, hydrogen_density, radiation_density

_HELIUM_TWICE = 3.0  # redshift below which helium has lost both electrons


def optical_depth(
    h: Any,
    omega_m: Any,
    omega_b: Any,
    z: NDArray[np.float64],
    ionised: Any,
    xp: Namespace,
    y_he: float = 0.245,
) -> Any:
    """Return the Thomson optical depth of a batch of reionization histories.

    ``tau = int c n_e sigma_T (1 + z)^2 / H dz`` (Y. Qin 2023, lecture; Park et al. 2019, section 2). Helium is ionised
    once where hydrogen is ionised, and twice below z = 3. The gas is assumed to be ionised below ``z[0]`` and neutral
    above ``z[-1]``.

    Parameters
    ----------
    h, omega_m, omega_b : (n,) array
        Hubble constant over 100 km/s/Mpc; matter and baryons over the critical density. The universe is flat: photons,
        three massless neutrinos and a cosmological constant make up the rest.
    z : (m,) array
        Increasing redshifts of the history.
    ionised : (n, m) array
        Ionised fraction of hydrogen by volume.
    xp : namespace
        Array functions of NumPy or of a compiled engine.
    y_he : float
        Helium mass fraction.

    Returns
    -------
    (n,) array
        Optical depth (dimensionless).
    """
    helium = y_he / (4.0 * (1.0 - y_he))
    late, early = np.linspace(0.0, _HELIUM_TWICE, 31), np.linspace(_HELIUM_TWICE, z[0], 41)
    nodes = np.concatenate([late, early, z])
    weights = np.concatenate(
        [_trapezoid(late) * (1.0 + 2.0 * helium), _trapezoid(early) * (1.0 + helium), _trapezoid(z) * (1.0 + helium)]
    )
    h, omega_m, omega_b = h[:, None], omega_m[:, None], omega_b[:, None]
    omega_r = radiation_density(h)
    a = 1.0 + nodes
    rate = h * H100 * xp.sqrt(omega_m * a**3 + omega_r * a**4 + (1.0 - omega_m - omega_r))
    free = xp.concatenate([xp.ones_like(rate[:, : len(nodes) - len(z)]), ionised], axis=1)
    density = hydrogen_density(h, omega_b, y_he)[:, 0]
    return C_CM * SIGMA_T * density * xp.sum(free * (weights * a**2) / rate, axis=1)


def _trapezoid(x: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the weights ``(m,)`` of the trapezoidal rule at nodes ``(m,)``."""
    step = np.diff(x)
    return 0.5 * (np.append(step, 0.0) + np.append(0.0, step))
