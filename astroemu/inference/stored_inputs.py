"""The files that a configuration names, copied into the folder of a run.

A run can then be reported, exported, cited and repeated on another machine, and after the files have changed. What is
found by an installed name belongs to a distribution, and is not copied.

    RUN/inputs/FIRST_12_DIGITS_OF_THE_SHA256/NAME
"""

from __future__ import annotations

import shutil
import warnings
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

from astroemu.errors import RunFolderError, RunWarning
from astroemu.inference.configuration import Configuration
from astroemu.io.files import make_folder, sha256, write_atomically
from astroemu.io.paths import looks_like_path, resolve
from astroemu.runtime.plugin_files import split_reference
from astroemu.runtime.plugins import TRAINED

#: Folder of the copies in a run folder.
FOLDER = "inputs"
#: Most bytes of copies in one run folder. The smallest files are copied first.
LARGEST = 256 << 20
#: Tables of a configuration with options that may name files.
_TABLES = ("probes", "simulators", "derived", "joint_priors", "samplers")


@dataclass(frozen=True)
class StoredInput:
    """A file that a configuration names.

    Attributes
    ----------
    path : str
        Where it was when the run started.
    sha256 : str
    size : int
        In bytes.
    file : str or None
        Its copy, relative to the run folder. None if it was too large.
    """

    path: str
    sha256: str
    size: int
    file: str | None


def input_files(configuration: Configuration) -> tuple[StoredInput, ...]:
    """Return the files that a configuration names, each once."""
    paths: set[Path] = set()

    def note(path: Path) -> str:
        paths.add(path)
        return str(path)

    _with_files(configuration.raw, configuration.path.absolute().parent, note)
    found, room = [], LARGEST
    for size, path in sorted((path.stat().st_size, path) for path in paths):
        digest = sha256(path)
        room -= size
        copied = f"{FOLDER}/{digest[:12]}/{path.name}" if room >= 0 else None
        found.append(StoredInput(str(path), digest, size, copied))
    return tuple(found)


def store(files: Iterable[StoredInput], folder: Path) -> None:
    """Copy files into a run folder.

    Raises
    ------
    RunFolderError
        If a file has changed since its checksum was taken.
    DataError
        If a copy cannot be written.
    """
    files = tuple(files)
    for file in files:
        if file.file is None:
            continue
        copy = folder / file.file
        make_folder(copy.parent)
        write_atomically(copy, partial(shutil.copyfile, file.path))
        if sha256(copy) != file.sha256:
            raise RunFolderError(f"{file.path} was changed while the run started; start it again")
    large = [f"{file.path} ({file.size / 2**20:.0f} MiB)" for file in files if file.file is None]
    if large:
        warnings.warn(
            f"{', '.join(large)}: not copied into {folder}, which holds at most {LARGEST >> 20} MiB of such files. The "
            "run is bound to their content; keep them where they are",
            RunWarning,
            stacklevel=3,
        )


def with_copies(raw: Mapping[str, Any], base: Path, files: Iterable[Mapping[str, Any]], folder: Path) -> dict[str, Any]:
    """Return a configuration that reads the files of a run folder.

    Parameters
    ----------
    raw : mapping
        The configuration.
    base : Path
        Folder from which its relative paths counted.
    files : iterable of mapping
        As stored in ``resolved.json``, see :func:`described`.
    folder : Path
        The run folder.

    Raises
    ------
    RunFolderError
        If a file is missing, or is not the one of the run.
    """
    known = {file["path"]: StoredInput(**file) for file in files}

    def place(path: Path) -> str:
        file = known.get(str(path))
        return str(path) if file is None else _checked(file, folder)

    return _with_files(raw, base, place, known)


def described(files: Iterable[StoredInput]) -> list[dict[str, Any]]:
    """Return files as they are stored in ``resolved.json``."""
    return [asdict(file) for file in files]


def _checked(file: StoredInput, folder: Path) -> str:
    """Return the path of the copy, or else of the original, after checking its content."""
    copy = None if file.file is None else folder.absolute() / file.file
    path = Path(file.path) if copy is None or not copy.is_file() else copy
    if not path.is_file():
        raise RunFolderError(
            f"{folder} needs the file {file.path} (SHA-256 {file.sha256[:12]}...), which is not there. Put it back"
            + (f", or put a copy at {copy}" if copy is not None else "")
        )
    if path == copy and is_file(Path(file.path)) and sha256(file.path) != file.sha256:
        warnings.warn(
            f"{file.path} has changed since {folder} was made; the copy in the folder is used", RunWarning, stacklevel=2
        )
    found = sha256(path)
    if found != file.sha256:
        raise RunFolderError(
            f"{path} is not the file that {folder} was made with: its SHA-256 is {found[:12]}..., not "
            f"{file.sha256[:12]}.... Restore it"
        )
    return str(path)


def is_file(path: Path) -> bool:
    """Return True for the path of a file; also for texts that cannot be a path."""
    try:
        return path.is_file()
    except (OSError, ValueError):  # too long, or with a NUL character
        return False


def _with_files(
    raw: Mapping[str, Any], base: Path, change: Callable[[Path], str], known: Iterable[str] = ()
) -> dict[str, Any]:
    """Return a configuration with another path for each file that its tables name."""
    known = set(known)

    def changed(value: Any) -> Any:
        if isinstance(value, Mapping):
            return {key: changed(item) for key, item in value.items()}
        if isinstance(value, list):
            return [changed(item) for item in value]
        if isinstance(value, str) and looks_like_path(value):
            file, *name = split_reference(value) or (value,)
            path = Path(resolve(file, base))
            return ":".join((change(path), *name)) if str(path) in known or is_file(path) else value
        return value

    found = {**raw, **{key: changed(raw[key]) for key in _TABLES if key in raw}}
    if "emulators" in raw:
        found["emulators"] = {key: _emulator(key, table, changed) for key, table in raw["emulators"].items()}
    return found


def _emulator(name: str, table: Mapping[str, Any], changed: Callable[[str], str]) -> dict[str, Any]:
    """Return the table of an emulator. Its name is the file if it states none."""
    reference = table.get("file") or name
    if not looks_like_path(reference) and reference not in TRAINED.entries and is_file(Path(reference)):
        reference = str(Path(reference).absolute())
    path = changed(reference)
    return dict(table) if path == reference and "file" not in table else {**table, "file": path}
