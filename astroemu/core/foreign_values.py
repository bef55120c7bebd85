"""Numbers, flags and units as files of strangers hold them.

Each function returns plain float64 or bool arrays, or raises an error that says what was found. Nothing is guessed.
What has two readings is refused. The readers of tables (:mod:`astroemu.core.columns`) and of HDF5 files
(:mod:`astroemu.core.datasets`) add the place.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from astroemu.core.typing import FloatArray
from astroemu.core.units import parse_unit
from astroemu.errors import DataError
from astroemu.io.numbers import read_number

#: What arrays hold that are no numbers, by the kind of their NumPy type.
_KINDS = {"c": "complex numbers", "b": "truth values", "M": "dates", "m": "durations", "V": "records", "O": "objects"}
_FLAGS = {"true": True, "false": False, "1": True, "0": False}
#: Words that say that there is no unit.
_NO_UNIT = frozenset({"", "1", "-", "none", "dimensionless", "unitless"})


def as_numbers(values: Any) -> FloatArray:
    """Return numbers of any real type, or texts of numbers, as float64.

    Raises
    ------
    DataError
        If the values are complex, truth values, dates or anything else, or a text is not a number.
    """
    values = np.asarray(values)
    if values.dtype.kind in "SU":
        return np.array([_number(text) for text in _texts(values).flat], dtype=float).reshape(values.shape)
    if values.dtype.kind not in "iuf":
        raise DataError(f"holds {_KINDS.get(values.dtype.kind, 'other values')}; real numbers are needed")
    return values.astype(np.float64)


def _number(text: str) -> float:
    try:
        return read_number(text)
    except ValueError as error:
        raise DataError(f"holds text where numbers are needed: {error}") from None


def _texts(values: NDArray[Any]) -> NDArray[np.str_]:
    return np.char.decode(values, "utf-8") if values.dtype.kind == "S" else values


def as_flags(values: Any) -> NDArray[np.bool_]:
    """Return flags that are stored as bool, as numbers 0 and 1, or as texts ``True`` and ``False``.

    Raises
    ------
    DataError
        If there is any other value, such as NaN, 2 or an index.
    """
    values = np.asarray(values)
    if values.dtype.kind == "b":
        return values
    if values.dtype.kind in "SU":
        known = [_FLAGS.get(text.strip().lower()) for text in _texts(values).flat]
        wrong = np.array([flag is None for flag in known]).reshape(values.shape)
        found = np.array([bool(flag) for flag in known]).reshape(values.shape)
    else:
        numbers = as_numbers(values)
        wrong, found = (numbers != 0) & (numbers != 1), numbers == 1
    if np.any(wrong):
        raise DataError(f"holds {values[wrong][0]!s}; flags are bool, 0 and 1, or the texts True and False")
    return np.asarray(found, dtype=bool)


def in_unit(values: FloatArray, stated: str, wanted: str, h: float | None = None) -> FloatArray:
    """Return values in the unit that is wanted.

    Parameters
    ----------
    values : array
        Of any shape, in the unit ``stated``.
    stated, wanted : str
        Units. The letter h is the Hubble constant over 100 km/s/Mpc, not the hour.
    h : float, optional
        Its value, if the file states one.

    Raises
    ------
    DataError
        If the units cannot be converted, if one is a logarithm, or if h is needed and not known.
    """
    from astropy import units

    if stated == wanted or (wanted in _NO_UNIT and stated.strip().lower() in _NO_UNIT):
        return values
    place = f"is needed in {wanted or 'no unit'!r} but has the unit {stated!r}"
    source, target = parse_unit(stated), parse_unit(wanted)
    if source == target:
        return values
    if isinstance(source, units.function.FunctionUnitBase):
        raise DataError(f"{place}, a logarithm; give the linear values")
    power = dict(zip((base.name for base in source.bases), source.powers, strict=True)).get("littleh", 0)
    if power:
        source = source / parse_unit("h") ** power
    if not source.is_equivalent(target):
        raise DataError(f"{place}, which cannot be converted; correct the unit in the file")
    if power and h is None:
        raise DataError(
            f"{place}. Here h is H0 / (100 km/s/Mpc), and the file does not state its value as `h`. Multiply the "
            f"values by h^{power:g} and give the unit without h, or state h"
        )
    return np.asarray(source.to(target, values) * (h**power if power and h is not None else 1.0), dtype=float)
