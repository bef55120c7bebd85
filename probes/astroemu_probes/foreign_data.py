"""Data of another package as a catalog, so that a run records what they were and whom to cite."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from astroemu.core.catalog import Catalog
from astroemu.errors import DataError
from astroemu.io.files import reading, sha256

_NUMBER = re.compile(r"\b(?:arxiv\.org/abs/|arXiv:\s*|eprint\s*=\s*[{\"]\s*)(\d{4}\.\d{4,5}|astro-ph/\d{7})", re.I)


@dataclass(frozen=True)
class ForeignData(Catalog):
    """Several files of another package, as one catalog. Its checksum is that of all of them.

    Attributes
    ----------
    files : tuple of Path
        All of them lie in one folder, or below it.
    """

    files: tuple[Path, ...] = ()

    @cached_property
    def sha256(self) -> str:
        """SHA-256 of the names and contents of all files.

        Raises
        ------
        DataError
            If a file is missing.
        """
        digest = hashlib.sha256()
        for file in self.files:
            if not file.is_file():
                raise DataError(f"catalog {self.name!r}: there is no file {file}. Install the data again")
            digest.update(f"{file.name}\0{sha256(file)}\n".encode())
        return digest.hexdigest()


def files_below(folder: Path) -> tuple[Path, ...]:
    """Return the files in a folder and below it, in a stable order, without caches and hidden ones."""
    named = {path.relative_to(folder): path for path in folder.rglob("*") if path.is_file()}
    return tuple(
        named[name]
        for name in sorted(named, key=lambda name: name.as_posix())
        if not any(part.startswith((".", "__pycache__")) for part in name.parts)
    )


def arxiv_numbers(text: str) -> tuple[str, ...]:
    """Return the arXiv numbers that a text names, each once, in their order."""
    return tuple(dict.fromkeys(_NUMBER.findall(text)))


def papers_in(files: Iterable[Path]) -> tuple[str, ...]:
    """Return the arXiv numbers that some text files name."""
    texts = []
    for file in files:
        with reading(file):
            texts.append(file.read_text(encoding="utf-8", errors="replace"))
    return arxiv_numbers("\n".join(texts))
