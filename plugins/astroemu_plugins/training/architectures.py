"""Keras models by name, and what a trained one becomes.

Every architecture is one function from the network's settings to its hidden layers; the head, one
linear layer, is the same for all. Dense forms become :class:`DenseLayers`, evaluated in NumPy: batch
normalisation is folded into the kernels. The others run through Keras, as :class:`KerasLayers`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from astroemu.errors import ConfigurationError
from astroemu.observable import Observable
from astroemu_plugins.emulators.keras_layers import KerasLayers
from astroemu_plugins.emulators.layers import DenseLayers, Layers
from astroemu_plugins.training.settings import NetworkSettings
from astroemu_plugins.training.targets import Targets

Weights = NDArray[np.float32]


def specification(settings: NetworkSettings, outputs: list[Observable], n_inputs: int) -> dict[str, Any]:
    """Return all that decides the shape of a model, as JSON.

    Raises
    ------
    ConfigurationError
        If the outputs of a convolutional or recurrent network do not share their first axis.
    """
    steps = 1
    if settings.architecture != "dense":
        if any(not observable.axes for observable in outputs) or any(
            observable.axes[0] != outputs[0].axes[0] for observable in outputs
        ):
            raise ConfigurationError(
                f"a network of the architecture {settings.architecture!r} runs along the first axis of its outputs, "
                f"which {', '.join(o.name for o in outputs)} do not share; give them networks of their own"
            )
        steps = len(outputs[0].axes[0].values)
    return {
        "architecture": settings.architecture,
        "hidden": settings.hidden,
        "activation": settings.activation,
        "batch_norm": settings.batch_norm,
        "residual": settings.residual,
        "n_inputs": n_inputs,
        "steps": steps,
        "widths": [observable.size // steps for observable in outputs],
    }


def build(spec: Mapping[str, Any], settings: NetworkSettings | None = None) -> Any:
    """Return the Keras model of a specification, with the initial weights of the settings."""
    import keras

    inputs = keras.Input((spec["n_inputs"],))
    width = sum(spec["widths"])
    if spec["architecture"] == "dense":
        outputs = keras.layers.Dense(width, name="head")(_dense(keras, inputs, spec, settings))
        return keras.Model(inputs, outputs)
    h = _sequence(keras, _along_axis(keras, inputs, spec["steps"]), spec)
    return keras.Model(inputs, _by_observable(keras, keras.layers.Dense(width, name="head")(h), spec))


def _dense(keras: Any, h: Any, spec: Mapping[str, Any], settings: NetworkSettings | None) -> Any:
    maxout = spec["activation"] == "maxout"
    for i, width in enumerate(spec["hidden"]):
        g = keras.layers.Dense(width * (2 if maxout else 1), name=f"dense{i}", **_initial(keras, i, settings))(h)
        if spec["batch_norm"]:
            g = keras.layers.BatchNormalization(name=f"norm{i}")(g)
        g = _activated(keras, g, spec["activation"], f"activation{i}")
        h = keras.layers.Add()([h, g]) if spec["residual"] and i and spec["hidden"][i - 1] == width else g
    return h


def _sequence(keras: Any, h: Any, spec: Mapping[str, Any]) -> Any:
    layers: dict[str, Callable[[int, int], Any]] = {
        "conv1d": lambda width, i: keras.layers.Conv1D(width, 5, padding="same", name=f"conv{i}"),
        "gru": lambda width, i: keras.layers.GRU(width, return_sequences=True, name=f"gru{i}"),
        "lstm": lambda width, i: keras.layers.LSTM(width, return_sequences=True, name=f"lstm{i}"),
    }
    for i, width in enumerate(spec["hidden"]):
        convolution = spec["architecture"] == "conv1d"
        # Recurrent cells have activations of their own; maxout takes the larger of two halves.
        doubled = width * 2 if convolution and spec["activation"] == "maxout" else width
        h = layers[spec["architecture"]](doubled, i)(h)
        if spec["batch_norm"]:
            h = keras.layers.BatchNormalization(name=f"norm{i}")(h)
        if convolution:
            h = _activated(keras, h, spec["activation"], f"activation{i}")
    return h


def _along_axis(keras: Any, inputs: Any, steps: int) -> Any:
    """Repeat the inputs at every step, with the step's position from -1 to 1 as one more."""
    repeated = keras.layers.RepeatVector(steps)(inputs)
    position = np.linspace(-1.0, 1.0, steps, dtype=np.float32)[None, :, None]
    return keras.ops.concatenate([repeated, keras.ops.zeros_like(repeated[:, :, :1]) + position], axis=2)


