"""Arrays of numbers in files that were made elsewhere: npz, HDF5, and text tables such as CSV.

Every array is given in float64, in the unit that the reader expects. What a file states about its numbers is honoured
or refused: their type, their unit, and in HDF5 the attributes ``units``, ``scale_factor``, ``add_offset``,
``_FillValue`` and ``missing_value``.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from astroemu.core.foreign_values import as_numbers
from astroemu.core.typing import FloatArray
from astroemu.core.units import is_label, parse_unit
from astroemu.errors import ConfigurationError, DataError, closest, listing
from astroemu.io.text_table import TextTable, read_table
from astroemu.io.untrusted import check_npz, open_hdf5

#: Largest integer up to which float64 holds every integer.
_EXACT = 2**53
_NO_UNIT = frozenset({"", "1", "-", "none", "dimensionless", "unitless"})
_NAMED_UNIT = re.compile(r"(.*\S)\s*(?:\[([^\[\]]*)\]|\(([^()]*(?:\([^()]*\))?[^()]*)\))")
_TEXT = (".csv", ".tsv", ".txt", ".dat")


@dataclass(frozen=True)
class ForeignArrays:
    """The arrays of a file.

    Attributes
    ----------
    path : Path
    arrays : mapping of str to callable
        By name: a function that returns the numbers in float64.
    units : mapping of str to str
        The units that the file states.
    lines : list of int, optional
        Line of each row of a text table.
    """

    path: Path
    arrays: Mapping[str, Callable[[], Any]]
    units: Mapping[str, str] = field(default_factory=dict)
    lines: list[int] | None = None

    def get(self, name: str, unit: str | None = None) -> FloatArray:
        """Return the array of a name.

        Parameters
        ----------
        name : str
            As the file has it. Blanks may be written as underscores, and a unit at its end may be left out.
        unit : str, optional
            The unit that the numbers must have. By default, it is not compared.

        Raises
        ------
        ConfigurationError
            If there is no such array, or the file states another unit.
        DataError
            If it does not hold numbers.
        """
        found = self._find(name)
        stated = self.units.get(found, "")
        if unit is not None and not _same_unit(stated, unit):
            expected = f"in {unit!r}" if unit else "without a unit"
            raise ConfigurationError(
                f"{self.path}: {name!r} is in {stated!r}, but is expected {expected}. Convert its numbers, or correct "
                "the unit that is wrong"
            )
        try:
            return _float64(self.arrays[found]())
        except ValueError as error:
            raise DataError(f"{self.path}: the array {name!r} does not hold numbers: {error}") from None

    def place(self, row: int) -> str:
        """Return where a row is in the file, for messages."""
        return f"line {self.lines[row]}" if self.lines is not None else f"row {row} (the first is 0)"

    def _find(self, name: str) -> str:
        if name in self.arrays:
            return name
        for written in (lambda known: known.replace(" ", "_"), lambda known: _split_unit(known)[0]):
            found = [known for known in self.arrays if written(known) == name]
            if len(found) == 1:
                return found[0]
        known = [known for known in self.arrays if known]
        raise ConfigurationError(f"{self.path} has no array {name!r}.{closest(name, known)} It has {listing(known)}")


def read_arrays(path: str | Path) -> ForeignArrays:
    """Return all arrays of an npz, HDF5 or text file by name. The columns of a text file have the names of its header.

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
        return _read_hdf5(path)
    if suffix == ".npz":
        return _read_npz(path)
    if suffix in _TEXT:
        return _of_table(read_table(path))
    known = ", ".join(("npz", "h5", "hdf5", *(text[1:] for text in _TEXT)))
    raise DataError(f"{path} has an unknown file type; {known} files can be read")


def _of_table(table: TextTable) -> ForeignArrays:
    arrays = {name: partial(table.column, name) for name in table.names if name}
    return ForeignArrays(table.path, arrays, {name: _split_unit(name)[1] for name in arrays}, table.lines)


