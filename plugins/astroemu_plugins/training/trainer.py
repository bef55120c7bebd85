"""Training of the networks of an emulator, one after the other.

Each network is trained separately, on standardised targets in the space of their transforms. The weights with the
lowest validation loss are kept. The test points are used once, for the error that the emulator file states.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from astroemu.core.array_namespace import NUMPY
from astroemu.emulation.emulator import check_bounds
from astroemu.emulation.inspection import stated_box
from astroemu.emulation.training_set import TrainingSet
from astroemu.emulation.transforms import Transform, transform_from
from astroemu.errors import ConfigurationError, DataError, PluginError, closest, listing, located
from astroemu.runtime.options import validate_options
from astroemu_plugins.networks.keras_models import build_model, seeded_keras
from astroemu_plugins.networks.network import Input, Network, Output, Scaling, TrainedNetworks
from astroemu_plugins.training.accuracy import measured
from astroemu_plugins.training.architectures import layers_of, specification
from astroemu_plugins.training.held_out import with_errors
from astroemu_plugins.training.loop import Loop, Points
from astroemu_plugins.training.losses import loss_function
from astroemu_plugins.training.settings import NetworkSettings, Settings
from astroemu_plugins.training.targets import Split, Targets, centre_and_width, in_data_errors

Weights = NDArray[np.float32]
#: Settings of all networks that decide the weights of each.
_DECIDE = ("log10_inputs", "transforms", "train_points", "validation_points", "test_points")


def train(
    data: TrainingSet,
    settings: Mapping[str, Any],
    *,
    seed: int,
    log: Callable[[str], Any],
    reuse: TrainedNetworks | None = None,
    folder: Path | None = None,
    logs: Path | None = None,
) -> TrainedNetworks:
    """Train the networks of an emulator and return them.

    Parameters
    ----------
    data : TrainingSet
    settings : mapping
        The table ``[training]``, see :class:`astroemu_plugins.training.settings.Settings`.
    seed : int
        Seed of the split, of the initial weights and of the order of the points.
    log : callable
        Takes one line of text.
    reuse : TrainedNetworks, optional
        Earlier result. Its networks whose training would not change are kept.
    folder : Path, optional
        Folder for checkpoints, from which a killed training resumes.
    logs : Path, optional
        Folder in which TensorBoard finds the losses of each network.

    Returns
    -------
    TrainedNetworks

    Raises
    ------
    ConfigurationError
        If a setting does not fit the data.
    DataError
        If the data cannot be used for training.
    PluginError
        If Keras or its backend is not installed, or ``logs`` is given and TensorBoard is not installed.
    """
    if logs is not None and find_spec("tensorboard") is None:
        raise PluginError("logs of the training need TensorBoard: pip install 'astroemu-inference[tensorboard]'")
    chosen: Settings = validate_options(Settings, dict(settings), "[training]")
    _compare(chosen, data)
    task = _Task(data, chosen, _inputs(data, chosen), Split.drawn(len(data), chosen, seed), seed, log, folder, logs)
    return task.run(reuse)


@dataclass(frozen=True, eq=False)
class _Task:
    """Data and settings that all networks of one emulator share."""

    data: TrainingSet
    settings: Settings
    inputs: tuple[Input, ...]
    split: Split
    seed: int
    log: Callable[[str], Any]
    folder: Path | None
    logs: Path | None

    @cached_property
    def digest(self) -> str:
        """SHA-256 of the content of the training set."""
        return self.data.digest

    def run(self, reuse: TrainedNetworks | None) -> TrainedNetworks:
        """Train every network, or take it from an earlier result."""
        scaled = Scaling(self.inputs)(self.data.theta, NUMPY)
        features = _Features(self.data)
        networks: dict[str, Network] = {}
        metrics: dict[str, Any] = {}
        history: dict[str, Any] = {}
        kept: set[str] = set()
        for number, (key, wanted) in enumerate(self.settings.networks.items()):
            names = tuple(wanted.inputs) or self.data.names
            own = scaled[:, [self.data.names.index(name) for name in names]].astype(np.float32)
            x = np.concatenate([own, *(features.values[name] for name in wanted.features)], axis=1)
            why = "" if reuse is None else self._changed(reuse, key, kept)
            if reuse is not None and not why:
                self.log(f"{key}: reused from the earlier file")
                kept.add(key)
                networks[key] = reuse.networks[key]
                metrics[key], history[key] = (reuse.provenance[what][key] for what in ("metrics", "history"))
            else:
                if why:
                    self.log(f"{key}: trained again, because {why}")
                networks[key], metrics[key], history[key] = self._network(key, wanted, names, x, self.seed + number)
            features.add(networks[key], x)
        made = TrainedNetworks(self.inputs, networks, self._provenance(metrics, history))
        held = np.concatenate([self.split.validation, self.split.test])
        return with_errors(made, self.data.subset(held), self.settings.errors, seed=self.seed, log=self.log)

    def _network(
        self, key: str, wanted: NetworkSettings, names: tuple[str, ...], x: Weights, seed: int
    ) -> tuple[Network, dict[str, Any], dict[str, Any]]:
        keras = seeded_keras(seed)
        data, rows = self.data, self.split.train
        transforms = {name: transform(self.settings, name) for name in wanted.outputs}
        targets = Targets(data, wanted.outputs, list(transforms.values()), rows, wanted.scaling)
        y = targets.values
        if wanted.loss == "chi2":
            y = np.concatenate([y, in_data_errors(data, targets, transforms, wanted.data_errors)], axis=1)
        centre, width = centre_and_width(x, len(names), rows)
        standard = (x - centre) / width
        with located(f"[training.networks.{key}]"):
            spec = specification(wanted, [data.observables[name] for name in wanted.outputs], x.shape[1])
            loss = loss_function(keras.ops, wanted.loss, targets)
        model = build_model(spec, wanted.initialiser, wanted.first_layer_scale)
        self.log(
            f"{key}: {x.shape[1]} inputs, {targets.width} outputs, {model.count_params():,} weights, {len(rows)} points"
        )
        loop = Loop(
            model,
            loss,
            wanted,
            seed=seed,
            checkpoint=None if self.folder is None else self.folder / f"{key}.h5",
            identity=self._identity(key, seed),
            tensorboard=None if self.logs is None else self.logs / key,
            log=lambda line: self.log(f"{key}: {line}"),
        )
        validation = self.split.validation
        with located(f"[training.networks.{key}]"):
            history = loop.run(Points(standard[rows], y[rows]), Points(standard[validation], y[validation]))
        blank = tuple(
            Output(data.observables[name], kind, np.zeros(data.observables[name].size))
            for name, kind in transforms.items()
        )
        features = tuple(data.observables[name] for name in wanted.features)
        network = Network(names, features, blank, layers_of(model, spec, targets, centre, width))
        network, metrics = measured(network, x[self.split.test], data, self.split.test)
        metrics |= {"best_epoch": history.best + 1, "validation_loss": min(history.validation)}
        return network, metrics, history.to_json()

    def _changed(self, reuse: TrainedNetworks, key: str, kept: set[str]) -> str:
        """Return what has changed in the training of a network since an earlier file, or ``""`` if nothing has.

        ``kept`` are the networks before it that are taken from that file.
        """
        earlier, new = reuse.provenance, self.settings.model_dump()
        old = earlier["settings"]
        if key not in old["networks"] or key not in earlier["history"]:
            return "the earlier file does not have it"
        if earlier.get("data") is None:
            return "the earlier file does not state the hash of its data"
        pairs = {
            "the data": (earlier["data"], self.digest),
            "the seed": (earlier["split"]["seed"], self.seed),
            # the seed of a network is the seed of the training plus its position
            "its position": (list(old["networks"]).index(key), list(new["networks"]).index(key)),
            f"[training.networks.{key}]": (old["networks"][key], new["networks"][key]),
            **{name: (old.get(name), new[name]) for name in _DECIDE},
        }
        changed = [what for what, (then, now) in pairs.items() if then != now]
        features = set(new["networks"][key]["features"])
        changed += [n for n, net in new["networks"].items() if features & set(net["outputs"]) and n not in kept]
        return f"{', '.join(changed)} changed" if changed else ""

    def _identity(self, key: str, seed: int) -> str:
        known = {"network": key, "settings": self.settings.model_dump(), "seed": seed, "data": self.digest}
        return hashlib.sha256(json.dumps({**known, "by": _versions()}, sort_keys=True).encode()).hexdigest()

    def _provenance(self, metrics: Mapping[str, Any], history: Mapping[str, Any]) -> dict[str, Any]:
        rows = (self.split.train, self.split.validation, self.split.test)
        order = hashlib.sha256(np.concatenate(rows).tobytes()).hexdigest()
        sizes = dict(zip(("train", "validation", "test"), map(len, rows), strict=True))
        return {
            "name": self.settings.name,
            "simulation": dict(self.data.metadata),
            "points": len(self.data),
            "data": self.digest,
            "split": {**sizes, "seed": self.seed, "sha256_of_order": order},
            "settings": self.settings.model_dump(),
            "versions": _versions(),
            "metrics": dict(metrics),
            "history": dict(history),
        }


class _Features:
    """Outputs of the networks trained so far, at every point, as inputs for later networks."""

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


def _compare(settings: Settings, data: TrainingSet) -> None:
    """Raise an error for settings that do not fit the data, and for data that cannot be used for training."""
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
        for name in network.outputs:  # find errors now, not after hours of training of earlier networks
            chosen = transform(settings, name)
            with located(f"[training] transforms.{name}"):
                chosen.forward(np.asarray(data.values[name]))
    for j, name in enumerate(data.names):
        if not np.all(np.isfinite(data.theta[:, j])):
            raise DataError(f"the parameter {name!r} is not finite everywhere; `astroemu clean` drops such points")
        if np.ptp(data.theta[:, j]) == 0:
            raise DataError(f"the parameter {name!r} of the training set is constant; a network cannot learn from it")
    largest = max(n.batch_size for n in settings.networks.values())
    rest = len(data) - settings.validation_points - settings.test_points
    if rest < largest:
        raise DataError(
            f"{len(data)} points minus {settings.validation_points} for validation and {settings.test_points} for the "
            f"test leave {rest}, fewer than one batch of {largest}; simulate more points or lower these numbers"
        )


def transform(settings: Settings, name: str) -> Transform:
    """Return the transform of an observable; it is the identity if the settings name none."""
    with located(f"[training] transforms.{name}"):
        return transform_from(settings.transforms.get(name, {"transform": "identity"}))


def _inputs(data: TrainingSet, settings: Settings) -> tuple[Input, ...]:
    """Return the parameters with the box of the design if the data state it, else with the range of the points."""
    box, notes = stated_box(data), data.metadata.get("parameters", {})
    check_bounds(box, finite=True)
    made = []
    for name in data.names:
        (low, high), stated = box[name], notes.get(name, {})
        log10 = name in settings.log10_inputs
        if log10 and low <= 0:
            raise ConfigurationError(f"[training] log10_inputs: {name!r} must be above 0; its range starts at {low:g}")
        made.append(Input(name, low, high, stated.get("unit", ""), stated.get("latex", ""), log10))
    return tuple(made)


def _versions() -> dict[str, str]:
    from importlib.metadata import version

    import keras

    return {
        "astroemu": version("astroemu-inference"),
        "keras": keras.__version__,
        "backend": f"{keras.backend.backend()} {version(keras.backend.backend())}",
        "numpy": np.__version__,
    }
