"""Import of plain arrays (npz, HDF5, CSV) as a training set.

The table ``[import]`` of a recipe describes the arrays. Parameters are the columns of one array, or one array each.
An observable is an array ``(n, ...)``, or a list of columns of a CSV file.
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
    """An entry of ``axes = [{ name = "z", values = "z", unit = "" }]``.

    Attributes
    ----------
    name : str
    values : str or list of float
        Name of an array, or the numbers.
    unit : str
    """

    model_config = ConfigDict(extra="forbid")

    name: str
    values: str | list[float]
    unit: str = ""


class ImportedObservable(BaseModel):
    """The table ``[import.observables.NAME]``.

    Attributes
    ----------
    values : str or list of str
        Name of an array ``(n, ...)``, or names of ``(n,)`` arrays such as the columns of a CSV file.
    axes : list of ImportedAxis
    unit, description, latex : str
    """

    model_config = ConfigDict(extra="forbid")

    values: str | list[str]
    axes: list[ImportedAxis] = []
    unit: str = ""
    description: str = ""
    latex: str = ""


class ImportTable(BaseModel):
    """The table ``[import]``: the meaning of each array.

    Attributes
    ----------
    theta : str or mapping of str to str
        Name of an ``(n, d)`` array with columns in the order of ``[parameters]``, or the name of an ``(n,)`` array for
        each parameter.
    observables : mapping of str to ImportedObservable
    simulator, version, citation, licence : str
        Origin of the arrays; stored in the training set.
    """

    model_config = ConfigDict(extra="forbid")

    theta: str | dict[str, str]
    observables: dict[str, ImportedObservable]
    simulator: str = ""
    version: str = ""
    citation: str = ""
    licence: str = ""


def read_arrays(path: str | Path) -> dict[str, NDArray[Any]]:
    """Return all arrays of an npz, HDF5 or CSV file by name. The columns of a CSV file have the names of its header.

    Raises
    ------
    DataError
        If the file is missing, damaged or of another type. Pickled objects are never read.
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
    raise DataError(f"{path} has an unknown file type; npz, h5, hdf5 and csv files can be read")


def import_arrays(path: str | Path, form: ImportTable, parameters: Mapping[str, Mapping[str, Any]]) -> TrainingSet:
    """Return the plain arrays of a file as a training set.

    Parameters
    ----------
    path : str or Path
    form : ImportTable
    parameters : mapping
        ``low``, ``high``, ``unit`` and ``latex`` of each parameter, in the order of the columns.

    Returns
    -------
    TrainingSet
        Parameters in float64, observables in float32.

    Raises
    ------
    ConfigurationError
        If the file has no array of a given name.
    DataError
        If an array has the wrong shape or does not hold numbers.
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
    """The arrays of a file by name. The error for a missing name suggests the closest one."""

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
