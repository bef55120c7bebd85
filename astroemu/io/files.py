"""Checksums, new files and folders, atomic writes, and JSON that keeps infinities and NaN."""

from __future__ import annotations

import errno
import hashlib
import json
import math
import os
import secrets
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from astroemu.errors import DataError
from astroemu.io.untrusted import read_text

#: What a user can do about an error of the operating system.
_REMEDIES = {
    errno.ENOSPC: "free some space, or write to another disk",
    errno.EDQUOT: "your quota is used up; free some space, or write to another disk",
    errno.EFBIG: "the file system or a limit of this process allows no larger file; write to another disk",
    errno.EACCES: "you may not write there; choose another folder",
    errno.EPERM: "you may not write there; choose another folder",
    errno.EROFS: "the file system is read-only; choose another folder",
    errno.ENAMETOOLONG: "choose a shorter name",
    errno.ENOENT: "the folder is not there, or was removed meanwhile",
    errno.ENOTDIR: "a part of the path is a file and no folder",
    errno.EISDIR: "there is a folder of this name; choose another name",
}
#: Those of a disk that is full or may not be written to, wherever they are met.
DISK_ERRORS = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EACCES, errno.EPERM, errno.EROFS})
#: Longest text that is read as JSON, in bytes.
LARGEST_JSON = 16 << 20


def sha256(path: str | Path) -> str:
    """Return the SHA-256 of a file as a hexadecimal string.

    Raises
    ------
    DataError
        If it cannot be read.
    """
    digest = hashlib.sha256()
    with reading(path), Path(path).open("rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


@contextmanager
def reading(path: str | Path) -> Iterator[None]:
    """Context manager that turns an error of the operating system into a DataError that names a file to be read."""
    try:
        yield
    except OSError as error:
        raise DataError(f"cannot read {path}: {error.strerror or error}") from None


class NewFile(type(Path())):  # type: ignore[misc]
    """The path of a file that did not exist. Writing it never replaces a file that another process made meanwhile."""


def new_file(path: str | Path) -> NewFile:
    """Return the path of a file that is to be written, after creating its folder.

    Call it before a long computation, so that an error comes early.

    Raises
    ------
    DataError
        If the path exists already, or its folder cannot be created.
    """
    path = Path(path)
    if os.path.lexists(path):  # also a link to nothing
        raise _exists(path)
    make_folder(path.parent)
    return NewFile(path)


def _exists(path: Path) -> DataError:
    return DataError(f"{path} exists and is not overwritten; remove it or choose another name")


def make_folder(path: Path) -> None:
    """Create a folder and its parents, unless they exist.

    Raises
    ------
    DataError
        If it cannot be created.
    """
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise DataError(f"cannot create the folder {path}: {explained(error)}") from None


def strict_json(value: Any) -> str:
    """Return indented JSON from which :func:`parse_json` gives the same value back.

    NumPy scalars become numbers, and arrays and tuples become lists. JSON has no infinity and no NaN: they are written
    as ``{"float": "inf"}``, ``{"float": "-inf"}`` and ``{"float": "nan"}``. A mapping of the user that looks the same
    is marked by a leading ``=`` of its text.
    """
    return json.dumps(_plain(value), indent=2, allow_nan=False) + "\n"


#: The texts of the floats that JSON does not have, also after marks, see :func:`strict_json`.
_NOT_FINITE = ("nan", "inf", "-inf")


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        found = {str(key): _plain(item) for key, item in value.items()}
        return {"float": "=" + found["float"]} if _looks_encoded(found) else found
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if hasattr(value, "tolist"):
        return _plain(value.tolist())
    if isinstance(value, float) and not math.isfinite(value):
        return {"float": str(float(value))}
    return value


def _looks_encoded(table: Mapping[str, Any]) -> bool:
    text = table.get("float")
    return len(table) == 1 and isinstance(text, str) and text.lstrip("=") in _NOT_FINITE


def parse_json(text: str | bytes) -> Any:
    """Return the value of a JSON text, with the floats that :func:`strict_json` writes.

    The literals ``NaN`` and ``Infinity`` of other writers are read too.

    Raises
    ------
    ValueError
        If it is not JSON, is nested too deeply, or names one key of a table twice.
    """
    try:
        return json.loads(text, object_pairs_hook=_decoded)
    except RecursionError:
        raise ValueError("its values are nested too deeply") from None


def _decoded(pairs: list[tuple[str, Any]]) -> Any:
    table = dict(pairs)
    if len(table) != len(pairs):
        raise ValueError(f"a key is given twice among {[key for key, _ in pairs]!r}")
    if not _looks_encoded(table):
        return table
    content = table["float"]
    return {"float": content[1:]} if content.startswith("=") else float(content)


def read_json(path: str | Path) -> Any:
    """Return the value in a file that :func:`write_json` wrote.

    Raises
    ------
    DataError
        If the file cannot be read, is larger than :data:`LARGEST_JSON`, or is not JSON.
    """
    text = read_text(path, LARGEST_JSON)
    try:
        return parse_json(text)
    except ValueError as error:
        raise DataError(f"{path} is damaged: it is not JSON ({error})") from None


def write_atomically(path: str | Path, write: Callable[[Path], object]) -> None:
    """Write a file atomically: a reader, or a crash, finds the old file or the complete new one.

    A link at the path is replaced, never followed. A path of :func:`new_file` replaces nothing.

    Parameters
    ----------
    path : str or Path
    write : callable
        ``write(temporary)`` writes the content to a temporary path in the same folder. That file is then flushed
        to disk and renamed. It must raise an error if it cannot write all. h5py does not, see
        :func:`astroemu.io.hdf5.write_hdf5`.

    Raises
    ------
    DataError
        In place of every error of the operating system. The old file, if any, is then unchanged.
    """
    is_new, path = isinstance(path, NewFile), Path(path)
    # Nobody can have prepared a link under a name that nobody can guess.
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(8)}.part")
    with writing(path):
        try:
            write(temporary)
            _flush(temporary, os.O_RDONLY | os.O_NOFOLLOW)
            _put(temporary, path, is_new)
            _flush_folder(path.parent)
        finally:
            with suppress(OSError):
                temporary.unlink(missing_ok=True)


