"""Work folders of commands that can be interrupted and continued.

A JSON file in the folder describes the work. A command that is restarted with the same folder continues. A command
for other work is refused before anything is written.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from astroemu.errors import DataError
from astroemu.io.files import make_folder, strict_json, write_json


def claim_folder(
    note: Path, content: Mapping[str, Any], what: str, other: str, beside: Callable[[], Mapping[str, Any]] = dict
) -> None:
    """Write a note into a new folder, or check that the existing note has the same content.

    Parameters
    ----------
    note : Path
        JSON file. Its folder is created if it does not exist.
    content : mapping
        Everything that the work depends on.
    what : str
        Content of the folder for error messages, such as "a calibration".
    other : str
        What may differ in a folder that is refused, such as "another seed or emulator".
    beside : callable
        Returns further entries of a new note. They are not compared.

    Raises
    ------
    DataError
        If the folder holds other work or other files, or its note is damaged.
    """
    folder = note.parent
    if not note.exists():
        if folder.exists() and (
            not folder.is_dir() or any(not _is_unfinished(file, note) for file in folder.iterdir())
        ):
            raise DataError(f"{folder} holds something other than {what}; choose another folder")
        make_folder(folder)
        write_json(note, {**content, **beside()})
        return
    try:
        before = json.loads(note.read_text(encoding="utf-8"))
        same = {key: before[key] for key in content} == json.loads(strict_json(content))
    except (OSError, ValueError, LookupError, TypeError):
        same = False
    if not same:
        raise DataError(f"{folder} holds {what} of {other} (see {note.name} there); choose another folder")


def _is_unfinished(file: Path, note: Path) -> bool:
    """Return True for the temporary file of a note whose writing was killed, see :func:`write_atomically`."""
    return file.name.startswith(f".{note.name}.") and file.suffix == ".part"