def _by_observable(keras: Any, h: Any, spec: Mapping[str, Any]) -> Any:
    """From ``(n, steps, sum of widths)`` to flat observables, one after the other."""
    parts, start = [], 0
    for width in spec["widths"]:
        parts.append(keras.ops.reshape(h[:, :, start : start + width], (-1, spec["steps"] * width)))
        start += width
    return keras.ops.concatenate(parts, axis=1)


def _activated(keras: Any, g: Any, activation: str, name: str) -> Any:
    if activation == "maxout":
        half = g.shape[-1] // 2
        return keras.ops.maximum(g[..., :half], g[..., half:])
    if activation == "alsing":
        return _alsing(keras)(name=name)(g)
    if activation == "leaky_relu":
        return keras.layers.LeakyReLU(negative_slope=0.2, name=name)(g)
    return keras.layers.Activation(activation, name=name)(g)


def _alsing(keras: Any) -> Any:
    class Alsing(keras.layers.Layer):  # type: ignore[misc]
        """x (beta + (1 - beta) sigmoid(alpha x)), alpha and beta trained (Alsing et al. 2020, eq. 8)."""

        def build(self, shape: Any) -> None:
            self.alpha = self.add_weight(shape=(shape[-1],), initializer="ones", name="alpha")
            self.beta = self.add_weight(shape=(shape[-1],), initializer="zeros", name="beta")

        def call(self, x: Any) -> Any:
            return x * (self.beta + (1.0 - self.beta) * keras.ops.sigmoid(self.alpha * x))

    return Alsing


def _initial(keras: Any, number: int, settings: NetworkSettings | None) -> dict[str, Any]:
    """He initialisation, with a first layer wide enough to resolve the sharp transitions.

    Glorot's would start the few inputs at a tenth of the activation's width, where the network is
    linear.
    """
    if settings is None or settings.initialiser == "glorot":
        return {}
    scale = settings.first_layer_scale if number == 0 else 1.0
    return {
        "kernel_initializer": keras.initializers.VarianceScaling(2.0 * scale**2, "fan_in"),
        "bias_initializer": keras.initializers.RandomUniform(-scale, scale) if number == 0 else "zeros",
    }


def layers_of(model: Any, spec: Mapping[str, Any], targets: Targets, centre: Weights, width: Weights) -> Layers:
    """Return a trained model as layers from raw inputs to raw outputs, standardisation included."""
    if spec["architecture"] != "dense":
        weights = [np.asarray(w, dtype=np.float32) for w in model.get_weights()]
        mean, std = targets.mean.astype(np.float32), targets.std.astype(np.float32)
        return KerasLayers(dict(spec), weights, centre, width, mean, std)
    kernels, biases, shapes = [], [], []
    for i in range(len(spec["hidden"])):
        kernel, bias = (np.asarray(w, dtype=float) for w in model.get_layer(f"dense{i}").get_weights())
        if spec["batch_norm"]:
            norm = model.get_layer(f"norm{i}")
            gamma, beta, mean, variance = (np.asarray(w, dtype=float) for w in norm.get_weights())
            factor = gamma / np.sqrt(variance + norm.epsilon)
            kernel, bias = kernel * factor, (bias - mean) * factor + beta
        kernels.append(kernel)
        biases.append(bias)
        if spec["activation"] == "alsing":
            shapes.append(np.stack(model.get_layer(f"activation{i}").get_weights()))
    kernel, bias = (np.asarray(w, dtype=float) for w in model.get_layer("head").get_weights())
    kernels.append(kernel * targets.std)
    biases.append(bias * targets.std + targets.mean)
    kernels[0] = kernels[0] / width[:, None]
    biases[0] = biases[0] - centre @ kernels[0]
    return DenseLayers(spec["activation"], spec["residual"], _float32(kernels), _float32(biases), _float32(shapes))


def _float32(arrays: list[Any]) -> tuple[Weights, ...]:
    return tuple(np.asarray(array, dtype=np.float32) for array in arrays)
