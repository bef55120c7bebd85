"""Small file helpers: checksums, atomic writes, references in configurations."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from pathlib import Path
from typing import Annotated


class FileReference:
    """Marks an option as a file or a name; see :data:`FileName`."""


#: Annotation for an option that holds a file path or the name of something installed. A relative
#: path in a configuration counts from the configuration's own folder.
FileName = Annotated[str, FileReference()]


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
