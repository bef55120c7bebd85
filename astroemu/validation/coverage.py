"""Whether the errors that an emulator states are right, measured with simulations that it was not trained on.

Two questions are asked. Do as many values lie within one, two and three stated errors as of a Gaussian, everywhere in
parameter space? Is the chi^2 of whole vectors, with the stated covariance, equal to their number of values?
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from astroemu.core.array_namespace import NUMPY
from astroemu.core.provider import Prediction
from astroemu.core.typing import FloatArray
from astroemu.emulation.emulator import Emulator
from astroemu.emulation.reference import ReferenceSimulations

#: Accepted shares of values within one and within two stated errors, in all points and in every quarter.
SHARES: Mapping[int, tuple[float, float]] = {1: (0.63, 0.73), 2: (0.93, 0.97)}
#: Accepted mean chi^2 per degree of freedom of whole vectors.
CHI2 = (0.9, 1.1)
#: A value that this share of all simulated values has exactly, at their lower or upper end, is a limit.
_TIED = 1e-3
#: Points for one call of the emulator.
_BLOCK = 2048

Rows = Mapping[str, NDArray[np.intp]]


def error_coverage(emulator: Emulator, simulations: ReferenceSimulations, rows: Rows | None = None) -> dict[str, Any]:
    """Return how well the stated errors of each observable cover the true ones.

    Undefined values are left out. So are predictions within one stated error of a limit, such as a neutral fraction of
    zero: most true values lie exactly there, and a normal distribution does not describe them.

    Parameters
    ----------
    emulator : Emulator
    simulations : ReferenceSimulations
        Inside the training range.
    rows : mapping of str to (k,) int array, optional
        Indices into the flattened grid of each observable; by default all.

    Returns
    -------
    dict
        By observable with a stated error: the shares ``within_1`` to ``within_3`` of all values; the smallest and
        largest share in a quarter of a parameter, such as ``within_1_low`` and ``within_1_high``; the numbers of values
        that are ``undefined`` and ``at_limit``. If the correlation is stated: ``chi2_mean`` and ``chi2_median`` per
        degree of freedom of the vectors of all points, and ``chi2_of_99``, the mean without the largest 1 %.
    """
    chosen = {name: np.arange(emulator.provides[name].size) for name in emulator.provides} if rows is None else rows
    chosen = {name: where for name, where in chosen.items() if name in simulations.values and len(where)}
    parts: dict[str, list[_Part]] = {name: [] for name in chosen}
    n = len(simulations.theta)
    truths = {
        name: np.asarray(simulations.values[name], dtype=float).reshape(n, -1)[:, where]
        for name, where in chosen.items()
    }
    limits = {name: list(_limits(truth)) for name, truth in truths.items()}
    evaluate = emulator.evaluator(chosen)
    for block in np.array_split(np.arange(n), -(-n // _BLOCK)):
        found = evaluate(simulations.theta[block], {}, NUMPY)
        for name, prediction in found.items():
            if prediction.error is not None:
                parts[name].append(_Part(prediction, truths[name][block], limits[name]))
    quarters = _quarters(simulations.theta)
    return {name: _summary(each, quarters) for name, each in parts.items() if each}


class _Part:
    """Errors of one observable at some points, in units of the stated ones."""

    def __init__(self, prediction: Prediction, truth: FloatArray, limits: list[float]) -> None:
        value, error = (np.asarray(array, dtype=float) for array in (prediction.value, prediction.error))
        residual = value - truth
        defined = np.isfinite(residual)
        self.kept = defined.copy()
        for limit in limits:
            self.kept &= np.abs(value - limit) >= error
        self.undefined, self.at_limit = int(np.sum(~defined)), int(np.sum(defined & ~self.kept))
        with np.errstate(divide="ignore", invalid="ignore"):
            self.units = np.where(residual == 0, 0.0, np.abs(residual) / error).astype(np.float32)
        self.chi2 = None if prediction.modes is None else _chi2(residual, self.kept, error, prediction)


def _limits(truth: FloatArray) -> Iterator[float]:
    """Yield the smallest and the largest simulated value, if many values are equal to it."""
    if not np.isfinite(truth).any():
        return
    for end in (np.nanmin(truth), np.nanmax(truth)):
        if np.sum(truth == end) > max(_TIED * truth.size, 1):
            yield float(end)


def _chi2(residual: FloatArray, kept: NDArray[np.bool_], error: FloatArray, prediction: Prediction) -> FloatArray:
    """Return chi^2 per degree of freedom ``(n,)``, by the low-rank identity; NaN where no value is kept."""
    modes = np.asarray(prediction.modes, dtype=float)
    independent = np.asarray(prediction.independent_variance(NUMPY), dtype=float)
    with np.errstate(divide="ignore"):
        weight = np.where(kept, 1.0 / np.maximum(independent, 1e-12 * error**2), 0.0)
    r = np.where(kept, residual, 0.0)
    weighted = modes * weight[:, None, :]
    a = weighted @ modes.transpose(0, 2, 1) + np.eye(modes.shape[1])
    amplitudes = np.linalg.solve(a, weighted @ r[:, :, None])
    left = r - np.sum(modes * amplitudes, axis=1)
    chi2 = np.sum(left**2 * weight, axis=1) + np.sum(amplitudes**2, axis=(1, 2))
    count = kept.sum(axis=1)
    return np.where(count > 0, chi2 / np.maximum(count, 1), np.nan)


def _quarters(theta: FloatArray) -> list[NDArray[np.bool_]]:
    """Return which points lie in each quarter of each parameter; every quarter has as many points."""
    edges = np.quantile(theta, (0.25, 0.5, 0.75), axis=0)
    places = [np.searchsorted(edges[:, j], theta[:, j]) for j in range(theta.shape[1])]
    return [chosen for place in places for q in range(4) if (chosen := place == q).any()]


def _summary(parts: list[_Part], quarters: list[NDArray[np.bool_]]) -> dict[str, float]:
    kept = np.concatenate([part.kept for part in parts])
    counts = kept.sum(axis=1)
    found: dict[str, float] = {
        "undefined": sum(part.undefined for part in parts),
        "at_limit": sum(part.at_limit for part in parts),
    }
    for n in (1, 2, 3):
        within = np.concatenate([((part.units <= n) & part.kept).sum(axis=1) for part in parts])
        shares = [within[q].sum() / counts[q].sum() for q in quarters if counts[q].any()]
        found[f"within_{n}"] = float(within.sum() / counts.sum()) if counts.any() else float("nan")
        found |= {f"within_{n}_{end}": float(f(shares)) for end, f in (("low", min), ("high", max)) if shares}
    if all(part.chi2 is not None for part in parts) and counts.any():
        chi2 = np.concatenate([part.chi2 for part in parts if part.chi2 is not None])
        found |= {"chi2_mean": float(np.nanmean(chi2)), "chi2_median": float(np.nanmedian(chi2))}
        found["chi2_of_99"] = float(np.nanmean(chi2[chi2 <= np.nanquantile(chi2, 0.99)]))
    return found


def missed_targets(observables: Mapping[str, Mapping[str, float]]) -> list[str]:
    """Return one sentence for every stated error that is too small or too large.

    Parameters
    ----------
    observables : mapping of str to mapping
        By observable, the figures of :func:`error_coverage`.
    """
    missed = []
    for name, row in observables.items():
        targets = {f"within_{n}{end}": limits for n, limits in SHARES.items() for end in ("", "_low", "_high")}
        targets["chi2_mean"] = CHI2
        for figure, (low, high) in targets.items():
            if figure in row and not low <= row[figure] <= high:
                missed.append(f"{name} {figure} = {row[figure]:.3g} is not in [{low:g}, {high:g}]")
    return missed
