"""Datasets of HDF5 files, read with the conventions of netCDF.

The attributes ``units``, ``scale_factor``, ``add_offset``, ``_FillValue``, ``missing_value`` and ``valid_range`` are
honoured. A value that is missing, infinite or out of its bounds is refused with its index. Datasets that belong
together must have the lengths of each other.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from astroemu.core.foreign_values import as_flags, as_numbers, in_unit
from astroemu.core.typing import FloatArray
from astroemu.errors import DataError, closest, listing, located

#: Largest difference of a covariance from its transpose, in units of the standard deviations.
_ASYMMETRY = 1e-6
_UNIT_KEYS = ("units", "unit")
_PACKING = ("scale_factor", "add_offset", "_FillValue", "missing_value", "valid_min", "valid_max", "valid_range")


class Datasets:
    """The datasets of one group, whose axes have common names.

    Parameters
    ----------
    group : h5py.Group

    Notes
    -----
    An axis has the name of the dataset that runs along it, such as ``k``. The first dataset along an axis sets its
    length.
    """

    def __init__(self, group: Any) -> None:
        if not hasattr(group, "keys"):
            raise DataError(f"{_path(group)!r} is a dataset; a group of datasets is needed there")
        self._group = group
        self._lengths: dict[str, int] = {}
        self._chosen: dict[str, NDArray[np.intp]] = {}

    def __contains__(self, name: str) -> bool:
        return name in self._group

    def select(self, axis: str, rows: NDArray[np.bool_]) -> None:
        """Return only some rows along an axis from now on. The others are neither returned nor validated."""
        self._chosen[axis] = np.flatnonzero(rows)

    def numbers(
        self,
        name: str,
        unit: str = "",
        along: tuple[str | int, ...] | None = None,
        *,
        above: float = -math.inf,
        increasing: bool = False,
        assume_unit: bool = False,
    ) -> FloatArray:
        """Return finite numbers as float64.

        Parameters
        ----------
        name : str
        unit : str
            Unit in which they are returned.
        along : tuple of str or int, optional
            The axes, by name, or by length if no dataset runs along one. By default one axis of the dataset's name.
        above : float
            Lower bound, itself excluded.
        increasing : bool
            True if the numbers must increase.
        assume_unit : bool
            True if the layout defines the unit, so that a dataset without ``units`` has ``unit``.

        Raises
        ------
        DataError
            If the dataset is missing, has another shape, states another or no unit, or a number is refused.
        """
        along = (name,) if along is None else along
        dataset = self._dataset(name, along)
        with located(f"the dataset {_path(dataset)!r}"):
            values = self._cut(in_unit(_unpacked(dataset), *self._units(dataset, unit, assume_unit)), along)
            for wrong, what in (
                (np.isnan(values), "no number (NaN, or marked as missing)"),
                (np.isinf(values), "an infinite number"),
                (values <= above, f"a number that is not above {above:g}"),
            ):
                if np.any(wrong):
                    raise DataError(f"has {what} at index {self._index(wrong, along)}; correct the file")
            if increasing and np.any(np.diff(values) <= 0):
                raise DataError("must increase; sort it, with all that runs along it")
        return values

    def flags(self, name: str, along: tuple[str | int, ...] | None = None) -> NDArray[np.bool_]:
        """Return flags of any type, see :func:`~astroemu.core.foreign_values.as_flags`."""
        along = (name,) if along is None else along
        dataset = self._dataset(name, along)
        with located(f"the dataset {_path(dataset)!r}"):
            _refuse_packing(dataset)
            return np.asarray(self._cut(as_flags(_raw(dataset)), along), dtype=bool)

    def texts(self, name: str, along: tuple[str | int, ...] | None = None) -> NDArray[np.str_]:
        """Return texts, without blanks around them."""
        along = (name,) if along is None else along
        dataset = self._dataset(name, along)
        with located(f"the dataset {_path(dataset)!r}"):
            values = _raw(dataset)
            if values.dtype.kind not in "SU":
                raise DataError("holds no text")
            texts = np.char.decode(values, "utf-8") if values.dtype.kind == "S" else values
            return np.asarray(self._cut(np.char.strip(texts), along))

    def covariance(self, name: str, unit: str, along: str, *, assume_unit: bool = False) -> FloatArray:
        """Return a covariance ``(n, n)`` along an axis, which must be symmetric and positive definite."""
        matrix = self.numbers(name, unit, (along, along), assume_unit=assume_unit)
        with located(f"the dataset {_path(self._group[name])!r}"):
            variance = np.diag(matrix)
            if np.any(variance <= 0):
                raise DataError(f"has a variance that is not above 0 at index {self._index(variance <= 0, (along,))}")
            sigma = np.sqrt(variance)
            asymmetric = np.abs(matrix - matrix.T) > _ASYMMETRY * sigma[:, None] * sigma
            if np.any(asymmetric):
                raise DataError(
                    f"is not symmetric at index {self._index(asymmetric, (along, along))}; correct the file"
                )
            try:
                np.linalg.cholesky(matrix / (sigma[:, None] * sigma))
            except np.linalg.LinAlgError:
                raise DataError("is not positive definite, as a covariance must be; correct the file") from None
        return matrix

    def _dataset(self, name: str, along: tuple[str | int, ...]) -> Any:
        if name not in self._group:
            raise DataError(f"{_path(self._group)!r} has no dataset {name!r}.{closest(name, self._group)} "
                            f"It has {listing(self._group)}")  # fmt: skip
        dataset = self._group[name]
        shape = getattr(dataset, "shape", None)
        if shape is None:
            raise DataError(f"{_path(dataset)!r} holds no array; a dataset is needed there")
        expected: list[int] = []
        for axis, length in zip(along, (*shape, *[1] * len(along)), strict=False):
            expected.append(axis if isinstance(axis, int) else self._lengths.setdefault(axis, length))
        if shape != tuple(expected):
            axes = " and ".join(str(axis) for axis in along)
            raise DataError(
                f"the dataset {_path(dataset)!r} has the shape {shape}, but along {axes} it must be {tuple(expected)}"
            )
        if 0 in shape:
            raise DataError(f"the dataset {_path(dataset)!r} is empty")
        return dataset

    def _cut(self, values: Any, along: tuple[str | int, ...]) -> Any:
        for number, axis in enumerate(along):
            if axis in self._chosen:
                values = np.take(values, self._chosen[axis], axis=number)
        return values

    def _index(self, wrong: NDArray[np.bool_], along: tuple[str | int, ...]) -> str:
        """Return the first index in the file of a mask of the values that are returned."""
        first = np.argwhere(wrong)[0]
        found = [
            int(self._chosen[axis][i]) if axis in self._chosen else int(i) for axis, i in zip(along, first, strict=True)
        ]
        return str(found[0] if len(found) == 1 else tuple(found))

    def _units(self, dataset: Any, wanted: str, assume: bool) -> tuple[str, str, float | None]:
        """Return the stated and the wanted unit, and h."""
        attributes = dataset.attrs
        stated = {key: _text(attributes[key], key) for key in _UNIT_KEYS if key in attributes}
        if len(set(stated.values())) > 1:
            raise DataError(
                f"states two units, {' and '.join(map(repr, stated.values()))}; remove one of the attributes"
            )
        if not stated:
            if wanted and not assume:
                raise DataError(f"is needed in {wanted!r} but states no unit; add the attribute `units`")
            return wanted, wanted, None
        unit = next(iter(stated.values()))
        return unit, wanted, self._h(dataset) if "h" in unit else None

    def _h(self, dataset: Any) -> float | None:
        """Return h = H0 / (100 km/s/Mpc) as the dataset or a group around it states it, or None."""
        item = dataset
        while "h" not in item.attrs and item.name != "/":
            item = item.parent
        return read_attribute(item, "h", above=0) if "h" in item.attrs else None


def check_datasets(file: Any) -> int:
    """Return the number of datasets of an HDF5 file, after reading each without a layout. NaN is allowed.

    Raises
    ------
    DataError
        If a dataset holds neither numbers, flags nor text, if its attributes contradict it, or a number is infinite.
    """
    count = 0

    def check(_: str, item: Any) -> None:
        nonlocal count
        if not hasattr(item, "dtype"):
            return
        count += 1
        with located(f"the dataset {_path(item)!r}"):
            raw = _raw(item)
            if raw.dtype.kind in "SUb":
                _refuse_packing(item)
            elif np.any(np.isinf(_unpacked(item))):
                raise DataError("has an infinite number; correct the file")

    file.visititems(check)
    return count


def read_attribute(item: Any, name: str, *, above: float = -math.inf) -> float:
    """Return a number that an HDF5 object has as an attribute.

    Raises
    ------
    DataError
        If it is missing, is not one finite number, or is not above the bound.
    """
    if name not in item.attrs:
        raise DataError(f"{_path(item)!r} has no attribute {name!r}.{closest(name, item.attrs)} Add it")
    with located(f"the attribute {name!r} of {_path(item)!r}"):
        values = as_numbers(item.attrs[name])
        if values.size != 1 or not np.isfinite(values).all():
            raise DataError("must be one finite number")
        number = float(values.reshape(()))
        if number <= above:
            raise DataError(f"is {number:g}; it must be above {above:g}")
    return number


def _path(item: Any) -> str:
    return item.name.strip("/") or "the file"


def _raw(dataset: Any) -> NDArray[Any]:
    """Return the content of a dataset as the file has it."""
    import h5py

    if dataset.id.get_storage_size() == 0:
        raise DataError("was created, but nothing was written into it")
    if h5py.check_string_dtype(dataset.dtype) is not None:
        return np.asarray(dataset.asstr()[()], dtype=str)
    return np.asarray(dataset[()])


def _unpacked(dataset: Any) -> FloatArray:
    """Return the numbers of a dataset with its packing undone, NaN where they are marked as missing."""
    raw = _raw(dataset)
    if "_Unsigned" in dataset.attrs:
        raise DataError("has the attribute `_Unsigned`, which is not read; store the numbers in a type of their own")
    if raw.dtype.kind in "SU":
        raise DataError("holds text; real numbers are needed")
    values = as_numbers(raw)
    attributes = {key: dataset.attrs[key] for key in _PACKING if key in dataset.attrs}
    if not attributes:
        return values
    missing = np.zeros(values.shape, dtype=bool)
    for key in ("_FillValue", "missing_value"):
        for mark in np.ravel(as_numbers(attributes.get(key, np.nan))):
            if np.isfinite(mark):  # NaN marks itself
                missing |= raw == mark.astype(raw.dtype)
    low, high = _valid_range(attributes)
    missing |= (values < low) | (values > high)
    if "scale_factor" in attributes:
        values = values * _factor(dataset, "scale_factor")
    if "add_offset" in attributes:
        values = values + read_attribute(dataset, "add_offset")
    return np.where(missing, np.nan, values)


def _factor(dataset: Any, name: str) -> float:
    factor = read_attribute(dataset, name)
    if factor == 0:
        raise DataError(f"has the attribute {name} = 0, which leaves no data")
    return factor


def _valid_range(attributes: Any) -> tuple[float, float]:
    """Return the range of valid numbers, in the packed numbers of the file."""
    given = as_numbers(attributes["valid_range"]) if "valid_range" in attributes else np.array([-math.inf, math.inf])
    if given.shape != (2,):
        raise DataError("has the attribute `valid_range`, which must be two numbers")
    low, high = (
        as_numbers(attributes.get(key, value)) for key, value in zip(("valid_min", "valid_max"), given, strict=True)
    )
    return float(low.reshape(-1)[0]), float(high.reshape(-1)[0])


def _refuse_packing(dataset: Any) -> None:
    stated = [key for key in _PACKING[:2] if key in dataset.attrs]
    if stated:
        raise DataError(f"holds flags and has the attribute {stated[0]!r}, which has no meaning for them; remove it")


def _text(value: Any, key: str) -> str:
    value = value[0] if isinstance(value, np.ndarray) and value.size == 1 else value
    if isinstance(value, bytes):
        return value.decode("utf-8").strip()
    if not isinstance(value, str):
        raise DataError(f"has the attribute {key} = {value!r}, which is not a text")
    return value.strip()
