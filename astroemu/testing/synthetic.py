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
from astroemu.core.panel import Panel
from astroemu.core.probe import Probe
from astroemu.core.provider import Evaluate, Prediction, Provider
from astroemu.core.requirement import Requirement
from astroemu.core.typing import FloatArray
from astroemu.testing.findings import NonConformance, Skipped, ensure

#: Constants among which the fiducial values are chosen.
_MAGNITUDES = 10.0 ** np.arange(-10, 10.1, 0.125)
CONSTANTS = np.concatenate([-_MAGNITUDES[::-1], [0.0], _MAGNITUDES])
#: Difference of ln L below which two constants are equally good.
_AS_GOOD = 1e-3
#: Fall of ln L that defines the spread.
_FALL = 2.0
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
    """Return the log-likelihood ``(n,)`` of a probe as float64, called as the engine calls it.

    Parameters
    ----------
    probe : Probe
    values : mapping of str to (n, size) array
        Predictions by requirement.
    nuisance : mapping of str to (n,) array
    errors : mapping of str to (n, size) array, optional
        Errors of the predictions by requirement.
    """
    return np.asarray(returned(probe, values, nuisance, errors), dtype=float)


def returned(
    probe: Probe,
    values: Mapping[str, FloatArray],
    nuisance: Mapping[str, FloatArray],
    errors: Mapping[str, FloatArray] | None = None,
) -> Any:
    """Return what :meth:`Probe.log_likelihood` returns, without any conversion. The arrays that it gets are read-only.

    Raises
    ------
    NonConformance
        If it writes into one of its arrays.
    """
    given = errors or {}
    predictions = {
        key: Prediction(read_only(value), read_only(given[key]) if key in given else None)
        for key, value in values.items()
    }
    try:
        with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
            return probe.log_likelihood(predictions, {k: read_only(v) for k, v in nuisance.items()}, NUMPY)
    except ValueError as error:
        if "read-only" not in str(error):
            raise
        raise NonConformance(
            f"`log_likelihood` writes into an array that it was given ({error}). These arrays are read-only: copy first"
        ) from error


def read_only(array: Any) -> FloatArray:
    """Return a view of an array into which nobody can write."""
    view = np.asarray(array).view()
    view.flags.writeable = False
    return view


def nuisance_at(probe: Probe, u: FloatArray) -> dict[str, FloatArray]:
    """Return the nuisance parameters, each ``(n,)``, at points ``(n, parameters)`` of the unit cube."""
    return {p.name: np.asarray(p.prior.transform(u[:, j])) for j, p in enumerate(probe.parameters)}


def middle(probe: Probe, n: int) -> dict[str, FloatArray]:
    """Return the nuisance parameters at the medians of their priors, ``n`` times."""
    return nuisance_at(probe, np.full((n, len(probe.parameters)), 0.5))


def fiducial(probe: Probe) -> dict[str, FloatArray]:
    """Return the constants of highest likelihood, as values ``(size,)`` by requirement."""
    found = {key: np.zeros(requirement.size) for key, requirement in probe.requires.items()}
    allowed = {key: _plausible(probe, requirement.observable) for key, requirement in probe.requires.items()}
    if found and not np.isfinite(_at_constants(probe, found)):
        # The likelihood is zero at the start; no requirement alone can change this, so all are moved together.
        every = [{key: np.full_like(value, constant) for key, value in found.items()} for constant in CONSTANTS]
        found = max(every, key=lambda values: np.nan_to_num(_at_constants(probe, values), nan=-np.inf))
        ensure(
            _at_constants(probe, found) > -np.inf,
            "no constant prediction has a finite ln L. If the probe needs the shape of a prediction, give a model: "
            "astroemu check NAME --model CONFIGURATION",
        )
    for _ in range(2 if len(found) > 1 else 1):
        for key in found:
            total = np.array([_at_constant(probe, found, key, constant) for constant in CONSTANTS])
            total = np.where(np.isfinite(total) & allowed[key], total, -np.inf)
            if np.any(np.isfinite(total)):
                good = CONSTANTS[total >= total.max() - _AS_GOOD]
                found[key] = np.full_like(found[key], good[int(np.argmin(np.abs(good)))])
    return found


def _plausible(probe: Probe, observable: str) -> NDArray[np.bool_]:
    """Return which constants are not negative in panels that show only positive data."""
    plausible = np.ones(len(CONSTANTS), dtype=bool)
    for panel in drawing(probe, observable):
        if np.all(np.asarray(panel.y) > 0):
            plausible &= drawn(panel) >= 0
    return plausible if plausible.any() else np.ones(len(CONSTANTS), dtype=bool)


def drawing(probe: Probe, observable: str) -> list[Panel]:
    """Return the panels with the curve of an observable."""
    curves = [(panel, panel.curve) for panel in probe.panels() if len(panel.y)]
    return [panel for panel, curve in curves if isinstance(curve, Requirement) and curve.observable == observable]


def drawn(panel: Panel) -> FloatArray:
    """Return what a panel draws at each of :data:`CONSTANTS`."""
    with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
        return np.asarray(panel.transform(CONSTANTS), dtype=float)


def _at_constant(probe: Probe, found: Mapping[str, FloatArray], key: str, constant: float) -> float:
    return _at_constants(probe, {k: np.full_like(v, constant) if k == key else v for k, v in found.items()})


def _at_constants(probe: Probe, values: Mapping[str, FloatArray]) -> float:
    return float(likelihood(probe, {k: v[None] for k, v in values.items()}, middle(probe, 1))[0])


def spread(
    probe: Probe, centre: Mapping[str, FloatArray], nuisance: Mapping[str, FloatArray] | None = None
) -> dict[str, float]:
    """Return the step of each requirement, added to all its values, that lowers ln L by about two; zero if none does.

    Parameters
    ----------
    probe : Probe
    centre : mapping of str to (size,) array
    nuisance : mapping of str to (1,) array, optional
        By default the medians of the priors.

    Raises
    ------
    Skipped
        If the likelihood hardly depends on the values of any requirement.
    """
    steps, most = dict.fromkeys(centre, 0.0), 0.0
    for key in centre:
        for part in np.array_split(_MAGNITUDES, 20):  # the batches stay small for long requirements
            moves = np.concatenate([[0.0], part, -part])[:, None]
            values = {k: v + (moves if k == key else 0.0 * moves) for k, v in centre.items()}
            given = middle(probe, 1) if nuisance is None else nuisance
            log_l = likelihood(probe, values, {k: np.repeat(v, len(moves)) for k, v in given.items()})
            log_l = np.where(np.isnan(log_l), -np.inf, log_l)
            fall = np.max(np.reshape(log_l[0] - log_l[1:], (2, -1)), axis=0)
            most = max(most, float(np.max(fall[np.isfinite(fall)], initial=0.0)))
            if np.any(fall > _FALL):
                steps[key] = float(part[int(np.argmax(fall > _FALL))])
                break
    if not any(steps.values()):
        raise Skipped(f"the likelihood hardly depends on the required values: ln L falls by {most:.2g} at most")
    return steps


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
