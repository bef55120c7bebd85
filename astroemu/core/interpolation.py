"""Interpolation on a fixed grid, as a constant matrix.

Every rule is linear in the gridded values. Interpolation, window functions and binning can therefore be multiplied
into one matrix, which is computed once and applied to entire batches.
"""

from __future__ import annotations

from typing import Literal

import numpy as np
import scipy

from astroemu.core.typing import FloatArray
from astroemu.errors import DataError

#: ``linear``: between the two neighbours. ``cubic``: the cubic polynomial through the four neighbours, so that no
#: other nodes are needed. ``spline``: the cubic spline through all nodes (not-a-knot ends). Grids of fewer than four
#: nodes are interpolated linearly.
Rule = Literal["linear", "cubic", "spline"]
#: Rule for points beyond the grid. ``error``: raise an error. ``hold``: use the value of the last node.
#: ``half_step``: extrapolate with the same rule by at most half a grid step, and raise an error beyond that.
Outside = Literal["error", "hold", "half_step"]


def interpolation_matrix(grid: FloatArray, at: FloatArray, rule: Rule, outside: Outside = "error") -> FloatArray:
    """Return the matrix that interpolates values on a grid to given points.

    Parameters
    ----------
    grid : (g,) array
        Increasing nodes, in the unit of the axis.
    at : (m,) array
        Points at which the values are required, in the same unit.
    rule, outside : str
        See :data:`Rule` and :data:`Outside`.

    Returns
    -------
    (m, g) array
        ``matrix @ values`` are the values at the points.

    Raises
    ------
    DataError
        If a point is farther beyond the grid than ``outside`` allows.
    """
    grid, at = np.asarray(grid, dtype=float), np.asarray(at, dtype=float)
    if len(grid) == 1:
        at = _checked_points(np.array([grid[0], grid[0]]), at, outside)
        return np.ones((len(at), 1))
    at = _checked_points(grid, at, outside)
    if rule == "spline" and len(grid) > 3:
        return np.asarray(scipy.interpolate.make_interp_spline(grid, np.eye(len(grid)), k=3)(at), dtype=float)
    width = 4 if rule != "linear" and len(grid) > 3 else 2
    return _lagrange(grid, at, width)


def _checked_points(grid: FloatArray, at: FloatArray, outside: Outside) -> FloatArray:
    """Return the points to evaluate. Raise an error for points that ``outside`` does not allow."""
    low, high = grid[0], grid[-1]
    if outside == "hold":
        return np.minimum(np.maximum(at, low), high)
    slack = (0.5 * (grid[1] - low), 0.5 * (high - grid[-2])) if outside == "half_step" else (0.0, 0.0)
    bad = at[(at < low - slack[0]) | (at > high + slack[1])]
    if bad.size:
        raise DataError(f"{', '.join(f'{x:g}' for x in np.unique(bad)[:5])} lies outside the grid [{low:g}, {high:g}]")
    return at


def _lagrange(grid: FloatArray, at: FloatArray, width: int) -> FloatArray:
    """Return the matrix of the Lagrange polynomials through the ``width`` nodes around each point."""
    first = np.searchsorted(grid, at, side="right") - width // 2
    first = np.minimum(np.maximum(first, 0), len(grid) - width)
    columns = first[:, None] + np.arange(width)
    nodes = grid[columns]
    matrix = np.zeros((len(at), len(grid)))
    for j in range(width):
        others = np.delete(nodes, j, axis=1)
        weight = np.prod((at[:, None] - others) / (nodes[:, j, None] - others), axis=1)
        matrix[np.arange(len(at)), columns[:, j]] = weight
    return matrix
