"""Neural networks that emulate a simulator.

An emulator holds one or more networks. Each network maps some of the parameters to some of the observables:

    x = scaled parameters            (mapped to [-1, 1], after log10 where the settings say so)
        and features                 (optional: outputs of earlier networks)
    t = layers(x)                    (mostly float32; includes the standardisation of the outputs)
    y = inverse transform of t       (float64)

Features help where an observable depends on another one. For example, a power spectrum is a simpler function of the
ionisation and temperature histories than of the parameters alone.

A small network predicts the emulator's own error at each point, and common amplitudes say which part of it the outputs
share (:mod:`astroemu_plugins.networks.error_network`). Both are fitted on points that were not used to train the other
networks. With too few such points, the error is one number per output: the 68 % quantile of the absolute error on test
points, of unknown correlation. Errors are stated in the space of the transform, whose slope converts them.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any, ClassVar, Self

import h5py
import numpy as np
from numpy.typing import NDArray

from astroemu.core.array_namespace import Namespace
from astroemu.core.observable import Observable
from astroemu.core.provider import Evaluate, Prediction
from astroemu.core.typing import FloatArray
from astroemu.emulation.emulator import Emulator, check_bounds
from astroemu.emulation.training_set import TrainingSet
from astroemu.emulation.transforms import Transform, transform_from
from astroemu.errors import DataError, closest, listing
from astroemu.io.hdf5_fields import read_floats, read_group, read_json_attribute, read_names
from astroemu.runtime.options import validate_options
from astroemu_plugins.networks.error_network import ErrorNetwork
from astroemu_plugins.networks.keras_layers import KerasLayers
from astroemu_plugins.networks.layers import DenseLayers, Layers
from astroemu_plugins.networks.network import Input, Network, Output, Scaling, TrainedNetworks
from astroemu_plugins.training.held_out import demand_new_points, with_errors
from astroemu_plugins.training.settings import Settings
from astroemu_plugins.training.trainer import train

#: Limit that no real emulator reaches. It rejects files that would need too much memory.
MAX_WEIGHTS = 200_000_000
#: Classes of layers by the name that an emulator file states.
LAYERS: Mapping[str, type[Layers]] = {cls.kind: cls for cls in (DenseLayers, KerasLayers)}


class NeuralEmulator(Emulator):
    """Emulator made of neural networks.

    Parameters
    ----------
    inputs : tuple of Input
        Parameters with their training ranges.
    networks : mapping of str to Network
        By name; a network may use outputs of earlier ones as features.
    provenance : mapping
        JSON; see :class:`astroemu.emulation.emulator.Emulator`.
    errors : ErrorNetwork, optional
        Errors that depend on the point. Without it, every output has one error, of unknown correlation.

    Raises
    ------
    DataError
        If a network takes an unknown parameter or feature, or two networks predict the same observable. If the errors
        are those of other outputs.
    """

    kind = "neural"
    format = 2
    trial: ClassVar[Mapping[str, Any]] = {
        "validation_points": 100,
        "test_points": 100,
        "networks": {"all": {"outputs": ["line", "number"], "hidden": [8], "epochs": 2, "batch_size": 100}},
    }

    def __init__(
        self,
        inputs: tuple[Input, ...],
        networks: Mapping[str, Network],
        provenance: Mapping[str, Any],
        errors: ErrorNetwork | None = None,
    ) -> None:
        self.inputs = inputs
        self.errors = errors
        check_bounds({i.name: (i.low, i.high) for i in inputs}, finite=True)
        for i in inputs:
            if i.log10 and i.low <= 0:
                raise DataError(f"the input {i.name!r} enters as log10, but its range begins at {i.low:g}")
        self._scaling = Scaling(inputs)
        self.networks = dict(networks)
        self.provenance = dict(provenance)
        self.parameters = tuple(i.name for i in inputs)
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
                    raise DataError(f"two networks predict {output.observable.name!r}")
                self._provides[output.observable.name] = output.observable
        if errors is not None:
            if errors.layers.n_inputs != len(inputs):
                raise DataError(f"the error network takes {errors.layers.n_inputs} inputs, not {len(inputs)}")
            stated = {name: factors.shape[1] for name, factors in errors.loadings.items()}
            if stated != {name: observable.size for name, observable in self._provides.items()}:
                raise DataError("the error network is that of other outputs")

    @property
    def provides(self) -> Mapping[str, Observable]:
        return self._provides

    @property
    def bounds(self) -> Mapping[str, tuple[float, float]]:
        return {i.name: (i.low, i.high) for i in self.inputs}

    @property
    def n_weights(self) -> int:
        """Total number of weights and biases of all networks."""
        return sum(network.layers.n_weights for network in self.networks.values())

    def evaluator(self, rows: Mapping[str, NDArray[np.intp]]) -> Evaluate:
        parts: list[_Part] = []
        features: set[str] = set()
        for network in reversed(self.networks.values()):
            part = _Part(self, network, rows, frozenset(features))
            if part.is_wanted:
                parts.insert(0, part)
                features |= {observable.name for observable in network.features}

        errors = None if self.errors is None else self.errors.evaluator(rows)

        def evaluate(theta: Any, observables: Mapping[str, Prediction], xp: Namespace) -> dict[str, Prediction]:  # noqa: ARG001
            scaled = self._scaling(theta, xp)
            stated = {} if errors is None else errors(scaled, xp)
            found: dict[str, Prediction] = {}
            known: dict[str, Any] = {}
            for part in parts:
                part.evaluate(scaled, known, stated, found, xp)
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
        folder: Path | None = None,
        logs: Path | None = None,
    ) -> Self:
        if reuse is not None and not isinstance(reuse, NeuralEmulator):
            raise DataError("a neural emulator can only reuse networks of another neural emulator")
        if reuse is not None:
            for key in ("settings", "metrics", "history", "simulation", "split"):
                if not isinstance(reuse.provenance.get(key), dict):
                    raise DataError(f"the earlier emulator states no {key!r} of its training, so it cannot be reused")
        earlier = None if reuse is None else TrainedNetworks(reuse.inputs, reuse.networks, reuse.provenance)
        made = train(data, settings, seed=seed, log=log, reuse=earlier, folder=folder, logs=logs)
        return cls(made.inputs, made.networks, made.provenance, made.errors)

    def with_errors(self, data: TrainingSet, settings: Mapping[str, Any], *, seed: int, log: Any = print) -> Self:
        chosen: Settings = validate_options(Settings, dict(settings), "[training]")
        demand_new_points(self, data)
        earlier = TrainedNetworks(self.inputs, self.networks, self.provenance)
        made = with_errors(earlier, data, chosen.errors, seed=seed, log=log)
        found = type(self)(made.inputs, made.networks, made.provenance, made.errors)
        found.training_points = self.training_points
        return found

    @classmethod
    def resolved(cls, settings: Mapping[str, Any]) -> Mapping[str, Any]:
        chosen: Settings = validate_options(Settings, dict(settings), "[training]")
        return chosen.model_dump(mode="json")

    def write(self, group: h5py.Group) -> None:
        group.attrs["inputs"] = json.dumps([asdict(i) for i in self.inputs])
        group.attrs["networks"] = json.dumps(list(self.networks))
        for key, network in self.networks.items():
            own = group.create_group(f"networks/{key}")
            own.attrs["header"] = json.dumps(_network_header(network))
            for name, array in network.layers.arrays().items():
                own[f"layers/{name}"] = array
            for output in network.outputs:
                own[f"error/{output.observable.name}"] = output.error
        if self.errors is not None:
            own = group.create_group("errors")
            layers = self.errors.layers
            own.attrs["layers"] = json.dumps({"kind": layers.kind, **layers.header()})
            own.attrs["outputs"] = json.dumps(list(self.errors.loadings))
            for name, array in layers.arrays().items():
                own[f"layers/{name}"] = array
            for name, factors in self.errors.loadings.items():
                own[f"loadings/{name}"] = factors.astype(np.float32)

    @classmethod
    def read(cls, group: h5py.Group, provenance: Mapping[str, Any]) -> Self:
        inputs = tuple(_input(spec) for spec in read_json_attribute(group, "inputs", list))
        networks = {key: _read_network(group[f"networks/{key}"]) for key in read_names(group, "networks")}
        errors = _read_errors(group["errors"]) if "errors" in group else None
        return cls(inputs, networks, provenance, errors)


def _input(spec: Any) -> Input:
    """Return an input of its JSON form, see :meth:`NeuralEmulator.write`."""
    kinds: dict[str, tuple[type, ...]] = {field.name: (str,) for field in fields(Input)}
    kinds |= {"low": (int, float), "high": (int, float), "log10": (bool,)}
    if not isinstance(spec, dict) or not {"name", "low", "high"} <= set(spec) <= set(kinds):
        raise DataError(f"an input must state {listing(kinds)}, not {spec!r:.60}")
    for key, value in spec.items():
        if type(value) not in kinds[key]:
            raise DataError(f"the input {spec['name']!r} states {key} = {value!r:.40}, which is of another kind")
    return Input(**spec)


class _Part:
    """One network, restricted to the requested rows and to the features that other networks need.

    Parameters
    ----------
    emulator : NeuralEmulator
    network : Network
    rows : mapping of str to (k,) int array
        Requested outputs of each observable.
    needed : frozenset of str
        Observables that later networks take as features.
    """

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
        self.pieces: list[tuple[str, Any, Transform, FloatArray]] = []
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
        self.forward = network.layers.forward(np.concatenate(chosen))

    def evaluate(
        self,
        scaled: Any,
        known: dict[str, Any],
        errors: Mapping[str, tuple[Any, FloatArray]],
        found: dict[str, Prediction],
        xp: Namespace,
    ) -> None:
        x = scaled if self.inputs is None else xp.take(scaled, self.inputs)
        if self.features:
            x = xp.concatenate([x, *(known[name] for name in self.features)], axis=1)
        raw = self.forward(x, xp)
        for name, block, transform in self.given:
            known[name] = transform.feature(raw[:, block], xp)
        for name, where, transform, error in self.pieces:
            t = raw[:, where] if isinstance(where, slice) else xp.take(raw, where)
            y = transform.inverse(t, xp)
            if name in errors:
                size, factors = errors[name]
                size = transform.error_slope(t, y, xp) * size
                found[name] = Prediction(y, size, size[:, None, :] * factors)
            else:
                found[name] = Prediction(y, transform.slope(t, y, xp) * error)


def _network_header(network: Network) -> dict[str, Any]:
    return {
        "inputs": network.inputs,
        "features": [observable.to_json() for observable in network.features],
        "outputs": [
            {"observable": o.observable.to_json(), "transform": o.transform.to_json()} for o in network.outputs
        ],
        "layers": {"kind": network.layers.kind, **network.layers.header()},
    }


def _read_network(group: h5py.Group) -> Network:
    header = read_json_attribute(group, "header", dict)
    for key, needed in (("inputs", list), ("features", list), ("outputs", list), ("layers", dict)):
        if not isinstance(header.get(key), needed):
            raise DataError(f"the header of {group.name} has no {needed.__name__} {key!r}")
    errors, outputs = read_group(group, "error"), []
    for output in header["outputs"]:
        observable = Observable.from_json(output["observable"])
        error = read_floats(errors, observable.name, (observable.size,))
        if np.any(error < 0):
            raise DataError(f"the error of {observable.name!r} is negative")
        outputs.append(Output(observable, transform_from(output["transform"]), error))
    return Network(
        inputs=tuple(header["inputs"]),
        features=tuple(Observable.from_json(feature) for feature in header["features"]),
        outputs=tuple(outputs),
        layers=_read_layers(group, header["layers"]),
    )


def _read_layers(group: h5py.Group, header: Mapping[str, Any]) -> Layers:
    stored = read_group(group, "layers")
    arrays = {name: read_floats(stored, name, single=True) for name in stored}
    if (total := sum(array.size for array in arrays.values())) > MAX_WEIGHTS:
        raise DataError(f"{group.name} holds {total} weights; more than {MAX_WEIGHTS} are not read")
    kind = str(header.get("kind"))
    if kind not in LAYERS:
        raise DataError(f"unknown layers {kind!r} in {group.name}. Known: {listing(LAYERS)}")
    return LAYERS[kind].rebuilt(header, arrays)


def _read_errors(group: h5py.Group) -> ErrorNetwork:
    stored = read_group(group, "loadings")
    order = read_names(group, "outputs")
    loadings = {name: np.atleast_2d(read_floats(stored, name)) for name in order}
    return ErrorNetwork(_read_layers(group, read_json_attribute(group, "layers", dict)), loadings)
