"""The process in which MultiNest runs: ``python -m ... ASK ANSWER SETTINGS`` with two file descriptors and JSON.

MultiNest wants the likelihood of one point at a time. Most of its proposals are rejected, and a rejected one moves
nothing but its random numbers. So before a point is asked for, a fork of this process goes ahead as if all were
rejected, says for which points it would ask, and ends. All are asked for at once, and MultiNest gets the answers as
long as it wants these very points; the first one that is accepted makes the rest void. It takes the same way as if
it asked one by one, while a batch costs little more than a point, or is shared by several processes.
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

#: Below every likelihood that MultiNest is told, above what it takes for a point to be drawn again.
_REJECTED = -1e90
#: Weight of the last run of rejected points in their mean length.
_LAST = 0.1


class Questions:
    """The points ``(d,)`` for which MultiNest asks, gathered into batches.

    A question is the number of points and the points, an answer their values, all in binary.

    Parameters
    ----------
    ask, answer : int
        File descriptors to write questions to, and to read answers from.
    n_dims : int
    batch : int
        Most points of a question; with one, nothing forks.
    ahead : Path
        Folder in which forks may write what nobody reads.
    """

    def __init__(self, ask: int, answer: int, n_dims: int, batch: int, ahead: Path) -> None:
        self._ask, self._answer = os.fdopen(ask, "wb"), os.fdopen(answer, "rb")
        self._size, self._batch, self._ahead = 8 * n_dims, batch, ahead
        self._known: list[tuple[bytes, float]] = []
        self._used = 0
        #: Mean number of points of a question that were of use.
        self._mean = float(batch)
        #: In a fork: where it writes, and how many points it has left.
        self._report, self._left = -1, 0

    @property
    def forked(self) -> bool:
        """Whether this is a process that goes ahead."""
        return self._report >= 0

    def log_likelihood(self, cube: Any, *_: Any) -> float:
        """Answer one point; called by MultiNest, whose bindings would swallow any exception."""
        try:
            point = ctypes.string_at(cube, self._size)
            return self._forecast(point) if self.forked else self._told(point)
        except BaseException:  # a fork has nothing to say, or the other side is gone
            os._exit(1)

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
        """Note how far the last question reached."""
        if self._used:
            reached = self._used if self._known else 2 * self._used  # it ended before MultiNest went another way
            self._mean += _LAST * (reached - self._mean)
        self._used = 0

    def _asked(self, points: list[bytes]) -> list[float]:
        self._ask.write(np.int64(len(points)).tobytes() + b"".join(points))
        self._ask.flush()
        answer = self._answer.read(8 * len(points))
        return np.frombuffer(answer, count=len(points)).tolist()  # fails if there are fewer

    def _go_ahead(self, n: int) -> list[bytes] | None:
        """The next points if all are rejected; None in the fork, which goes on to find them."""
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
    """Let nothing that is open be written to, but one file."""
    nowhere = os.open(os.devnull, os.O_RDWR)
    for opened in [int(file.name) for file in Path("/dev/fd").iterdir()]:
        if opened not in (keep, nowhere):
            os.dup2(nowhere, opened)


def _end() -> NoReturn:
    os._exit(0)


def load(library: str) -> Any:
    """Import what runs MultiNest with the library at a path: without MPI, and without what draws its pictures.

    Either would be loaded by pymultinest of its own accord; a small process forks fast.
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


def main(ask: int, answer: int, settings: dict[str, Any]) -> None:
    """Sample, asking for every likelihood, and write the files into the current folder."""
    ahead = Path("ahead")
    ahead.mkdir()
    questions = Questions(ask, answer, settings["n_dims"], settings.pop("batch"), ahead)
    pymultinest = load(settings.pop("library"))
    pymultinest.run(
        questions.log_likelihood, None, **settings,
        outputfiles_basename="", importance_nested_sampling=True, multimodal=False, resume=False,
        n_iter_before_update=1000, init_MPI=False, use_MPI=False, verbose=False,
    )  # fmt: skip
    if questions.forked:
        _end()


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]), json.loads(sys.argv[3]))
