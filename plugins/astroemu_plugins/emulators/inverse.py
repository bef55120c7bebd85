"""Inverse model: a network from summaries of the data to parameters (the "interpreter" of Y. Qin's lecture, 2023).

The inputs are transformed summaries and the outputs are parameters. The training is that of the other networks, with
the two sides of the training set exchanged.

The network is trained on the squared error, with the noise of the data added to the summaries. Its prediction is then
the mean of the posterior under the prior of the design (Jaynes 2003, sect. 13.9). Its stated error is a typical width
of that posterior. It shows how much information the summaries contain; it is not a likelihood.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar, Self

import h5py
import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field

from astroemu.core.observable import Observable
from astroemu.core.provider import Evaluate
from astroemu.core.typing import FloatArray
from astroemu.emulation.emulator import Emulator
from astroemu.emulation.training_set import TrainingSet
from astroemu.emulation.transforms import Transform, transform_from
from astroemu.errors import ConfigurationError, DataError, closest, listing, located
from astroemu.io.hdf5_fields import read_group, read_json_attribute
from astroemu.runtime.options import validate_options
from astroemu_plugins.emulators.neural import NeuralEmulator


class Settings(BaseModel):
    """The table ``[training]`` of an inverse model."""

    model_config = ConfigDict(extra="forbid")

    name: str = "inverse"
    summaries: list[str] = Field(min_length=1)
    transforms: dict[str, dict[str, Any]] = {}
    noise: dict[str, float] = {}
    copies: int = Field(default=1, ge=1)
    parameters: list[str] = []
    validation_points: int = Field(default=8192, ge=1)
    test_points: int = Field(default=8192, ge=1)
    network: dict[str, Any] = {}


class InverseModel(Emulator):
    """Network from summaries to parameters.

    In the emulator interface its parameters are the transformed summaries ``x_hi[0]``, ``x_hi[1]``, ..., and its
    observables are the parameters. :meth:`infer` takes untransformed summaries.

    Parameters
    ----------
    summaries : mapping of str to Observable
    transforms : mapping of str to Transform
        By summary.
    network : NeuralEmulator
    provenance : mapping
        JSON; see :class:`astroemu.emulation.emulator.Emulator`.

    Raises
    ------
    DataError
        If the network takes other inputs than the summaries.
    """

    kind = "inverse"
    trial: ClassVar[Mapping[str, Any]] = {
        "summaries": ["line"],
        "validation_points": 100,
        "test_points": 100,
        "network": {"hidden": [8], "epochs": 2, "batch_size": 100},
    }

    def __init__(
        self,
        summaries: Mapping[str, Observable],
        transforms: Mapping[str, Transform],
        network: NeuralEmulator,
        provenance: Mapping[str, Any],
    ) -> None:
        self.summaries, self.transforms, self.network = dict(summaries), dict(transforms), network
        self.provenance = dict(provenance)
        self.parameters = _names(self.summaries)
        if self.parameters != network.parameters:
            raise DataError("the inputs of the inverse model's network are not the summaries that the file states")
        if set(self.transforms) != set(self.summaries):
            raise DataError(
                f"there are transforms of {listing(self.transforms)}, but the summaries are {listing(summaries)}"
            )

    @property
    def provides(self) -> Mapping[str, Observable]:
        return self.network.provides

    @property
    def bounds(self) -> Mapping[str, tuple[float, float]]:
        # Noise can move data out of the range of the simulated summaries.
        return dict.fromkeys(self.parameters, (-np.inf, np.inf))

    def evaluator(self, rows: Mapping[str, NDArray[np.intp]]) -> Evaluate:
        return self.network.evaluator(rows)

    def infer(self, summaries: Mapping[str, FloatArray]) -> dict[str, FloatArray]:
        """Return estimates of the parameters.

        Parameters
        ----------
        summaries : mapping of str to (n, ...) array
            Untransformed, in the shape and unit of their observable.

        Returns
        -------
        dict of str to (n,) array
            By parameter.

        Raises
        ------
        DataError
            If a summary is missing, has another shape, or is not finite.
        """
        return self.predict(_columns(self.summaries, self.transforms, summaries))

    def view(self, data: TrainingSet) -> TrainingSet:
        return _exchanged(data, self.summaries, self.transforms, tuple(self.provides))

    @classmethod
    def train(
        cls,
        data: TrainingSet,
        settings: Mapping[str, Any],
        *,
        seed: int,
        log: Any = print,
        reuse: Emulator | None = None,  # noqa: ARG003 - its only network is always trained
        folder: Path | None = None,
        logs: Path | None = None,
    ) -> Self:
        chosen: Settings = validate_options(Settings, dict(settings), "[training]")
        wanted = tuple(chosen.parameters) or data.names
        _known("parameters", wanted, data.names)
        for key in ("summaries", "transforms", "noise"):
            _known(key, getattr(chosen, key), data.observables)
        summaries = {name: data.observables[name] for name in chosen.summaries}
        transforms = {}
        for name in summaries:
            with located(f"[training] transforms.{name}"):
                transforms[name] = transform_from(chosen.transforms.get(name, {"transform": "identity"}))
        noisy = _with_noise(data, chosen, np.random.default_rng(seed))
        exchanged = _exchanged(noisy, summaries, transforms, wanted)
        network = NeuralEmulator.train(
            exchanged,
            {
                "name": chosen.name,
                "validation_points": chosen.validation_points,
                "test_points": chosen.test_points,
                "networks": {"parameters": {**chosen.network, "outputs": list(wanted)}},
            },
            seed=seed,
            log=log,
            folder=folder,
            logs=logs,
        )
        provenance = {**network.provenance, "simulation": dict(data.metadata), "inverse": chosen.model_dump()}
        return cls(summaries, transforms, network, provenance)

    def write(self, group: h5py.Group) -> None:
        group.attrs["summaries"] = json.dumps([o.to_json() for o in self.summaries.values()])
        group.attrs["transforms"] = json.dumps({name: t.to_json() for name, t in self.transforms.items()})
        self.network.write_to(group.create_group("network"))

    @classmethod
    def read(cls, group: h5py.Group, provenance: Mapping[str, Any]) -> Self:
        summaries = [Observable.from_json(spec) for spec in read_json_attribute(group, "summaries", list)]
        transforms = {
            name: transform_from(spec) for name, spec in read_json_attribute(group, "transforms", dict).items()
        }
        network = NeuralEmulator.read_from(read_group(group, "network"))
        return cls({o.name: o for o in summaries}, transforms, network, provenance)


def _known(key: str, names: Any, known: Any) -> None:
    for name in names:
        if name not in known:
            raise ConfigurationError(
                f"[training] {key}: no {name!r}.{closest(name, known)} The data have {listing(known)}"
            )


def _names(summaries: Mapping[str, Observable]) -> tuple[str, ...]:
    return tuple(f"{name}[{i}]" for name, observable in summaries.items() for i in range(observable.size))


def _columns(
    summaries: Mapping[str, Observable], transforms: Mapping[str, Transform], values: Mapping[str, Any]
) -> FloatArray:
    """Return the transformed summaries side by side: ``(n, columns)``."""
    columns = []
    for name, observable in summaries.items():
        if name not in values:
            raise DataError(f"the summary {name!r} is missing; {listing(summaries)} are needed")
        y = np.asarray(values[name], dtype=float)
        if y.shape[1:] != observable.shape:
            raise DataError(f"the summary {name!r} has the shape {y.shape}; (n, *{observable.shape}) is needed")
        if not np.all(np.isfinite(y)):
            raise DataError(f"the summary {name!r} is not finite everywhere; clean the data or leave it out")
        with located(f"summary {name!r}"):
            columns.append(transforms[name].forward(y.reshape(len(y), -1)))
    return np.concatenate(columns, axis=1)


def _exchanged(
    data: TrainingSet,
    summaries: Mapping[str, Observable],
    transforms: Mapping[str, Transform],
    parameters: tuple[str, ...],
) -> TrainingSet:
    """Return the training set with inputs and outputs exchanged."""
    box = data.metadata.get("parameters", {})
    observables = {
        name: Observable(name, unit=box.get(name, {}).get("unit", ""), latex=box.get(name, {}).get("latex", ""))
        for name in parameters
    }
    values = {name: data.theta[:, data.names.index(name)] for name in parameters}
    return TrainingSet(_names(summaries), _columns(summaries, transforms, data.values), observables, values)


def _with_noise(data: TrainingSet, settings: Settings, rng: np.random.Generator) -> TrainingSet:
    """Return a training set with every point repeated ``copies`` times, each time with new noise."""
    rows = np.tile(np.arange(len(data)), settings.copies)
    values = {}
    for name in settings.summaries:
        y = np.asarray(data.values[name], dtype=float)[rows]
        values[name] = y + settings.noise[name] * rng.normal(size=y.shape) if settings.noise.get(name) else y
    observables = {name: data.observables[name] for name in settings.summaries}
    return TrainingSet(data.names, data.theta[rows], observables, values, data.metadata)
