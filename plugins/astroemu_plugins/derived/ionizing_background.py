"""Mean free path of ionizing photons, and the photo-ionization rate that follows from it and the emissivity."""

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
from astroemu_plugins.cosmology import MPC_CM
from astroemu_plugins.derived.ionizing_emissivity import UNIT, scaled

_STEP = 0.05
#: Cross-section of hydrogen at 912 Angstrom [cm^2], which falls as the frequency to the power of -3.
_SIGMA_912 = 6.3e-18
_INDEX = 3.0
_PIVOT = 7.0


class IonizingBackground(Provider):
    """Provider of ``lambda_mfp`` [proper Mpc] and ``gamma_hi`` [1e-12/s], from the emissivity ``n_ion_dot``.

    The mean free path at 912 Angstrom is a power law of two parameters:

        lambda_mfp = 10^log10_mfp_6 ((1 + z) / 7)^-mfp_slope

    A mean free path that is far below the horizon makes the background local: ``4 pi J = epsilon lambda``, with both in
    proper units. Sources of the spectrum ``epsilon ~ nu^-alpha_s`` and absorbers with the column densities
    ``f(N) ~ N^-beta``, whose mean free path grows as ``nu^(3 (beta - 1))``, then give (Becker & Bolton 2013,
    arXiv:1307.2259)

        gamma_hi = (1 + z)^3 n_ion_dot sigma_912 lambda_mfp alpha_s / (alpha_s + 3 (2 - beta))

    The relation is an average, without fluctuations of the background or islands of neutral gas.

    Parameters
    ----------
    z_min, z_max : float
        Redshift range, which ``n_ion_dot`` must cover.
    alpha_s : float
        Index of the spectrum of the sources.
    beta : float
        Index of the column densities of the absorbers.

    Raises
    ------
    ConfigurationError
        If the redshifts are not in order, or an index is out of its range.
    """

    parameters = ("log10_mfp_6", "mfp_slope")

    def __init__(self, z_min: float = 4.8, z_max: float = 6.2, alpha_s: float = 2.0, beta: float = 1.3) -> None:
        if not 0.0 <= z_min < z_max or not 0.0 < alpha_s <= 5.0 or not 1.0 <= beta < 2.0:
            raise ConfigurationError(
                f"z_min = {z_min} must be at least 0 and below z_max = {z_max}, alpha_s = {alpha_s} in (0, 5] and "
                f"beta = {beta} in [1, 2)"
            )
        self._z = np.linspace(z_min, z_max, int(np.ceil((z_max - z_min) / _STEP - 1e-9)) + 1)
        spectrum = alpha_s / (alpha_s + _INDEX * (2.0 - beta))
        #: Rate [1e-12/s] for an emissivity of 1e50/s/Mpc^3 and a mean free path of 1 Mpc.
        self._factor = (1.0 + self._z) ** 3 * (_SIGMA_912 * spectrum / MPC_CM**2 * 1e62)
        remedy = "Widen z_min and z_max of `ionizing_emissivity`, or narrow those of `ionizing_background`"
        self.requires = (Requirement("n_ion_dot", {"z": self._z}, UNIT, remedy=remedy),)

    @property
    def provides(self) -> Mapping[str, Observable]:
        axis = Axis("z", self._z)
        path = Observable("lambda_mfp", (axis,), "Mpc", "Mean free path at 912 Angstrom, proper", r"\lambda_{\rm mfp}")
        rate = Observable("gamma_hi", (axis,), "1e-12 / s", "Photo-ionization rate of hydrogen", r"\Gamma_{\rm HI}")
        return {"lambda_mfp": path, "gamma_hi": rate}

    @property
    def citation(self) -> str:
        return "Becker & Bolton 2013, MNRAS 436, 1023, arXiv:1307.2259"

    def evaluator(self, rows: Mapping[str, NDArray[np.intp]]) -> Evaluate:
        ln_a = np.log((1.0 + self._z) / _PIVOT)

        def evaluate(theta: Any, observables: Mapping[str, Prediction], xp: Namespace) -> dict[str, Prediction]:
            path = xp.exp(float(np.log(10.0)) * theta[:, 0:1] - theta[:, 1:2] * ln_a)
            found = {}
            if "lambda_mfp" in rows:
                found["lambda_mfp"] = Prediction(xp.take(path, rows["lambda_mfp"]))
            if "gamma_hi" in rows:
                wanted = rows["gamma_hi"]
                factor = xp.take(path, wanted) * self._factor[wanted]
                found["gamma_hi"] = scaled(observables["n_ion_dot"], wanted, factor, xp)
            return found

        return evaluate
