"""Emissivity of ionizing photons, from the galaxies that also make the UV luminosity functions."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from astroemu.core.array_namespace import Namespace
from astroemu.core.observable import Axis, Observable
from astroemu.core.provider import Evaluate, Prediction, Provider
from astroemu.core.requirement import Requirement
from astroemu.errors import ConfigurationError
from astroemu_plugins.cosmology import H100, MPC_CM, hydrogen_density, radiation_density

_STEP = 0.05
#: Unit of the emissivity, and its size in 1/s/Mpc^3.
UNIT, _SIZE = "1e50 / (Mpc3 s)", 1e50


class IonizingEmissivity(Provider):
    """Provider of ``n_ion_dot`` [1e50/s/Mpc^3]: ionizing photons that escape from galaxies, per comoving volume.

    A galaxy of Park et al. (2019) forms its stars within ``t_star`` Hubble times: its star formation rate is
    ``M_star H / t_star``, which also sets its UV luminosity. With the same rate, and the same photons per baryon and
    escape fraction in every halo, the emissivity is

        n_ion_dot = n_b (n_ion / A) H(z) / t_star

    ``n_ion`` are the ionizing photons per baryon that all halos have emitted. It is provided by ``park19``, as the
    number that counts for reionization; ``A`` is the ratio of that number to the escaping one. ``n_b`` is the comoving
    number density of baryons.

    Parameters
    ----------
    z_min, z_max : float
        Redshift range, which the provider of ``n_ion`` must cover.
    photon_efficiency : float
        ``A``, as the option of ``park19``.

    Raises
    ------
    ConfigurationError
        If the redshifts are not in order, or ``photon_efficiency`` is not in (0, 2].
    """

    parameters = ("h", "omega_m", "omega_b", "t_star")

    def __init__(self, z_min: float = 4.5, z_max: float = 8.0, photon_efficiency: float = 0.925) -> None:
        if not 0.0 <= z_min < z_max or not 0.0 < photon_efficiency <= 2.0:
            raise ConfigurationError(
                f"z_min = {z_min} must be at least 0 and below z_max = {z_max}, and "
                f"photon_efficiency = {photon_efficiency} in (0, 2]"
            )
        self._z = np.linspace(z_min, z_max, int(np.ceil((z_max - z_min) / _STEP - 1e-9)) + 1)
        self._efficiency = photon_efficiency
        remedy = "Set z_min and z_max to the redshift range of the component that provides n_ion"
        self.requires = (Requirement("n_ion", {"z": self._z}, rule={"z": "cubic"}, remedy=remedy),)

    @property
    def provides(self) -> Mapping[str, Observable]:
        axis, text = Axis("z", self._z), "Escaping ionizing photons per time and comoving volume"
        return {"n_ion_dot": Observable("n_ion_dot", (axis,), UNIT, text, r"\dot{n}_{\rm ion}")}

    @property
    def citation(self) -> str:
        return "Park et al. 2019, MNRAS 484, 933, arXiv:1809.08995"

    def evaluator(self, rows: Mapping[str, NDArray[np.intp]]) -> Evaluate:
        wanted = rows["n_ion_dot"]
        a = 1.0 + self._z[wanted]

        def evaluate(theta: Any, observables: Mapping[str, Prediction], xp: Namespace) -> dict[str, Prediction]:
            h, omega_m, omega_b, t_star = (theta[:, j : j + 1] for j in range(4))
            omega_r = radiation_density(h)
            hubble = h * H100 * xp.sqrt(omega_m * a**3 + omega_r * a**4 + (1.0 - omega_m - omega_r))
            baryons = hydrogen_density(h, omega_b, 0.0) * (MPC_CM**3 / _SIZE)
            factor = baryons * hubble / (t_star * self._efficiency)
            return {"n_ion_dot": scaled(observables["n_ion"], wanted, factor, xp)}

        return evaluate


def scaled(prediction: Prediction, wanted: NDArray[np.intp], factor: Any, xp: Namespace) -> Prediction:
    """Return some columns of a prediction times a factor ``(n, m)``, with its errors."""
    value = xp.take(prediction.value, wanted) * factor
    if prediction.error is None:
        return Prediction(value)
    error = xp.take(prediction.error, wanted) * factor
    if prediction.modes is None:
        return Prediction(value, error)
    r = prediction.modes.shape[1]
    modes = xp.reshape(prediction.modes, (-1, prediction.modes.shape[2]))
    return Prediction(value, error, xp.reshape(xp.take(modes, wanted), (-1, r, len(wanted))) * factor[:, None, :])
