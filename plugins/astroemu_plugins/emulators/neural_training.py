"""Training of neural networks, in Keras 3.

Each network is trained on its own: standardised targets in the space of their transforms, a
cosine learning rate after a short warm-up, and the weights of the best validation loss. The split
into training, validation and test points is drawn once from the seed and never again; the test
points are looked at once, for the error that the file states.

Keras and its backend are imported here and nowhere else.
"""

from __future__ import annotations

import hashlib
import math
import os
import time
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field

from astroemu.errors import ConfigurationError, DataError, closest, listing, located
from astroemu.namespace import NUMPY
from astroemu.observable import Observable
from astroemu.options import check
from astroemu.training_set import TrainingSet
from astroemu.transform import Fraction, Identity, Transform, transform_from
from astroemu_plugins.emulators.layers import DenseLayers
from astroemu_plugins.emulators.neural import Input, Network, NeuralEmulator, Output, Scaling

Array = NDArray[np.float64]
Weights = NDArray[np.float32]


class NetworkSettings(BaseModel):
    """``[training.networks.NAME]``."""

    model_config = ConfigDict(extra="forbid")

    outputs: list[str]
    inputs: list[str] = []
    features: list[str] = []
    hidden: list[int] = [256, 256, 256, 256]
    activation: Literal["elu", "leaky_relu", "relu", "sigmoid", "silu", "tanh"] = "silu"
    residual: bool = False
    loss: Literal["mse", "mae"] = "mse"
    epochs: int = Field(default=100, ge=1)
    batch_size: int = Field(default=512, ge=1)
    learning_rate: float = Field(default=2e-3, gt=0)
    first_layer_scale: float = Field(default=2.0, gt=0)


class Settings(BaseModel):
    """``[training]``: everything but the data and the seed."""

    model_config = ConfigDict(extra="forbid")

    name: str = "emulator"
    log10_inputs: list[str] = []
    transforms: dict[str, dict[str, Any]] = {}
    validation_points: int = Field(default=8192, ge=1)
    test_points: int = Field(default=8192, ge=1)
    networks: dict[str, NetworkSettings]


def train(
    data: TrainingSet, settings: Mapping[str, Any], *, seed: int, log: Any, reuse: NeuralEmulator | None = None
) -> tuple[tuple[Input, ...], dict[str, Network], dict[str, Any]]:
    """Train the networks of an emulator.

    Returns
    -------
    inputs, networks, provenance
        What :class:`NeuralEmulator` is made of.

    Raises
    ------
    ConfigurationError
        For a setting that does not fit the data.
    DataError
        For data that cannot be trained on.
    """
    chosen: Settings = check(Settings, dict(settings), "[training]")
    _compare(chosen, data)
    inputs = _inputs(data, chosen)
    train_rows, validation_rows, test_rows = _split(len(data), chosen, seed)
    scaled = Scaling(inputs)(data.theta, NUMPY)
    networks: dict[str, Network] = {}
    metrics: dict[str, Any] = {}
    features = _Features(data)
    for number, (key, wanted) in enumerate(chosen.networks.items()):
        names = tuple(wanted.inputs) or data.names
        own = scaled[:, [data.names.index(name) for name in names]].astype(np.float32)
        x = np.concatenate([own, *(features.values[name] for name in wanted.features)], axis=1)
        centre, width = _centre_and_width(x, len(names), train_rows)
        transforms = [_transform(chosen, name) for name in wanted.outputs]
        targets = _Targets(data, wanted.outputs, transforms, train_rows)
        if reuse is not None and key in reuse.networks and _unchanged(reuse.provenance, key, chosen, data, seed):
            log(f"{key}: taken over from the earlier file")
            networks[key], metrics[key] = reuse.networks[key], reuse.provenance["metrics"][key]
            features.add(networks[key], x)
            continue
        log(f"{key}: {x.shape[1]} inputs, {targets.width} outputs, {len(train_rows)} points")
        kernels, biases, history = _fit(
            (x - centre) / width,
            targets,
            train_rows,
            validation_rows,
            wanted,
            seed=seed + number,
            log=lambda m, k=key: log(f"{k}: {m}"),
        )
        blank = tuple(
            Output(data.observables[name], transform, np.zeros(data.observables[name].size))
            for name, transform in zip(wanted.outputs, transforms, strict=True)
        )
        network = Network(
            names,
            tuple(data.observables[name] for name in wanted.features),
            blank,
            DenseLayers(wanted.activation, wanted.residual, *_folded(kernels, biases, targets, centre, width)),
        )
        networks[key], metrics[key] = _measured(network, x[test_rows], data, test_rows)
        metrics[key] |= history
        features.add(networks[key], x)
    provenance = {
        "name": chosen.name,
        "simulation": dict(data.metadata),
        "points": len(data),
        "split": {
            "train": len(train_rows),
            "validation": len(validation_rows),
            "test": len(test_rows),
            "seed": seed,
            "sha256_of_order": hashlib.sha256(
                np.concatenate([train_rows, validation_rows, test_rows]).tobytes()
            ).hexdigest(),
        },
        "settings": chosen.model_dump(),
        "versions": _versions(),
        "metrics": metrics,
    }
    return inputs, networks, provenance


