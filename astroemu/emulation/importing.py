"""Plain arrays made elsewhere (npz, HDF5, CSV), read as a training set.

``[import]`` of a recipe says which array is what. Parameters are the columns of one array or one
array each; an observable is an array of ``(n, ...)`` or, in a CSV file, a list of columns.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict

from astroemu.core.observable import Axis, Observable
from astroemu.core.typing import FloatArray
from astroemu.emulation.training_set import TrainingSet
from astroemu.errors import ConfigurationError, DataError, closest, listing
from astroemu.io.files import sha256
from astroemu.io.untrusted import check_npz, open_hdf5


class ImportedAxis(BaseModel):
    """``axes = [{ name = "z", values = "z", unit = "" }]``: values are an array's name or numbers."""

    model_config = ConfigDict(extra="forbid")

    name: str
    values: str | list[float]
    unit: str = ""


class ImportedObservable(BaseModel):
    """``[import.observables.NAME]``."""

    model_config = ConfigDict(extra="forbid")

    values: str | list[str]
    axes: list[ImportedAxis] = []
    unit: str = ""
    description: str = ""
    latex: str = ""


class ImportTable(BaseModel):
    """``[import]``: which array is what.

    Attributes
    ----------
    theta : str or mapping
        An ``(n, d)`` array with columns in the order of ``[parameters]``, or an array for each name.
    observables : mapping
    simulator, version, citation, licence : str
        Where the arrays come from; stored with them.
    """

    model_config = ConfigDict(extra="forbid")

    theta: str | dict[str, str]
    observables: dict[str, ImportedObservable]
    simulator: str = ""
    version: str = ""
    citation: str = ""
    licence: str = ""


def read_arrays(path: str | Path) -> dict[str, NDArray[Any]]:
    """Return all arrays of an npz, HDF5 or CSV file by name; columns of a CSV file by their header.

    Raises
    ------
    DataError
        If the file is missing, damaged or of another kind. Pickled objects are never read.
    """
    path = Path(path)
    if not path.is_file():
        raise DataError(f"there is no file {path}")
    suffix = path.suffix.lower()
    if suffix in (".h5", ".hdf5"):
        import h5py

        found: dict[str, NDArray[Any]] = {}

        def keep(name: str, item: Any) -> None:
            if isinstance(item, h5py.Dataset):
                found[name] = item[()]

        with open_hdf5(path, "a readable HDF5 file") as file:
            file.visititems(keep)
        return found
    try:
        if suffix == ".npz":
            check_npz(path)
            with np.load(path, allow_pickle=False) as file:
                return {name: file[name] for name in file.files}
        if suffix == ".csv":
            table = np.genfromtxt(path, delimiter=",", names=True, deletechars="", replace_space="_", encoding="utf-8")
            return {name: np.atleast_1d(table[name]) for name in table.dtype.names or ()}
    except DataError:
        raise
    except Exception as error:  # zip, header and number errors of all kinds
        raise DataError(f"{path} is not a readable {suffix[1:]} file ({type(error).__name__}: {error})") from None
    raise DataError(f"{path} is of an unknown kind; npz, h5, hdf5 and csv are read")


def import_arrays(path: str | Path, form: ImportTable, parameters: Mapping[str, Mapping[str, Any]]) -> TrainingSet:
    """Return the training set that plain arrays are.

    Parameters
    ----------
    path : str or Path
    form : ImportTable
    parameters : mapping
        ``low``, ``high``, ``unit`` and ``latex`` of each parameter, in the order of the columns.

    Raises
    ------
    ConfigurationError
        If an array that is named is not there.
    DataError
        If an array is of a wrong shape or is no number.
    """
    arrays = _Named(path)
    names = tuple(parameters)
    theta = _theta(arrays, form.theta, names)
    observables, values = {}, {}
    for name, spec in form.observables.items():
        axes = tuple(Axis(a.name, _axis(arrays, a.values), a.unit) for a in spec.axes)
        observables[name] = Observable(name, axes, spec.unit, spec.description, spec.latex)
        if isinstance(spec.values, str):
            block = arrays[spec.values]
        else:
            block = np.stack([arrays[column] for column in spec.values], axis=-1)
        shape = (len(theta), *observables[name].shape)
        if block.shape != shape:
            raise DataError(f"{path}: {spec.values!r} has the shape {block.shape}; {name!r} needs {shape}")
        values[name] = block.astype(np.float32)
    metadata = {
        "simulator": form.simulator,
        "version": form.version,
        "citation": form.citation,
        "licence": form.licence,
        "imported": {"file": Path(path).name, "sha256": sha256(path)},
        "parameters": {name: dict(box) for name, box in parameters.items()},
    }
    return TrainingSet(names, theta, observables, values, metadata)


class _Named:
    """The arrays of a file; a name that is missing gets the nearest right one."""

    def __init__(self, path: str | Path) -> None:
        self.path = path
        self._arrays = read_arrays(path)

    def __getitem__(self, name: str) -> FloatArray:
        if name not in self._arrays:
            raise ConfigurationError(
                f"{self.path} has no array {name!r}.{closest(name, self._arrays)} It has {listing(self._arrays)}"
            )
        try:
            return np.asarray(self._arrays[name], dtype=float)
        except (TypeError, ValueError):
            raise DataError(f"{self.path}: the array {name!r} does not hold numbers") from None


def _theta(arrays: _Named, spec: str | Mapping[str, str], names: tuple[str, ...]) -> FloatArray:
    if isinstance(spec, str):
        theta = arrays[spec]
    else:
        if set(spec) != set(names):
            raise ConfigurationError(f"[import.theta] names {listing(spec)}; [parameters] has {listing(names)}")
        theta = np.stack([arrays[spec[name]] for name in names], axis=-1)
    if theta.ndim != 2 or theta.shape[1] != len(names):
        raise DataError(f"{arrays.path}: theta has the shape {theta.shape}; (n, {len(names)}) is needed")
    return theta


def _axis(arrays: _Named, values: str | list[float]) -> FloatArray:
    return arrays[values] if isinstance(values, str) else np.asarray(values, dtype=float)
