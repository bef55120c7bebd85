"""Rules that drop points from a training set, and a record of every dropped point.

A rule examines the complete set and returns the points that it rejects. Values are never changed: a point is kept as
it is or dropped. The old file stays.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field

from astroemu.emulation.inspection import duplicated, outlier_score, stated_box
from astroemu.emulation.training_set import TrainingSet
from astroemu.errors import ConfigurationError, DataError, closest, listing, located
from astroemu.io.files import sha256, write_text

Rows = NDArray[np.bool_]


class CleaningRules(BaseModel):
    """The table ``[cleaning]`` of a recipe: which points to drop.

    Attributes
    ----------
    finite : bool
        Drop points with a parameter that is not finite, or with an infinite value.
    duplicates : bool
        Of points with equal parameters, keep only the first.
    outside_box : bool
        Drop points outside the parameter box that the training set states.
    defined, positive : list of str
        Observables in which NaN (``defined``), or a value of zero or less (``positive``), is rejected.
    range : mapping of str to (low, high)
        Observables whose values must lie in a range, in the unit of the observable. NaN is accepted.
    outliers : mapping of str to float
        Observables, and the largest residual from a smooth function, in units of the median residual (see
        :func:`astroemu.emulation.inspection.outlier_score`).
    """

    model_config = ConfigDict(extra="forbid")

    finite: bool = True
    duplicates: bool = True
    outside_box: bool = True
    defined: list[str] = []
    positive: list[str] = []
    range: dict[str, tuple[float, float]] = Field(default_factory=dict)
    outliers: dict[str, float] = Field(default_factory=dict)

    def refused(self, data: TrainingSet) -> Iterator[tuple[str, Rows]]:
        """Yield each rule as text, with the points ``(n,)`` that it rejects (a bool array).

        Raises
        ------
        ConfigurationError
            If a rule names an observable that the data do not have.
        """
        self._compare(data)
        if self.finite:
            yield "a parameter is not finite", ~np.all(np.isfinite(data.theta), axis=1)
            for name in data.observables:
                yield f"{name} is infinite", np.any(np.isinf(_flat(data, name)), axis=1)
        if self.outside_box:
            low, high = np.array([stated_box(data)[name] for name in data.names]).T
            yield "outside the stated box", np.any((data.theta < low) | (data.theta > high), axis=1)
        for name in self.defined:
            yield f"{name} is NaN", np.any(np.isnan(_flat(data, name)), axis=1)
        for name in self.positive:
            yield f"{name} is not positive", np.any(_flat(data, name) <= 0, axis=1)
        for name, (low, high) in self.range.items():
            values = _flat(data, name)
            yield f"{name} is outside [{low:g}, {high:g}]", np.any((values < low) | (values > high), axis=1)
        if self.duplicates:
            yield "repeats an earlier point", duplicated(data)
        for name, limit in self.outliers.items():
            score = outlier_score(data, name)
            yield f"{name} is {limit:g} times farther from a smooth function than the median", score > limit

    def _compare(self, data: TrainingSet) -> None:
        for name in (*self.defined, *self.positive, *self.range, *self.outliers):
            if name not in data.observables:
                raise ConfigurationError(
                    f"[cleaning] names the observable {name!r}.{closest(name, data.observables)} "
                    f"The data have {listing(data.observables)}"
                )


def _flat(data: TrainingSet, name: str) -> NDArray[Any]:
    return np.asarray(data.values[name]).reshape(len(data), -1)


def clean(source: Path, target: Path, rules: CleaningRules) -> dict[str, int]:
    """Write a new training set with the points that no rule rejects.

    A second file, ``NAME.dropped.csv``, lists every dropped row with its parameters and the first rule that
    rejected it.

    Parameters
    ----------
    source, target : Path
        The old and the new training set.
    rules : CleaningRules

    Returns
    -------
    dict of str to int
        Number of points dropped by each rule. A point counts for the first rule that rejects it.

    Raises
    ------
    DataError
        If there are no points, or none would be left.
    """
    data = TrainingSet.load(source)
    with located(str(source)):
        data.demand_points()
    reason = np.full(len(data), -1)
    words: list[str] = []
    for rule, refused in rules.refused(data):
        reason[(reason < 0) & refused] = len(words)
        words.append(rule)
    kept = reason < 0
    if not kept.any():
        raise DataError(f"the rules of [cleaning] refuse every point of {source}; see `astroemu inspect`")
    counts = {rule: int(np.sum(reason == i)) for i, rule in enumerate(words)}
    stamp = {"source_sha256": sha256(source), "rules": rules.model_dump(), "dropped": counts}
    data.subset(kept, {**data.metadata, "cleaning": stamp}).save(target)
    write_text(target.with_suffix(".dropped.csv"), _log(data, reason, words))
    return counts


def _log(data: TrainingSet, reason: NDArray[Any], words: list[str]) -> str:
    """Return the dropped points as CSV."""
    text = io.StringIO(newline="")
    writer = csv.writer(text)
    writer.writerow(["row", "rule", *data.names])
    for row in np.flatnonzero(reason >= 0):
        writer.writerow([row, words[reason[row]], *data.theta[row].tolist()])
    return text.getvalue()
