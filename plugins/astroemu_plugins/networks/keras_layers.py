"""Layers that NumPy does not serve (convolutional, recurrent), evaluated through Keras.

The file holds a specification and plain arrays: the model is built by this package's own code from
the specification, so that reading a file can run nothing that came with it. Keras is loaded when
an evaluator of the layers is made.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from astroemu.core.array_namespace import Namespace
from astroemu.errors import DataError, listing
from astroemu_plugins.networks.keras_models import build_model
from astroemu_plugins.networks.layers import Forward, Layers

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
        In Keras's order.
    centre, width : (n_inputs,) float32 array
    mean, std : (n_outputs,) float32 array
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
        model = self._model  # made here: inside a trace its weights would become symbols
        mean, std = self.mean[columns].astype(float), self.std[columns].astype(float)

        def evaluate(x: Any, xp: Namespace) -> Any:
            scaled = xp.astype((x - self.centre) / self.width, "float32")
            # Called, not predicted, the model becomes part of a graph that is being traced.
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
