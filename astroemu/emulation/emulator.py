"""The abstract emulator: a trained stand-in for a simulator.

An emulator is a provider that was trained: it knows its training box, its own error, the
simulator that it stands for, and how to write itself into an HDF5 group that holds no code. The
file around that group (its kind, its format, its origin, that nothing is overwritten) is the same
for all and written here.
"""

from __future__ import annotations

import json
from abc import abstractmethod
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar, Self

import h5py
import numpy as np
from numpy.typing import NDArray

from astroemu.core.array_namespace import NUMPY
from astroemu.core.provider import Provider
from astroemu.core.typing import FloatArray
from astroemu.emulation.training_set import TrainingSet
from astroemu.errors import DataError, closest, listing, located
from astroemu.io.files import new_file, sha256, strict_json, write_atomically
from astroemu.io.untrusted import open_hdf5
from astroemu.runtime.provenance import provenance

#: Steps of a stored coordinate of the unit cube.
_STEPS = 65535


class Emulator(Provider):
    """A trained stand-in for a simulator.

    A subclass is one family of models (neural networks, say). It implements :meth:`evaluator`,
    :meth:`train`, :meth:`write` and :meth:`read`.
    """

    #: Name under which this family is registered, and the newest form of its files.
    kind: ClassVar[str]
    format: ClassVar[int] = 1

    #: A ``[training]`` table for the small set of the conformance kit, of seconds (see
    #: :func:`astroemu.testing.check_kind_of_emulator`); empty if there is none.
    trial: ClassVar[Mapping[str, Any]] = {}

    #: SHA-256 of the file that it was read from; empty for one that was just trained.
    file_hash: str = ""

    #: Some of the points that it was trained on, in the unit cube of its box ``(m, d)``, and how many are kept
    #: (see :mod:`astroemu.emulation.coverage`).
    training_points: FloatArray | None = None
    kept_points: ClassVar[int] = 8192

    #: What the file says of its origin: simulator, settings, training set, metrics, citation.
    provenance: Mapping[str, Any]

    @property
    def citation(self) -> str:
        return str(self.provenance.get("simulation", {}).get("citation", ""))

    @classmethod
    @abstractmethod
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
        """Train on a training set; the same data, settings and seed give the same emulator.

        ``reuse`` is an earlier result whose parts are taken over where nothing that they depend on
        (data, settings, seed) has changed. ``folder`` is where an unfinished training is kept, so
        that one that was killed goes on; ``logs`` where it may be watched (TensorBoard).
        """

    @abstractmethod
    def write(self, group: h5py.Group) -> None:
        """Write what :meth:`read` needs, beside the provenance, as arrays and attributes."""

    @classmethod
    @abstractmethod
    def read(cls, group: h5py.Group, provenance: Mapping[str, Any]) -> Self:
        """Rebuild from what :meth:`write` wrote.

        Raises
        ------
        DataError, KeyError
            If something is missing or does not fit.
        """

    @property
    def sources(self) -> Mapping[str, str]:
        return {str(self.provenance.get("name", "emulator")): self.file_hash} if self.file_hash else {}

    def save(self, path: str | Path) -> None:
        """Write one file.

        Raises
        ------
        DataError
            If there is one already.
        """

        def write(temporary: Path) -> None:
            with h5py.File(temporary, "w") as file:
                file.attrs["provenance"] = strict_json(provenance())  # of this file; the dataset is of the training
                self.write_to(file)

        write_atomically(new_file(path), write)

    def write_to(self, group: h5py.Group) -> None:
        """Write into a group of an open file, with kind, format and provenance."""
        group.attrs["emulator"] = self.kind
        group.attrs["format"] = self.format
        group["provenance"] = strict_json(self.provenance)  # an attribute could not be long enough
        if self.training_points is not None:
            group["training_points"] = np.round(self.training_points * _STEPS).astype(np.uint16)
        self.write(group)

    @classmethod
    def load(cls, path: str | Path) -> Self:
        """Read a file written by :meth:`save`.

        Raises
        ------
        DataError
            If it is not such a file, is damaged, or is of a newer format.
        """
        path = Path(path)
        with located(str(path)), open_hdf5(path, f"a whole {cls.kind} emulator") as file:
            emulator = cls.read_from(file)
        emulator.file_hash = sha256(path)
        return emulator

    @classmethod
    def read_from(cls, group: h5py.Group) -> Self:
        """Read from a group written by :meth:`write_to`."""
        if int(group.attrs["format"]) > cls.format:
            raise DataError(
                f"{group.file.filename} is of format {group.attrs['format']}; this version reads {cls.format}"
            )
        emulator = cls.read(group, json.loads(group["provenance"].asstr()[()]))
        if "training_points" in group:
            kept = group["training_points"]
            if kept.ndim != 2 or kept.shape[0] > cls.kept_points or kept.shape[1] != len(emulator.parameters):
                raise DataError(f"{group.file.filename}: training_points has the shape {kept.shape}")
            emulator.training_points = kept[()].astype(float) / _STEPS
        return emulator

    def unit(self, theta: FloatArray) -> FloatArray:
        """Points ``(n, d)`` in the unit cube of the training box."""
        low, high = np.array([self.bounds[name] for name in self.parameters]).T
        return np.asarray((theta - low) / (high - low))

    def view(self, data: TrainingSet) -> TrainingSet:
        """Return a training set as this emulator sees it: what it takes in ``theta``, what it gives in ``values``."""
        return data

    def inside(self, theta: FloatArray) -> NDArray[np.bool_]:
        """Which of the points ``(n, d)`` lie in the training box: ``(n,)``."""
        low, high = np.array([self.bounds[name] for name in self.parameters]).T
        return np.asarray(np.all((theta >= low) & (theta <= high), axis=1))

    def predict(self, theta: FloatArray | Mapping[str, FloatArray], *, units: bool = False) -> dict[str, Any]:
        """Predict every observable on its full grid.

        Parameters
        ----------
        theta : (n, d) array, or mapping of parameter name to (n,) array
            An array has its columns in the order of :attr:`parameters`.
        units : bool
            Give astropy quantities (logarithms as ``Dex``) instead of plain arrays.

        Returns
        -------
        dict of str to (n, ...) float64 array
            By observable name, on the grid of :attr:`provides`.

        Raises
        ------
        DataError
            If a name is unknown or missing, the shape is wrong, or a point lies outside the
            training box. Nothing is clipped.
        """
        points = self._stacked(theta)
        outside = np.flatnonzero(~self.inside(points))
        if outside.size:
            raise DataError(self._outside_message(points[outside[0]], int(outside[0]), outside.size))
        rows = {name: np.arange(observable.size) for name, observable in self.provides.items()}
        found = self.evaluator(rows)(points, {}, NUMPY)
        shaped = {
            name: np.asarray(found[name].value, dtype=float).reshape(len(points), *observable.shape)
            for name, observable in self.provides.items()
        }
        return {name: self.provides[name].quantity(v) for name, v in shaped.items()} if units else shaped

    def _stacked(self, theta: FloatArray | Mapping[str, FloatArray]) -> FloatArray:
        if isinstance(theta, Mapping):
            for name in theta:
                if name not in self.parameters:
                    raise DataError(f"unknown parameter {name!r}.{closest(name, self.parameters)}")
            missing = set(self.parameters) - set(theta)
            if missing:
                raise DataError(f"missing parameters: {listing(missing)}")
            theta = np.stack([np.asarray(theta[name], dtype=float) for name in self.parameters], axis=-1)
        theta = np.asarray(theta, dtype=float)
        if theta.ndim != 2 or theta.shape[1] != len(self.parameters):
            raise DataError(
                f"theta has the shape {theta.shape}; (n, {len(self.parameters)}) is needed, with the columns "
                f"{', '.join(self.parameters)}. One point is theta[None]."
            )
        return theta

    def _outside_message(self, point: FloatArray, index: int, count: int) -> str:
        for name, value in zip(self.parameters, point, strict=True):
            low, high = self.bounds[name]
            if not low <= value <= high:
                return (
                    f"{count} point(s) lie outside the training box; the first is number {index}, "
                    f"where {name} = {value:g} is not in [{low:g}, {high:g}]"
                )
        raise AssertionError("every coordinate is inside")
