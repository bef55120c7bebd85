"""Parts of a design that separate jobs simulate, and their merge into one training set.

Every job computes the complete design from its seed and simulates some of its rows. A part therefore records the
design and its own rows. Parts are merged only if they belong to the same design.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from astroemu.emulation.training_set import TrainingSet
from astroemu.errors import ConfigurationError, DataError
from astroemu.io.claim import HINT, differences, only_code, told


@dataclass(frozen=True)
class Shard:
    """One of several equal parts of a design.

    Attributes
    ----------
    number : int
        From 1 to ``of``.
    of : int
        Number of parts.
    """

    number: int
    of: int

    @classmethod
    def parse(cls, text: str) -> Shard:
        """Return the part that the text ``I/N`` describes.

        Raises
        ------
        ConfigurationError
            If the text does not have this form, or ``I`` is not from 1 to ``N``.
        """
        match = re.fullmatch(r"(\d+)/(\d+)", text)
        if not match or not 1 <= int(match[1]) <= int(match[2]):
            raise ConfigurationError(f"part {text!r} must read I/N with I from 1 to N, such as 3/16")
        return cls(int(match[1]), int(match[2]))

    def rows(self, n: int) -> range:
        """Return the rows of this part, in a design of ``n`` points.

        Raises
        ------
        ConfigurationError
            If the part has no rows.
        """
        start, stop = (n * i // self.of for i in (self.number - 1, self.number))
        if start == stop:
            raise ConfigurationError(f"part {self.number}/{self.of} of {n} points is empty; ask for fewer parts")
        return range(start, stop)

    def path(self, whole: Path) -> Path:
        """Return the path of this part, next to the training set that it belongs to."""
        width = len(str(self.of))
        return whole.with_name(f"{whole.stem}.{self.number:0{width}d}-of-{self.of}{whole.suffix}")

    def described(self, rows: range) -> dict[str, int]:
        """Return the entry ``part`` of its metadata; ``stop`` is the row after the last one."""
        return {"number": self.number, "of": self.of, "start": rows.start, "stop": rows.stop}


def merge(paths: Sequence[Path], *, accept_changed_code: bool = False) -> TrainingSet:
    """Return the parts of a design as the training set that a single job would have made.

    Parameters
    ----------
    paths : sequence of Path
        The files of all parts, in any order.
    accept_changed_code : bool
        Merge parts that were simulated with different code. The metadata list the differences under ``accepted``.

    Raises
    ------
    DataError
        If a file is not a part, if the parts differ in simulator, code, version, setting or design, or if a row is
        missing or given twice.
    """
    parts = {path: TrainingSet.load(path) for path in paths}
    for path, part in parts.items():
        if "part" not in part.metadata:
            raise DataError(f"{path} is not a part of a design; `astroemu simulate --part I/N` makes one")
    ordered = sorted(parts, key=lambda path: parts[path].metadata["part"]["start"])
    first = ordered[0]
    accepted = [change for part in parts.values() for change in part.metadata.get("accepted", [])]
    for path in ordered[1:]:
        accepted += _compared(parts[first], first, parts[path], path, accept_changed_code)
    _demand_complete([(path, parts[path].metadata["part"]) for path in ordered], parts[first].metadata["design"]["n"])
    found = [parts[path] for path in ordered]
    theta = np.concatenate([part.theta for part in found])
    failed = [point for part in found for point in part.metadata["failed"]]
    if not len(theta):
        raise DataError(f"every point failed; the first with {failed[0]['error']}")
    values = {name: np.concatenate([part.values[name] for part in found]) for name in found[0].observables}
    metadata = {**_shared(found[0]), "failed": failed} | ({"accepted": accepted} if accepted else {})
    return TrainingSet(found[0].names, theta, found[0].observables, values, metadata)


def _shared(part: TrainingSet) -> dict[str, Any]:
    """Return the metadata that all parts must have in common."""
    return {key: value for key, value in part.metadata.items() if key not in ("part", "failed", "accepted")}


def _compared(part: TrainingSet, path: Path, other: TrainingSet, other_path: Path, accept: bool) -> list[str]:
    """Return the differences of code that were accepted; raise if anything else differs."""
    grids = [{name: o.to_json() for name, o in each.observables.items()} for each in (part, other)]
    found = differences(
        {**_shared(part), "names": part.names, "observables": grids[0]},
        {**_shared(other), "names": other.names, "observables": grids[1]},
    )
    code = only_code(found)
    if found and not (code and accept):
        raise DataError(
            f"{path} and {other_path} are not parts of one design: {told(found.values())}" + (HINT if code else "")
        )
    return list(found.values())


def _demand_complete(parts: Sequence[tuple[Path, Mapping[str, int]]], n: int) -> None:
    """Raise an error if a row is missing or given twice."""
    missing, expected, before = [], 0, None
    for path, rows in parts:
        if rows["start"] < expected:
            raise DataError(f"{before} and {path} both hold row {rows['start']} of the design; give each part once")
        if rows["start"] > expected:
            missing.append((expected, rows["start"]))
        expected, before = rows["stop"], path
    if expected < n:
        missing.append((expected, n))
    if missing:
        rows_text = ", ".join(f"{start} to {stop - 1}" for start, stop in missing)
        of = parts[0][1]["of"]
        there = {rows["number"] for _, rows in parts if rows["of"] == of}
        absent = ", ".join(f"{i}/{of}" for i in range(1, of + 1) if i not in there)
        raise DataError(f"rows {rows_text} of the {n} of the design are missing: part(s) {absent} were not given")
