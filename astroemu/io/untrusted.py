"""Limits on files from untrusted sources, checked before any memory is allocated.

A file of a few kilobytes can declare arrays of terabytes, refer to other files, or contain loops. The declared size is
compared with the size of the file itself. Links out of the file are refused.
"""

from __future__ import annotations

import mmap
import struct
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from astroemu.errors import DataError

#: A file may declare this many bytes, plus ``LARGEST_RATIO`` times its own size (it may be compressed).
FREE_BYTES = 64 << 20
LARGEST_RATIO = 100
#: Largest depth of nested groups, and largest number of objects, in an HDF5 file.
DEEPEST = 32
MOST_OBJECTS = 100_000
#: Largest text file (a configuration, a recipe, an ECSV table), in bytes.
LARGEST_TEXT = 64 << 20
#: Header of a global heap, and of an object in it: index, (reference count, reserved), size.
_HEAP = b"GCOL\x01\0\0\0"
_HEAP_OBJECT = struct.Struct("<H6xQ")


def read_text(path: str | Path, largest: int = LARGEST_TEXT) -> str:
    """Return the content of a text file in UTF-8.

    Parameters
    ----------
    path : str or Path
    largest : int
        Largest size in bytes.

    Raises
    ------
    DataError
        If the path is not a regular file, cannot be read, is too large or is not UTF-8.
    """
    path = Path(path)
    if not path.is_file():
        raise DataError(f"{path} is not a file")
    try:
        with path.open("rb") as file:
            content = file.read(largest + 1)
    except OSError as error:
        raise DataError(f"cannot read {path}: {error.strerror}") from None
    if len(content) > largest:
        raise DataError(f"{path} is larger than {largest >> 20} MiB, the limit for a text file")
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError as error:
        raise DataError(f"{path} is not UTF-8 text: {error}") from None


def check_declared(declared: int, path: str | Path) -> None:
    """Raise an error if a file declares more bytes than a file of its size can reasonably hold.

    Parameters
    ----------
    declared : int
        Sum over all arrays, in bytes.
    path : str or Path

    Raises
    ------
    DataError
        If ``declared`` exceeds ``FREE_BYTES + LARGEST_RATIO * size of the file``.
    """
    allowed = FREE_BYTES + LARGEST_RATIO * Path(path).stat().st_size
    if declared > allowed:
        raise DataError(
            f"{path} declares {declared:.3g} bytes of arrays; a file of its size may declare {allowed:.3g}. "
            "It is damaged, or was made to exhaust the memory"
        )


def check_heaps(path: str | Path) -> None:
    """Raise an error for an HDF5 file on which the HDF5 library would never return.

    Texts lie in a global heap. The library steps through its objects by their stated sizes. It never ends if one of
    them is free space of size zero. This function steps through them first. See "Disk Format: Level 1E - Global Heap"
    of the HDF5 file format specification.

    Raises
    ------
    DataError
        If a heap holds an object without a size.
    """
    path = Path(path)
    if path.stat().st_size == 0:
        return
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
        start = content.find(_HEAP)
        while start >= 0:
            _check_heap(content, start, path)
            start = content.find(_HEAP, start + 1)


def _check_heap(content: mmap.mmap, start: int, path: Path) -> None:
    at = start + len(_HEAP) + 8
    if at > len(content):
        return
    end = min(start + int.from_bytes(content[at - 8 : at], "little"), len(content))
    while at + _HEAP_OBJECT.size <= end:
        index, size = _HEAP_OBJECT.unpack(content[at : at + _HEAP_OBJECT.size])
        if index == 0 and size < _HEAP_OBJECT.size:
            raise DataError(f"{path} is damaged: its heap at byte {start} holds an object without a size")
        at += size if index == 0 else _HEAP_OBJECT.size + (size + 7) // 8 * 8


def check_hdf5(file: Any) -> None:
    """Raise an error for an open HDF5 file that refers to other files, contains loops or declares too much.

    Raises
    ------
    DataError
        For soft and external links, for external and virtual storage, and for arrays that hold neither numbers nor
        text. Also for a group that is reached twice, and for sizes beyond the limits of this module.
    """
    declared = sum(_declared_bytes(dataset, file.filename) for dataset in _datasets(file))
    check_declared(declared, file.filename)


