"""Midpoint and duration of a reionization history, and the power of the patchy kSZ effect that they make."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from astroemu.core.array_namespace import Namespace
from astroemu.core.observable import Observable
from astroemu.core.provider import Evaluate, Prediction, Provider
from astroemu.core.requirement import Requirement
from astroemu.errors import ConfigurationError

_AMPLITUDE, _OFFSET, _DURATION, _INDEX = 2.03, 0.12, 1.05, 0.51
#: Neutral fractions at the beginning, the middle and the end.
_LEVELS = (0.75, 0.5, 0.25)
_STEP = 0.1
#: Smallest duration, so that its power and the slope of it are finite.
_SHORTEST = 1e-6


class PatchyKsz(Provider):
    """Provider of ``z_50``, ``delta_z`` and ``d_pksz`` [uK^2] from the history ``x_hi``.

    ``z_q`` is the redshift at which q per cent of the volume are ionized, and ``delta_z = z_25 - z_75``. The history is
    linear between the redshifts of a grid. The power at l = 3000 is the fit to the simulations of Battaglia et al.
    (2013, ApJ 776, 83, arXiv:1211.2832) in the form of Reichardt et al. (2021, arXiv:2002.06197, equation 6):

        d_pksz = 2.03 [(1 + z_50) / 11 - 0.12] (delta_z / 1.05)^0.51

    These simulations have powers of 0.6 to 2.8 uK^2.

    Parameters
    ----------
    z_min, z_max : float
        Range of redshifts of the history, which the provider of ``x_hi`` must cover. Half a step of its grid may be
        missing.
    unfinished : {"hold", "exclude"}
        What happens to a history that is less than 75 % ionized at ``z_min``, or more than 25 % at ``z_max``. Its
        duration ends at the grid, which makes the power too small. Or it is undefined, and has the likelihood zero.

    Raises
    ------
    ConfigurationError
        If the redshifts are not in order.
    """

    parameters = ()

    def __init__(
        self, z_min: float = 5.9, z_max: float = 20.0, unfinished: Literal["hold", "exclude"] = "hold"
    ) -> None:
        if not 0.0 <= z_min < z_max:
            raise ConfigurationError(f"z_min = {z_min} must be at least 0 and below z_max = {z_max}")
        self._z = np.linspace(z_min, z_max, int(np.ceil((z_max - z_min) / _STEP - 1e-9)) + 1)
        self._exclude = unfinished == "exclude"
        remedy = "Set z_min and z_max to the redshift range of the component that provides x_hi"
        self.requires = (Requirement("x_hi", {"z": self._z}, outside={"z": "half_step"}, remedy=remedy),)

    @property
    def provides(self) -> Mapping[str, Observable]:
        made = (
            Observable("z_50", (), "", "Redshift at which half of the volume is ionized", "z_{50}"),
            Observable("delta_z", (), "", "Duration of reionization, from 25 to 75 % ionized", r"\Delta z"),
            Observable("d_pksz", (), "uK2", "Patchy kSZ power D_ell at l = 3000", r"D_{3000}^{\rm pkSZ}"),
        )
        return {observable.name: observable for observable in made}

    @property
    def citation(self) -> str:
        return "Battaglia et al. 2013, ApJ 776, 83, arXiv:1211.2832"

    def evaluator(self, rows: Mapping[str, NDArray[np.intp]]) -> Evaluate:
        def evaluate(theta: Any, observables: Mapping[str, Prediction], xp: Namespace) -> dict[str, Prediction]:  # noqa: ARG001
            history = observables["x_hi"]
            values = self._numbers(history.value, xp)
            if self._exclude:
                first, last = history.value[:, 0:1], history.value[:, -1:]
                defined = (first < _LEVELS[-1]) & (last > _LEVELS[0])
                values = {name: xp.where(defined, value, np.nan) for name, value in values.items()}
            errors = self._errors(history, values, xp)
            return {name: Prediction(values[name], errors.get(name)) for name in rows}

        return evaluate

    def _numbers(self, x_hi: Any, xp: Namespace) -> dict[str, Any]:
        """Return the observables ``(n, 1)`` of histories ``(n, z)``."""
        begin, middle, end = (self._redshift(x_hi, level, xp)[:, None] for level in _LEVELS)
        duration = xp.maximum(begin - end, _SHORTEST)
        power = _AMPLITUDE * ((1.0 + middle) / 11.0 - _OFFSET) * (duration / _DURATION) ** _INDEX
        return {"z_50": middle, "delta_z": duration, "d_pksz": power}

    def _redshift(self, x_hi: Any, level: float, xp: Namespace) -> Any:
        """Return the redshift ``(n,)`` up to which a history ``(n, z)`` is below a neutral fraction.

        Each step of the grid counts with the part of it that is below, on the line between its ends. If the history
        rises and falls, the parts below are added up.
        """
        left, right = x_hi[:, :-1], x_hi[:, 1:]
        low, high = xp.minimum(left, right), xp.maximum(left, right)
        rises = high > low
        part = xp.minimum(xp.maximum((level - low) / xp.where(rises, high - low, 1.0), 0.0), 1.0)
        part = xp.where(rises, part, xp.where(low < level, 1.0, 0.0))
        below = self._z[0] + xp.sum(part * np.diff(self._z), axis=-1)
        # A history of NaN is below no level; its redshift is NaN, not z_min.
        return below + 0.0 * xp.sum(x_hi, axis=-1)

    def _errors(self, history: Prediction, values: Mapping[str, Any], xp: Namespace) -> dict[str, Any]:
        """Return the errors ``(n, 1)`` that follow from those of the history: the larger change of the two signs.

        An error that the redshifts do not share is taken as one that they share, which can only widen the result.
        """
        if history.error is None:
            return {}
        modes, rest = history.shared_modes(), history.independent_variance(xp)
        shifts = [modes[:, r, :] for r in range(modes.shape[1])] + ([] if rest is None else [xp.sqrt(rest)])
        variance: dict[str, Any] = dict.fromkeys(values, 0.0)
        for shift in shifts:
            below, above = (self._numbers(history.value + sign * shift, xp) for sign in (-1.0, 1.0))
            for name, value in values.items():
                change = xp.maximum(xp.abs(below[name] - value), xp.abs(above[name] - value))
                variance[name] = variance[name] + change**2
        return {name: xp.sqrt(each) for name, each in variance.items()}
