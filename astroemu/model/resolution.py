"""Resolved requirements: the order of the providers, and the matrix and the grid points of each requirement."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from astroemu.core.observable import Observable
from astroemu.core.provider import Evaluate
from astroemu.core.requirement import Requirement
from astroemu.core.typing import FloatArray
from astroemu.errors import AstroemuError, DataError, ResolutionError
from astroemu.model.graph import ModelGraph


@dataclass(frozen=True)
class Term:
    """One resolved requirement: the rows of an observable that it takes, and its matrix."""

    observable: str
    rows: NDArray[np.intp] | None  # its grid points among the rows requested of the provider; None if all
    matrix: FloatArray | None  # (used rows, size); None if it only selects

    @cached_property
    def of_variances(self) -> Term:
        """The same term for variances of independent values."""
        return self if self.matrix is None else replace(self, matrix=self.matrix**2)


@dataclass(frozen=True)
class Step:
    """One provider, with the columns of the extended theta that it takes and the sizes that it must return."""

    key: str
    evaluate: Evaluate
    sizes: Mapping[str, int]
    columns: NDArray[np.intp] | None  # None if it takes them all in order
    derived: tuple[DerivedColumn, ...]  # by increasing position


@dataclass(frozen=True)
class DerivedColumn:
    """A parameter of a provider that another provider computes."""

    name: str
    position: int  # among the provider's parameters
    low: float
    high: float

    @property
    def stand_in(self) -> float:
        """A value in the range of the provider, used for a point that is rejected."""
        return 0.5 * (self.low + self.high) if np.isfinite(self.low) and np.isfinite(self.high) else 0.0


def ordered(graph: ModelGraph, wanted: Mapping[str, Mapping[str, Requirement]]) -> list[str]:
    """Return the required providers, each after those that it depends on."""
    order: list[str] = []

    def visit(requirement: Requirement, user: str, above: tuple[str, ...]) -> None:
        key, _ = graph.source(requirement, user)
        if key in above:
            raise ResolutionError(f"providers depend on each other in a circle: {' -> '.join((*above, key))}")
        if key not in order:
            for inner in (*graph.providers[key].requires, *graph.derived_inputs(key)):
                visit(inner, key, (*above, key))
            order.append(key)

    for user, requirements in wanted.items():
        for requirement in requirements.values():
            visit(requirement, user, ())
    return order


def resolved_matrix(requirement: Requirement, provided: Observable, user: str) -> FloatArray:
    try:
        return requirement.matrix(provided)
    except AstroemuError as error:
        failed = ResolutionError(f"{user!r}: {error}")
        failed.beyond = requirement if isinstance(error, DataError) else None
        raise failed from None


def resolved_term(observable: str, matrix: FloatArray, used: NDArray[np.intp]) -> Term:
    columns = np.flatnonzero(np.any(matrix != 0, axis=0))
    rows = None if len(columns) == len(used) else np.searchsorted(used, columns)
    small = matrix[:, columns].T
    selects = small.shape[0] == small.shape[1] and np.array_equal(small, np.eye(len(small)))
    if selects:
        return Term(observable, rows, None)
    return Term(observable, rows, np.ascontiguousarray(small))
