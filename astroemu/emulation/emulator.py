"""The abstract emulator: a trained replacement for a simulator.

An emulator is a provider that was trained. It knows its training box, its own error and its simulator, and it can
write itself into an HDF5 group that holds no code. The rest of the file is the same for all emulators and is written
here: kind, format and provenance. An existing file is never overwritten.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar, Self

import h5py
import numpy as np
from numpy.typing import NDArray

from astroemu.core.array_namespace import NUMPY
from astroemu.core.points import Points, as_points
from astroemu.core.provider import Provider
from astroemu.core.typing import FloatArray
from astroemu.emulation.training_set import TrainingSet
from astroemu.errors import DataError, located
from astroemu.io.files import new_file, sha256, strict_json
from astroemu.io.hdf5 import write_hdf5
from astroemu.io.hdf5_fields import read_floats, read_format, read_json_dataset
from astroemu.io.untrusted import open_hdf5
from astroemu.runtime.provenance import provenance
from astroemu.runtime.upper import upper

#: Steps of a stored coordinate of the unit cube.
_STEPS = 65535


def check_bounds(bounds: Mapping[str, tuple[float, float]], *, finite: bool = False) -> None:
    """Raise an error unless the lower edge of the training range of each parameter is below the upper one.

    Parameters
    ----------
    bounds : mapping of str to (low, high)
    finite : bool
        If true, infinite edges are refused too.

    Raises
    ------
    DataError
        If an edge is NaN, or the edges are equal or exchanged.
    """
    for name, (low, high) in bounds.items():
        if not low < high or (finite and not np.isfinite([low, high]).all()):
            raise DataError(
                f"the training range of {name!r} is [{low:g}, {high:g}]; its edges must be "
                f"{'finite and ' if finite else ''}increasing numbers"
            )


class Emulator(Provider):
    """A trained replacement for a simulator.

    A subclass is one family of emulators, for example neural networks. It implements :meth:`evaluator`,
    :meth:`train`, :meth:`write` and :meth:`read`.
    """

    #: Name under which this family is registered.
    kind: ClassVar[str]

    #: Newest version of its file format.
    format: ClassVar[int] = 1

    #: A ``[training]`` table that trains within seconds on the small set of the conformance kit (see
    #: :func:`astroemu.testing.check_kind_of_emulator`); empty if there is none.
    trial: ClassVar[Mapping[str, Any]] = {}

    #: SHA-256 of the file from which it was read; empty for a newly trained emulator.
    file_hash: str = ""

    #: Some of its training points ``(m, d)``, in the unit cube of its box (see :mod:`astroemu.emulation.coverage`).
    training_points: FloatArray | None = None

    #: Largest number of training points that a file holds.
    kept_points: ClassVar[int] = 8192

    #: Origin of the emulator, as stored in the file: simulator, settings, training set, metrics, citation.
    provenance: Mapping[str, Any]

    @property
    def citation(self) -> str:
        return str(self.provenance.get("simulation", {}).get("citation", ""))

    @property
    def labels(self) -> Mapping[str, tuple[str, str]]:
        """LaTeX symbol and unit of its parameters, as its simulator or its recipe has stated them."""
        stated = self.provenance.get("simulation", {}).get("parameters", {})
        rows = stated.items() if isinstance(stated, Mapping) else ()
        return {
            name: (str(row.get("latex", "")), str(row.get("unit", "")))
            for name, row in rows
            if isinstance(row, Mapping)
        }

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
        """Return an emulator trained on a training set.

        The same data, settings and seed give the same emulator.

        Parameters
        ----------
        data : TrainingSet
        settings : mapping
            The table ``[training]`` of the recipe.
        seed : int
        log : callable
            Receives lines of text on the progress.
        reuse : Emulator, optional
            An earlier result. Its parts are reused if their data, settings and seed have not changed.
        folder : Path, optional
            Folder for the state of an unfinished training, from which a killed training is resumed.
        logs : Path, optional
            Folder for logs that TensorBoard displays.
        """

    def with_errors(self, data: TrainingSet, settings: Mapping[str, Any], *, seed: int, log: Any = print) -> Self:
        """Return this emulator with errors that are fitted on points it was not trained on; it predicts the same.

        Parameters
        ----------
        data : TrainingSet
        settings, seed, log
            As in :meth:`train`.

        Raises
        ------
        DataError
            If this kind of emulator states no errors that can be fitted on their own, or the data do not fit.
        """
        raise DataError(f"the errors of an emulator of the kind {self.kind!r} cannot be fitted on their own; train it")

    @classmethod
    def resolved(cls, settings: Mapping[str, Any]) -> Mapping[str, Any]:
        """Return the table ``[training]`` with its defaults, as JSON values. By default it is returned as written.

        An unfinished training is resumed only if this table, the data and the seed are the same.
        """
        return settings

    @abstractmethod
    def write(self, group: h5py.Group) -> None:
        """Write what :meth:`read` needs, as arrays and attributes. The provenance is written elsewhere."""

    @classmethod
    @abstractmethod
    def read(cls, group: h5py.Group, provenance: Mapping[str, Any]) -> Self:
        """Return the emulator that :meth:`write` wrote into the group.

        Raises
        ------
        DataError, KeyError
            If a part is missing or does not fit.
        """

    @property
    def sources(self) -> Mapping[str, str]:
        return {str(self.provenance.get("name", "emulator")): self.file_hash} if self.file_hash else {}

    def save(self, path: str | Path) -> None:
        """Write the emulator into a new file.

        Raises
        ------
        DataError
            If the file exists already.
        """

        def write(file: h5py.File) -> None:
            file.attrs["provenance"] = strict_json(provenance())  # of this file; the dataset is of the training
            self.write_to(file)

        write_hdf5(new_file(path), write)

    def write_to(self, group: h5py.Group) -> None:
        """Write the emulator into a group of an open file, with its kind, format and provenance."""
        group.attrs["emulator"] = self.kind
        group.attrs["format"] = self.format
        group["provenance"] = strict_json(self.provenance)  # may exceed the 64 KiB of an attribute
        if self.training_points is not None:
            inside = np.all((self.training_points >= 0) & (self.training_points <= 1), axis=1)  # others do not fit
            group["training_points"] = np.round(self.training_points[inside] * _STEPS).astype(np.uint16)
        self.write(group)

    @classmethod
    def load(cls, path: str | Path) -> Self:
        """Return the emulator in a file written by :meth:`save`.

        Raises
        ------
        DataError
            If the file is damaged, of a newer format, or not an emulator of this kind.
        """
        path = Path(path)
        with located(str(path)), open_hdf5(path, f"a whole {cls.kind} emulator") as file:
            emulator = cls.read_from(file)
        emulator.file_hash = sha256(path)
        return emulator

    @classmethod
    def read_from(cls, group: h5py.Group) -> Self:
        """Return the emulator in a group written by :meth:`write_to`.

        Raises
        ------
        DataError
            If the group is damaged or of a newer format.
        """
        read_format(group, cls.format)
        origin = read_json_dataset(group, "provenance", dict)
        if not isinstance(origin.get("simulation", {}), dict):
            raise ValueError("'simulation' in its provenance must be a table")
        emulator = cls.read(group, origin)
        check_bounds({name: emulator.bounds[name] for name in emulator.parameters})
        if len(emulator.bounds) != len(emulator.parameters):
            raise ValueError(f"the parameters {emulator.parameters!r} must be different names")
        if "training_points" in group:
            rows = min(len(group["training_points"]), cls.kept_points) if group["training_points"].shape else 0
            emulator.training_points = read_floats(group, "training_points", (rows, len(emulator.parameters))) / _STEPS
        return emulator

    def unit(self, theta: FloatArray) -> FloatArray:
        """Return points ``theta (n, d)`` in coordinates of the unit cube of the training box, ``(n, d)``."""
        low, high = np.array([self.bounds[name] for name in self.parameters]).T
        return np.asarray((theta - low) / (high - low))

    def view(self, data: TrainingSet) -> TrainingSet:
        """Return a training set with this emulator's inputs in ``theta`` and its outputs in ``values``.

        By default this is the training set itself. An emulator that maps observables to parameters overrides it.
        """
        return data

    def inside(self, theta: FloatArray) -> NDArray[np.bool_]:
        """Return which of the points ``theta (n, d)`` lie in the training box, ``(n,)``."""
        low, high = np.array([self.bounds[name] for name in self.parameters]).T
        return np.asarray(np.all((theta >= low) & (theta <= high), axis=1))

    def predict(self, theta: Points, *, units: bool = False) -> dict[str, Any]:
        """Return the prediction of every observable on its full grid.

        Parameters
        ----------
        theta : (n, d) array, or values by name
            The columns of an array are in the order of :attr:`parameters`. Values by name are a mapping of arrays or
            numbers, a table or a DataFrame, see :func:`astroemu.core.points.as_points`.
        units : bool
            If true, return astropy quantities (logarithms as ``Dex``) instead of plain arrays.

        Returns
        -------
        dict of str to (n, ...) float64 array
            By observable name, on the grid and in the unit of :attr:`provides`.

        Raises
        ------
        DataError
            If a name is unknown or missing, the shape is wrong, or a point lies outside the training box. Points are
            never clipped to the box.
        """
        points = as_points(theta, self.parameters, error=DataError)
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

    def __repr__(self) -> str:
        name = self.provenance.get("name", "") if hasattr(self, "provenance") else ""
        return f"<{type(self).__name__} {name!r}: {', '.join(self.provides)} of {', '.join(self.parameters)}>"

    def _repr_html_(self) -> str:
        return str(upper("emulator_html")(self))

    def _outside_message(self, point: FloatArray, index: int, count: int) -> str:
        for name, value in zip(self.parameters, point, strict=True):
            low, high = self.bounds[name]
            if not low <= value <= high:
                return (
                    f"{count} point(s) lie outside the training box; the first is number {index}, "
                    f"where {name} = {value:g} is not in [{low:g}, {high:g}]"
                )
        raise AssertionError("every coordinate is inside")
