"""Points given by name: a mapping, a table or a DataFrame becomes the columns of ``theta``.

Columns are matched by name, never by position. Nothing is left out, filled in or converted.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from numbers import Real
from typing import Any

import numpy as np

from astroemu.core.typing import FloatArray
from astroemu.core.units import parse_unit
from astroemu.errors import AstroemuError, ConfigurationError, closest, listing

#: What a method takes as points: ``(n, d)``, or values by name: a mapping, a structured array, an astropy table, a
#: pandas DataFrame, or samples.
Points = Any


def as_points(
    given: Points,
    names: tuple[str, ...],
    *,
    fixed: Mapping[str, float] | None = None,
    units: Mapping[str, str] | None = None,
    error: type[AstroemuError] = ConfigurationError,
) -> FloatArray:
    """Return points as an array whose columns are in the order of ``names``.

    Parameters
    ----------
    given : (n, d) array, or values by name
        A mapping of name to ``(n,)`` array or number, a structured array, an astropy table, a pandas DataFrame or
        samples. A number holds for all points. If all values are numbers, they are one point.
    names : tuple of d str
    fixed : mapping of str to float, optional
        Names that cannot be given, with their values, for the message.
    units : mapping of str to str, optional
        Unit by name. A column with a unit must have this one.
    error : class
        Class of the errors.

    Returns
    -------
    (n, d) float64 array

    Raises
    ------
    AstroemuError
        Of the class ``error``: if a name is unknown, missing or given twice, if a column does not hold numbers or has
        masked values, another length or another unit, or if the array has another shape.
    """
    keys = _keys(given)
    if keys is None:
        theta = np.asarray(given, dtype=float)
    else:
        _check_names(keys, names, fixed or {}, error)
        theta = _stacked({name: _column(name, given[name], (units or {}).get(name), error) for name in names}, error)
    if theta.ndim != 2 or theta.shape[1] != len(names):
        raise error(
            f"theta has the shape {theta.shape}; (n, {len(names)}) is needed, with the columns {', '.join(names)}. "
            "One point is theta[None], or a dictionary of numbers by name"
        )
    return theta


def _keys(given: Any) -> list[Any] | None:
    """Return the names of the columns; None for a plain array."""
    if isinstance(given, np.ndarray):
        return None if given.dtype.names is None else list(given.dtype.names)
    if isinstance(given, Mapping):
        return list(given)
    for attribute in ("colnames", "columns", "names"):  # astropy, pandas, samples
        if hasattr(given, attribute) and hasattr(given, "__getitem__"):
            return list(getattr(given, attribute))
    return None


def _check_names(
    keys: Iterable[Any], names: tuple[str, ...], fixed: Mapping[str, float], error: type[AstroemuError]
) -> None:
    found = set()
    for key in keys:
        if key in fixed:
            raise error(f"{key!r} is fixed at {fixed[key]:g} in this model and cannot be given; leave it out")
        if key not in names:
            raise error(f"unknown parameter {key!r}.{closest(str(key), names)} The parameters are {listing(names)}")
        if key in found:
            raise error(f"parameter {key!r} is given twice; keep one of the columns")
        found.add(key)
    missing = set(names) - found
    if missing:
        raise error(f"missing parameters: {listing(missing)}")


def _column(name: str, values: Any, unit: str | None, error: type[AstroemuError]) -> FloatArray:
    """Return one column or number as float64."""
    stated = getattr(values, "unit", None)
    if stated is not None and str(stated) and (unit is None or stated != parse_unit(unit)):
        here = f"is given in {unit!r}" if unit else "is given without a unit"
        raise error(f"the column {name!r} has the unit {str(stated)!r}, but this parameter {here}; give plain numbers")
    if np.ma.isMaskedArray(values) and np.ma.is_masked(values):
        raise error(f"the column {name!r} has masked values; leave out these rows")
    array = np.asarray(values)
    if array.dtype.kind == "O" and all(isinstance(value, Real) for value in array.flat):
        array = array.astype(float)
    if array.dtype.kind not in "iuf":
        raise error(f"{name} = {values!r:.60} must be a number or an array of numbers")
    if array.ndim > 1:
        raise error(f"the column {name!r} has the shape {array.shape}; one number per point is needed")
    return array.astype(float)


def _stacked(columns: Mapping[str, FloatArray], error: type[AstroemuError]) -> FloatArray:
    lengths = {name: len(column) for name, column in columns.items() if column.ndim}
    first = next(iter(lengths), "")
    for name, length in lengths.items():
        if length != lengths[first]:
            raise error(f"{first!r} has {lengths[first]} values and {name!r} has {length}; give one value per point")
    n = lengths.get(first, 1)
    return np.stack([np.broadcast_to(column, (n,)) for column in columns.values()], axis=1)
