"""Thomson optical depth of a predicted reionization history in the sampled cosmology."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from astroemu.core.array_namespace import Namespace
from astroemu.core.observable import Observable
from astroemu.core.provider import Evaluate, Prediction, Provider
from astroemu.core.requirement import Requirement
from astroemu.errors import ConfigurationError
from astroemu_plugins.thomson import optical_depth


class OpticalDepth(Provider):
    """Provider of ``tau_e``, computed from ``x_hi`` and the cosmology.

    The integral is :func:`astroemu_plugins.thomson.optical_depth`. A CMB spectrum that takes ``tau_e`` as input then
    follows the history, whichever component provides ``x_hi``. The stated emulator error of ``x_hi`` is not propagated
    to ``tau_e``.

    Parameters
    ----------
    z_min, z_max : float
        Redshift range of the history, which the provider of ``x_hi`` must cover. The gas is assumed to be ionised
        below ``z_min`` and neutral above ``z_max``.
    y_he : float
        Helium mass fraction.

    Raises
    ------
    ConfigurationError
        If ``z_min`` is below 3 or not below ``z_max``, or ``y_he`` is outside [0, 1).
    """

    parameters = ("h", "omega_m", "omega_b")

    def __init__(self, z_min: float = 6.0, z_max: float = 30.0, y_he: float = 0.245) -> None:
        if not 3.0 <= z_min < z_max or not 0.0 <= y_he < 1.0:
            raise ConfigurationError(
                f"z_min = {z_min} must be at least 3 (where helium is ionised twice) and below "
                f"z_max = {z_max}, and y_he = {y_he} in [0, 1)"
            )
        self._z = np.linspace(z_min, z_max, int(np.ceil((z_max - z_min) / 0.1)) + 1)
        self._y_he = y_he
        remedy = "Set z_min and z_max to the redshift range of the component that provides x_hi"
        self.requires = (Requirement("x_hi", {"z": self._z}, remedy=remedy),)

    @property
    def provides(self) -> Mapping[str, Observable]:
        return {"tau_e": Observable("tau_e", (), "", "Thomson optical depth of the history x_hi", r"\tau_e")}

    def evaluator(self, rows: Mapping[str, NDArray[np.intp]]) -> Evaluate:
        def evaluate(theta: Any, observables: Mapping[str, Prediction], xp: Namespace) -> dict[str, Prediction]:
            ionised = 1.0 - observables["x_hi"].value
            tau = optical_depth(theta[:, 0], theta[:, 1], theta[:, 2], self._z, ionised, xp, self._y_he)
            return {name: Prediction(tau[:, None]) for name in rows}

        return evaluate
