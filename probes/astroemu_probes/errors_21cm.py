"""Errors of a model of the 21-cm power spectrum: the simulator's, a fraction of the model, and the emulator's."""

from __future__ import annotations

from typing import Any

from astroemu.core.array_namespace import Namespace
from astroemu.core.common_errors import principal_mode
from astroemu.core.provider import Prediction
from astroemu.core.typing import FloatArray


def common_modes(model: Prediction, fraction: float, xp: Namespace) -> tuple[Any, Any]:
    """Return the common modes ``(n, r, data)`` of simulator and emulator, and the rest as a variance or None.

    Parameters
    ----------
    model : Prediction
    fraction : float
        Error of the simulator as a fraction of the model.
    xp : namespace
    """
    modelling = (fraction * model.value)[:, None, :]
    if model.error is None:
        return modelling, None
    return xp.concatenate([modelling, model.shared_modes()], axis=1), model.independent_variance(xp)


def strongest_mode(model: Prediction, fraction: float, sigma: FloatArray, xp: Namespace) -> tuple[Any, Any]:
    """Return the strongest common mode ``(n, data)``, and the variance of all other errors or None.

    Modes are compared in units of the errors ``sigma (data,)`` of the data.
    """
    modes, rest = common_modes(model, fraction, xp)
    mode, more = principal_mode(modes, sigma, xp)
    return mode, more if rest is None else rest if more is None else rest + more


def total_variance(model: Prediction, fraction: float) -> Any:
    """Return the variance ``(n, data)`` of simulator and emulator together."""
    extra = (fraction * model.value) ** 2
    return extra if model.error is None else extra + model.error**2
