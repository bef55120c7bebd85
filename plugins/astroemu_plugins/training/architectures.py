"""Conversion of settings to a network specification, and of a trained Keras model to layers.

Dense networks become :class:`~astroemu_plugins.networks.layers.DenseLayers`, which NumPy evaluates. Their batch
normalisation is folded into the kernels. Other networks become
:class:`~astroemu_plugins.networks.keras_layers.KerasLayers`, which Keras evaluates.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from astroemu.core.observable import Observable
from astroemu.errors import ConfigurationError
from astroemu_plugins.networks.keras_layers import KerasLayers
from astroemu_plugins.networks.layers import DenseLayers, Layers
from astroemu_plugins.training.settings import NetworkSettings
from astroemu_plugins.training.targets import Targets

Weights = NDArray[np.float32]


def specification(settings: NetworkSettings, outputs: list[Observable], n_inputs: int) -> dict[str, Any]:
    """Return the specification of a model as JSON.

    Parameters
    ----------
    settings : NetworkSettings
    outputs : list of Observable
    n_inputs : int
        Number of parameters plus number of feature columns.

    Returns
    -------
    dict
        ``architecture``, ``hidden``, ``activation``, ``batch_norm``, ``residual``, ``n_inputs``, ``steps`` (length of
        the first axis of the outputs; 1 for dense networks) and ``widths`` (outputs of each observable per step).

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
                f"which {', '.join(o.name for o in outputs)} do not share; use a separate network for each"
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


def layers_of(model: Any, spec: Mapping[str, Any], targets: Targets, centre: Weights, width: Weights) -> Layers:
    """Return a trained model as layers that include the standardisation of inputs and outputs.

    Parameters
    ----------
    model : keras.Model
    spec : mapping
        See :func:`specification`.
    targets : Targets
    centre, width : (n_inputs,) float32 array
        Standardisation of the inputs.
    """
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
