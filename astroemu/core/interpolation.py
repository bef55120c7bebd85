"""Interpolation on a fixed grid, as a constant matrix.

Every rule here is linear in the gridded values, so that interpolation, window functions and
binning multiply into one matrix that is built once and applied to a whole batch.
"""

from __future__ import annotations

from typing import Literal

import numpy as np
from scipy.interpolate import make_interp_spline

from astroemu.core.typing import FloatArray
from astroemu.errors import DataError

#: ``linear``: between the two neighbours. ``cubic``: the cubic through the four neighbours, so
#: that only they are needed. ``spline``: the cubic spline through all nodes (not-a-knot ends).
Rule = Literal["linear", "cubic", "spline"]
#: What to do beyond the grid. ``error``: refuse. ``hold``: keep the value of the last node.
#: ``half_step``: extrapolate by the rule, at most half a grid step, else refuse.
Outside = Literal["error", "hold", "half_step"]


def interpolation_matrix(grid: FloatArray, at: FloatArray, rule: Rule, outside: Outside = "error") -> FloatArray:
    """Return the matrix that takes values on a grid to values at points.

    Parameters
    ----------
    grid : (g,) array
        Increasing nodes.
    at : (m,) array
        Where the values are wanted.
    rule, outside
        See :data:`Rule` and :data:`Outside`.

    Returns
    -------
    (m, g) array

    Raises
    ------
    DataError
        If a point lies beyond the grid further than ``outside`` allows.
    """
    grid, at = np.asarray(grid, dtype=float), np.asarray(at, dtype=float)
    if len(grid) == 1:
        at = _admit(np.array([grid[0], grid[0]]), at, outside)
        return np.ones((len(at), 1))
    at = _admit(grid, at, outside)
    if rule == "spline" and len(grid) > 3:
        return np.asarray(make_interp_spline(grid, np.eye(len(grid)), k=3)(at), dtype=float)
    width = 4 if rule != "linear" and len(grid) > 3 else 2
    return _lagrange(grid, at, width)


def _admit(grid: FloatArray, at: FloatArray, outside: Outside) -> FloatArray:
    """Return the points to evaluate, or refuse those beyond the grid."""
    low, high = grid[0], grid[-1]
    if outside == "hold":
        return np.minimum(np.maximum(at, low), high)
    slack = (0.5 * (grid[1] - low), 0.5 * (high - grid[-2])) if outside == "half_step" else (0.0, 0.0)
    bad = at[(at < low - slack[0]) | (at > high + slack[1])]
    if bad.size:
        raise DataError(f"{', '.join(f'{x:g}' for x in np.unique(bad)[:5])} lies outside the grid [{low:g}, {high:g}]")
    return at


def _lagrange(grid: FloatArray, at: FloatArray, width: int) -> FloatArray:
    """Weights of the polynomial through the ``width`` nodes around each point."""
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