def _datasets(file: Any) -> Iterator[Any]:
    import h5py

    waiting, seen, count = [(file, 0)], set(), 0
    while waiting:
        group, depth = waiting.pop()
        address = h5py.h5o.get_info(group.id).addr
        if address in seen or depth > DEEPEST:
            raise DataError(f"{file.filename}: the groups of {group.name!r} loop or are nested too deeply")
        seen.add(address)
        _check_attributes(group, file.filename)
        for name in group:
            count += 1
            if count > MOST_OBJECTS:
                raise DataError(f"{file.filename} holds more than {MOST_OBJECTS} objects")
            if not isinstance(group.get(name, getlink=True), h5py.HardLink):
                raise DataError(f"{file.filename}: {name!r} is a soft or external link; links are not followed")
            item = group[name]
            if isinstance(item, h5py.Group):
                waiting.append((item, depth + 1))
            elif isinstance(item, h5py.Dataset):
                _check_attributes(item, file.filename)
                yield item
            else:
                raise DataError(f"{file.filename}: {name!r} is neither a group nor an array")


def _check_attributes(item: Any, filename: str) -> None:
    import h5py

    for index in range(h5py.h5a.get_num_attrs(item.id)):
        attribute = h5py.h5a.open(item.id, index=index)
        kind = attribute.get_type()
        # A text damaged into another variable-length type crashes the library when it is read. Variable-length
        # references are allowed: the dimension scales of netCDF files use them.
        if kind.get_class() == h5py.h5t.VLEN and kind.get_super().get_class() != h5py.h5t.REFERENCE:
            raise DataError(
                f"{filename}: the attribute {attribute.name!r} of {item.name} holds neither numbers nor text"
            )


def _declared_bytes(dataset: Any, filename: str) -> int:
    import h5py

    if dataset.is_virtual or dataset.external:
        raise DataError(f"{filename}: the array {dataset.name!r} is stored in another file; other files are not read")
    if dataset.dtype.hasobject and h5py.check_string_dtype(dataset.dtype) is None:
        raise DataError(f"{filename}: the array {dataset.name!r} holds neither numbers nor text")
    shape = dataset.shape or ()
    size = int(dataset.id.get_type().get_size())
    for n in shape:
        size *= int(n)
    return size


def check_npz(path: str | Path) -> None:
    """Raise an error for an npz file that declares too much, in its directory or in the header of an array.

    Raises
    ------
    DataError
        If it declares too much.
    zipfile.BadZipFile, ValueError
        If it is not an npz file.
    """
    declared = 0
    with zipfile.ZipFile(path) as archive:
        for member in archive.infolist():
            declared += member.file_size
            check_declared(declared, path)
            with archive.open(member) as file:
                held = _npy_bytes(file)
            if held > member.file_size:
                raise DataError(f"{path}: {member.filename} declares {held:.3g} bytes and holds {member.file_size}")


def _npy_bytes(file: Any) -> int:
    import numpy as np  # imported here: listing the installed plugins must not load it

    version = np.lib.format.read_magic(file)
    header = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
    shape, _, dtype = header(file)
    size = int(dtype.itemsize)
    for n in shape:
        size *= int(n)
    return size


#: Exceptions of h5py, json and the readers on a damaged file.
_UNREADABLE = (
    OSError, LookupError, ValueError, TypeError, AttributeError, OverflowError, RuntimeError, MemoryError,
)  # fmt: skip


@contextmanager
def open_hdf5(path: str | Path, what: str) -> Iterator[Any]:
    """Context manager that opens an HDF5 file for reading, within the limits of :mod:`astroemu.io.untrusted`.

    Parameters
    ----------
    path : str or Path
    what : str
        Expected kind of file for error messages, such as "an emulator file".

    Raises
    ------
    DataError
        If the file exceeds a limit, and in place of any error of h5py or of the reader on a damaged file.
    """
    import h5py

    if not Path(path).is_file():  # opening a pipe would wait for ever
        raise DataError(f"there is no file {path}")
    try:
        check_heaps(path)
        with h5py.File(path, "r") as file:
            check_hdf5(file)
            yield file
    except _UNREADABLE as error:
        raise DataError(f"{path} is not {what} ({type(error).__name__}: {error})") from None
