"""Small file helpers: checksums, reading, atomic writes, references in configurations."""

from __future__ import annotations

import hashlib
import json
import math
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

from pydantic import AfterValidator, ValidationInfo

from astroemu.bounds import check_hdf5, check_heaps
from astroemu.errors import DataError


def resolve(reference: str, base: Path) -> str:
    """Return a file reference with a relative path made absolute; a plain name stays."""
    if looks_like_path(reference) and not Path(reference).is_absolute():
        return str(base / reference)
    return reference


def _resolve_in_context(reference: str, info: ValidationInfo) -> str:
    base = (info.context or {}).get("base")
    return reference if base is None else resolve(reference, base)


#: Annotation for an option that holds a file path or the name of something installed. A relative
#: path in a configuration counts from the configuration's own folder.
FileName = Annotated[str, AfterValidator(_resolve_in_context)]


def looks_like_path(name: str) -> bool:
    """Whether a reference is a path (has a separator or a suffix) and not a plain name."""
    return bool(Path(name).suffix) or "/" in name or os.sep in name


def sha256(path: str | Path) -> str:
    """Return the SHA-256 of a file as a hexadecimal string."""
    digest = hashlib.sha256()
    with Path(path).open("rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


#: What a damaged file makes h5py, json and the readers raise.
_UNREADABLE = (
    OSError, LookupError, ValueError, TypeError, AttributeError, OverflowError, RuntimeError, MemoryError,
)  # fmt: skip


@contextmanager
def open_hdf5(path: str | Path, what: str) -> Iterator[Any]:
    """Open an HDF5 file for reading, within the bounds of :mod:`astroemu.bounds`.

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


def new_file(path: str | Path) -> Path:
    """Return the path of a file to be written, with its folder made.

    Raises
    ------
    DataError
        If something is there already, or the folder cannot be made. Ask before the work is done.
    """
    path = Path(path)
    if path.exists():
        raise DataError(f"{path} exists and is not overwritten; remove it or choose another name")
    make_folder(path.parent)
    return path


def make_folder(path: Path) -> None:
    """Make a folder, and those above it, where there is none.

    Raises
    ------
    DataError
        If it cannot be made.
    """
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise DataError(f"cannot make the folder {path}: {error.strerror}") from None


def strict_json(value: Any) -> str:
    """Return indented JSON: NumPy scalars as numbers, and null for what is not finite."""
    return json.dumps(_plain(value), indent=2, allow_nan=False) + "\n"


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if hasattr(value, "tolist"):
        return _plain(value.tolist())
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value


def write_atomically(path: str | Path, write: Callable[[Path], object]) -> None:
    """Write a file so that a reader, or a crash, sees either the old one or the whole new one.

    ``write`` receives a temporary path in the same folder; what it leaves there is flushed to
    disk and renamed.
    """
    path = Path(path)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        write(temporary)
        descriptor = os.open(temporary, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