def _unchanged(earlier: Mapping[str, Any], key: str, settings: Settings, data: TrainingSet, seed: int) -> bool:
    """Whether training a network again would give the weights of an earlier file."""
    new = settings.model_dump()
    old = earlier["settings"]
    same_data = earlier["simulation"] == data.metadata and earlier["split"]["seed"] == seed
    same_rest = all(old[k] == new[k] for k in ("log10_inputs", "transforms", "validation_points", "test_points"))
    position = list(new["networks"]).index(key)  # the seed of a network counts from it

    def same(name: str) -> bool:
        return name in old["networks"] and old["networks"][name] == new["networks"][name]

    at = list(old["networks"]).index(key) == position
    before = [n for n, net in new["networks"].items() if set(net["outputs"]) & set(new["networks"][key]["features"])]
    return same_data and same_rest and at and same(key) and all(same(name) for name in before)


class _Features:
    """Outputs of the networks trained so far, at every point, as inputs for the next."""

    def __init__(self, data: TrainingSet) -> None:
        self.data = data
        self.values: dict[str, Weights] = {}

    def add(self, network: Network, x: Weights) -> None:
        forward = network.layers.forward(np.arange(network.layers.n_outputs))
        raw = np.concatenate([forward(part, NUMPY) for part in np.array_split(x, max(len(x) // 4096, 1))])
        start = 0
        for output in network.outputs:
            block = raw[:, start : start + output.observable.size]
            self.values[output.observable.name] = output.transform.feature(block, NUMPY).astype(np.float32)
            start += output.observable.size


def _centre_and_width(x: Weights, n_parameters: int, rows: NDArray[np.int64]) -> tuple[Weights, Weights]:
    """Standardisation of the features; the parameters are scaled already."""
    centre, width = np.zeros(x.shape[1], dtype=np.float32), np.ones(x.shape[1], dtype=np.float32)
    if x.shape[1] > n_parameters:
        centre[n_parameters:] = x[rows, n_parameters:].mean(axis=0)
        spread = x[rows, n_parameters:].std(axis=0)
        # An output that hardly varies holds mostly noise: it is not blown up to unit width.
        width[n_parameters:] = np.maximum(spread, 0.05 * spread.max())
    return centre, width


def _compare(settings: Settings, data: TrainingSet) -> None:
    """Refuse settings that name what the data do not have."""
    for name in (*settings.log10_inputs, *(i for n in settings.networks.values() for i in n.inputs)):
        if name not in data.names:
            raise ConfigurationError(
                f"[training] names the parameter {name!r}.{closest(name, data.names)} "
                f"The data have {listing(data.names)}"
            )
    for name in (*settings.transforms, *(o for n in settings.networks.values() for o in n.outputs)):
        if name not in data.observables:
            raise ConfigurationError(
                f"[training] names the observable {name!r}.{closest(name, data.observables)} "
                f"The data have {listing(data.observables)}"
            )
    known: set[str] = set()
    for key, network in settings.networks.items():
        for name in network.features:
            if name not in known:
                raise ConfigurationError(
                    f"[training.networks.{key}] builds on {name!r}, which no network before it gives."
                    f"{closest(name, known)} Given before: {listing(known)}"
                )
        known |= set(network.outputs)
        for name in network.outputs:  # before hours are spent on the networks before it
            transform = _transform(settings, name)
            with located(f"[training] transforms.{name}"):
                transform.forward(np.asarray(data.values[name]))
    for j, name in enumerate(data.names):
        if not np.all(np.isfinite(data.theta[:, j])):
            raise DataError(f"the parameter {name!r} of the training set is not finite everywhere; clean the data")
        if np.ptp(data.theta[:, j]) == 0:
            raise DataError(f"the parameter {name!r} of the training set is constant; nothing can be learnt from it")
    largest = max(n.batch_size for n in settings.networks.values())
    rest = len(data) - settings.validation_points - settings.test_points
    if rest < largest:
        raise DataError(
            f"{len(data)} points less {settings.validation_points} for validation and {settings.test_points} for the "
            f"test leave {rest}, fewer than one batch of {largest}; simulate more or lower these numbers"
        )


def _transform(settings: Settings, name: str) -> Transform:
    with located(f"[training] transforms.{name}"):
        return transform_from(settings.transforms.get(name, {"transform": "identity"}))


def _inputs(data: TrainingSet, settings: Settings) -> tuple[Input, ...]:
    """Training box: that of the design if the data state it, else that of the points."""
    box = data.metadata.get("parameters", {})
    made = []
    for j, name in enumerate(data.names):
        stated = box.get(name, {})
        low = float(stated.get("low", data.theta[:, j].min()))
        high = float(stated.get("high", data.theta[:, j].max()))
        log10 = name in settings.log10_inputs
        if log10 and low <= 0:
            raise ConfigurationError(f"log10_inputs: {name!r} reaches down to {low:g}")
        made.append(Input(name, low, high, stated.get("unit", ""), stated.get("latex", ""), log10))
    return tuple(made)


def _split(n: int, settings: Settings, seed: int) -> tuple[NDArray[np.int64], ...]:
    order = np.random.default_rng(seed).permutation(n)
    a, b = settings.test_points, settings.test_points + settings.validation_points
    return order[b:], order[a:b], order[:a]


class _Targets:
    """What a network is trained on: outputs in the space of their transforms, standardised."""

    def __init__(
        self, data: TrainingSet, names: list[str], transforms: list[Transform], rows: NDArray[np.int64]
    ) -> None:
        columns, mean, std = [], [], []
        self.blocks: list[tuple[int, bool]] = []  # (width, is a fraction) of each observable
        for name, transform in zip(names, transforms, strict=True):
            raw = np.asarray(data.values[name]).reshape(len(data), -1)
            if np.any(np.isinf(raw)):
                raise DataError(f"{name!r} holds infinities; clean the data")
            undefined = int(np.sum(np.all(np.isnan(raw[rows]), axis=0)))
            if undefined:
                raise DataError(
                    f"{name!r} is undefined (NaN) at every point for {undefined} of its {raw.shape[1]} outputs"
                )
            t = transform.forward(raw)
            is_fraction = isinstance(transform, Fraction)
            n = t.shape[1]
            mean.append(np.zeros(n) if is_fraction else np.nanmean(t[rows], axis=0, dtype=float))
            std.append(np.ones(n) if is_fraction else np.nanstd(t[rows], axis=0, dtype=float))
            self.blocks.append((n, is_fraction))
            columns.append(np.asarray(t, dtype=np.float32))
        self.mean, self.std = np.concatenate(mean), np.concatenate(std)
        self.std = np.where(self.std > 0, self.std, 1.0)  # a constant output is learnt as its mean
        self.values = np.concatenate(columns, axis=1)
        self.values -= self.mean.astype(np.float32)
        self.values /= self.std.astype(np.float32)
        self.width = self.values.shape[1]


def _fit(
    x: Weights,
    targets: _Targets,
    train_rows: NDArray[np.int64],
    validation_rows: NDArray[np.int64],
    settings: NetworkSettings,
    *,
    seed: int,
    log: Any,
) -> tuple[list[Weights], list[Weights], dict[str, Any]]:
    """Train one network and return its layers and its history."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    os.environ.setdefault("KERAS_BACKEND", "tensorflow")
    import keras

    keras.utils.set_random_seed(seed)
    keras.backend.clear_session()
    model, layers = _network(keras, x.shape[1], targets, settings)
    batch = settings.batch_size
    steps = settings.epochs * math.ceil(len(train_rows) / batch)
    rate = keras.optimizers.schedules.CosineDecay(
        initial_learning_rate=settings.learning_rate / 100,
        decay_steps=steps,
        warmup_target=settings.learning_rate,
        warmup_steps=min(500, steps // 10 + 1),
    )
    model.compile(optimizer=keras.optimizers.Adam(rate), loss=_masked(keras, settings.loss), jit_compile=True)
    started = time.monotonic()

    def told(epoch: int, logs: Mapping[str, float]) -> None:
        if (epoch + 1) % max(settings.epochs // 20, 1) == 0:
            minutes = (time.monotonic() - started) / 60
            log(
                f"epoch {epoch + 1} of {settings.epochs}, loss {logs['loss']:.3e}, "
                f"validation {logs['val_loss']:.3e}, {minutes:.1f} min"
            )

    best = keras.callbacks.EarlyStopping(monitor="val_loss", patience=settings.epochs, restore_best_weights=True)
    history = model.fit(
        x[train_rows],
        targets.values[train_rows],
        validation_data=(x[validation_rows], targets.values[validation_rows]),
        batch_size=batch,
        epochs=settings.epochs,
        callbacks=[best, keras.callbacks.LambdaCallback(on_epoch_end=told)],
        verbose=0,
    )
    kernels = [np.array(keras.ops.convert_to_numpy(layer.kernel), dtype=np.float32) for layer in layers]
    biases = [np.array(keras.ops.convert_to_numpy(layer.bias), dtype=np.float32) for layer in layers]
    validation = [float(v) for v in history.history["val_loss"]]
    return kernels, biases, {"best_epoch": int(np.argmin(validation)) + 1, "validation_loss": min(validation)}


def _network(keras: Any, n_inputs: int, targets: _Targets, settings: NetworkSettings) -> tuple[Any, list[Any]]:
    """Build the Keras model; its layers come back too, in order."""
    inputs = keras.Input((n_inputs,))
    h, layers = inputs, []
    for i, width in enumerate(settings.hidden):
        layer = keras.layers.Dense(width, activation=settings.activation, **_initial(keras, i, settings))
        g = layer(h)
        h = keras.layers.Add()([h, g]) if settings.residual and i else g
        layers.append(layer)
    last = keras.layers.Dense(targets.width)
    outputs = last(h)
    if any(is_fraction for _, is_fraction in targets.blocks):
        # Fractions pass through the logistic function inside the loss; see transform.Fraction.
        parts, start = [], 0
        for size, is_fraction in targets.blocks:
            part = outputs[:, start : start + size]
            parts.append(keras.ops.sigmoid(part) if is_fraction else part)
            start += size
        outputs = keras.ops.concatenate(parts, axis=1)
    return keras.Model(inputs, outputs), [*layers, last]


def _initial(keras: Any, number: int, settings: NetworkSettings) -> dict[str, Any]:
    """He initialisation, with a first layer wide enough to resolve the sharp transitions.

    Glorot's would start the few inputs at a tenth of the activation's width, where the network is
    linear.
    """
    scale = settings.first_layer_scale if number == 0 else 1.0
    return {
        "kernel_initializer": keras.initializers.VarianceScaling(2.0 * scale**2, "fan_in", seed=number),
        "bias_initializer": keras.initializers.RandomUniform(-scale, scale, seed=number) if number == 0 else "zeros",
    }


def _masked(keras: Any, kind: str) -> Any:
    """Mean loss over the outputs that are defined (NaN marks the others)."""
    ops = keras.ops

    def loss(truth: Any, prediction: Any) -> Any:
        defined = ops.isfinite(truth)
        residual = ops.where(defined, prediction - ops.where(defined, truth, 0.0), 0.0)
        return ops.mean(ops.abs(residual) if kind == "mae" else ops.square(residual))

    return loss


def _folded(
    kernels: list[Weights], biases: list[Weights], targets: _Targets, centre: Weights, width: Weights
) -> tuple[tuple[Weights, ...], tuple[Weights, ...]]:
    """Put the standardisation of features and outputs into the first and last layers."""
    kernels, biases = list(kernels), list(biases)
    kernels[0] = kernels[0] / width[:, None]
    biases[0] = biases[0] - centre @ kernels[0]
    kernels[-1] = (kernels[-1] * targets.std).astype(np.float32)
    biases[-1] = (biases[-1] * targets.std + targets.mean).astype(np.float32)
    return tuple(kernels), tuple(biases)


def _measured(
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
        outputs.append(Output(observable, output.transform, _error(output.transform, t, truth)))
        metrics[observable.name] = _accuracy(observable, output.transform, t, truth)
    return replace(network, outputs=tuple(outputs)), metrics


def _error(transform: Transform, t: Array, truth: Array) -> Array:
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


def _accuracy(observable: Observable, transform: Transform, t: Array, truth: Array) -> dict[str, float]:
    """Median, 68 % and 95 % of the absolute error, and of the fractional one where it has a meaning."""
    y = transform.inverse(t, NUMPY)
    levels = {"median": 0.5, "q68": 0.6827, "q95": 0.95}
    found = {f"absolute_{k}": float(np.nanquantile(np.abs(y - truth), q)) for k, q in levels.items()}
    if not observable.unit.startswith("log10") and not isinstance(transform, Fraction | Identity):
        fraction = np.abs(y - truth) / np.abs(truth)
        found |= {f"fractional_{k}": float(np.nanquantile(fraction, q)) for k, q in levels.items()}
    return found


def _versions() -> dict[str, str]:
    from importlib.metadata import version

    import keras

    return {
        "astroemu": version("astroemu-inference"),
        "keras": keras.__version__,
        "backend": f"{keras.backend.backend()} {version(keras.backend.backend())}",
        "numpy": np.__version__,
    }
