"""Inspection of a training set before a training.

Simple faults spoil a training: values that are not finite, constant inputs, duplicates, corners of the box without
points, and single simulations that failed. The last kind is found by a fit of a quadratic form of the parameters to
each observable. A point is an outlier if its residual is many times that of the median point. An outlier may also be
a true feature, so look at it before you drop it.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from astroemu.core.typing import FloatArray
from astroemu.emulation.training_set import TrainingSet

#: Smallest residual of an outlier, in units of the residual of the median point.
OUTLIER = 20.0
#: Largest number of points in the fit, and in one block of residuals.
_SAMPLE = 20_000
#: Bins per parameter, and cells per side of the plane of two parameters.
_BINS = 20
_CELLS = 8


def inspect(data: TrainingSet, outlier: float = OUTLIER) -> dict[str, Any]:
    """Return a summary of a training set that can be written as JSON.

    Parameters
    ----------
    data : TrainingSet
    outlier : float
        Smallest :func:`outlier_score` of an outlier.

    Returns
    -------
    dict
        ``points``, ``duplicates`` : numbers of points.

        ``parameters`` : by name, the range, the numbers of points that are not finite or lie outside the stated box,
        and a flag for a constant parameter. ``coverage`` is the fraction of 20 equal bins of the box that hold points.

        ``pairs`` : the fraction of 8 x 8 cells that hold points, for the pair of parameters where it is smallest.

        ``observables`` : by name, the range, and the numbers of NaN, infinite and negative values and points. Also
        the numbers of constant outputs and of outliers, and the rows with the highest :func:`outlier_score`.

        ``remarks`` : text lines on everything above that needs a decision.

    Raises
    ------
    DataError
        If there are no points.
    """
    data.demand_points()
    box = stated_box(data)
    found: dict[str, Any] = {
        "points": len(data),
        "duplicates": int(np.sum(duplicated(data))),
        "parameters": {
            name: _parameter(data.theta[:, j], *box[name], stated=name in data.metadata.get("parameters", {}))
            for j, name in enumerate(data.names)
        },
        "pairs": _worst_pair(data, box),
        "observables": {name: _observable(data, name, outlier) for name in data.observables},
    }
    found["remarks"] = list(_remarks(found))
    return found


def stated_box(data: TrainingSet) -> dict[str, tuple[float, float]]:
    """Return (low, high) of each parameter: the range of the design if the data state it, else that of the points.

    An infinite edge, of a design that follows a normal prior, is replaced by that of the points.
    """
    stated = data.metadata.get("parameters", {})
    box = {}
    for j, name in enumerate(data.names):
        finite = data.theta[np.isfinite(data.theta[:, j]), j]
        seen = (float(finite.min()), float(finite.max())) if finite.size else (np.nan, np.nan)
        own = [float(stated.get(name, {}).get(key, np.nan)) for key in ("low", "high")]
        low, high = (edge if np.isfinite(edge) else end for edge, end in zip(own, seen, strict=True))
        box[name] = (low, high)
    return box


def duplicated(data: TrainingSet) -> NDArray[np.bool_]:
    """Return which points have the same parameters as an earlier one, ``(n,)``."""
    _, first = np.unique(data.theta + 0.0, axis=0, return_index=True)  # -0.0 becomes 0.0
    repeated = np.ones(len(data), dtype=bool)
    repeated[first] = False
    return repeated


def outlier_score(data: TrainingSet, name: str) -> FloatArray:
    """Return the residual of each point from a quadratic fit in the parameters, over that of the median point.

    Parameters
    ----------
    data : TrainingSet
    name : str
        The observable.

    Returns
    -------
    (n,) array
        NaN for points that are not finite, and for all points if there are too few for the fit.
    """
    values = data.values[name].reshape(len(data), -1)
    rows = np.flatnonzero(np.all(np.isfinite(data.theta), axis=1) & np.all(np.isfinite(values), axis=1))
    score = np.full(len(data), np.nan)
    sample = rows[:: -(-len(rows) // _SAMPLE) or 1]
    if len(sample) < 4 * (len(data.names) + 1) ** 2:
        return score  # too few to tell an outlier from a curve
    low, high = data.theta[rows].min(axis=0), data.theta[rows].max(axis=0)
    scale = np.median(np.abs(values[sample]), axis=0).astype(float)
    scale[scale == 0] = 1.0

    def compressed(at: NDArray[np.intp]) -> FloatArray:  # values may span many decades
        return np.arcsinh(values[at] / scale)

    design = _quadratic(data.theta[sample], low, high)
    weights = np.linalg.lstsq(design, compressed(sample), rcond=None)[0]
    spread = np.median(np.abs(compressed(sample) - design @ weights), axis=0)
    spread[spread == 0] = 1.0
    for part in np.array_split(rows, -(-len(rows) // _SAMPLE)):
        residual = compressed(part) - _quadratic(data.theta[part], low, high) @ weights
        score[part] = np.sqrt(np.mean((residual / spread) ** 2, axis=1))
    typical = float(np.median(score[rows]))
    return score / typical if typical > 0 else score


def _quadratic(theta: FloatArray, low: FloatArray, high: FloatArray) -> FloatArray:
    """Return a constant, all parameters scaled to [-1, 1], and all their products, as columns."""
    x = 2.0 * (theta - low) / np.where(high > low, high - low, 1.0) - 1.0
    i, j = np.triu_indices(x.shape[1])
    return np.concatenate([np.ones((len(x), 1)), x, x[:, i] * x[:, j]], axis=1)


def _parameter(x: FloatArray, low: float, high: float, *, stated: bool) -> dict[str, Any]:
    finite = x[np.isfinite(x)]
    hit, _ = np.histogram(finite, bins=_BINS, range=(low, high)) if high > low else (np.zeros(_BINS), None)
    return {
        "low": float(finite.min()) if finite.size else None,
        "high": float(finite.max()) if finite.size else None,
        "not_finite": int(len(x) - finite.size),
        "outside_box": int(np.sum((finite < low) | (finite > high))) if stated else 0,
        "constant": bool(finite.size and finite.min() == finite.max()),
        "coverage": float(np.mean(hit > 0)),
    }


def _worst_pair(data: TrainingSet, box: Mapping[str, tuple[float, float]]) -> dict[str, Any]:
    """Return the pair of parameters whose plane has the smallest covered fraction."""
    worst: dict[str, Any] = {"names": [], "coverage": 1.0}
    finite = data.theta[np.all(np.isfinite(data.theta), axis=1)]
    for i, one in enumerate(data.names):
        for j, other in enumerate(data.names[:i]):
            ranges = (box[one], box[other])
            if not all(high > low for low, high in ranges) or not len(finite):
                continue
            cells, _, _ = np.histogram2d(finite[:, i], finite[:, j], bins=_CELLS, range=ranges)
            share = float(np.mean(cells > 0))
            if share < worst["coverage"]:
                worst = {"names": [other, one], "coverage": share}
    return worst


def _observable(data: TrainingSet, name: str, outlier: float) -> dict[str, Any]:
    values = np.asarray(data.values[name]).reshape(len(data), -1)
    finite = values[np.isfinite(values)]
    with np.errstate(invalid="ignore", over="ignore"):
        undefined, infinite, negative = np.isnan(values), np.isinf(values), values < 0
        score = outlier_score(data, name)
        farthest = np.argsort(np.where(np.isfinite(score), -score, np.inf), kind="stable")[:5]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # outputs that are NaN everywhere
        constant = np.nanmax(values, axis=0) == np.nanmin(values, axis=0)
    return {
        "outputs": values.shape[1],
        "min": float(finite.min()) if finite.size else None,
        "max": float(finite.max()) if finite.size else None,
        "nan_values": int(undefined.sum()),
        "nan_points": int(np.any(undefined, axis=1).sum()),
        "infinite_points": int(np.any(infinite, axis=1).sum()),
        "negative_points": int(np.any(negative, axis=1).sum()),
        "constant_outputs": int(constant.sum()),
        "undefined_outputs": int(np.all(undefined, axis=0).sum()),
        "outliers": int(np.sum(score > outlier)),
        "farthest": {int(row): float(score[row]) for row in farthest if np.isfinite(score[row])},
    }


def _remarks(found: Mapping[str, Any]) -> Any:
    if found["duplicates"]:
        yield f"{found['duplicates']} point(s) repeat the parameters of another"
    for name, p in found["parameters"].items():
        if p["not_finite"]:
            yield f"parameter {name}: {p['not_finite']} point(s) are not finite"
        if p["constant"]:
            yield f"parameter {name} is constant: nothing can be learnt from it"
        elif p["coverage"] < 1:
            yield f"parameter {name}: {100 * (1 - p['coverage']):.0f} % of its range holds no point"
        if p["outside_box"]:
            yield f"parameter {name}: {p['outside_box']} point(s) lie outside the stated box"
    for name, o in found["observables"].items():
        for key, words in (
            ("nan_points", "point(s) hold NaN"),
            ("infinite_points", "point(s) are infinite"),
            ("constant_outputs", "output(s) are constant"),
            ("undefined_outputs", "output(s) are NaN everywhere"),
            ("outliers", f"point(s) are far from a smooth function, most of all row {next(iter(o['farthest']), None)}"),
        ):
            if o[key]:
                yield f"{name}: {o[key]} {words}"
