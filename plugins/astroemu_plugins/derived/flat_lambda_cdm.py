"""Density parameters from physical densities, in a flat LambdaCDM cosmology."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from astroemu.core.array_namespace import Namespace
from astroemu.core.observable import Observable
from astroemu.core.provider import Evaluate, Prediction, Provider
from astroemu.errors import ConfigurationError

_EV_PER_DENSITY = 93.14  # sum of the neutrino masses [eV] over Omega_nu h^2, at N_eff = 3.044


class FlatLambdaCDM(Provider):
    """Provider of ``omega_m`` and ``omega_b``, computed from ``omega_b_h2``, ``omega_c_h2`` and ``h``.

    Parameters
    ----------
    m_nu : float
        Sum of the neutrino masses [eV]. Massive neutrinos count as matter.

    Raises
    ------
    ConfigurationError
        If ``m_nu`` is negative.
    """

    parameters = ("omega_b_h2", "omega_c_h2", "h")

    def __init__(self, m_nu: float = 0.06) -> None:
        if m_nu < 0:
            raise ConfigurationError(f"m_nu = {m_nu} eV must not be negative")
        self._neutrinos = m_nu / _EV_PER_DENSITY

    @property
    def provides(self) -> Mapping[str, Observable]:
        return {
            "omega_m": Observable("omega_m", (), "", "Matter over the critical density", r"\Omega_{\rm m}"),
            "omega_b": Observable("omega_b", (), "", "Baryons over the critical density", r"\Omega_{\rm b}"),
        }

    def evaluator(self, rows: Mapping[str, NDArray[np.intp]]) -> Evaluate:
        def evaluate(theta: Any, observables: Mapping[str, Prediction], xp: Namespace) -> dict[str, Prediction]:  # noqa: ARG001
            baryons, cold, h = theta[:, 0:1], theta[:, 1:2], theta[:, 2:3]
            found = {"omega_m": (baryons + cold + self._neutrinos) / h**2, "omega_b": baryons / h**2}
            return {name: Prediction(found[name]) for name in rows}

        return evaluate
