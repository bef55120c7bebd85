"""What a file of a stranger may ask for, checked before anything is allocated.

A file of a few kilobytes can declare arrays of terabytes, point into other files, or loop. What
is declared is held against the size of the file itself; what leads out of it is refused.
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

#: Declared bytes that any file may have, and how often its own size beyond that (compression).
FREE_BYTES = 64 << 20
LARGEST_RATIO = 100
#: Groups in groups, and objects in all, of an HDF5 file.
DEEPEST = 32
MOST_OBJECTS = 100_000
#: Largest text (a configuration, a recipe, an ECSV table) in bytes.
LARGEST_TEXT = 64 << 20
#: Head of a global heap, and of an object in it: index, (count, reserved), size.
_HEAP = b"GCOL\x01\0\0\0"
_HEAP_OBJECT = struct.Struct("<H6xQ")


def read_text(path: str | Path, largest: int = LARGEST_TEXT) -> str:
    """Return a UTF-8 text.

    Raises
    ------
    DataError
        If it is no regular file, cannot be read, is larger than ``largest`` bytes or is not UTF-8.
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
        raise DataError(f"{path} is larger than the {largest >> 20} MiB that a text may have")
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError as error:
        raise DataError(f"{path} is not UTF-8 text: {error}") from None


def check_declared(declared: int, path: str | Path) -> None:
    """Refuse a file that declares more bytes than a file of its size can reasonably hold.

    Raises
    ------
    DataError
    """
    allowed = FREE_BYTES + LARGEST_RATIO * Path(path).stat().st_size
    if declared > allowed:
        raise DataError(
            f"{path} declares {declared:.3g} bytes of arrays; a file of its size may declare {allowed:.3g}. "
            "It is damaged or made to exhaust the memory"
        )


def check_heaps(path: str | Path) -> None:
    """Refuse an HDF5 file on which the HDF5 library would never return.

    The library walks the objects of a global heap (where texts lie) by their stated sizes, without
    end if one is free space of no size. This walks them first. See "Disk Format: Level 1E - Global
    Heap" of the HDF5 file format specification.

    Raises
    ------
    DataError
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
    """Refuse an open HDF5 file that leads out of itself, loops, or declares too much.

    Raises
    ------
    DataError
        For soft and external links, external and virtual storage, arrays that hold neither
        numbers nor text, a group that is reached twice, and for sizes beyond those of this module.
    """
    declared = sum(_declared(dataset, file.filename) for dataset in _datasets(file))
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
                raise DataError(f"{file.filename}: {name!r} is a link out of its place; links are not followed")
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
        # A text that is damaged into another ragged type crashes the library when it is read; ragged references
        # are what the scales of netCDF files are.
        if kind.get_class() == h5py.h5t.VLEN and kind.get_super().get_class() != h5py.h5t.REFERENCE:
            raise DataError(
                f"{filename}: the attribute {attribute.name!r} of {item.name} holds neither numbers nor text"
            )


def _declared(dataset: Any, filename: str) -> int:
    import h5py

    if dataset.is_virtual or dataset.external:
        raise DataError(f"{filename}: the array {dataset.name!r} lies in another file; that is not followed")
    if dataset.dtype.hasobject and h5py.check_string_dtype(dataset.dtype) is None:
        raise DataError(f"{filename}: the array {dataset.name!r} holds neither numbers nor text")
    shape = dataset.shape or ()
    size = int(dataset.id.get_type().get_size())
    for n in shape:
        size *= int(n)
    return size


def check_npz(path: str | Path) -> None:
    """Refuse an npz file that declares too much, by its directory and by the header of each array.

    Raises
    ------
    DataError, zipfile.BadZipFile, ValueError
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
    import numpy as np  # here, since listing what is installed needs none of it

    version = np.lib.format.read_magic(file)
    header = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
    shape, _, dtype = header(file)
    size = int(dtype.itemsize)
    for n in shape:
        size *= int(n)
    return size


#: What a damaged file makes h5py, json and the readers raise.
_UNREADABLE = (
    OSError, LookupError, ValueError, TypeError, AttributeError, OverflowError, RuntimeError, MemoryError,
)  # fmt: skip


@contextmanager
def open_hdf5(path: str | Path, what: str) -> Iterator[Any]:
    """Open an HDF5 file for reading, within the bounds of :mod:`astroemu.io.untrusted`.

    Raises
    ------
    DataError
        If it asks for too much or leads out of itself, and for whatever a damaged file makes h5py
        or its reader raise; ``what`` says what it should be.
    """
    import h5py

    if not Path(path).is_file():  # a pipe would be waited for
        raise DataError(f"there is no file {path}")
    try:
        check_heaps(path)
        with h5py.File(path, "r") as file:
            check_hdf5(file)
            yield file
    except _UNREADABLE as error:
        raise DataError(f"{path} is not {what} ({type(error).__name__}: {error})") from None
