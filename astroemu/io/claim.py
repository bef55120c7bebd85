"""Folders of work that can be interrupted: a note in the folder says what the work is.

A command that is started again with the same folder goes on. One that is started with the folder of other work is
refused before anything is written.
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
    """Write a note into a new folder, or check that the note that is there says the same.

    Parameters
    ----------
    note : Path
        JSON file; its folder is made if there is none.
    content : mapping
        All that the work depends on.
    what : str
        What the folder holds, for messages, such as "a calibration".
    other : str
        What may differ in a folder that is refused, such as "another seed or emulator".
    beside : callable
        Returns what is written into a new note and not compared.

    Raises
    ------
    DataError
        If the folder holds other work, or other files, or its note is damaged.
    """
    folder = note.parent
    if not note.exists():
        if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
            raise DataError(f"{folder} holds something else than {what}; choose another folder")
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
