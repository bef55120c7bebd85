"""A record of all computed likelihoods and gradients, from which a killed run is resumed.

A sampler draws its random numbers from a seed. Started again, it requests the same points in the same order. The
likelihoods of the earlier run are therefore all that must be kept. This works for every sampler, without reading
its internal state. The record is one file, to which entries are appended:

    number of points n, of values per point m, of points outside and of points not finite (uint32 each)
    BLAKE2b digest of the n points, and of the four numbers and the n m values (16 bytes each)
    the n m values (float64, little-endian): per point the log-likelihood, and its gradient where requested

They follow a head with the digest of the run's fingerprint. The record of another run, or of the same run with other
code, is never used. The file is written to disk every few seconds. An entry is returned only for exactly the points
that it was computed for. From the first other batch on, the model computes everything. An incomplete last entry is
ignored.

Some recorded points are computed again, one in each entry whose number is a power of two. If its likelihood differs
from the record, it has changed in a way that no fingerprint shows. A plugin may read a file of its own, for example.

The size is 8 bytes per likelihood and 48 bytes per entry: 56 MB for a million points that are requested one by one,
and 8 MB if they are requested in large batches.
"""

from __future__ import annotations

import os
import struct
import time
import warnings
from collections.abc import Sequence
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
_MAGIC = b"astroemu record 3\n"
_EARLIER = (b"astroemu record 1\n", b"astroemu record 2\n")
#: The digest of a fingerprint, in hexadecimal digits, and the end of the line.
_DIGEST = 65
_NO_DIGEST = "0" * 64
#: Largest relative and absolute difference of log-likelihoods that count as equal: float32 networks round by the batch.
RELATIVE, ABSOLUTE = 1e-4, 0.02
#: Seconds between two writes to disk: a kill loses at most the likelihoods of this time.
EVERY = 5.0


class LikelihoodReplay(TargetWrapper):
    """A target that records its answers in a file, and returns recorded ones from it.

    Parameters
    ----------
    target : Target
        Computes what is not recorded.
    path : Path
        The record. It is created if it does not exist. The caller must have locked its folder.
    digests : sequence of str, optional
        Digest of the fingerprint (:mod:`astroemu.inference.fingerprint`), 64 hexadecimal digits, then those of earlier
        fingerprints whose records may be used too.

    Attributes
    ----------
    recalled : int
        Number of points whose values came from the file.
    verified : int
        Number of those points that were computed again, to compare.

    Raises
    ------
    RunFolderError
        If the file cannot be written, is not a record, or is the record of another fingerprint.
    """

    def __init__(self, target: Target, path: Path, digests: Sequence[str] = (_NO_DIGEST,)) -> None:
        super().__init__(target)
        self.path = path
        self.recalled = 0
        self._counts: EvaluationCounts = getattr(target, "counts", EvaluationCounts())
        self._file = _opened(path)
        try:
            _claim(self._file, path, digests)
            self._end = _end_of_entries(self._file)
        except BaseException:
            self._file.close()
            raise
        self._file.seek(len(_MAGIC) + _DIGEST)
        self.verified = self._entries = 0
        self._recalling = True
        self._written = time.monotonic()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def evaluate(self, theta: FloatArray, *, gradient: bool) -> FloatArray:
        """Return the values from the file, or compute and append them; see :meth:`TargetWrapper.evaluate`."""
        digest = _digest(np.ascontiguousarray(theta, dtype="<f8").ravel().data)  # not copied: a batch may be large
        if self._recalling:
            known = self._next(len(theta), 1 + gradient * len(self.names), digest)
            if known is not None:
                self._verify(theta, known)
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
                "another processor or library round differently, or has a likelihood or a prior changed?); the "
                "remaining points are computed again",
                DivergenceWarning,
                stacklevel=4,
            )
        self._recalling = False
        self._file.seek(start)
        self._file.truncate()
        return None

    def _verify(self, theta: FloatArray, known: FloatArray) -> None:
        """Compute one point of an entry again, if its number is a power of two, and compare."""
        self._entries += 1
        if self._entries & (self._entries - 1) or not len(known):
            return
        row = int(np.argmax(known[:, 0]))
        before = self._counts.copy()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            now = float(evaluate(self.target, theta[row : row + 1], gradient=False)[0, 0])
        vars(self._counts).update(vars(before))
        self.verified += 1
        if not np.isclose(now, known[row, 0], rtol=RELATIVE, atol=ABSOLUTE):
            raise RunFolderError(
                f"{self.path} holds ln L = {known[row, 0]:.6g} for a point at which the model gives {now:.6g} now. The "
                "likelihood has changed since the run was started, perhaps by a file that a plugin reads by itself, or "
                "by a library. Nothing was changed. Restore it, or start again in another folder with --out"
            )

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
    """Open the file for reading and appending."""
    try:
        return path.open("r+b" if path.exists() else "x+b", buffering=1 << 20)
    except OSError as error:
        raise _unwritable(path, error) from None


def _claim(file: BinaryIO, path: Path, digests: Sequence[str]) -> None:
    """Write the head of a new record, or check that of an existing one."""
    content = file.read(len(_MAGIC) + _DIGEST)
    if content.startswith(_EARLIER):
        raise RunFolderError(
            f"{path} was written by an earlier version of astroemu, in a format that this version does not read; "
            "nothing was changed. Finish the run with that version, or start it again in another folder with --out"
        )
    heads = [_MAGIC + digest.encode() + b"\n" for digest in digests]
    if content in heads:
        return
    if any(head.startswith(content) for head in heads):  # new, or killed while it was written
        file.seek(0)
        file.write(heads[0])
        return
    if content.startswith(_MAGIC):
        raise RunFolderError(
            f"{path} holds the likelihoods of another run, or of this one with other code; nothing was changed. Choose "
            "another folder with --out"
        )
    raise RunFolderError(f"{path} is not a record of likelihoods; nothing was changed")


def _end_of_entries(file: BinaryIO) -> int:
    """Return where the last complete entry ends. The rest was being written when the run was killed."""
    size = file.seek(0, os.SEEK_END)
    end = len(_MAGIC) + _DIGEST
    file.seek(end)
    while end + _HEAD.size <= size:
        head = file.read(_HEAD.size)
        n, m, _, _, _, digest = _HEAD.unpack(head)
        length = 8 * n * m
        if end + _HEAD.size + length > size or _digest(head[: _NUMBERS.size] + file.read(length)) != digest:
            break
        end += _HEAD.size + length
    return end


def _digest(content: bytes | memoryview) -> bytes:
    return blake2b(content, digest_size=16).digest()


def _unwritable(path: Path, error: OSError) -> RunFolderError:
    return RunFolderError(f"cannot write {path}: {error.strerror}; what was written before is intact")
