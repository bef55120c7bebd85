"""Predictions for a probe without any model of the sky.

The kit knows nothing of a probe but what it declares. It looks for the constant value of each
requirement at which the likelihood is highest, and works around it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from astroemu.core.array_namespace import NUMPY, Namespace
from astroemu.core.observable import Axis, Observable
from astroemu.core.probe import Probe
from astroemu.core.provider import Evaluate, Prediction, Provider
from astroemu.core.requirement import Requirement
from astroemu.core.typing import FloatArray
from astroemu.testing.findings import Skipped

#: Constants among which the fiducial values are looked for.
_MAGNITUDES = 10.0 ** np.arange(-10, 10.1, 0.125)
_CONSTANTS = np.concatenate([-_MAGNITUDES[::-1], [0.0], _MAGNITUDES])
#: Fewest nodes of an axis that every interpolation rule accepts, and most points of a grid.
_NODES = 6
_MOST = 2_000_000


def likelihood(
    probe: Probe,
    values: Mapping[str, FloatArray],
    nuisance: Mapping[str, FloatArray],
    errors: Mapping[str, FloatArray] | None = None,
) -> FloatArray:
    """Log-likelihood ``(n,)`` of values ``(n, size)`` by requirement, called as the engine calls it."""
    predictions = {key: Prediction(value, (errors or {}).get(key)) for key, value in values.items()}
    with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
        return np.asarray(probe.log_likelihood(predictions, nuisance, NUMPY), dtype=float)


def nuisance_at(probe: Probe, u: FloatArray) -> dict[str, FloatArray]:
    """The probe's nuisance parameters at points of the unit cube ``(n, parameters)``."""
    return {p.name: np.asarray(p.prior.transform(u[:, j])) for j, p in enumerate(probe.parameters)}


def middle(probe: Probe, n: int) -> dict[str, FloatArray]:
    """The nuisance parameters ``n`` times at the medians of their priors."""
    return nuisance_at(probe, np.full((n, len(probe.parameters)), 0.5))


def fiducial(probe: Probe) -> dict[str, FloatArray]:
    """The constants of highest likelihood: values ``(size,)`` by requirement."""
    found = {key: np.zeros(requirement.size) for key, requirement in probe.requires.items()}
    if found and not np.isfinite(_at_constants(probe, found)):
        # None of them alone leads out of where the likelihood is zero.
        every = [{key: np.full_like(value, constant) for key, value in found.items()} for constant in _CONSTANTS]
        found = max(every, key=lambda values: np.nan_to_num(_at_constants(probe, values), nan=-np.inf))
    for _ in range(2 if len(found) > 1 else 1):
        for key in found:
            total = np.array([_at_constant(probe, found, key, constant) for constant in _CONSTANTS])
            total = np.where(np.isfinite(total), total, -np.inf)
            if np.any(np.isfinite(total)):
                found[key] = np.full_like(found[key], _CONSTANTS[int(np.argmax(total))])
    return found


def _at_constant(probe: Probe, found: Mapping[str, FloatArray], key: str, constant: float) -> float:
    return _at_constants(probe, {k: np.full_like(v, constant) if k == key else v for k, v in found.items()})


def _at_constants(probe: Probe, values: Mapping[str, FloatArray]) -> float:
    return float(likelihood(probe, {k: v[None] for k, v in values.items()}, middle(probe, 1))[0])


def spread(probe: Probe, centre: Mapping[str, FloatArray]) -> float:
    """The step, added to all values of every requirement, by which ln L falls by two or so."""
    here = likelihood(probe, {k: v[None] for k, v in centre.items()}, middle(probe, 1))[0]
    for step in _MAGNITUDES:
        for sign in (1.0, -1.0):
            moved = likelihood(probe, {k: (v + sign * step)[None] for k, v in centre.items()}, middle(probe, 1))[0]
            if here - moved > 2.0:
                return float(step)
    raise Skipped("the likelihood hardly changes with the values required")


class Grid(Provider):
    """A provider of everything that a probe requires, on grids around the coordinates asked for.

    Its one parameter, ``level``, is added to all values of all observables.
    """

    parameters = ("level",)

    def __init__(self, probe: Probe, centre: Mapping[str, FloatArray]) -> None:
        self.values: dict[str, float] = {}
        self._provides: dict[str, Observable] = {}
        for key, requirement in probe.requires.items():
            if requirement.observable not in self._provides:
                same = [r for r in probe.requires.values() if r.observable == requirement.observable]
                self._provides[requirement.observable] = _observable(same)
                self.values[requirement.observable] = float(np.mean(centre[key]))
        if max((o.size for o in self._provides.values()), default=0) > _MOST:
            raise Skipped(f"the coordinates span a grid of more than {_MOST:,} points")

    @property
    def provides(self) -> Mapping[str, Observable]:
        return self._provides

    def grid(self, name: str, level: FloatArray) -> FloatArray:
        """Values ``(n, grid)`` of one observable."""
        return np.repeat(self.values[name] + level[:, None], self._provides[name].size, axis=1)

    def evaluator(self, rows: Mapping[str, NDArray[np.intp]]) -> Evaluate:
        def evaluate(theta: Any, _: Mapping[str, Prediction], __: Namespace) -> dict[str, Prediction]:
            return {name: Prediction(self.grid(name, theta[:, 0])[:, wanted]) for name, wanted in rows.items()}

        return evaluate


def _observable(requirements: list[Requirement]) -> Observable:
    axes = []
    for name in requirements[0].at:
        nodes = np.unique(np.concatenate([np.asarray(r.at[name], dtype=float) for r in requirements]))
        if len(nodes) < _NODES:
            margin = max(0.1 * float(nodes[-1] - nodes[0]), 0.01 * abs(float(nodes[-1])), 1e-3)
            low = nodes[0] - margin if nodes[0] <= 0 else nodes[0] / (1 + margin / nodes[0])
            nodes = np.unique(np.concatenate([nodes, np.linspace(low, nodes[-1] + margin, _NODES)]))
        axes.append(Axis(name, nodes))
    return Observable(requirements[0].observable, tuple(axes), requirements[0].unit)
