"""The optical depth that a predicted reionization history has in the cosmology at hand."""

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
    """``tau_e`` from ``x_hi`` and the cosmology, see :func:`astroemu_plugins.thomson.optical_depth`.

    A spectrum of the CMB that takes ``tau_e`` then follows the history, whoever provides that. The error
    that an emulator states for ``x_hi`` is not carried over.

    Parameters
    ----------
    z_min, z_max : float
        Range in which the history is read; the provider of ``x_hi`` must cover it. The gas is taken as
        ionised below and as neutral above.
    y_he : float
        Helium mass fraction.

    Raises
    ------
    ConfigurationError
        For a range or a fraction without meaning.
    """

    parameters = ("h", "omega_m", "omega_b")

    def __init__(self, z_min: float = 6.0, z_max: float = 30.0, y_he: float = 0.245) -> None:
        if not 3.0 <= z_min < z_max or not 0.0 <= y_he < 1.0:
            raise ConfigurationError(
                f"z_min = {z_min} must be at least 3 (where helium loses its second electron) and below "
                f"z_max = {z_max}, and y_he = {y_he} in [0, 1)"
            )
        self._z = np.linspace(z_min, z_max, int(np.ceil((z_max - z_min) / 0.1)) + 1)
        self._y_he = y_he
        remedy = "Set z_min and z_max to the range of what provides the history"
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
