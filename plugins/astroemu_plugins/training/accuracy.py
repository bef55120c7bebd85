"""Error and accuracy of a trained network, measured on test points that were not used in training."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from astroemu.core.array_namespace import NUMPY
from astroemu.core.observable import Observable
from astroemu.core.typing import FloatArray
from astroemu.emulation.training_set import TrainingSet
from astroemu.emulation.transforms import Fraction, IdentityTransform, Transform
from astroemu_plugins.networks.network import Network

Weights = NDArray[np.float32]


def measured(
    network: Network, x: Weights, data: TrainingSet, rows: NDArray[np.int64]
) -> tuple[Network, dict[str, Any]]:
    """Return the network with its measured error, and its accuracy.

    Parameters
    ----------
    network : Network
    x : (n, n_inputs) float32 array
        Inputs at the test points.
    data : TrainingSet
    rows : (n,) int array
        Rows of the test points.

    Returns
    -------
    network : Network
        With the 68 % quantile of the absolute error of each output, in the space of the transform.
    metrics : dict
        By observable: quantiles of the absolute error, in its unit, and of the fractional error where it has a meaning.
    """
    raw = network.layers.forward(np.arange(network.layers.n_outputs))(x, NUMPY).astype(float)
    outputs, metrics, offset = [], {}, 0
    for output in network.outputs:
        observable = output.observable
        t = raw[:, offset : offset + observable.size]
        offset += observable.size
        truth = np.asarray(data.values[observable.name][rows], dtype=float).reshape(len(rows), -1)
        outputs.append(replace(output, error=_error(output.transform, t, truth)))
        metrics[observable.name] = _accuracy(observable, output.transform, t, truth)
    return replace(network, outputs=tuple(outputs)), metrics


def _error(transform: Transform, t: FloatArray, truth: FloatArray) -> FloatArray:
    """Return the 68 % quantile ``(m,)`` of the absolute error of each output, in the space of the transform.

    Parameters
    ----------
    transform : Transform
    t : (n, m) array
        Predictions in the space of the transform.
    truth : (n, m) array
        True values of the observable.
    """
    y = transform.inverse(t, NUMPY)
    if isinstance(transform, Fraction):
        slope = transform.slope(t, y, NUMPY)
        residual = np.abs(y - truth) / np.maximum(slope, 0.01)
        between = np.isfinite(residual) & (slope > 0.01)
        # An output with too few points between 0 and 1 gets the error of all outputs together.
        whole = np.nanquantile(residual[between] if between.any() else residual, 0.6827)
        quantile = np.full(residual.shape[1], whole)
        enough = between.sum(axis=0) >= 100
        quantile[enough] = np.nanquantile(np.where(between, residual, np.nan)[:, enough], 0.6827, axis=0)
        return quantile
    return np.nanquantile(np.abs(t - transform.forward(truth)), 0.6827, axis=0)


def _accuracy(observable: Observable, transform: Transform, t: FloatArray, truth: FloatArray) -> dict[str, float]:
    """Return quantiles (50, 68, 95 %) of the absolute error, and of the fractional error where it has a meaning."""
    y = transform.inverse(t, NUMPY)
    levels = {"median": 0.5, "q68": 0.6827, "q95": 0.95}
    found = {f"absolute_{k}": float(np.nanquantile(np.abs(y - truth), q)) for k, q in levels.items()}
    if not observable.unit.startswith("log10") and not isinstance(transform, Fraction | IdentityTransform):
        fraction = np.abs(y - truth) / np.abs(truth)
        found |= {f"fractional_{k}": float(np.nanquantile(fraction, q)) for k, q in levels.items()}
    return found
