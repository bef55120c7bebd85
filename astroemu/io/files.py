"""Checksums, new files and folders, atomic writes, and strict JSON."""

from __future__ import annotations

import hashlib
import json
import math
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from astroemu.errors import DataError


def sha256(path: str | Path) -> str:
    """Return the SHA-256 of a file as a hexadecimal string."""
    digest = hashlib.sha256()
    with Path(path).open("rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


def new_file(path: str | Path) -> Path:
    """Return the path of a file that is to be written, after creating its folder.

    Call it before a long computation, so that an error comes early.

    Raises
    ------
    DataError
        If the path exists already, or its folder cannot be created.
    """
    path = Path(path)
    if path.exists():
        raise DataError(f"{path} exists and is not overwritten; remove it or choose another name")
    make_folder(path.parent)
    return path


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
        raise DataError(f"cannot create the folder {path}: {error.strerror}") from None


def strict_json(value: Any) -> str:
    """Return indented JSON. NumPy scalars become numbers and arrays lists; NaN and infinity become ``null``."""
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
    """Write a file atomically: a reader, or a crash, finds the old file or the complete new one.

    Parameters
    ----------
    path : str or Path
    write : callable
        ``write(temporary)`` writes the content to a temporary path in the same folder. That file is then flushed
        to disk and renamed.
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


def write_json(path: str | Path, value: Any) -> None:
    """Write a value as :func:`strict_json`, atomically."""
    write_text(path, strict_json(value))


def write_text(path: str | Path, text: str) -> None:
    """Write a text in UTF-8, atomically."""
    write_atomically(path, lambda temporary: temporary.write_text(text, encoding="utf-8"))
