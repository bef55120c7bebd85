"""Process in which MultiNest runs: ``python -m ... ASK ANSWER SETTINGS`` with two file descriptors and JSON.

It ends with the process that started it, which holds the other end of its standard input.

MultiNest evaluates the likelihood of one point at a time. Most of its proposals are rejected, and a rejection changes
only the state of its random numbers. Batches are therefore made by prediction:

* Before a point is requested, a fork of this process continues as if every proposal were rejected. It reports the
  points that it would request, and ends.
* All these points are requested at once. MultiNest gets the answers as long as it requests exactly these points. The
  first accepted proposal makes the remaining answers useless.

The path of MultiNest is the same as with single requests. A batch costs little more than a point, or is shared by
several processes.
"""

from __future__ import annotations

import ctypes
import json
import os
import sys
from itertools import takewhile
from pathlib import Path
from types import ModuleType
from typing import Any, NoReturn

import numpy as np

from astroemu.runtime.leash import end_with_parent, give_up

#: Below every log-likelihood that MultiNest gets, and above the value at which it draws a point again.
_REJECTED = -1e90
#: Weight of the last request in the running mean of the number of useful points.
_LAST = 0.1
_ALWAYS = {
    "importance_nested_sampling": True, "multimodal": False, "resume": False, "init_MPI": False, "use_MPI": False,
    "verbose": False,
}  # fmt: skip


class Questions:
    """Points ``(d,)`` that MultiNest requests, gathered into batches.

    A request is the number of points (int64) and the points (float64); an answer is their log-likelihoods (float64).
    All are binary.

    Parameters
    ----------
    ask, answer : int
        File descriptors to which requests are written, and from which answers are read.
    n_dims : int
        Number of parameters.
    batch : int
        Largest number of points per request. With 1, the process never forks.
    ahead : Path
        Working folder of the forks, whose files are ignored.
    """

    def __init__(self, ask: int, answer: int, n_dims: int, batch: int, ahead: Path) -> None:
        self._ask, self._answer = os.fdopen(ask, "wb"), os.fdopen(answer, "rb")
        self._size, self._batch, self._ahead = 8 * n_dims, batch, ahead
        self._known: list[tuple[bytes, float]] = []
        self._used = 0
        #: Running mean of the number of useful points per request.
        self._mean = float(batch)
        #: In a fork: the file descriptor of its report, and the number of points that it may still report.
        self._report, self._left = -1, 0

    @property
    def forked(self) -> bool:
        """True in a fork that predicts points."""
        return self._report >= 0

    def log_likelihood(self, cube: Any, *_: Any) -> float:
        """Return the log-likelihood of one point. MultiNest calls this; its bindings would ignore any exception."""
        try:
            point = ctypes.string_at(cube, self._size)
            return self._forecast(point) if self.forked else self._told(point)
        except BaseException:  # a fork failed, or the other process has ended
            if self.forked:
                os._exit(1)
            give_up()

    def _told(self, point: bytes) -> float:
        if not self._known or self._known[0][0] != point:
            self._learn()
            points = [point]
            if self._batch > 1:
                report = self._go_ahead(min(int(2.0 * self._mean) + 1, self._batch) - 1)
                if report is None:
                    return _REJECTED
                points += report
            self._known = list(zip(points, self._asked(points), strict=True))
        self._used += 1
        return self._known.pop(0)[1]

    def _learn(self) -> None:
        """Update the mean with the number of points of the last request that were useful."""
        if self._used:
            reached = self._used if self._known else 2 * self._used  # all points were useful: more would have been too
            self._mean += _LAST * (reached - self._mean)
        self._used = 0

    def _asked(self, points: list[bytes]) -> list[float]:
        self._ask.write(np.int64(len(points)).tobytes() + b"".join(points))
        self._ask.flush()
        answer = self._answer.read(8 * len(points))
        return np.frombuffer(answer, count=len(points)).tolist()  # fails if there are fewer

    def _go_ahead(self, n: int) -> list[bytes] | None:
        """Return the next points if all are rejected. In the fork, which then finds them, return None."""
        read, write = os.pipe()
        process = os.fork()
        if not process:
            self._report, self._left = write, n
            _silence(write)
            os.chdir(self._ahead)
            return None if n else _end()
        os.close(write)
        with os.fdopen(read, "rb") as report:
            found = report.read()
        os.waitpid(process, 0)
        points = [found[start : start + self._size] for start in range(0, len(found), self._size)]
        return list(takewhile(lambda point: len(point) == self._size, points))

    def _forecast(self, point: bytes) -> float:
        os.write(self._report, point)
        self._left -= 1
        return _REJECTED if self._left else _end()


def _silence(keep: int) -> None:
    """Redirect every open file except ``keep`` to the null device."""
    nowhere = os.open(os.devnull, os.O_RDWR)
    for opened in [int(file.name) for file in Path("/dev/fd").iterdir()]:
        if opened not in (keep, nowhere):
            os.dup2(nowhere, opened)


def _end() -> NoReturn:
    os._exit(0)


def load(library: str) -> Any:
    """Return pymultinest's function that runs MultiNest, with the library at a path.

    pymultinest would also import MPI and plotting packages. They are left out, because a small process forks fast.
    """
    opened = ctypes.CDLL(library)
    setattr(ctypes.cdll, "LoadLibrary", lambda _: opened)  # noqa: B010 - it asks by name
    sys.modules["mpi4py"] = None  # type: ignore[assignment]
    from importlib.util import find_spec

    package = ModuleType("pymultinest")
    package.__path__ = list(find_spec("pymultinest").submodule_search_locations)  # type: ignore[union-attr, arg-type]
    sys.modules["pymultinest"] = package
    from pymultinest import run

    return run


def count_consistently(pymultinest: Any) -> None:
    """Make the importance sampling of later runs of this process count points and volumes of the same region.

    MultiNest's importance sampling takes the number of points drawn in the ellipsoids, also outside the unit cube, and
    divides it by the volume inside the cube. Its ln Z is too low by that: by 0.05 for a posterior as wide as the prior,
    in ten of ten runs. MultiNest takes the volume of the entire ellipsoids, which is right, as soon as it has found all
    of them inside the cube once. It keeps this decision for the life of the process. A narrow peak in the middle of the
    cube, in one dimension and without any file, leads to it.
    """
    pymultinest.run(
        lambda cube, *_: -0.5 * ((cube[0] - 0.5) / 0.01) ** 2, None, n_dims=1, n_live_points=50, seed=1, **_ALWAYS,
        outputfiles_basename="", write_output=False,
    )  # fmt: skip


def main(ask: int, answer: int, settings: dict[str, Any]) -> None:
    """Run MultiNest, request every likelihood, and write the files of MultiNest into the current folder."""
    end_with_parent(sys.stdin.fileno(), Path.cwd())
    ahead = Path("ahead")
    ahead.mkdir()
    questions = Questions(ask, answer, settings["n_dims"], settings.pop("batch"), ahead)
    pymultinest = load(settings.pop("library"))
    count_consistently(pymultinest)
    pymultinest.run(
        questions.log_likelihood, None, **settings, **_ALWAYS, outputfiles_basename="", n_iter_before_update=1000
    )
    if questions.forked:
        _end()


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]), json.loads(sys.argv[3]))
