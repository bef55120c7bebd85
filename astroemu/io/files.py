"""Small file helpers: checksums, reading, atomic writes, references in configurations."""

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


def write_json(path: str | Path, value: Any) -> None:
    """Write a value as :func:`strict_json`, all of it or nothing."""
    write_text(path, strict_json(value))


def write_text(path: str | Path, text: str) -> None:
    """Write a UTF-8 text, all of it or nothing."""
    write_atomically(path, lambda temporary: temporary.write_text(text, encoding="utf-8"))
