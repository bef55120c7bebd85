"""The likelihoods that a run has computed, kept so that a killed run goes on as if nothing had happened.

A sampler draws its random numbers from a seed: started again, it asks for the same points in the same
order. So what it was told is all that has to be kept, whatever the sampler, and no state of a sampler can be
read wrongly. A record is one file to which entries are appended,

    number of points n, number outside, number not finite (uint32 each)
    BLAKE2b digest of the n points, and of the three numbers and the n values (16 bytes each)
    the n values (float64, little-endian)

and pushed to the disk every few seconds. An entry is given back only for exactly the points that it was
computed for; from the first other question on, the model answers. An entry that was cut short ends the file.
"""

from __future__ import annotations

import fcntl
import os
import struct
import time
import warnings
from contextlib import suppress
from hashlib import blake2b
from pathlib import Path
from typing import BinaryIO, Self

import numpy as np
from numpy.typing import NDArray

from astroemu.counts import Counts
from astroemu.errors import RunFolderError
from astroemu.sampler import Target

Array = NDArray[np.float64]
_HEAD = struct.Struct("<III16s16s")
_NUMBERS = struct.Struct("<III")
_MAGIC = b"astroemu record 1\n"
#: Seconds between two moments at which everything is on the disk: what a kill can cost.
EVERY = 5.0


class DivergenceWarning(UserWarning):
    """A sampler that was started again asked for other points than before."""


class Record:
    """A target that remembers what it answered, in a file.

    Parameters
    ----------
    target : Target
    path : Path
        Made if it is not there; what it holds is answered from it. The caller has to see to it that it is of
        the same problem (:mod:`astroemu.identity`).

    Attributes
    ----------
    recalled : int
        Points that were answered from the file.

    Raises
    ------
    RunFolderError
        If another process holds the file, it cannot be written, or it is no record.
    """

    def __init__(self, target: Target, path: Path) -> None:
        self.target = target
        self.path = path
        self.recalled = 0
        self._counts: Counts = getattr(target, "counts", Counts())
        self._file = _opened(path)
        self._end = _whole(self._file, path)
        self._file.seek(len(_MAGIC))
        self._recalling = True
        self._written = time.monotonic()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def names(self) -> tuple[str, ...]:
        return self.target.names

    def prior_transform(self, u: Array) -> Array:
        return self.target.prior_transform(u)

    def log_prior(self, theta: Array) -> Array:
        return self.target.log_prior(theta)

    def log_likelihood(self, theta: Array) -> Array:
        """Log-likelihood ``(n,)``: from the file, or computed and appended."""
        digest = _digest(np.ascontiguousarray(theta, dtype="<f8").tobytes())
        if self._recalling:
            known = self._next(len(theta), digest)
            if known is not None:
                return known
        before = self._counts.copy()
        values = np.asarray(self.target.log_likelihood(theta), dtype="<f8")
        self._append(len(theta), digest, values, self._counts.since(before))
        return values

    def close(self) -> None:
        """Put everything on the disk.

        Raises
        ------
        RunFolderError
            If it cannot be written, as on a full disk.
        """
        if self._file.closed:
            return
        try:
            self._sync()
        except OSError as error:
            raise _unwritable(self.path, error) from None
        finally:
            with suppress(OSError):  # closing writes again what could not be written
                self._file.close()

    def remove(self) -> None:
        """Close the file and remove it: the run is finished."""
        self.close()
        self.path.unlink()

    def _next(self, n: int, digest: bytes) -> Array | None:
        """The values of the next entry, if it is of these points; else what follows is cut off."""
        start = self._file.tell()
        if start < self._end:
            found, outside, not_finite, points, _ = _HEAD.unpack(self._file.read(_HEAD.size))
            if (found, points) == (n, digest):
                self._counts.add(Counts(n, outside, not_finite))
                self.recalled += n
                return np.frombuffer(self._file.read(8 * n), "<f8").astype(float)
            warnings.warn(
                f"after {self.recalled:,} points the sampler asks for others than it did before (a processor or a "
                "library that rounds in another way?); the rest is computed again",
                DivergenceWarning,
                stacklevel=3,
            )
        self._recalling = False
        self._file.seek(start)
        self._file.truncate()
        return None

    def _append(self, n: int, digest: bytes, values: Array, counts: Counts) -> None:
        numbers = (n, counts.outside, counts.not_finite)
        head = _HEAD.pack(*numbers, digest, _digest(_NUMBERS.pack(*numbers) + values.tobytes()))
        try:
            self._file.write(head + values.tobytes())
            if time.monotonic() - self._written > EVERY:
                self._sync()
        except OSError as error:
            raise _unwritable(self.path, error) from None

    def _sync(self) -> None:
        self._file.flush()
        os.fsync(self._file.fileno())
        self._written = time.monotonic()


def _opened(path: Path) -> BinaryIO:
    """The file for reading and appending, held by this process alone."""
    try:
        file = path.open("r+b" if path.exists() else "x+b", buffering=1 << 20)
    except OSError as error:
        raise _unwritable(path, error) from None
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        file.close()
        raise RunFolderError(
            f"{path.parent} is being written by another process; nothing was changed. Wait for it, or choose another "
            "folder with --out"
        ) from None
    except OSError as error:  # some parallel file systems have none
        warnings.warn(
            f"the file system of {path.parent} has no locks ({error.strerror}): see to it that no other process writes "
            "this run",
            stacklevel=4,
        )
    return file


def _whole(file: BinaryIO, path: Path) -> int:
    """Where the last whole entry ends; what follows it was being written when the run was killed."""
    size = file.seek(0, os.SEEK_END)
    file.seek(0)
    magic = file.read(len(_MAGIC))
    if not _MAGIC.startswith(magic):
        file.close()
        raise RunFolderError(f"{path} is not a record of likelihoods; nothing was changed")
    if len(magic) < len(_MAGIC):
        file.seek(0)
        file.write(_MAGIC)
        return len(_MAGIC)
    end = len(_MAGIC)
    while end + _HEAD.size <= size:
        head = file.read(_HEAD.size)
        n, _, _, _, digest = _HEAD.unpack(head)
        if end + _HEAD.size + 8 * n > size or _digest(head[: _NUMBERS.size] + file.read(8 * n)) != digest:
            break
        end += _HEAD.size + 8 * n
    return end


def _digest(content: bytes) -> bytes:
    return blake2b(content, digest_size=16).digest()


def _unwritable(path: Path, error: OSError) -> RunFolderError:
    return RunFolderError(f"cannot write {path}: {error.strerror}; what was written before is intact")
