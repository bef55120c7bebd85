"""Synthetic predictions for a probe, without any physical model.

The kit knows only what a probe declares. It finds the constant value of each requirement with the highest likelihood,
and examines the probe around these values.
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

#: Constants among which the fiducial values are chosen.
_MAGNITUDES = 10.0 ** np.arange(-10, 10.1, 0.125)
_CONSTANTS = np.concatenate([-_MAGNITUDES[::-1], [0.0], _MAGNITUDES])
#: Smallest number of nodes per axis that every interpolation rule accepts, and largest number of points of a grid.
_NODES = 6
#: Largest number of nodes per axis. The values are constant along each axis, so more nodes would not change them.
_MOST_NODES = 256
_MOST = 2_000_000


def likelihood(
    probe: Probe,
    values: Mapping[str, FloatArray],
    nuisance: Mapping[str, FloatArray],
    errors: Mapping[str, FloatArray] | None = None,
) -> FloatArray:
    """Return the log-likelihood ``(n,)`` of a probe, called as the engine calls it.

    Parameters
    ----------
    probe : Probe
    values : mapping of str to (n, size) array
        Predictions by requirement.
    nuisance : mapping of str to (n,) array
    errors : mapping of str to (n, size) array, optional
        Errors of the predictions by requirement.
    """
    predictions = {key: Prediction(value, (errors or {}).get(key)) for key, value in values.items()}
    with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
        return np.asarray(probe.log_likelihood(predictions, nuisance, NUMPY), dtype=float)


def nuisance_at(probe: Probe, u: FloatArray) -> dict[str, FloatArray]:
    """Return the nuisance parameters, each ``(n,)``, at points ``(n, parameters)`` of the unit cube."""
    return {p.name: np.asarray(p.prior.transform(u[:, j])) for j, p in enumerate(probe.parameters)}


def middle(probe: Probe, n: int) -> dict[str, FloatArray]:
    """Return the nuisance parameters at the medians of their priors, ``n`` times."""
    return nuisance_at(probe, np.full((n, len(probe.parameters)), 0.5))


def fiducial(probe: Probe) -> dict[str, FloatArray]:
    """Return the constants of highest likelihood, as values ``(size,)`` by requirement."""
    found = {key: np.zeros(requirement.size) for key, requirement in probe.requires.items()}
    if found and not np.isfinite(_at_constants(probe, found)):
        # The likelihood is zero at the start; no requirement alone can change this, so all are moved together.
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
    """Return the step, added to all values, that lowers ln L by about two.

    Raises
    ------
    Skipped
        If the likelihood hardly depends on the values.
    """
    here = likelihood(probe, {k: v[None] for k, v in centre.items()}, middle(probe, 1))[0]
    for step in _MAGNITUDES:
        for sign in (1.0, -1.0):
            moved = likelihood(probe, {k: (v + sign * step)[None] for k, v in centre.items()}, middle(probe, 1))[0]
            if here - moved > 2.0:
                return float(step)
    raise Skipped("the likelihood hardly depends on the required values")


class Grid(Provider):
    """A provider of all that a probe requires, on grids around the requested coordinates.

    Its only parameter, ``level``, is added to all values of all observables.

    Parameters
    ----------
    probe : Probe
    centre : mapping of str to (size,) array
        Fiducial values by requirement, see :func:`fiducial`.
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
        """Return the values ``(n, size)`` of one observable at ``level (n,)``."""
        return np.repeat(self.values[name] + level[:, None], self._provides[name].size, axis=1)

    def evaluator(self, rows: Mapping[str, NDArray[np.intp]]) -> Evaluate:
        def evaluate(theta: Any, _: Mapping[str, Prediction], __: Namespace) -> dict[str, Prediction]:
            return {name: Prediction(self.grid(name, theta[:, 0])[:, wanted]) for name, wanted in rows.items()}

        return evaluate


def _observable(requirements: list[Requirement]) -> Observable:
    """Return an observable whose grid covers the coordinates of all requirements of it."""
    axes = []
    for name in requirements[0].at:
        nodes = np.unique(np.concatenate([np.asarray(r.at[name], dtype=float) for r in requirements]))
        if len(nodes) < _NODES:
            margin = max(0.1 * float(nodes[-1] - nodes[0]), 0.01 * abs(float(nodes[-1])), 1e-3)
            low = nodes[0] - margin if nodes[0] <= 0 else nodes[0] / (1 + margin / nodes[0])
            nodes = np.unique(np.concatenate([nodes, np.linspace(low, nodes[-1] + margin, _NODES)]))
        if len(nodes) > _MOST_NODES:
            nodes = nodes[np.linspace(0, len(nodes) - 1, _MOST_NODES).round().astype(int)]
        axes.append(Axis(name, nodes))
    return Observable(requirements[0].observable, tuple(axes), requirements[0].unit)
