"""The distance of points from the training points of an emulator.

An emulator gives predictions everywhere inside its training box, also far from any training point. This happens in a
corner that cleaning left empty, or between sparse points in many dimensions. The distance of a point to the nearest
training point, in the unit cube of the box, is compared with the distances between training points.

An emulator file holds some thousand of its training points for this purpose. If it holds none, its recorded design
is computed again, as it was before cleaning.
"""

from __future__ import annotations

import numpy as np
import scipy

from astroemu.core.distributions import Uniform, distribution_from
from astroemu.core.parameter import Parameter
from astroemu.core.prior import Prior
from astroemu.core.typing import FloatArray
from astroemu.emulation.design import design
from astroemu.emulation.emulator import Emulator
from astroemu.errors import AstroemuError

#: Fraction of the training points whose nearest neighbour is closer than the unit of distance.
NEAR = 0.95


class TrainingCoverage:
    """Training points and the typical distance between them.

    Parameters
    ----------
    points : (m, d) array
        At least two points, in the unit cube of the training box.

    Attributes
    ----------
    scale : float
        Distance within which 95 % of the training points have their nearest neighbour.
    """

    def __init__(self, points: FloatArray) -> None:
        self._tree = scipy.spatial.cKDTree(points)
        distance = self._tree.query(points, k=2)[0][:, 1]
        self.scale = float(np.quantile(distance, NEAR))

    def distance(self, points: FloatArray) -> FloatArray:
        """Return the distance to the nearest training point.

        Parameters
        ----------
        points : (n, d) array
            In the unit cube of the training box.

        Returns
        -------
        (n,) array
            In units of :attr:`scale`.
        """
        return np.asarray(self._tree.query(points)[0] / self.scale)


def training_coverage(emulator: Emulator) -> TrainingCoverage | None:
    """Return the training points of an emulator, or None if they are not known."""
    points = emulator.training_points
    if points is None:
        points = _designed(emulator)
    return None if points is None or len(points) < 2 else TrainingCoverage(points)


def _designed(emulator: Emulator) -> FloatArray | None:
    """Return the points of the recorded design in the unit cube, or None if the design cannot be computed again."""
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
    return thin_points(emulator.unit(theta[:, columns]), emulator.kept_points)


def thin_points(points: FloatArray, most: int) -> FloatArray:
    """Return at most this many of the points ``(n, d)``: a random choice that is the same every time."""
    if len(points) <= most:
        return points
    return points[np.sort(np.random.default_rng(0).choice(len(points), most, replace=False))]
