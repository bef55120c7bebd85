"""Convolutional and recurrent layers, evaluated through Keras.

An emulator file holds a specification and plain arrays. The model is built from the specification by the code of this
package, so reading a file never runs code from that file. Keras is imported when an evaluator of the layers is made.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from astroemu.core.array_namespace import Namespace
from astroemu.errors import DataError, listing
from astroemu_plugins.networks.keras_models import build_model
from astroemu_plugins.networks.layers import ACTIVATIONS, Forward, Layers

Weights = NDArray[np.float32]
ARCHITECTURES = ("conv1d", "gru", "lstm")


@dataclass(frozen=True, eq=False)
class KerasLayers(Layers):
    """A Keras model between standardised inputs and standardised outputs.

    Attributes
    ----------
    spec : dict
        See :func:`astroemu_plugins.training.architectures.specification`.
    weights : list of float32 array
        In the order of ``keras.Model.get_weights``.
    centre, width : (n_inputs,) float32 array
        The model takes ``(input - centre) / width``.
    mean, std : (n_outputs,) float32 array
        The outputs are ``std`` times the model's, plus ``mean``.

    Raises
    ------
    DataError
        If the architecture is unknown, or the weights do not fit it.
    """

    spec: dict[str, Any]
    weights: list[Weights]
    centre: Weights
    width: Weights
    mean: Weights
    std: Weights
    kind: ClassVar[str] = "keras"

    def __post_init__(self) -> None:
        if self.spec["architecture"] not in ARCHITECTURES:
            raise DataError(f"unknown architecture {self.spec['architecture']!r}. Known: {listing(ARCHITECTURES)}")
        _check_spec(self.spec, sum(weight.size for weight in self.weights))
        inputs, outputs = (self.spec["n_inputs"],), (self.spec["steps"] * sum(self.spec["widths"]),)
        shapes = {"centre": inputs, "width": inputs, "mean": outputs, "std": outputs}
        for name, shape in shapes.items():
            if getattr(self, name).shape != shape:
                raise DataError(f"the array {name!r} has the shape {getattr(self, name).shape}, not {shape}")
        if np.any(self.width == 0):
            raise DataError("the array 'width' holds a zero, by which inputs would be divided")

    @property
    def n_inputs(self) -> int:
        return len(self.centre)

    @property
    def n_outputs(self) -> int:
        return len(self.mean)

    @cached_property
    def _model(self) -> Any:
        model = build_model(self.spec)
        try:
            model.set_weights(self.weights)
        except ValueError as error:
            raise DataError(f"the weights do not fit their architecture: {error}") from None
        return model

    def forward(self, columns: NDArray[np.intp]) -> Forward:
        model = self._model  # built outside `evaluate`: inside a trace its weights would become symbols
        mean, std = self.mean[columns].astype(float), self.std[columns].astype(float)

        def evaluate(x: Any, xp: Namespace) -> Any:
            scaled = xp.astype((x - self.centre) / self.width, "float32")
            # Only a call of the model, not predict_on_batch, becomes part of a traced graph.
            raw = model.predict_on_batch(scaled) if isinstance(x, np.ndarray) else model(scaled, training=False)
            return xp.astype(xp.take(raw, columns), "float64") * std + mean

        return evaluate

    def header(self) -> dict[str, Any]:
        return {"spec": self.spec, "weights": len(self.weights)}

    def arrays(self) -> dict[str, Weights]:
        numbered = {f"weight{i}": weight for i, weight in enumerate(self.weights)}
        return {**numbered, "centre": self.centre, "width": self.width, "mean": self.mean, "std": self.std}

    @classmethod
    def rebuilt(cls, header: Mapping[str, Any], arrays: Mapping[str, Weights]) -> Self:
        weights = [arrays[f"weight{i}"] for i in range(int(header["weights"]))]
        rest = (arrays[name] for name in ("centre", "width", "mean", "std"))
        return cls(dict(header["spec"]), weights, *rest)


def _check_spec(spec: Mapping[str, Any], weights: int) -> None:
    """Raise an error for a specification from which no model can be built, or one far larger than its weights."""
    numbers = [spec.get("n_inputs"), spec.get("steps")]
    for key in ("hidden", "widths"):
        if not isinstance(spec.get(key), list) or not spec[key]:
            raise DataError(f"the specification of the layers has no list {key!r}")
        numbers += spec[key]
    if not all(type(number) is int and number >= 1 for number in numbers):
        raise DataError(f"the specification of the layers must state whole numbers from 1, not {numbers!r:.80}")
    hidden = [1, *spec["hidden"]]
    if max(a * b for a, b in pairwise(hidden)) > weights:
        raise DataError(f"the layers state the widths {spec['hidden']}, for which {weights} weights are too few")
    if spec.get("activation") not in ACTIVATIONS or not all(
        isinstance(spec.get(key), bool) for key in ("batch_norm", "residual")
    ):
        raise DataError("the specification of the layers must state 'activation', 'batch_norm' and 'residual'")
