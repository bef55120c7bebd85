"""Import of plain arrays (npz, HDF5, CSV) as a training set.

The table ``[import]`` of a recipe describes the arrays. Parameters are the columns of one array, or one array each.
An observable is an array ``(n, ...)``, or a list of columns of a text table.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from astroemu.core.observable import Axis, Observable
from astroemu.core.typing import FloatArray
from astroemu.emulation.foreign_arrays import ForeignArrays, read_arrays
from astroemu.emulation.training_set import TrainingSet
from astroemu.errors import ConfigurationError, DataError, listing, located
from astroemu.io.files import sha256


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

    values: str | Annotated[list[str], Field(min_length=1)]
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
    observables: dict[str, ImportedObservable] = Field(min_length=1)
    simulator: str = ""
    version: str = ""
    citation: str = ""
    licence: str = ""


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
        All in float64. NaN marks a value that the file leaves out.

    Raises
    ------
    ConfigurationError
        If the file has no array of a given name, or states another unit for it.
    DataError
        If an array has the wrong shape or does not hold numbers, or a parameter is not finite.
    """
    arrays = read_arrays(path)
    theta = _theta(arrays, form.theta, parameters)
    observables, values = {}, {}
    for name, spec in form.observables.items():
        with located(f"[import.observables.{name}]"):
            axes = tuple(Axis(a.name, _axis(arrays, a), a.unit) for a in spec.axes)
            observables[name] = Observable(name, axes, spec.unit, spec.description, spec.latex)
        values[name] = _values(arrays, spec, observables[name], len(theta))
    metadata = {
        "simulator": form.simulator,
        "version": form.version,
        "citation": form.citation,
        "licence": form.licence,
        "imported": {"file": Path(path).name, "sha256": sha256(path)},
        "parameters": {name: dict(box) for name, box in parameters.items()},
    }
    return TrainingSet(tuple(parameters), theta, observables, values, metadata)


def _theta(
    arrays: ForeignArrays, spec: str | Mapping[str, str], parameters: Mapping[str, Mapping[str, Any]]
) -> FloatArray:
    """Return the parameters ``(n, d)``, all of them finite."""
    names = tuple(parameters)
    if isinstance(spec, str):
        theta = arrays.get(spec)
        if theta.ndim != 2 or theta.shape[1] != len(names):
            raise DataError(f"{arrays.path}: theta has the shape {theta.shape}; (n, {len(names)}) is needed")
    else:
        if set(spec) != set(names):
            raise ConfigurationError(f"[import.theta] names {listing(spec)}; [parameters] has {listing(names)}")
        theta = _stacked(arrays, [spec[name] for name in names], [parameters[name].get("unit", "") for name in names])
    if not len(theta):
        raise DataError(f"{arrays.path} has no rows")
    for row, column in np.argwhere(~np.isfinite(theta))[:1].tolist():
        raise DataError(
            f"{arrays.path}, {arrays.place(row)}: the parameter {names[column]!r} is {theta[row, column]}; every point "
            "needs all its parameters. Remove the row, or correct it"
        )
    return theta


def _values(arrays: ForeignArrays, spec: ImportedObservable, observable: Observable, n: int) -> FloatArray:
    """Return the values ``(n, ...)`` of an observable."""
    if isinstance(spec.values, str):
        block = arrays.get(spec.values, observable.unit)
    else:
        block = _stacked(arrays, spec.values, [observable.unit] * len(spec.values))
    shape = (n, *observable.shape)
    if block.shape != shape:
        raise DataError(
            f"{arrays.path}: {spec.values!r} has the shape {block.shape}; {observable.name!r} needs {shape}"
        )
    if np.all(np.isnan(block)):
        raise DataError(f"{arrays.path}: {observable.name!r} is NaN at every point")
    return block


def _stacked(arrays: ForeignArrays, names: Sequence[str], units: Sequence[str]) -> FloatArray:
    """Return arrays ``(n,)`` side by side, ``(n, columns)``."""
    if len(set(names)) < len(names):
        raise ConfigurationError(f"[import] names the same column twice among {listing(names)}; correct the recipe")
    columns = [arrays.get(name, unit) for name, unit in zip(names, units, strict=True)]
    for name, column in zip(names, columns, strict=True):
        if column.ndim != 1 or len(column) != len(columns[0]):
            raise DataError(
                f"{arrays.path}: {name!r} has the shape {column.shape}; ({len(columns[0])},) is needed, as that of "
                f"{names[0]!r}"
            )
    return np.stack(columns, axis=-1)


def _axis(arrays: ForeignArrays, axis: ImportedAxis) -> FloatArray:
    return arrays.get(axis.values, axis.unit) if isinstance(axis.values, str) else np.asarray(axis.values, dtype=float)
