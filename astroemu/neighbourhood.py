"""How far a point lies from what an emulator was trained on.

Inside its box an emulator answers everywhere, also where no training point is near: in a corner that cleaning
left empty, or between sparse points of many dimensions. The distance of a point to the nearest training point,
in the unit cube of the box, is compared with that of the training points among each other.

An emulator file holds some thousand of its training points for this; for one without them the design that it
records is made again, as it was before cleaning.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from astroemu.design import design
from astroemu.distribution import Uniform, distribution_from
from astroemu.emulator import Emulator
from astroemu.errors import AstroemuError
from astroemu.model import Model
from astroemu.parameter import Parameter
from astroemu.prior import Prior
from astroemu.samples import Samples
from astroemu.selection import Selection

Array = NDArray[np.float64]
#: Share of the training points that are nearer to another one than the distance that is called far.
_NEAR = 0.95
#: Posterior samples that are looked at, and the share of them that may lie far before a fit warns.
_SAMPLES, _MOST_FAR = 1000, 0.5


class FarFromTrainingWarning(UserWarning):
    """Most of a posterior lies where an emulator had few training points."""


class Neighbourhood:
    """Training points, and how near they lie to each other.

    Parameters
    ----------
    points : (m, d) array
        In the unit cube of the box.
    """

    def __init__(self, points: Array) -> None:
        self._tree = cKDTree(points)
        distance = self._tree.query(points, k=2)[0][:, 1]
        #: Distance within which 95 % of the points have their nearest neighbour.
        self.scale = float(np.quantile(distance, _NEAR))

    def distance(self, points: Array) -> Array:
        """Distance ``(n,)`` of points of the unit cube to the nearest training point, in units of :attr:`scale`."""
        return np.asarray(self._tree.query(points)[0] / self.scale)


def neighbourhood(emulator: Emulator) -> Neighbourhood | None:
    """Return the neighbourhood of an emulator, or None if its training points are not known."""
    points = emulator.training_points
    if points is None:
        points = _designed(emulator)
    return None if points is None or len(points) < 2 else Neighbourhood(points)


def _designed(emulator: Emulator) -> Array | None:
    """Points of the recorded design in the unit cube, or None if it cannot be made again."""
    record = emulator.provenance.get("simulation", {})
    plan, box = record.get("design", {}), record.get("parameters", {})
    try:
        prior = Prior(tuple(Parameter(n, Uniform(float(b["low"]), float(b["high"]))) for n, b in box.items()))
        core = plan.get("core")
        dense = (
            None if core is None else Prior(tuple(Parameter(n, distribution_from(spec)) for n, spec in core.items()))
        )
        # The first points of a Sobol sequence are those of every longer one.
        n = int(plan["n"]) if plan["kind"] == "latin_hypercube" else min(int(plan["n"]), emulator.kept_points)
        theta = design(plan["kind"], prior, n, int(plan["seed"]), dense, plan.get("core_share", 0.5))
        columns = [prior.names.index(name) for name in emulator.parameters]
    except (AstroemuError, KeyError, TypeError, ValueError):
        return None
    return thinned(emulator.unit(theta[:, columns]), emulator.kept_points)


def thinned(points: Array, most: int) -> Array:
    """At most so many of the points, drawn at random but always the same."""
    if len(points) <= most:
        return points
    return points[np.sort(np.random.default_rng(0).choice(len(points), most, replace=False))]


def far(model: Model, theta: Array) -> dict[str, dict[str, float]]:
    """How far points ``(n, d)`` of a model lie from the training of its emulators.

    Returns
    -------
    dict
        By emulator: ``median`` distance and ``share`` of the points that lie ``far``, beyond 1. Emulators whose
        training points are not known, or that take parameters that others compute, are left out.
    """
    found: dict[str, dict[str, float]] = {}
    columns: Mapping[str, Any] = {
        **{name: np.full(len(theta), value) for name, value in model.prior.fixed.items()},
        **{name: theta[:, j] for j, name in enumerate(model.names)},
    }
    for key, provider in model.providers.items():
        emulator = provider.provider if isinstance(provider, Selection) else provider
        if not isinstance(emulator, Emulator) or not set(emulator.parameters) <= set(columns) & set(emulator.bounds):
            continue
        known = neighbourhood(emulator)
        if known is not None:
            points = np.stack([columns[name] for name in emulator.parameters], axis=1)
            distance = known.distance(emulator.unit(points))
            found[key] = {"median": float(np.median(distance)), "share": float(np.mean(distance > 1.0))}
    return found


def warn_if_far(model: Model, samples: Samples) -> None:
    """Warn of every emulator far from whose training points most of a posterior lies."""
    theta = samples.equal_weight(_SAMPLES, np.random.default_rng(0))
    for key, row in far(model, theta).items():
        if row["share"] > _MOST_FAR:
            warnings.warn(
                f"{row['share']:.0%} of the posterior lies farther from the training points of {key!r} than "
                f"{_NEAR:.0%} of these from each other: compare with the simulator (astroemu check-posterior)",
                FarFromTrainingWarning,
                stacklevel=2,
            )
