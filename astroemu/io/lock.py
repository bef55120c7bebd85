"""Locks: one process at a time works in a folder or makes a file.

A lock is a hidden file beside what it protects, ``.NAME.lock``. The kernel releases it when its process ends, however
that happens. A lock file that a killed process left therefore blocks nothing.
"""

from __future__ import annotations

import errno
import fcntl
import os
import platform
import re
import shutil
import stat
import tempfile
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from astroemu.errors import RunFolderError
from astroemu.io.files import make_folder

#: Errors of file systems that have no locks.
_ABSENT = {errno.ENOLCK, errno.EOPNOTSUPP, errno.ENOTSUP, errno.ENOSYS}
#: Start of the names of temporary folders, their form, and the age [s] from which a folder without a lock is abandoned.
_PREFIX, _TEMPORARY, _ABANDONED = ".astroemu-work-", re.compile(r"\.astroemu-work-\w{8}"), 60.0
#: Descriptors of the locks of this process.
_held: set[int] = set()


def _let_go() -> None:
    """Close the locks in a forked child: it would hold them after the end of its parent."""
    for descriptor in _held:
        with suppress(OSError):
            os.close(descriptor)
    _held.clear()


os.register_at_fork(after_in_child=_let_go)


@contextmanager
def locked(folder: Path, what: str = "run") -> Iterator[None]:
    """Context manager in which no other process or thread works in a folder.

    The folder is created if it does not exist. If it is new, still empty, and the content raises, it is removed.

    Parameters
    ----------
    folder : Path
    what : str
        The work, for the message, such as "calibration".

    Raises
    ------
    RunFolderError
        If another process, or another thread of this one, works in the folder.
    DataError
        If the folder cannot be created.

    Notes
    -----
    On a file system without locks there is a warning, and no protection.
    """
    new = not folder.exists()
    make_folder(folder)
    try:
        with alone(folder, what):
            yield
    except BaseException:
        if new:
            with suppress(OSError):
                folder.rmdir()
        raise


@contextmanager
def alone(path: Path, what: str = "work") -> Iterator[None]:
    """Context manager in which no other process or thread makes a file; see :func:`locked`, which is for folders.

    Raises
    ------
    RunFolderError
        If another process, or another thread of this one, makes the file.
    DataError
        If the folder of the file cannot be created.
    """
    make_folder(path.parent)
    real = Path(os.path.realpath(path))
    descriptor, file = _taken(real, path, what)
    _held.add(descriptor)
    try:
        yield
    finally:
        if file is not None:
            with suppress(OSError):
                file.unlink()
        if descriptor in _held:  # not in a fork
            _held.remove(descriptor)
            os.close(descriptor)


def _taken(real: Path, shown: Path, what: str) -> tuple[int, Path | None]:
    """Return the descriptor of a new lock, and its file unless the folder itself is locked."""
    while True:
        file: Path | None = real.with_name(f".{real.name}.lock")
        try:
            descriptor = os.open(str(file), os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o666)
        except OSError:  # nothing may be written beside it, or its name is too long
            file, descriptor = None, _itself(real, shown)
        try:
            _flock(descriptor, shown, what)
            if file is None or _is_there(file, descriptor):  # otherwise its last owner removed it in the meantime
                _sign(descriptor)
                return descriptor, file
        except BaseException:
            os.close(descriptor)
            raise
        os.close(descriptor)


def _itself(real: Path, shown: Path) -> int:
    try:
        return os.open(real if real.is_dir() else real.parent, os.O_RDONLY)
    except OSError as error:
        raise RunFolderError(f"{shown} cannot be locked: {error.strerror}") from None


def _flock(descriptor: int, shown: Path, what: str) -> None:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise RunFolderError(
            f"{shown} is in use by another {what}{_owner(descriptor)}; wait for its end, or choose another place with "
            "--out"
        ) from None
    except OSError as error:
        if error.errno not in _ABSENT:
            raise RunFolderError(f"{shown} cannot be locked: {error.strerror}") from None
        warnings.warn(
            f"the file system of {shown} has no locks ({error.strerror}): do not start two processes there at once",
            stacklevel=2,
        )


def _is_there(file: Path, descriptor: int) -> bool:
    try:
        return os.path.samestat(file.stat(), os.fstat(descriptor))
    except OSError:
        return False


def _sign(descriptor: int) -> None:
    """Write who holds a lock, for the message of others. A full disk does not matter."""
    with suppress(OSError):
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, f"process {os.getpid()} on {platform.node()}".encode(), 0)


def _owner(descriptor: int) -> str:
    try:
        said = os.pread(descriptor, 200, 0).decode()
    except (OSError, UnicodeDecodeError):
        return ""
    return f" ({said})" if re.fullmatch(r"process \d+ on [\w.-]*", said) else ""


@contextmanager
def temporary_folder() -> Iterator[Path]:
    """Context manager that yields a new temporary folder, which it removes at the end.

    It also removes those of processes that were killed before they could do so.
    """
    _sweep(Path(tempfile.gettempdir()))
    with tempfile.TemporaryDirectory(prefix=_PREFIX, ignore_cleanup_errors=True) as name:
        descriptor = os.open(name, os.O_RDONLY)
        _held.add(descriptor)
        with suppress(OSError):
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        try:
            yield Path(name)
        finally:
            if descriptor in _held:
                _held.remove(descriptor)
                os.close(descriptor)


def _sweep(place: Path) -> None:
    """Remove the temporary folders of processes that have ended: those of this user that nobody locks."""
    for folder in place.glob(f"{_PREFIX}*"):
        with suppress(OSError):
            known = folder.lstat()
            ours = stat.S_ISDIR(known.st_mode) and known.st_uid == os.getuid() and _TEMPORARY.fullmatch(folder.name)
            if not ours or time.time() - known.st_mtime < _ABANDONED:
                continue
            descriptor = os.open(folder, os.O_RDONLY | os.O_NOFOLLOW)
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                shutil.rmtree(folder, ignore_errors=True)
            finally:
                os.close(descriptor)
