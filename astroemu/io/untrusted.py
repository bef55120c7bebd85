"""Limits on files from untrusted sources, checked before any memory is allocated.

A file of a few kilobytes can declare arrays of terabytes, refer to other files, or contain loops. The declared size is
compared with the size of the file itself. Links out of the file are refused.
"""

from __future__ import annotations

import errno
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from astroemu.errors import DataError

#: A file may declare this many bytes, plus ``LARGEST_RATIO`` times its own size (it may be compressed).
FREE_BYTES = 64 << 20
LARGEST_RATIO = 100
#: Largest text file (a configuration, a recipe, an ECSV table), in bytes.
LARGEST_TEXT = 64 << 20
#: Beginnings of files that are no text in UTF-8, and what to do with them.
_NO_TEXT = {
    b"\x1f\x8b": "it is compressed by gzip; unpack it first",
    b"BZh": "it is compressed by bzip2; unpack it first",
    b"\xfd7zXZ": "it is compressed by xz; unpack it first",
    b"PK\x03\x04": "it is a zip archive; unpack it first",
    b"\xff\xfe": "it is UTF-16; save it as UTF-8",
    b"\xfe\xff": "it is UTF-16; save it as UTF-8",
}


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
        hint = next((hint for start, hint in _NO_TEXT.items() if content.startswith(start)), "save it as UTF-8")
        raise DataError(f"{path} is not UTF-8 text ({error}): {hint}") from None


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
    allowed = _allowed(path)
    if declared > allowed:
        raise DataError(
            f"{path} declares {declared:.3g} bytes of arrays; a file of its size may declare {allowed:.3g}. "
            "It is damaged, or was made to exhaust the memory"
        )


def _allowed(path: str | Path) -> int:
    return FREE_BYTES + LARGEST_RATIO * Path(path).stat().st_size


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
    from astroemu.io.hdf5_heaps import read_heaps
    from astroemu.io.hdf5_objects import check_hdf5

    if not Path(path).is_file():  # opening a pipe would wait for ever
        raise DataError(f"there is no file {path}")
    try:
        heaps = read_heaps(Path(path))
        with _opened(path) as file:
            check_hdf5(file, heaps, _allowed(path))
            yield file
    except _UNREADABLE as error:
        raise DataError(f"{path} is not {what} ({type(error).__name__}: {error})") from None


def _opened(path: str | Path) -> Any:
    """Return an open HDF5 file. It is locked against writers, unless the file system has no locks."""
    import h5py

    try:
        return h5py.File(path, "r")
    except OSError as error:
        if error.errno not in (errno.ENOLCK, errno.EOPNOTSUPP, errno.ENOSYS):
            raise
        return h5py.File(path, "r", locking=False)