def _read_npz(path: Path) -> ForeignArrays:
    try:
        check_npz(path)
        with np.load(path, allow_pickle=False) as file:
            found = {name: file[name] for name in file.files}
    except DataError:
        raise
    except Exception as error:  # zip and header errors of all kinds
        raise DataError(f"{path} is not a readable npz file ({type(error).__name__}: {error})") from None
    return ForeignArrays(path, {name: partial(np.asarray, array) for name, array in found.items()})


def _read_hdf5(path: Path) -> ForeignArrays:
    import h5py

    arrays: dict[str, Callable[[], Any]] = {}
    units: dict[str, str] = {}

    def keep(name: str, item: Any) -> None:
        if isinstance(item, h5py.Dataset):
            values, notes = item[()], dict(item.attrs)
            arrays[name] = partial(_unpacked, values, notes)
            units[name] = _word(notes.get("units", notes.get("unit", "")))

    with open_hdf5(path, "a readable HDF5 file") as file:
        file.visititems(keep)
    return ForeignArrays(path, arrays, units)


def _word(value: Any) -> str:
    if isinstance(value, np.ndarray) and value.size == 1:
        value = value.reshape(-1)[0]
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)


def _unpacked(values: Any, notes: Mapping[str, Any]) -> FloatArray:
    """Return packed numbers as the conventions of netCDF define them.

    Raises
    ------
    ValueError
        If an attribute is not one number.
    """
    numbers = _float64(values)
    for key in ("_FillValue", "missing_value"):
        if key in notes:
            numbers = np.where(values == _one(notes, key), np.nan, numbers)
    scale, offset = (_one(notes, key) if key in notes else None for key in ("scale_factor", "add_offset"))
    return (
        numbers if scale is None and offset is None else numbers * (1.0 if scale is None else scale) + (offset or 0.0)
    )


def _one(notes: Mapping[str, Any], key: str) -> float:
    value = _float64(notes[key])
    if value.size != 1:
        raise ValueError(f"its attribute {key!r} is not one number")
    return float(value.reshape(-1)[0])


def _float64(values: Any) -> FloatArray:
    """Return numbers in float64.

    Raises
    ------
    ValueError
        For anything else than real numbers, and for numbers that float64 cannot hold.
    """
    if isinstance(values, list):
        return np.array(values, dtype=float)
    array: NDArray[Any] = np.asarray(values)
    if array.dtype.kind in "iu" and array.size and (array.max() > _EXACT or array.min() < -_EXACT):
        raise ValueError(f"{array.max() if array.max() > _EXACT else array.min()} is an integer beyond 2^53")
    with np.errstate(over="ignore"):
        try:
            numbers = as_numbers(array)
        except DataError as error:
            raise ValueError(str(error)) from None
    if array.dtype.itemsize > 8 and array.dtype.kind == "f" and np.any(np.isinf(numbers) & np.isfinite(array)):
        raise ValueError("a number is larger than float64 can hold")
    return numbers


def _split_unit(name: str) -> tuple[str, str]:
    """Return the name and the unit of a name such as ``k (1/Mpc)`` or ``z [1]``; the unit may be ``""``."""
    match = _NAMED_UNIT.fullmatch(name)
    if match is None:
        return name, ""
    unit = (match[2] if match[2] is not None else match[3]).strip()
    known = unit in _NO_UNIT or not (unit.isdigit() or is_label(unit))
    return (match[1], "" if unit in _NO_UNIT else unit) if known else (name, "")


def _same_unit(stated: str, expected: str) -> bool:
    """Return True if the two units are equal, or the file states none."""
    if stated.strip() in _NO_UNIT or stated.strip() == expected.strip():
        return True
    if is_label(stated) or is_label(expected) or expected.strip() in _NO_UNIT:
        return False
    return bool(parse_unit(stated) == parse_unit(expected))
