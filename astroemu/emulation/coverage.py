"""How far a point lies from what an emulator was trained on.

Inside its box an emulator answers everywhere, also where no training point is near: in a corner that cleaning
left empty, or between sparse points of many dimensions. The distance of a point to the nearest training point,
in the unit cube of the box, is compared with that of the training points among each other.

An emulator file holds some thousand of its training points for this; for one without them the design that it
records is made again, as it was before cleaning.
"""

from __future__ import annotations

import numpy as np
from scipy.spatial import cKDTree

from astroemu.core.distributions import Uniform, distribution_from
from astroemu.core.parameter import Parameter
from astroemu.core.prior import Prior
from astroemu.core.typing import FloatArray
from astroemu.emulation.design import design
from astroemu.emulation.emulator import Emulator
from astroemu.errors import AstroemuError

#: Share of the training points that are nearer to another one than the distance that is called far.
NEAR = 0.95


class TrainingCoverage:
    """Training points, and how near they lie to each other.

    Parameters
    ----------
    points : (m, d) array
        In the unit cube of the box.
    """

    def __init__(self, points: FloatArray) -> None:
        self._tree = cKDTree(points)
        distance = self._tree.query(points, k=2)[0][:, 1]
        #: Distance within which 95 % of the points have their nearest neighbour.
        self.scale = float(np.quantile(distance, NEAR))

    def distance(self, points: FloatArray) -> FloatArray:
        """Distance ``(n,)`` of points of the unit cube to the nearest training point, in units of :attr:`scale`."""
        return np.asarray(self._tree.query(points)[0] / self.scale)


def training_coverage(emulator: Emulator) -> TrainingCoverage | None:
    """Return the neighbourhood of an emulator, or None if its training points are not known."""
    points = emulator.training_points
    if points is None:
        points = _designed(emulator)
    return None if points is None or len(points) < 2 else TrainingCoverage(points)


def _designed(emulator: Emulator) -> FloatArray | None:
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


def thinned(points: FloatArray, most: int) -> FloatArray:
    """At most so many of the points, drawn at random but always the same."""
    if len(points) <= most:
        return points
    return points[np.sort(np.random.default_rng(0).choice(len(points), most, replace=False))]
