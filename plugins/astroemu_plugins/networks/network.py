"""One network of an emulator: scaled parameters in, transformed observables out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from astroemu.core.array_namespace import Namespace
from astroemu.core.observable import Observable
from astroemu.core.typing import FloatArray
from astroemu.emulation.transforms import Transform
from astroemu.errors import DataError
from astroemu_plugins.networks.layers import Layers


@dataclass(frozen=True)
class Input:
    """One parameter of the emulator: its training range and how it is scaled."""

    name: str
    low: float
    high: float
    unit: str = ""
    latex: str = ""
    log10: bool = False


class Scaling:
    """The training box mapped to [-1, 1], after log10 where stated, for all parameters at once."""

    def __init__(self, inputs: tuple[Input, ...]) -> None:
        self.is_log = np.array([i.log10 for i in inputs])
        edges = np.array([(i.low, i.high) for i in inputs]).T
        edges[:, self.is_log] = np.log10(edges[:, self.is_log])
        low, high = edges
        self.slope, self.shift = 2.0 / (high - low), (low + high) / (low - high)

    def __call__(self, theta: Any, xp: Namespace) -> Any:
        """Scale points ``(n, d)``."""
        if self.is_log.any():
            # The other columns may be negative: they are kept out of the logarithm.
            theta = xp.where(self.is_log, xp.log10(xp.where(self.is_log, theta, 1.0)), theta)
        return theta * self.slope + self.shift


@dataclass(frozen=True, eq=False)
class Output:
    """One observable of a network: its transform and its error in the network's space."""

    observable: Observable
    transform: Transform
    error: FloatArray


@dataclass(frozen=True, eq=False)
class Network:
    """One network, ready for inference.

    Attributes
    ----------
    inputs : tuple of str
        Parameters, in the order of its first layer.
    features : tuple of Observable
        Observables of networks before it that are further inputs, in the networks' space.
    outputs : tuple of Output
        In the order of its last layer.
    layers : Layers
    """

    inputs: tuple[str, ...]
    features: tuple[Observable, ...]
    outputs: tuple[Output, ...]
    layers: Layers

    def __post_init__(self) -> None:
        n_inputs = len(self.inputs) + sum(observable.size for observable in self.features)
        n_outputs = sum(output.observable.size for output in self.outputs)
        if (self.layers.n_inputs, self.layers.n_outputs) != (n_inputs, n_outputs):
            raise DataError(
                f"the layers lead from {self.layers.n_inputs} inputs to {self.layers.n_outputs} outputs; "
                f"parameters, features and observables need {n_inputs} and {n_outputs}"
            )


@dataclass(frozen=True, eq=False)
class TrainedNetworks:
    """What a training makes, and what a later training may take over.

    Attributes
    ----------
    inputs : tuple of Input
    networks : mapping of str to Network
    provenance : mapping
        JSON: settings, split, metrics, history and the simulation that the data came from.
    """

    inputs: tuple[Input, ...]
    networks: Mapping[str, Network]
    provenance: Mapping[str, Any]
