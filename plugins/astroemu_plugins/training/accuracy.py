"""The error that an emulator states of itself, on points that its training never saw."""

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
    """Return the network with its error, and its accuracy, both on the test points."""
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
    """68 % quantile of |error| of each output in the network's space."""
    y = transform.inverse(t, NUMPY)
    if isinstance(transform, Fraction):
        slope = transform.slope(t, y, NUMPY)
        residual = np.abs(y - truth) / np.maximum(slope, 0.01)
        between = np.isfinite(residual) & (slope > 0.01)
        # Where hardly a point is on the way between 0 and 1 the error is that of all outputs.
        whole = np.nanquantile(residual[between] if between.any() else residual, 0.6827)
        quantile = np.full(residual.shape[1], whole)
        enough = between.sum(axis=0) >= 100
        quantile[enough] = np.nanquantile(np.where(between, residual, np.nan)[:, enough], 0.6827, axis=0)
        return quantile
    return np.nanquantile(np.abs(t - transform.forward(truth)), 0.6827, axis=0)


def _accuracy(observable: Observable, transform: Transform, t: FloatArray, truth: FloatArray) -> dict[str, float]:
    """Median, 68 % and 95 % of the absolute error, and of the fractional one where it has a meaning."""
    y = transform.inverse(t, NUMPY)
    levels = {"median": 0.5, "q68": 0.6827, "q95": 0.95}
    found = {f"absolute_{k}": float(np.nanquantile(np.abs(y - truth), q)) for k, q in levels.items()}
    if not observable.unit.startswith("log10") and not isinstance(transform, Fraction | IdentityTransform):
        fraction = np.abs(y - truth) / np.abs(truth)
        found |= {f"fractional_{k}": float(np.nanquantile(fraction, q)) for k, q in levels.items()}
    return found
