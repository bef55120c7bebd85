"""Reading of the parts of an HDF5 file that must have a certain kind.

A file may have been written by another program, or damaged by an editor. Every refusal names the key. The errors are
ValueErrors, which :func:`~astroemu.io.untrusted.open_hdf5` turns into a DataError that names the file.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from astroemu.errors import DataError
from astroemu.io.files import parse_json

_KINDS: Mapping[type, str] = {dict: "table", list: "list"}


def _at(group: Any, key: str) -> str:
    """Return the key, and the group that lacks it or holds it, for messages."""
    return key if group.name == "/" else f"{key} in {group.name}"


def read_format(group: Any, newest: int) -> None:
    """Check the attribute ``format``.

    Raises
    ------
    ValueError
        If it is missing, or is no version number.
    DataError
        If it is newer than this version reads.
    """
    stored = group.attrs.get("format")
    if not isinstance(stored, int | np.integer) or isinstance(stored, bool | np.bool_) or stored < 1:
        raise ValueError(f"{_at(group, 'format')} is {stored!r}; it must be an integer from 1 to {newest}")
    if stored > newest:
        raise DataError(f"{group.file.filename} is of format {stored}; this version reads {newest}. Update astroemu")


def read_group(group: Any, key: str) -> Any:
    """Return a group of a group.

    Raises
    ------
    ValueError
        If it is missing, or is an array.
    """
    item = group.get(key)
    if not hasattr(item, "keys"):
        raise ValueError(f"the group {_at(group, key)} is missing")
    return item


def read_json_attribute(item: Any, key: str, kind: type) -> Any:
    """Return the value of a JSON text that is an attribute of a group or dataset.

    Parameters
    ----------
    item : h5py.Group or h5py.Dataset
    key : str
    kind : {dict, list}
        What the text must hold.

    Raises
    ------
    ValueError
        If it is missing, not JSON, or of another kind.
    """
    return _json(item.attrs.get(key), _at(item, key), kind)


def read_json_dataset(group: Any, key: str, kind: type) -> Any:
    """Return the value of a JSON text that is a dataset, as :func:`read_json_attribute` does for an attribute."""
    item = group.get(key)
    text = item[()] if hasattr(item, "asstr") else item
    return _json(text, _at(group, key), kind)


def _json(text: Any, at: str, kind: type) -> Any:
    if text is None:
        raise ValueError(f"{at} is missing")
    try:
        value = parse_json(text)
    except (TypeError, ValueError) as error:  # of UTF-8 too
        raise ValueError(f"{at} is not JSON ({error})") from None
    if not isinstance(value, kind):
        raise ValueError(f"{at} must be a {_KINDS[kind]}, not {str(value)[:40]!r}")
    return value


def read_names(group: Any, key: str) -> tuple[str, ...]:
    """Return a JSON list of names that is an attribute.

    Raises
    ------
    ValueError
        If it is missing, holds something else than names, or a name twice.
    """
    names = read_json_attribute(group, key, list)
    if not all(isinstance(name, str) and name for name in names) or len(set(names)) < len(names):
        raise ValueError(f"{_at(group, key)} must hold different names, not {str(names)[:80]}")
    return tuple(names)


def read_floats(
    group: Any, key: str, shape: tuple[int, ...] | None = None, *, single: bool = False, finite: bool = True
) -> NDArray[Any]:
    """Return an array of real numbers in float64, or in float32 if ``single``.

    Parameters
    ----------
    group : h5py.Group
    key : str
    shape : tuple of int, optional
        The shape that it must have.
    single, finite : bool
        If ``finite``, infinities and NaN are refused.

    Raises
    ------
    ValueError
        If it is missing, holds other things than real numbers, or is of another shape.
    """
    item = group.get(key)
    if not hasattr(item, "dtype"):
        raise ValueError(f"{_at(group, key)} is missing")
    if item.dtype.kind not in "fiu" or item.shape is None:
        raise ValueError(f"{_at(group, key)} must hold real numbers, not {item.dtype}")
    if shape is not None and item.shape != shape:
        raise ValueError(f"{_at(group, key)} has the shape {item.shape}, not {shape}")
    with np.errstate(over="ignore"):
        values: NDArray[Any] = np.asarray(item[()], dtype=np.float32 if single else np.float64)
    if finite and not np.isfinite(values).all():
        raise ValueError(f"{_at(group, key)} holds numbers that are not finite; the file is damaged")
    return values
