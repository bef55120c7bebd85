"""A record of all computed likelihoods and gradients, from which a killed run is resumed.

A sampler draws its random numbers from a seed. Started again, it requests the same points in the same order. The
likelihoods of the earlier run are therefore all that must be kept. This works for every sampler, without reading
its internal state. The record is one file, to which entries are appended:

    number of points n, of values per point m, of points outside and of points not finite (uint32 each)
    BLAKE2b digest of the n points, and of the four numbers and the n m values (16 bytes each)
    the n m values (float64, little-endian): per point the log-likelihood, and its gradient where requested

The file is written to disk every few seconds. An entry is returned only for exactly the points that it was computed
for. From the first other batch on, the model computes everything. An incomplete last entry is ignored.
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

from astroemu.core.evaluation_counts import EvaluationCounts
from astroemu.core.typing import FloatArray
from astroemu.errors import DivergenceWarning, RunFolderError
from astroemu.sampling.target import Target, TargetWrapper, evaluate

_HEAD = struct.Struct("<IIII16s16s")
_NUMBERS = struct.Struct("<IIII")
_MAGIC = b"astroemu record 2\n"
_EARLIER = b"astroemu record 1\n"
#: Seconds between two writes to disk: a kill loses at most the likelihoods of this time.
EVERY = 5.0


class LikelihoodReplay(TargetWrapper):
    """A target that records its answers in a file, and returns recorded ones from it.

    Parameters
    ----------
    target : Target
        Computes what is not recorded.
    path : Path
        The record. It is created if it does not exist. The caller must make sure that it belongs to the same
        problem (:mod:`astroemu.inference.fingerprint`).

    Attributes
    ----------
    recalled : int
        Number of points whose values came from the file.

    Raises
    ------
    RunFolderError
        If another process holds the file, if it cannot be written, or if it is not a record.
    """

    def __init__(self, target: Target, path: Path) -> None:
        super().__init__(target)
        self.path = path
        self.recalled = 0
        self._counts: EvaluationCounts = getattr(target, "counts", EvaluationCounts())
        self._file = _opened(path)
        self._end = _end_of_entries(self._file, path)
        self._file.seek(len(_MAGIC))
        self._recalling = True
        self._written = time.monotonic()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def evaluate(self, theta: FloatArray, *, gradient: bool) -> FloatArray:
        """Return the values from the file, or compute and append them; see :meth:`TargetWrapper.evaluate`."""
        digest = _digest(np.ascontiguousarray(theta, dtype="<f8").tobytes())
        if self._recalling:
            known = self._next(len(theta), 1 + gradient * len(self.names), digest)
            if known is not None:
                return known
        before = self._counts.copy()
        values = np.ascontiguousarray(evaluate(self.target, theta, gradient=gradient), dtype="<f8")
        self._append(digest, values, self._counts.since(before))
        return values

    def close(self) -> None:
        """Write everything to disk and close the file.

        Raises
        ------
        RunFolderError
            If the file cannot be written, for example on a full disk.
        """
        if self._file.closed:
            return
        try:
            self._sync()
        except OSError as error:
            raise _unwritable(self.path, error) from None
        finally:
            with suppress(OSError):  # closing tries again to write the rest, and fails again
                self._file.close()

    def remove(self) -> None:
        """Close and remove the file of a finished run."""
        self.close()
        self.path.unlink()

    def _next(self, n: int, m: int, digest: bytes) -> FloatArray | None:
        """Return the values ``(n, m)`` of the next entry if it is of these points; otherwise cut the file here."""
        start = self._file.tell()
        if start < self._end:
            *shape, outside, not_finite, points, _ = _HEAD.unpack(self._file.read(_HEAD.size))
            if (*shape, points) == (n, m, digest):
                self._counts.add(EvaluationCounts(n, outside, not_finite))
                self.recalled += n
                return np.frombuffer(self._file.read(8 * n * m), "<f8").astype(float).reshape(n, m)
            warnings.warn(
                f"after {self.recalled:,} points the sampler requests other points than in the earlier run (does "
                "another processor or library round differently?); the remaining points are computed again",
                DivergenceWarning,
                stacklevel=4,
            )
        self._recalling = False
        self._file.seek(start)
        self._file.truncate()
        return None

    def _append(self, digest: bytes, values: FloatArray, counts: EvaluationCounts) -> None:
        numbers = (*values.shape, counts.outside, counts.not_finite)
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
    """Open the file for reading and appending, and lock it for this process."""
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
    except OSError as error:  # some parallel file systems have no locks
        warnings.warn(
            f"the file system of {path.parent} has no locks ({error.strerror}): make sure that no other process "
            "writes to this run folder",
            stacklevel=4,
        )
    return file


def _end_of_entries(file: BinaryIO, path: Path) -> int:
    """Return where the last complete entry ends. The rest was being written when the run was killed."""
    size = file.seek(0, os.SEEK_END)
    file.seek(0)
    magic = file.read(len(_MAGIC))
    if magic == _EARLIER:
        file.close()
        raise RunFolderError(
            f"{path} was written by an earlier version of astroemu, in a format that this version does not read; "
            "nothing was changed. Finish the run with that version, or start it again in another folder with --out"
        )
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
        n, m, _, _, _, digest = _HEAD.unpack(head)
        length = 8 * n * m
        if end + _HEAD.size + length > size or _digest(head[: _NUMBERS.size] + file.read(length)) != digest:
            break
        end += _HEAD.size + length
    return end


def _digest(content: bytes) -> bytes:
    return blake2b(content, digest_size=16).digest()


def _unwritable(path: Path, error: OSError) -> RunFolderError:
    return RunFolderError(f"cannot write {path}: {error.strerror}; what was written before is intact")
