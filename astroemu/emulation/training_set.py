"""A training set: parameters, observables and their origin, in one HDF5 file.

Layout (format 1): ``theta (n, d)``, ``observables/NAME (n, ...)`` with the axes of each observable as attributes, a
JSON text ``metadata``, and the attribute ``provenance``. The file holds no pickles and no code.
"""

from __future__ import annotations

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
from astroemu.errors import DataError
from astroemu.io.files import strict_json, write_atomically
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
        In the unit of each observable, float32 in files. NaN marks an undefined value, which training ignores.
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

    def subset(self, rows: NDArray[Any], metadata: Mapping[str, Any] | None = None) -> TrainingSet:
        """Return a training set of the points ``rows`` (indices or a mask), with other metadata if given."""
        return TrainingSet(
            self.names,
            self.theta[rows],
            self.observables,
            {name: values[rows] for name, values in self.values.items()},
            self.metadata if metadata is None else metadata,
        )

    def joined(self, more: TrainingSet) -> TrainingSet:
        """Return a training set of the points of both; the metadata of ``more`` are appended to ``added``.

        Raises
        ------
        DataError
            If the parameters, the grids, the simulator, its version or its settings differ.
        """
        if more.names != self.names or dict(more.observables) != dict(self.observables):
            raise DataError("training sets of other parameters or observables cannot be joined")
        for key in ("simulator", "version", "options", "settings"):
            ours, theirs = self.metadata.get(key), more.metadata.get(key)
            if ours != theirs:
                raise DataError(f"training sets with another {key} cannot be joined: {ours!r} and {theirs!r}")
        return TrainingSet(
            self.names,
            np.concatenate([self.theta, more.theta]),
            self.observables,
            {name: np.concatenate([values, more.values[name]]) for name, values in self.values.items()},
            {**self.metadata, "added": [*self.metadata.get("added", []), dict(more.metadata)]},
        )

    def save(self, path: str | Path) -> None:
        """Write the file, completely or not at all."""

        def write(temporary: Path) -> None:
            with h5py.File(temporary, "w") as file:
                file.attrs["format"] = FORMAT
                file.attrs["names"] = json.dumps(self.names)
                file.attrs["provenance"] = strict_json(provenance())  # of this file; the metadata are of the points
                file["metadata"] = json.dumps(self.metadata, sort_keys=True)  # may exceed the 64 KiB of an attribute
                file["theta"] = self.theta
                group = file.create_group("observables")
                for name, observable in self.observables.items():
                    data = group.create_dataset(name, data=np.asarray(self.values[name], dtype=np.float32))
                    data.attrs["observable"] = json.dumps(observable.to_json())

        write_atomically(path, write)

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
            if int(file.attrs["format"]) > FORMAT:
                raise DataError(f"{path} is of format {file.attrs['format']}; this version reads {FORMAT}")
            group = file["observables"]
            return cls(
                names=tuple(json.loads(file.attrs["names"])),
                theta=file["theta"][()],
                observables={name: Observable.from_json(json.loads(group[name].attrs["observable"])) for name in group},
                values={name: group[name][()] for name in group},
                metadata=_metadata(file),
            )


def read_metadata(path: str | Path) -> dict[str, Any]:
    """Return the metadata of a training set without reading its arrays."""
    with open_hdf5(path, "a whole training set") as file:
        return _metadata(file)


def _metadata(file: h5py.File) -> dict[str, Any]:
    return dict(json.loads(file["metadata"].asstr()[()]))
