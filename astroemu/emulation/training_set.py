"""A training set: parameters, observables and their origin, in one HDF5 file.

Layout (format 1): ``theta (n, d)``, ``observables/NAME (n, ...)`` with the axes of each observable as attributes, a
JSON text ``metadata``, and the attribute ``provenance``. The file holds no pickles and no code. Every number is read
back exactly: values are stored in float32 where that loses nothing, and in float64 otherwise.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from astroemu.core.observable import Observable
from astroemu.core.typing import FloatArray
from astroemu.errors import DataError, located
from astroemu.io.claim import CODE, HINT, differences, told
from astroemu.io.files import new_file, strict_json
from astroemu.io.hdf5 import write_hdf5
from astroemu.io.hdf5_fields import (
    read_floats,
    read_format,
    read_group,
    read_json_attribute,
    read_json_dataset,
    read_names,
)
from astroemu.io.untrusted import open_hdf5
from astroemu.runtime.provenance import provenance

FORMAT = 1


@dataclass(frozen=True, eq=False)
class TrainingSet:
    """Simulated points.

    Attributes
    ----------
    names : tuple of d str
        Parameter names: the columns of ``theta``.
    theta : (n, d) array
        In the units of the parameters.
    observables : mapping of str to Observable
    values : mapping of str to (n, ...) array
        In the unit of each observable. NaN marks an undefined value, which training ignores.
    metadata : mapping
        Simulator, version, settings, design, seed, licence, citation.

    Raises
    ------
    DataError
        If names, shapes or dtypes do not fit together.
    """

    names: tuple[str, ...]
    theta: FloatArray
    observables: Mapping[str, Observable]
    values: Mapping[str, NDArray[np.floating[Any]]]
    metadata: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.theta.ndim != 2 or self.theta.shape[1] != len(self.names):
            raise DataError(f"theta has the shape {self.theta.shape}; (n, {len(self.names)}) is needed")
        if self.theta.dtype.kind != "f" or any(values.dtype.kind != "f" for values in self.values.values()):
            raise DataError("theta and the observables must be floating-point numbers")
        if len(set(self.names)) != len(self.names) or not all(isinstance(name, str) for name in self.names):
            raise DataError(f"the parameters {self.names!r} must be different names")
        if set(self.values) != set(self.observables):
            raise DataError(f"values {set(self.values)} and observables {set(self.observables)} differ")
        for name, observable in self.observables.items():
            expected = (len(self), *observable.shape)
            if self.values[name].shape != expected:
                raise DataError(f"{name!r} has the shape {self.values[name].shape}, not {expected}")

    def __len__(self) -> int:
        return len(self.theta)

    @property
    def digest(self) -> str:
        """SHA-256 of parameters, points, values, grids and metadata; the date of a file has no effect."""
        grids = {name: observable.to_json() for name, observable in self.observables.items()}
        content = json.dumps([self.names, grids, json.loads(strict_json(self.metadata))], sort_keys=True)
        found = hashlib.sha256(content.encode())
        for array in (self.theta, *(self.values[name] for name in sorted(self.values))):
            found.update(f"{array.dtype.str}{array.shape}".encode())
            found.update(np.ascontiguousarray(array).tobytes())
        return found.hexdigest()

    def demand_points(self) -> None:
        """Raise an error if there are no points. A part of a design may have none, if all of them failed.

        Raises
        ------
        DataError
            If there are none.
        """
        if not len(self):
            raise DataError("the training set has no points; simulate or import some")

    def demand_trainable(self) -> None:
        """Raise an error unless the points can be trained on as they are.

        Raises
        ------
        DataError
            If there are no points or observables, or a parameter is not finite or outside the box that is stated.
        """
        self.demand_points()
        if not self.observables:
            raise DataError("the training set has no observables")
        stated = self.metadata.get("parameters", {})
        for name, column in zip(self.names, self.theta.T, strict=True):
            low, high = (float(stated.get(name, {}).get(*edge)) for edge in (("low", -np.inf), ("high", np.inf)))
            slack = 1e-9 * (high - low) if np.isfinite(high - low) else 0.0  # of rounding
            outside = np.flatnonzero(~(np.isfinite(column) & (column >= low - slack) & (column <= high + slack)))
            if outside.size:
                raise DataError(
                    f"{outside.size} of {len(self)} points are not finite, or outside the box [{low:g}, {high:g}] that "
                    f"the training set states for {name!r}, as {column[outside[0]]:g} in row {outside[0]}; "
                    "`astroemu clean` drops them"
                )

    def subset(self, rows: NDArray[Any], metadata: Mapping[str, Any] | None = None) -> TrainingSet:
        """Return a training set of the points ``rows`` (indices or a mask), with other metadata if given."""
        return TrainingSet(
            self.names,
            self.theta[rows],
            self.observables,
            {name: values[rows] for name, values in self.values.items()},
            self.metadata if metadata is None else metadata,
        )

    def joined(self, more: TrainingSet, *, accept_changed_code: bool = False) -> TrainingSet:
        """Return a training set of the points of both; the metadata of ``more`` are appended to ``added``.

        Parameters
        ----------
        more : TrainingSet
        accept_changed_code : bool
            Join although the code of the simulator differs, or is not known. The metadata state both.

        Raises
        ------
        DataError
            If the parameters, the grids, the simulator, its code, its version or its settings differ.
        """
        if more.names != self.names or dict(more.observables) != dict(self.observables):
            raise DataError("training sets of other parameters or observables cannot be joined")
        for key in ("simulator", "version", "options", "settings"):
            ours, theirs = self.metadata.get(key), more.metadata.get(key)
            if ours != theirs:
                raise DataError(f"training sets with another {key} cannot be joined: {ours!r} and {theirs!r}")
        code = differences(*({CODE: each.metadata.get(CODE)} for each in (self, more)))
        if code and not accept_changed_code:
            raise DataError(f"training sets of other code cannot be joined: {told(code.values())}{HINT}")
        return TrainingSet(
            self.names,
            np.concatenate([self.theta, more.theta]),
            self.observables,
            {name: np.concatenate([values, more.values[name]]) for name, values in self.values.items()},
            {**self.metadata, "added": [*self.metadata.get("added", []), dict(more.metadata)]},
        )

    def save(self, path: str | Path) -> None:
        """Write a new file, completely or not at all. It is made in memory first.

        Raises
        ------
        DataError
            If the file exists already, or cannot be written.
        """

        def write(file: h5py.File) -> None:
            file.attrs["format"] = FORMAT
            file.attrs["names"] = json.dumps(self.names)
            file.attrs["provenance"] = strict_json(provenance())  # of this file; the metadata are of the points
            file["metadata"] = strict_json(self.metadata)  # may exceed the 64 KiB of an attribute
            file["theta"] = self.theta
            group = file.create_group("observables")
            for name, observable in self.observables.items():
                data = group.create_dataset(name, data=_stored(self.values[name]))
                data.attrs["observable"] = json.dumps(observable.to_json())

        write_hdf5(new_file(path), write)

    @classmethod
    def load(cls, path: str | Path) -> TrainingSet:
        """Return the training set in a file written by :meth:`save`.

        Raises
        ------
        DataError
            If the file is missing, damaged, or of a newer format.
        """
        path = Path(path)
        if not path.is_file():
            raise DataError(f"there is no training set {path}; `astroemu simulate` makes one")
        with open_hdf5(path, "a whole training set") as file:
            read_format(file, FORMAT)
            names = read_names(file, "names")
            group = read_group(file, "observables")
            metadata = _metadata(file)
            with located(str(path)):
                _check_box(metadata.get("parameters", {}))
                return cls(
                    names=names,
                    theta=read_floats(file, "theta", finite=False),
                    observables={name: _observable(group, name) for name in group},
                    values={name: _values(group, name) for name in group},
                    metadata=metadata,
                )


def read_metadata(path: str | Path) -> dict[str, Any]:
    """Return the metadata of a training set without reading its arrays."""
    with open_hdf5(path, "a whole training set") as file:
        return _metadata(file)


def _metadata(file: h5py.File) -> dict[str, Any]:
    return dict(read_json_dataset(file, "metadata", dict))


def _observable(group: h5py.Group, name: str) -> Observable:
    observable = Observable.from_json(read_json_attribute(group[name], "observable", dict))
    if observable.name != name:
        raise ValueError(f"the array {name!r} states the name {observable.name!r}")
    return observable


def _values(group: h5py.Group, name: str) -> NDArray[np.floating[Any]]:
    return read_floats(group, name, single=group[name].dtype == np.float32, finite=False)


def _check_box(box: Any) -> None:
    """Raise an error unless a stated box has two increasing numbers for each parameter; they may be infinite."""
    for name, entry in (box if isinstance(box, dict) else {"": box}).items():
        low, high = (entry.get(key) if isinstance(entry, dict) else None for key in ("low", "high"))
        numbers = all(isinstance(edge, int | float) and not isinstance(edge, bool) for edge in (low, high))
        if not numbers or not low < high:  # type: ignore[operator]
            raise DataError(
                f"its metadata state the box {entry!r:.60} of {name!r}; low and high must be increasing numbers"
            )


def _stored(values: NDArray[np.floating[Any]]) -> NDArray[np.floating[Any]]:
    """Return values in float32 if this loses nothing, else in float64."""
    with np.errstate(over="ignore"):
        single = np.asarray(values, dtype=np.float32)
    return single if np.array_equal(single, values, equal_nan=True) else np.asarray(values, dtype=np.float64)
