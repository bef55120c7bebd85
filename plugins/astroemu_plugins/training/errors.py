"""Training of the error network, on points that no weight has seen.

A size is right if a Gaussian's share of the residuals lies within one and within two of it. The loss is therefore the
sum of two quantile losses (Koenker and Bassett 1978) of ``ln |residual|``, for the levels 68 % and 95 %. Its minimum
balances both shares in every region that the network resolves, also where the tails are heavy. An outlier counts by the
logarithm of its size.

Residuals are measured in a first guess of their size, the 68 % quantile of each output.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from astroemu.core.array_namespace import NUMPY
from astroemu.core.typing import FloatArray
from astroemu.emulation.training_set import TrainingSet
from astroemu_plugins.networks.error_network import LEAST_REST, ErrorNetwork, factors_of, strongest_factors
from astroemu_plugins.networks.keras_models import build_model, seeded_keras
from astroemu_plugins.networks.layers import DenseLayers, Layers
from astroemu_plugins.networks.network import Network, Scaling
from astroemu_plugins.training.loop import Loop, Points
from astroemu_plugins.training.settings import ErrorSettings, NetworkSettings

#: Shares of a Gaussian within one and within two errors, and the weight of each. Small shares of residuals beyond two
#: errors decide more about a fit, so that they weigh more.
_SHARES = ((0.6827, 1.0, 1.0), (0.9545, 2.0, 2.0))
#: Smallest residual that is distinguished, in units of the 68 % quantile of its output.
_SMALLEST = 0.05
#: Largest residual, in units of its predicted size, that enters the correlation. A few outliers would dominate it.
_LARGEST = 4.0
#: Range of the number by which factors are multiplied.
_LEAST, _MOST = 0.85, 1.2
#: Number of factors that an emulator file holds for each observable.
FACTORS = 24
#: Points for one call of the networks.
_BLOCK = 4096


def fit_errors(
    networks: Mapping[str, Network],
    scaling: Scaling,
    data: TrainingSet,
    settings: ErrorSettings,
    *,
    seed: int,
    log: Callable[[str], Any] = print,
) -> ErrorNetwork:
    """Return an error network for the networks of an emulator.

    Parameters
    ----------
    networks : mapping of str to Network
    scaling : Scaling
        Of the parameters of the emulator.
    data : TrainingSet
        Points that were not used to train the networks, with the parameters in the order of the emulator.
    settings : ErrorSettings
    seed : int
    log : callable
        Takes one line of text.
    """
    scaled = scaling(data.theta, NUMPY)
    return fit_residuals(scaled, residuals(networks, scaled, data), settings, seed=seed, log=log)


def residuals(networks: Mapping[str, Network], scaled: FloatArray, data: TrainingSet) -> dict[str, FloatArray]:
    """Return the residuals ``(n, m)`` of every observable, in the space in which its transform states errors."""
    names = data.names
    known: dict[str, Any] = {}
    found: dict[str, FloatArray] = {}
    for network in networks.values():
        columns = [names.index(name) for name in network.inputs]
        x = np.concatenate([scaled[:, columns], *(known[o.name] for o in network.features)], axis=1)
        raw = _in_blocks(network.layers, x)
        start = 0
        for output in network.outputs:
            t = raw[:, start : start + output.observable.size].astype(float)
            start += output.observable.size
            known[output.observable.name] = output.transform.feature(t, NUMPY)
            truth = np.asarray(data.values[output.observable.name], dtype=float).reshape(len(data), -1)
            found[output.observable.name] = output.transform.residual(t, truth)
    return found


def fit_residuals(
    scaled: FloatArray,
    found: Mapping[str, FloatArray],
    settings: ErrorSettings,
    *,
    seed: int,
    log: Callable[[str], Any] = print,
) -> ErrorNetwork:
    """Return an error network for residuals ``(n, m)`` of each observable at scaled points ``(n, d)``.

    An eighth of the points chooses the best epoch and corrects the size of each observable.
    """
    size = np.concatenate([_typical(each) for each in found.values()])
    y = np.log(np.maximum(np.abs(np.concatenate(list(found.values()), axis=1)) / size, _SMALLEST)).astype(np.float32)
    held, rest = np.split(np.random.default_rng(seed).permutation(len(y)), [max(len(y) // 8, 1)])
    x = scaled.astype(np.float32)
    widths = [each.shape[1] for each in found.values()]
    model, lowest = _trained(Points(x[rest], y[rest]), Points(x[held], y[held]), widths, settings, seed, log)
    log(f"errors: {len(y)} points, lowest loss {lowest:.4f}")
    layers = _layers(model, settings, np.log(size))
    predicted = _in_blocks(layers, scaled)
    correction, loadings, start = np.zeros(len(size)), {}, 0
    for name, each in found.items():
        block = slice(start, start + each.shape[1])
        start = block.stop
        correction[block] = _correction(np.abs(each[held]) / np.exp(predicted[held, block]))
        loadings[name] = _loadings(each / np.exp(predicted[:, block] + correction[block]))
    biases = (*layers.biases[:-1], (layers.biases[-1] + correction).astype(np.float32))
    return ErrorNetwork(DenseLayers("silu", False, layers.kernels, biases), loadings)


def _typical(residual: FloatArray) -> FloatArray:
    """Return the 68 % quantile ``(m,)`` of each output, and at least a thousandth of the largest one."""
    size = np.full(residual.shape[1], np.nan)
    defined = np.isfinite(residual).any(axis=0)
    size[defined] = np.nanquantile(np.abs(residual[:, defined]), 0.6827, axis=0)
    largest = float(np.nanmax(size, initial=0.0))  # an output that is defined nowhere gets it
    return np.maximum(np.where(defined, size, largest), max(1e-3 * largest, 1e-12))


def _trained(
    train: Points, held: Points, widths: list[int], settings: ErrorSettings, seed: int, log: Callable[[str], Any]
) -> tuple[Any, float]:
    """Return the Keras model of the logarithms of the sizes, and its lowest loss."""
    ops = seeded_keras(seed).ops
    # An observable of m outputs weighs as the root of m: an observable of one number counts, and so does a large grid.
    weights = np.concatenate([np.full(m, m**-0.5) for m in widths])
    weights = (weights / weights.mean()).astype(np.float32)

    def loss(truth: Any, raw: Any) -> Any:
        defined = ops.isfinite(truth)
        total: Any = 0.0
        for share, errors, weight in _SHARES:
            above = ops.where(defined, truth, 0.0) - raw - np.float32(np.log(errors))
            total = total + weight * ops.maximum(share * above, (share - 1.0) * above)
        return ops.mean(ops.where(defined, total, 0.0) * weights)

    wanted = NetworkSettings(
        outputs=["errors"],
        hidden=settings.hidden,
        epochs=settings.epochs,
        batch_size=min(settings.batch_size, max(len(train.x) // 16, 1)),
        learning_rate=settings.learning_rate,
    )
    spec = {
        "architecture": "dense",
        "hidden": wanted.hidden,
        "activation": "silu",
        "batch_norm": False,
        "residual": False,
        "n_inputs": train.x.shape[1],
        "steps": 1,
        "widths": [train.y.shape[1]],
    }
    model = build_model(spec, wanted.initialiser, 1.0)
    history = Loop(model, loss, wanted, seed=seed, log=lambda line: log(f"errors: {line}")).run(train, held)
    return model, min(history.validation)


def _layers(model: Any, settings: ErrorSettings, log_size: FloatArray) -> DenseLayers:
    """Return the layers of a trained model, with the first guess of the sizes added to the last biases."""
    names = [*(f"dense{i}" for i in range(len(settings.hidden))), "head"]
    weights = [model.get_layer(name).get_weights() for name in names]
    kernels = tuple(np.asarray(kernel, dtype=np.float32) for kernel, _ in weights)
    biases = [np.asarray(bias, dtype=np.float32) for _, bias in weights]
    biases[-1] = (biases[-1] + log_size).astype(np.float32)
    return DenseLayers("silu", False, kernels, tuple(biases))


def _in_blocks(layers: Layers, x: FloatArray) -> FloatArray:
    """Return all outputs of some layers ``(n, m)``."""
    forward = layers.forward(np.arange(layers.n_outputs))
    return np.concatenate([forward(part, NUMPY) for part in np.array_split(x, max(len(x) // _BLOCK, 1))])


def _correction(units: FloatArray) -> float:
    """Return what to add to the logarithm of the sizes of an observable, by the balance that the loss has too.

    The network was trained on the other points, so that its sizes are slightly too small for new ones.

    Parameters
    ----------
    units : (n, m) array
        Absolute residuals of the held points in units of their predicted sizes.
    """
    ordered = np.sort(units[np.isfinite(units)])
    if not len(ordered):
        return 0.0
    low, high = -2.0, 2.0
    for _ in range(30):
        middle = 0.5 * (low + high)
        within = [np.searchsorted(ordered, np.exp(middle) * errors, side="right") for _, errors, _ in _SHARES]
        lacks = sum(w * (share - k / len(ordered)) for k, (share, _, w) in zip(within, _SHARES, strict=True))
        low, high = (middle, high) if lacks > 0 else (low, middle)
    return middle


def _loadings(units: FloatArray) -> FloatArray:
    """Return the factors ``(r, m)`` of residuals in units of their sizes ``(n, m)``.

    All factors are multiplied by one number, so that the mean chi^2 per residual of whole vectors is one. What they
    explain less is then independent. The number is at least :data:`_LEAST`. A few points at which all outputs are wrong
    would otherwise decide what all points share.
    """
    factors = factors_of(correlation_of(np.clip(units, -_LARGEST, _LARGEST)), FACTORS)
    if factors.shape[1] == 1:
        return factors
    few = units[:_BLOCK]
    low, high = _LEAST, _MOST
    for _ in range(8):
        middle = 0.5 * (low + high)
        above = chi2_per_output(few, strongest_factors(_multiplied(factors, middle))) > 1.0
        low, high = (low, middle) if above else (middle, high)
    return _multiplied(factors, low)


def _multiplied(factors: FloatArray, by: float) -> FloatArray:
    """Return factors ``(r, m)`` times a number, or less where they would leave too little that is independent."""
    shared = np.sum(factors**2, axis=0)
    return factors * np.minimum(by, np.sqrt((1.0 - LEAST_REST) / np.maximum(shared, 1e-12)))


def chi2_per_output(units: FloatArray, factors: FloatArray) -> float:
    """Return the mean over all points of chi^2 per defined residual ``(n, m)``, with the covariance of some factors."""
    defined: Any = np.isfinite(units)
    weight = defined / np.maximum(1.0 - np.sum(factors**2, axis=0), 1e-6)
    r = np.where(defined, units, 0.0)
    a = np.einsum("rm,nm,sm->nrs", factors, weight, factors, optimize=True) + np.eye(len(factors))
    b = (r * weight) @ factors.T
    chi2 = np.sum(r**2 * weight, axis=1) - np.sum(b * np.linalg.solve(a, b[:, :, None])[:, :, 0], axis=1)
    counts = defined.sum(axis=1)
    return float(np.mean(chi2[counts > 0] / counts[counts > 0]))


def correlation_of(units: FloatArray) -> FloatArray:
    """Return the correlation ``(m, m)`` of residuals ``(n, m)``; undefined ones are left out pair by pair."""
    defined = np.isfinite(units)
    filled = np.where(defined, units, 0.0)
    counts = defined.astype(float).T @ defined.astype(float)
    covariance = (filled.T @ filled) / np.maximum(counts, 1.0)
    spread = np.sqrt(np.maximum(np.diag(covariance), 1e-12))
    return np.asarray(covariance / np.outer(spread, spread))
