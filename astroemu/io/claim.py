"""Work folders of commands that can be interrupted and continued.

A JSON file in the folder, the note, describes everything that the work depends on: settings, and the content hashes of
its inputs. A command that is started again with the same inputs continues. A command with other inputs is refused, with
what differs, before anything is read or written. A note without any work beside it binds nothing. The caller holds the
lock of the folder (:mod:`astroemu.io.lock`).
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from astroemu.errors import DataError, listing
from astroemu.io.files import make_folder, parse_json, read_json, strict_json, write_json

#: Key of the identity of the plugins in a note.
CODE = "code"
#: Temporary files whose writing was killed, see :func:`astroemu.io.files.write_atomically`.
_UNFINISHED = re.compile(r"\..+\.[0-9a-f]+\.part")
#: Number of differences that a message lists, and longest value that it shows.
_LISTED, _LONGEST = 6, 40


def claim_folder(
    note: Path,
    content: Mapping[str, Any],
    what: str,
    other: str,
    beside: Callable[[], Mapping[str, Any]] = dict,
    *,
    accept_changed_code: bool = False,
) -> list[str]:
    """Write a note into a new folder, or check that the existing note has the same content.

    Files whose writing was killed are removed.

    Parameters
    ----------
    note : Path
        JSON file. Its folder is created if it does not exist.
    content : mapping
        Everything that the work depends on. The identity of plugins is under ``code``.
    what : str
        Content of the folder for error messages, such as "a calibration".
    other : str
        What may differ in a folder that is refused, such as "another seed or emulator".
    beside : callable
        Returns further entries of a new note. They are not compared.
    accept_changed_code : bool
        Accept that the plugins under ``code`` have changed. The note then lists the changes.

    Returns
    -------
    list of str
        The changes of code that were accepted, now and before.

    Raises
    ------
    DataError
        If the folder holds other work or other files, or its note is damaged or of another version of astroemu. The
        message lists what differs.
    """
    folder = note.parent
    content = parse_json(strict_json(content))
    accepted: list[str] = []
    if note.is_file():
        accepted = _compared(note, content, what, other, accept_changed_code)
    else:
        if folder.exists() and (not folder.is_dir() or any(not _is_unfinished(file) for file in folder.iterdir())):
            raise DataError(f"{folder} holds something other than {what}; choose another folder")
        make_folder(folder)
        write_json(note, {**content, **beside()})
    for file in folder.iterdir():
        if _is_unfinished(file):
            with suppress(OSError):
                file.unlink()
    return accepted


def release_folder(note: Path) -> None:
    """Remove the folder of finished work. The note goes last: a kill in between leaves a folder that is recognised."""
    for file in note.parent.iterdir():
        if file.is_dir():
            shutil.rmtree(file, ignore_errors=True)
        elif file != note:
            file.unlink(missing_ok=True)
    note.unlink(missing_ok=True)
    with suppress(OSError):
        note.parent.rmdir()


def _compared(note: Path, content: Mapping[str, Any], what: str, other: str, accept: bool) -> list[str]:
    """Return the changes of code that were accepted; raise if anything else has changed."""
    before = read_json(note)
    if not isinstance(before, dict) or not before.keys() >= content.keys():
        absent = [key for key in content if not isinstance(before, dict) or key not in before]
        raise DataError(
            f"{note} does not say of which {listing(absent)} the work was: it is of another version of astroemu, or "
            "damaged; choose another folder"
        )
    found = differences({key: before[key] for key in content}, content)
    if found and not _holds_work(note):  # it was killed, or refused, before it had any
        write_json(note, {**before, **content})
        return []
    code = only_code(found)
    if found and not (code and accept):
        raise DataError(
            f"{note.parent} holds {what} of {other} (see {note.name} there); nothing was changed. Choose another "
            f"folder, or restore what differs: {told(found.values())}" + (HINT if code else "")
        )
    accepted = [*before.get("accepted", []), *found.values()]
    if found:
        write_json(note, {**before, CODE: content[CODE], "accepted": accepted})
    return accepted


#: Advice where only code has changed.
HINT = ". If no number can depend on this change of code, add --accept-changed-code: it is accepted and recorded"


def only_code(fields: Iterable[str]) -> bool:
    """Return True if all these entries are of the code of plugins."""
    return all(name == CODE or name.startswith(f"{CODE}.") for name in fields)


def differences(there: Mapping[str, Any], here: Mapping[str, Any]) -> dict[str, str]:
    """Return a phrase for each entry, also of nested tables, that differs between earlier work and that of now."""
    then, now = dict(_flat(there)), dict(_flat(here))
    keys = [key for key in dict.fromkeys((*now, *then)) if key and _text(then, key) != _text(now, key)]
    return {key: f"{key} was {_short(then, key)} and is {_short(now, key)}" for key in keys}


def told(phrases: Iterable[str]) -> str:
    """Return the first differences as one text."""
    found = list(phrases)
    more = f"; and {len(found) - _LISTED} more" if len(found) > _LISTED else ""
    return "; ".join(found[:_LISTED]) + more


def _flat(value: Any, prefix: str = "") -> Iterator[tuple[str, Any]]:
    if not isinstance(value, Mapping) or not value:
        yield prefix, value
        return
    for key, item in value.items():
        yield from _flat(item, f"{prefix}.{key}" if prefix else str(key))


def _text(flat: Mapping[str, Any], key: str) -> str:
    return strict_json(flat[key]).strip() if key in flat else "not there"


def _short(flat: Mapping[str, Any], key: str) -> str:
    text = " ".join(_text(flat, key).split())
    if re.fullmatch(r'"[0-9a-f]{64}"', text):
        return f"{text[1:9]}..."
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 3]}..."


def _holds_work(note: Path) -> bool:
    return any(file.is_file() and file != note and not _is_unfinished(file) for file in note.parent.rglob("*"))


def _is_unfinished(file: Path) -> bool:
    return bool(_UNFINISHED.fullmatch(file.name)) and file.is_file() and not file.is_symlink()
