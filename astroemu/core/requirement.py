"""Requirements: the values of an observable that a probe needs, at given coordinates and with given binning.

A requirement is linear in the gridded values of the observable. The model converts it into one constant matrix
(interpolation times window). It requests only those grid points from the provider whose column is not zero.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from astroemu.core.interpolation import Outside, Rule, interpolation_matrix
from astroemu.core.observable import Observable
from astroemu.core.typing import FloatArray
from astroemu.errors import ConfigurationError, DataError, closest, listing


@dataclass(frozen=True, eq=False)
class Requirement:
    """Values of one observable at ``m`` points, optionally combined linearly into ``r`` values.

    Attributes
    ----------
    observable : str
        Name of the observable.
    at : mapping of str to (m,) array
        Coordinates of the points: one array per axis, in the unit of the axis. Empty for a single number.
    unit : str
        Unit that the probe expects. A provider with another unit is refused.
    rule, outside : mapping of str to str
        Rules of interpolation and extrapolation by axis (default ``linear`` and ``error``). See
        :mod:`astroemu.core.interpolation`.
    weights : (r, m) array, optional
        Window or binning matrix applied to the ``m`` interpolated values.
    remedy : str
        What a user can do if a point lies beyond the grid, for the error message.
    """

    observable: str
    at: Mapping[str, FloatArray] = field(default_factory=dict)
    unit: str = ""
    rule: Mapping[str, Rule] = field(default_factory=dict)
    outside: Mapping[str, Outside] = field(default_factory=dict)
    weights: FloatArray | None = None
    remedy: str = ""

    @classmethod
    def of_grid(cls, observable: Observable) -> Requirement:
        """Return the requirement of every grid point of an observable, in the order of its flattened grid."""
        mesh = np.meshgrid(*(axis.values for axis in observable.axes), indexing="ij")
        at = {axis.name: values.ravel() for axis, values in zip(observable.axes, mesh, strict=True)}
        return cls(observable.name, at, observable.unit)

    @property
    def size(self) -> int:
        """Number of values per point of the batch that the probe receives: ``r`` with weights, otherwise ``m``."""
        if self.weights is not None:
            return len(self.weights)
        return max((len(values) for values in self.at.values()), default=1)

    def matrix(self, provided: Observable) -> FloatArray:
        """Return the ``(size, grid)`` matrix that maps the flattened grid to the required values.

        Raises
        ------
        ConfigurationError
            If the unit or the axes differ from those of the provider, or the coordinates differ in length.
        DataError
            If a point lies beyond the grid and the rule does not allow it.
        """
        if provided.unit != self.unit:
            raise ConfigurationError(
                f"{self.observable!r} is needed in {self.unit!r} but provided in {provided.unit!r}"
            )
        axes = {axis.name: axis for axis in provided.axes}
        if set(axes) != set(self.at):
            wrong = set(self.at) ^ set(axes)
            hint = closest(next(iter(wrong)), set(axes) - set(self.at))
            raise ConfigurationError(f"{self.observable!r} has the axes {listing(axes)}, not {listing(self.at)}.{hint}")
        lengths = {name: len(values) for name, values in self.at.items()}
        if self.weights is not None:
            lengths["weights"] = self.weights.shape[1]
        if len(set(lengths.values())) > 1:
            raise ConfigurationError(
                f"{self.observable!r} is needed at coordinates of different lengths "
                f"({', '.join(f'{name}: {n}' for name, n in lengths.items())}); give one per point and axis"
            )
        points = np.ones((next(iter(lengths.values()), 1), 1))
        for name, axis in axes.items():
            try:
                factor = interpolation_matrix(
                    axis.values, self.at[name], self.rule.get(name, "linear"), self.outside.get(name, "error")
                )
            except DataError as error:
                raise DataError(f"{self.observable!r}, axis {name!r}: {error}. {self.remedy}".rstrip()) from None
            points = (points[:, :, None] * factor[:, None, :]).reshape(len(factor), -1)
        return points if self.weights is None else self.weights @ points
