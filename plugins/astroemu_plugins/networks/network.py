"""One network of an emulator, from scaled parameters to transformed observables."""

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
from astroemu_plugins.networks.error_network import ErrorNetwork
from astroemu_plugins.networks.layers import Layers


@dataclass(frozen=True)
class Input:
    """One parameter of the emulator, with its training range and scaling.

    Attributes
    ----------
    name : str
    low, high : float
        Training range, in ``unit``.
    unit, latex : str
    log10 : bool
        True if the parameter is scaled after taking its log10.
    """

    name: str
    low: float
    high: float
    unit: str = ""
    latex: str = ""
    log10: bool = False


class Scaling:
    """Map of the training box to [-1, 1] in every parameter, after log10 where :class:`Input` says so.

    Parameters
    ----------
    inputs : tuple of Input
    """

    def __init__(self, inputs: tuple[Input, ...]) -> None:
        self.is_log = np.array([i.log10 for i in inputs])
        edges = np.array([(i.low, i.high) for i in inputs]).T
        edges[:, self.is_log] = np.log10(edges[:, self.is_log])
        low, high = edges
        self.slope, self.shift = 2.0 / (high - low), (low + high) / (low - high)

    def __call__(self, theta: Any, xp: Namespace) -> Any:
        """Return scaled points ``(n, d)`` of points ``(n, d)``."""
        if self.is_log.any():
            # The other columns may be negative, so they must not enter the logarithm.
            theta = xp.where(self.is_log, xp.log10(xp.where(self.is_log, theta, 1.0)), theta)
        return theta * self.slope + self.shift


@dataclass(frozen=True, eq=False)
class Output:
    """One observable of a network, with its transform and its error.

    Attributes
    ----------
    observable : Observable
    transform : Transform
    error : (m,) array
        Error of each output in the space of the transform.
    """

    observable: Observable
    transform: Transform
    error: FloatArray


@dataclass(frozen=True, eq=False)
class Network:
    """One network, ready for inference.

    Attributes
    ----------
    inputs : tuple of str
        Names of the parameters, in the order of the input columns.
    features : tuple of Observable
        Outputs of earlier networks, in the space of their transforms, that follow the parameters as inputs.
    outputs : tuple of Output
        In the order of the output columns.
    layers : Layers

    Raises
    ------
    DataError
        If the layers have another number of inputs or outputs.
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
    """Result of a training, which a later training can reuse.

    Attributes
    ----------
    inputs : tuple of Input
    networks : mapping of str to Network
    provenance : mapping
        JSON: settings, split, metrics, history, and the simulation that produced the data.
    errors : ErrorNetwork, optional
        Their errors at each point. Without them, the errors are those of the outputs.
    """

    inputs: tuple[Input, ...]
    networks: Mapping[str, Network]
    provenance: Mapping[str, Any]
    errors: ErrorNetwork | None = None
