"""Keras models of the supported architectures.

Each architecture has one function that adds its hidden layers. All architectures end with the same head, one linear
layer.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from typing import Any, Literal

import numpy as np

from astroemu.errors import PluginError


def seeded_keras(seed: int) -> Any:
    """Return the module keras, with its random generators seeded.

    Raises
    ------
    PluginError
        If Keras or its backend is not installed.
    """
    os.environ.setdefault("KERAS_BACKEND", "tensorflow")
    try:
        import keras
    except ImportError as error:  # of Keras, or of its backend
        raise PluginError(
            f"training a network needs keras and {os.environ['KERAS_BACKEND']} ({error}): pip install keras "
            f"{os.environ['KERAS_BACKEND']}"
        ) from None

    keras.utils.set_random_seed(seed)
    keras.backend.clear_session()
    return keras


def build_model(
    spec: Mapping[str, Any], initialiser: Literal["he", "glorot"] = "glorot", first_layer_scale: float = 1.0
) -> Any:
    """Return the Keras model of a specification.

    Parameters
    ----------
    spec : mapping
        See :func:`astroemu_plugins.training.architectures.specification`.
    initialiser : {"he", "glorot"}
        Initialisation of the hidden layers of a dense network.
    first_layer_scale : float
        With "he": factor of the width of the first layer's weights, and half-width of its biases.

    Returns
    -------
    keras.Model
        From standardised inputs ``(n, n_inputs)`` to standardised outputs ``(n, m)``, the observables side by side.
    """
    import keras

    initial = [_initial(keras, number, initialiser, first_layer_scale) for number in range(len(spec["hidden"]))]
    inputs = keras.Input((spec["n_inputs"],))
    width = sum(spec["widths"])
    if spec["architecture"] == "dense":
        outputs = keras.layers.Dense(width, name="head")(_dense(keras, inputs, spec, initial))
        return keras.Model(inputs, outputs)
    h = _sequence(keras, _along_axis(keras, inputs, spec["steps"]), spec)
    return keras.Model(inputs, _by_observable(keras, keras.layers.Dense(width, name="head")(h), spec))


def _dense(keras: Any, h: Any, spec: Mapping[str, Any], initial: list[dict[str, Any]]) -> Any:
    maxout = spec["activation"] == "maxout"
    for i, width in enumerate(spec["hidden"]):
        g = keras.layers.Dense(width * (2 if maxout else 1), name=f"dense{i}", **initial[i])(h)
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
        # Recurrent cells have their own activations. Maxout takes the larger of two halves.
        doubled = width * 2 if convolution and spec["activation"] == "maxout" else width
        h = layers[spec["architecture"]](doubled, i)(h)
        if spec["batch_norm"]:
            h = keras.layers.BatchNormalization(name=f"norm{i}")(h)
        if convolution:
            h = _activated(keras, h, spec["activation"], f"activation{i}")
    return h


def _along_axis(keras: Any, inputs: Any, steps: int) -> Any:
    """Repeat the inputs ``(n, d)`` at every step and append the step's position in [-1, 1]: ``(n, steps, d + 1)``."""
    repeated = keras.layers.RepeatVector(steps)(inputs)
    position = np.linspace(-1.0, 1.0, steps, dtype=np.float32)[None, :, None]
    return keras.ops.concatenate([repeated, keras.ops.zeros_like(repeated[:, :, :1]) + position], axis=2)


def _by_observable(keras: Any, h: Any, spec: Mapping[str, Any]) -> Any:
    """Return flat observables side by side, ``(n, m)``, from an array ``(n, steps, sum of widths)``."""
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
        """``x (beta + (1 - beta) sigmoid(alpha x))`` with trained alpha and beta (Alsing et al. 2020, eq. 8)."""

        def build(self, shape: Any) -> None:
            self.alpha = self.add_weight(shape=(shape[-1],), initializer="ones", name="alpha")
            self.beta = self.add_weight(shape=(shape[-1],), initializer="zeros", name="beta")

        def call(self, x: Any) -> Any:
            return x * (self.beta + (1.0 - self.beta) * keras.ops.sigmoid(self.alpha * x))

    return Alsing


def _initial(keras: Any, number: int, initialiser: str, first_layer_scale: float) -> dict[str, Any]:
    """Return the arguments of the initialisation of layer ``number`` of a dense network.

    He initialisation with a wide first layer resolves sharp transitions. Glorot initialisation starts the few inputs
    at a tenth of the activation's width, where the network is linear.
    """
    if initialiser == "glorot":
        return {}
    scale = first_layer_scale if number == 0 else 1.0
    return {
        "kernel_initializer": keras.initializers.VarianceScaling(2.0 * scale**2, "fan_in"),
        "bias_initializer": keras.initializers.RandomUniform(-scale, scale) if number == 0 else "zeros",
    }
