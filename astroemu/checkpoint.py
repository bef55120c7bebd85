"""The state of an unfinished run: one file, written whole, with the one before it kept.

A process may be killed at any moment: a state is written beside the last one, flushed to disk and renamed,
and what it replaces keeps the name ``NAME.previous``. So one of the two is always whole.
"""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from astroemu.errors import DataError
from astroemu.files import open_hdf5, write_atomically

FORMAT = 1
#: A state is written no more often than this many times what writing the last one took.
_RARELY = 20.0


@dataclass(frozen=True, eq=False)
class State:
    """What was written.

    Attributes
    ----------
    facts : mapping
        Plain values, as JSON keeps them; floats exactly.
    arrays : mapping of str to array
    """

    facts: Mapping[str, Any]
    arrays: Mapping[str, NDArray[Any]]


class Checkpoint:
    """Where a sampler keeps its state.

    Parameters
    ----------
    path : Path, optional
        Without one nothing is ever due, and nothing found.
    every : float
        Least number of seconds between two states.
    """

    def __init__(self, path: Path | None, *, every: float = 10.0) -> None:
        self.path = path
        self.every = every
        self._last = time.monotonic()
        self._cost = 0.0

    @property
    def previous(self) -> Path | None:
        """Where the state before the last one is."""
        return None if self.path is None else self.path.with_name(f"{self.path.name}.previous")

    def due(self) -> bool:
        """Whether it is time to write a state."""
        return self.path is not None and time.monotonic() - self._last >= max(self.every, _RARELY * self._cost)

    def save(self, facts: Mapping[str, Any], arrays: Mapping[str, NDArray[Any]]) -> None:
        """Write a state: the last one becomes the previous one."""
        if self.path is None or self.previous is None:
            return
        started = time.monotonic()

        def write(temporary: Path) -> None:
            with h5py.File(temporary, "w", track_order=True) as file:
                file.attrs["format"] = FORMAT
                file["facts"] = json.dumps(facts)
                for name, values in arrays.items():
                    file[name] = values

        self.path.parent.mkdir(parents=True, exist_ok=True)
        fresh = self.path.with_name(f"{self.path.name}.next")
        write_atomically(fresh, write)
        if self.path.exists():
            self.path.replace(self.previous)
        fresh.replace(self.path)
        self._last = time.monotonic()
        self._cost = self._last - started

    def load(self) -> list[State]:
        """Return the states that can be read, the newest first.

        Raises
        ------
        DataError
            If there are states but none can be read, or one is of a newer format.
        """
        if self.path is None or self.previous is None:
            return []
        present = [path for path in (self.path, self.previous) if path.exists()]
        found, failures = [], []
        for path in present:
            try:
                found.append(_read(path))
            except DataError as error:
                failures.append(str(error))
        if failures and not found:
            raise DataError(f"the state of the run cannot be read: {'; '.join(failures)}. Remove it to start afresh")
        return found


def _read(path: Path) -> State:
    with open_hdf5(path, "a whole state of a run") as file:
        if int(file.attrs["format"]) > FORMAT:
            raise DataError(f"{path} is of format {file.attrs['format']}; this version reads {FORMAT}")
        arrays = {name: np.asarray(file[name][()]) for name in file if name != "facts"}
        return State(json.loads(file["facts"][()]), arrays)