def _put(temporary: Path, path: Path, is_new: bool) -> None:
    """Give a finished file its name. A new file may not replace what another process wrote meanwhile."""
    if not is_new:
        temporary.replace(path)
        return
    try:
        os.link(temporary, path, follow_symlinks=False)
    except FileExistsError:
        raise _exists(path) from None
    except OSError:  # a file system without hard links
        if os.path.lexists(path):
            raise _exists(path) from None
        temporary.replace(path)


@contextmanager
def writing(path: str | Path) -> Iterator[None]:
    """Context manager that turns an error of the operating system into a DataError that names a file to be written."""
    try:
        yield
    except OSError as error:
        raise DataError(f"cannot write {path}: {explained(error)}") from None


def explained(error: OSError) -> str:
    """Return what an error of the operating system says, and what to do about it."""
    remedy = _REMEDIES.get(error.errno or 0)
    return f"{error.strerror or error}" + (f"; {remedy}" if remedy else "")


def _flush(path: Path, flags: int) -> None:
    descriptor = os.open(path, flags)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _flush_folder(path: Path) -> None:
    """Flush the entries of a folder, so that a renamed file survives a power cut. Some file systems cannot."""
    with suppress(OSError):
        _flush(path, os.O_RDONLY | os.O_DIRECTORY)


def write_bytes(path: str | Path, content: bytes | memoryview) -> None:
    """Write bytes, atomically."""

    def write(temporary: Path) -> None:
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW
        with os.fdopen(os.open(temporary, flags, 0o666), "wb") as file:
            file.write(content)

    write_atomically(path, write)


def write_json(path: str | Path, value: Any) -> None:
    """Write a value as :func:`strict_json`, atomically."""
    write_text(path, strict_json(value))


def write_text(path: str | Path, text: str) -> None:
    """Write a text in UTF-8, atomically. Bytes of a file name that are not text are written as escapes."""
    write_bytes(path, text.encode("utf-8", errors="backslashreplace"))
