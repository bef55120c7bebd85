"""The likelihoods and gradients that a run has computed, kept so that a killed run goes on as if nothing had happened.

A sampler draws its random numbers from a seed: started again, it asks for the same points in the same
order. So what it was told is all that has to be kept, whatever the sampler, and no state of a sampler can be
read wrongly. A record is one file to which entries are appended,

    number of points n, of values a point m, of points outside and of points not finite (uint32 each)
    BLAKE2b digest of the n points, and of the four numbers and the n m values (16 bytes each)
    the n m values (float64, little-endian): a log-likelihood, and its gradient where that was asked for, a point

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

from astroemu.core.evaluation_counts import EvaluationCounts
from astroemu.core.typing import FloatArray
from astroemu.errors import DivergenceWarning, RunFolderError
from astroemu.sampling.target import Target, TargetWrapper, evaluate

_HEAD = struct.Struct("<IIII16s16s")
_NUMBERS = struct.Struct("<IIII")
_MAGIC = b"astroemu record 2\n"
_EARLIER = b"astroemu record 1\n"
#: Seconds between two moments at which everything is on the disk: what a kill can cost.
EVERY = 5.0


class LikelihoodReplay(TargetWrapper):
    """A target that remembers what it answered, in a file.

    Parameters
    ----------
    target : Target
    path : Path
        Made if it is not there; what it holds is answered from it. The caller has to see to it that it is of
        the same problem (:mod:`astroemu.inference.fingerprint`).

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
        super().__init__(target)
        self.path = path
        self.recalled = 0
        self._counts: EvaluationCounts = getattr(target, "counts", EvaluationCounts())
        self._file = _opened(path)
        self._end = _whole(self._file, path)
        self._file.seek(len(_MAGIC))
        self._recalling = True
        self._written = time.monotonic()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def evaluate(self, theta: FloatArray, *, gradient: bool) -> FloatArray:
        """What was asked: from the file, or computed and appended."""
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

    def _next(self, n: int, m: int, digest: bytes) -> FloatArray | None:
        """The next entry ``(n, m)``, if it is of these points; else what follows is cut off."""
        start = self._file.tell()
        if start < self._end:
            *shape, outside, not_finite, points, _ = _HEAD.unpack(self._file.read(_HEAD.size))
            if (*shape, points) == (n, m, digest):
                self._counts.add(EvaluationCounts(n, outside, not_finite))
                self.recalled += n
                return np.frombuffer(self._file.read(8 * n * m), "<f8").astype(float).reshape(n, m)
            warnings.warn(
                f"after {self.recalled:,} points the sampler asks for others than it did before (a processor or a "
                "library that rounds in another way?); the rest is computed again",
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
    if magic == _EARLIER:
        file.close()
        raise RunFolderError(
            f"{path} was written by an earlier astroemu, in a form that this one does not read; nothing was changed. "
            "Finish the run with that version, or start it again in another folder with --out"
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
