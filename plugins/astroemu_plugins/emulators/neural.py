"""Dense networks that emulate a simulator.

One emulator holds one or more networks; each maps some of the parameters to some of the
observables:

    x = scaled parameters            (affine, after log10 where stated: into [-1, 1]),
        and, where stated, outputs of the networks before it (a power spectrum is a simpler
        function of the histories of ionisation and temperature than of the parameters alone)
    h_i = act(W_i h_{i-1} + b_i)     (float32; plus h_{i-1} in a residual network)
    t = W_out h + b_out              (standardisation folded in)
    y = inverse transform of t       (float64)

Inference needs NumPy alone. Weights are plain arrays, only the output rows that are asked for are
evaluated, and SiLU is computed as ``u (1 + tanh u)`` with ``u = x / 2`` folded into the weights:
two passes over memory and no overflow.

The emulator's own error is the 68 % quantile of |error| on test points, a number for each output
in the network's space, carried to the observable by the slope of the inverse transform.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Self

import h5py
import numpy as np
from numpy.typing import NDArray

from astroemu.emulator import Emulator
from astroemu.errors import DataError, closest, listing
from astroemu.files import open_hdf5, sha256, write_atomically
from astroemu.namespace import Namespace
from astroemu.observable import Observable
from astroemu.provider import Evaluate, Prediction
from astroemu.training_set import TrainingSet, observable_from_json, observable_to_json
from astroemu.transform import Transform, transform_from

Array = NDArray[np.float64]
Weights = NDArray[np.float32]
FORMAT = 1
#: Larger than any emulator here; guards against a file that asks for absurd memory.
MAX_WEIGHTS = 200_000_000


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
    error: NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Network:
    """One dense network, ready for inference.

    Attributes
    ----------
    inputs : tuple of str
        Parameters, in the order of its first layer.
    features : tuple of Observable
        Observables of networks before it that are further inputs, in the networks' space.
    outputs : tuple of Output
        In the order of its last layer.
    activation : str
    residual : bool
        Whether each hidden layer after the first adds its input.
    kernels, biases : tuple of float32 array
        Layer by layer; the last pair includes the standardisation of the outputs.
    """

    inputs: tuple[str, ...]
    features: tuple[Observable, ...]
    outputs: tuple[Output, ...]
    activation: str
    residual: bool
    kernels: tuple[Weights, ...]
    biases: tuple[Weights, ...]

    def __post_init__(self) -> None:
        if self.activation not in ACTIVATIONS:
            raise DataError(f"unknown activation {self.activation!r}. Known: {listing(ACTIVATIONS)}")
        n_inputs = len(self.inputs) + sum(observable.size for observable in self.features)
        widths = [n_inputs, *(len(b) for b in self.biases)]
        for i, kernel in enumerate(self.kernels):
            if kernel.shape != (widths[i], widths[i + 1]):
                raise DataError(f"layer {i} has the shape {kernel.shape}, not {(widths[i], widths[i + 1])}")
        if widths[-1] != sum(o.observable.size for o in self.outputs):
            raise DataError(f"the last layer has {widths[-1]} outputs, which do not match the observables")

    @property
    def n_weights(self) -> int:
        """Number of weights and biases."""
        return sum(k.size + b.size for k, b in zip(self.kernels, self.biases, strict=True))

    def forward(self, columns: NDArray[np.intp]) -> Callable[[Any, Namespace], Any]:
        """Return a function from its inputs ``(n, d)`` float32 to the stated outputs."""
        scale, activation = ACTIVATIONS[self.activation]
        hidden = [
            (np.ascontiguousarray(kernel * np.float32(scale)), bias * np.float32(scale))
            for kernel, bias in zip(self.kernels[:-1], self.biases[:-1], strict=True)
        ]
        last, shift = np.ascontiguousarray(self.kernels[-1][:, columns]), self.biases[-1][columns]
        residual = self.residual

        def evaluate(x: Any, xp: Namespace) -> Any:
            h = x
            for i, (kernel, bias) in enumerate(hidden):
                g = activation(xp.matmul(h, kernel) + bias, xp)
                h = h + g if residual and i else g
            return xp.matmul(h, last) + shift

        return evaluate


def _silu(u: Any, xp: Namespace) -> Any:
    return u * (1.0 + xp.tanh(u))


#: Factor folded into the weights, and the activation of the folded argument.
ACTIVATIONS: Mapping[str, tuple[float, Callable[[Any, Namespace], Any]]] = {
    "elu": (1.0, lambda x, xp: xp.where(x > 0, x, xp.exp(xp.minimum(x, 0.0)) - 1.0)),
    "leaky_relu": (1.0, lambda x, xp: xp.where(x > 0, x, np.float32(0.2) * x)),
    "relu": (1.0, lambda x, xp: xp.maximum(x, 0.0)),
    "sigmoid": (1.0, lambda x, xp: xp.sigmoid(x)),
    "silu": (0.5, _silu),
    "tanh": (1.0, lambda x, xp: xp.tanh(x)),
}


class NeuralEmulator(Emulator):
    """Dense networks behind the emulator interface.

    Parameters
    ----------
    inputs : tuple of Input
    networks : mapping of str to Network
    provenance : mapping
        JSON; see :class:`astroemu.emulator.Emulator`.
    file_hash : str, optional
        SHA-256 of the file it was read from.

    Raises
    ------
    DataError
        If a network takes an unknown parameter or two networks give one observable.
    """

    def __init__(
        self,
        inputs: tuple[Input, ...],
        networks: Mapping[str, Network],
        provenance: Mapping[str, Any],
        file_hash: str = "",
    ) -> None:
        self.inputs = inputs
        self._scaling = Scaling(inputs)
        self.networks = dict(networks)
        self.provenance = dict(provenance)
        self.parameters = tuple(i.name for i in inputs)
        self._sources = {str(self.provenance.get("name", "emulator")): file_hash} if file_hash else {}
        self._provides: dict[str, Observable] = {}
        for key, network in self.networks.items():
            for name in network.inputs:
                if name not in self.parameters:
                    raise DataError(f"network {key!r} takes {name!r}.{closest(name, self.parameters)}")
            for feature in network.features:
                if not feature.same_grid(self._provides.get(feature.name, Observable("none"))):
                    raise DataError(f"network {key!r} builds on {feature.name!r}, which no network before it gives")
            for output in network.outputs:
                if output.observable.name in self._provides:
                    raise DataError(f"two networks give {output.observable.name!r}")
                self._provides[output.observable.name] = output.observable

    @property
    def provides(self) -> Mapping[str, Observable]:
        return self._provides

    @property
    def bounds(self) -> Mapping[str, tuple[float, float]]:
        return {i.name: (i.low, i.high) for i in self.inputs}

    @property
    def sources(self) -> Mapping[str, str]:
        return self._sources

    @property
    def n_weights(self) -> int:
        """Number of weights and biases of all networks."""
        return sum(network.n_weights for network in self.networks.values())

    def evaluator(self, rows: Mapping[str, NDArray[np.intp]]) -> Evaluate:
        parts: list[_Part] = []
        features: set[str] = set()
        for network in reversed(self.networks.values()):
            part = _Part(self, network, rows, frozenset(features))
            if part.is_wanted:
                parts.insert(0, part)
                features |= {observable.name for observable in network.features}

        def evaluate(theta: Any, observables: Mapping[str, Prediction], xp: Namespace) -> dict[str, Prediction]:  # noqa: ARG001
            scaled = xp.astype(self._scaling(theta, xp), "float32")
            found: dict[str, Prediction] = {}
            known: dict[str, Any] = {}
            for part in parts:
                part.evaluate(scaled, known, found, xp)
            return found

        return evaluate

    @classmethod
    def train(
        cls,
        data: TrainingSet,
        settings: Mapping[str, Any],
        *,
        seed: int,
        log: Any = print,
        reuse: Emulator | None = None,
    ) -> Self:
        from astroemu_plugins.emulators.neural_training import train

        if reuse is not None and not isinstance(reuse, NeuralEmulator):
            raise DataError("only networks of a neural emulator can be taken over by a neural emulator")
        inputs, networks, provenance = train(data, settings, seed=seed, log=log, reuse=reuse)
        return cls(inputs, networks, provenance)

    def save(self, path: str | Path) -> None:
        path = Path(path)
        if path.exists():
            raise DataError(f"{path} exists and is not overwritten; remove it or choose another name")
        header = {
            "inputs": [asdict(i) for i in self.inputs],
            "provenance": self.provenance,
            "networks": {key: _network_header(network) for key, network in self.networks.items()},
        }

        def write(temporary: Path) -> None:
            with h5py.File(temporary, "w") as file:
                file.attrs["emulator"] = "neural"
                file.attrs["format"] = FORMAT
                file.attrs["header"] = json.dumps(header)
                for key, network in self.networks.items():
                    group = file.create_group(f"networks/{key}")
                    for i, (kernel, bias) in enumerate(zip(network.kernels, network.biases, strict=True)):
                        group[f"kernel{i}"] = kernel
                        group[f"bias{i}"] = bias
                    for output in network.outputs:
                        group[f"error/{output.observable.name}"] = output.error

        write_atomically(path, write)

    @classmethod
    def load(cls, path: str | Path) -> Self:
        path = Path(path)
        with open_hdf5(path, "a whole neural emulator") as file:
            if int(file.attrs["format"]) > FORMAT:
                raise DataError(f"{path} is of format {file.attrs['format']}; this version reads {FORMAT}")
            header = json.loads(file.attrs["header"])
            inputs = tuple(Input(**spec) for spec in header["inputs"])
            networks = {key: _read_network(spec, file[f"networks/{key}"]) for key, spec in header["networks"].items()}
        return cls(inputs, networks, header["provenance"], sha256(path))


class _Part:
    """One network, restricted to the rows that are wanted and the features that others need."""

    def __init__(
        self,
        emulator: NeuralEmulator,
        network: Network,
        rows: Mapping[str, NDArray[np.intp]],
        needed: frozenset[str],
    ) -> None:
        columns = [emulator.parameters.index(name) for name in network.inputs]
        self.inputs = None if columns == list(range(len(emulator.parameters))) else columns
        self.features = [observable.name for observable in network.features]
        self.given: list[tuple[str, slice, Transform]] = []  # features for the networks after it
        self.pieces: list[tuple[str, Any, Transform, Array]] = []
        chosen: list[NDArray[np.intp]] = [np.zeros(0, dtype=np.intp)]
        offset = width = 0
        for output in network.outputs:
            observable = output.observable
            name = observable.name
            wanted = np.asarray(rows.get(name, ()), dtype=np.intp)
            block = np.arange(observable.size) if name in needed else wanted
            chosen.append(block + offset)
            if name in needed:
                self.given.append((name, slice(width, width + len(block)), output.transform))
            if name in rows:
                where = wanted + width if name in needed else slice(width, width + len(block))
                self.pieces.append((name, where, output.transform, output.error[wanted]))
            offset += observable.size
            width += len(block)
        self.is_wanted = width > 0 or bool(self.pieces)
        self.forward = network.forward(np.concatenate(chosen))

    def evaluate(self, scaled: Any, known: dict[str, Any], found: dict[str, Prediction], xp: Namespace) -> None:
        x = scaled if self.inputs is None else scaled[:, self.inputs]
        if self.features:
            x = xp.concatenate([x, *(known[name] for name in self.features)], axis=1)
        raw = self.forward(x, xp)
        for name, block, transform in self.given:
            known[name] = transform.feature(raw[:, block], xp)
        raw = xp.astype(raw, "float64")
        for name, where, transform, error in self.pieces:
            t = raw[:, where]
            y = transform.inverse(t, xp)
            found[name] = Prediction(y, transform.slope(t, y, xp) * error)


def _network_header(network: Network) -> dict[str, Any]:
    return {
        "inputs": network.inputs,
        "features": [observable_to_json(observable) for observable in network.features],
        "activation": network.activation,
        "residual": network.residual,
        "layers": len(network.kernels),
        "outputs": [
            {"observable": observable_to_json(o.observable), "transform": o.transform.to_json()}
            for o in network.outputs
        ],
    }


def _read_network(spec: Mapping[str, Any], group: Any) -> Network:
    names = [f"{kind}{i}" for i in range(int(spec["layers"])) for kind in ("kernel", "bias")]
    total = sum(int(np.prod(group[name].shape)) for name in names)
    if total > MAX_WEIGHTS:
        raise DataError(f"{group.name} holds {total} weights; more than {MAX_WEIGHTS} are not read")
    outputs = []
    for output in spec["outputs"]:
        observable = observable_from_json(output["observable"])
        error = np.asarray(group[f"error/{observable.name}"][()], dtype=float)
        if error.shape != (observable.size,):
            raise DataError(f"the error of {observable.name!r} has the shape {error.shape}")
        outputs.append(Output(observable, transform_from(output["transform"]), error))
    return Network(
        inputs=tuple(spec["inputs"]),
        features=tuple(observable_from_json(feature) for feature in spec["features"]),
        outputs=tuple(outputs),
        activation=str(spec["activation"]),
        residual=bool(spec["residual"]),
        kernels=tuple(np.asarray(group[f"kernel{i}"][()], dtype=np.float32) for i in range(spec["layers"])),
        biases=tuple(np.asarray(group[f"bias{i}"][()], dtype=np.float32) for i in range(spec["layers"])),
    )
