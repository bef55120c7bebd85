"""Observables: named summary statistics on declared grids, with units.

Emulators, simulators and derived quantities provide observables, and probes request them. The two sides are connected
only by the names.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from astroemu.core.units import quantity
from astroemu.errors import DataError
from astroemu.io.paths import safe_name


@dataclass(frozen=True, eq=False)
class Axis:
    """One coordinate of the grid of an observable.

    Attributes
    ----------
    name : str
    values : (g,) array
        Increasing, finite values.
    unit : str

    Raises
    ------
    DataError
        If the values are not finite, increasing and one-dimensional.
    """

    name: str
    values: NDArray[np.float64]
    unit: str = ""

    def __post_init__(self) -> None:
        values = np.asarray(self.values, dtype=float)
        if values.ndim != 1 or not np.all(np.isfinite(values)) or np.any(np.diff(values) <= 0):
            raise DataError(f"axis {self.name!r} must hold finite, increasing numbers in one dimension")
        object.__setattr__(self, "values", values + 0.0)  # -0.0 becomes 0.0, so that equal axes have equal hashes

    @property
    def quantity(self) -> Any:
        """Values ``(g,)`` with their unit, see :func:`astroemu.core.units.quantity`."""
        return quantity(self.values, self.unit)

    def __eq__(self, other: object) -> bool:
        return (
            isinstance(other, Axis)
            and (self.name, self.unit) == (other.name, other.unit)
            and np.array_equal(self.values, other.values)
        )

    def __hash__(self) -> int:
        return hash((self.name, self.unit, self.values.tobytes()))


@dataclass(frozen=True)
class Observable:
    """A summary statistic: its name, its grid and its unit.

    Attributes
    ----------
    name : str
        Such as ``delta21_sq``. Probes and providers are connected by this name.
    axes : tuple of Axis
        Empty for a single number such as ``tau_e``.
    unit : str
        Unit of the values as provided (``log10(Mpc^-3 mag^-1)`` for a logarithm).
    description : str
        Definition and assumptions.
    latex : str
        Symbol without dollar signs.

    Raises
    ------
    ConfigurationError
        If the name cannot be used in files, see :func:`~astroemu.io.paths.safe_name`.
    DataError
        If two axes have one name.
    """

    name: str
    axes: tuple[Axis, ...] = ()
    unit: str = ""
    description: str = ""
    latex: str = ""

    def __post_init__(self) -> None:
        safe_name(self.name, "the observable")
        names = [axis.name for axis in self.axes]
        if len(set(names)) < len(names):
            raise DataError(f"the observable {self.name!r} has two axes of one name among {names}")

    @property
    def shape(self) -> tuple[int, ...]:
        """Lengths of the axes; ``()`` for a single number."""
        return tuple(len(axis.values) for axis in self.axes)

    @property
    def size(self) -> int:
        """Number of grid points."""
        return int(np.prod(self.shape, dtype=int))

    def quantity(self, values: Any) -> Any:
        """Return values of this observable, of any shape, with its unit. See :func:`astroemu.core.units.quantity`."""
        return quantity(values, self.unit)

    def same_grid(self, other: Observable) -> bool:
        """Return True if two observables have equal axes and the same unit."""
        return self.axes == other.axes and self.unit == other.unit

    def to_json(self) -> dict[str, Any]:
        """Return the observable as a dictionary for JSON."""
        return {
            "name": self.name,
            "unit": self.unit,
            "description": self.description,
            "latex": self.latex,
            "axes": [{"name": axis.name, "unit": axis.unit, "values": axis.values.tolist()} for axis in self.axes],
        }

    @classmethod
    def from_json(cls, spec: Mapping[str, Any]) -> Self:
        """Return an observable from its dictionary of :meth:`to_json`.

        Raises
        ------
        DataError
            If an entry is missing or of another kind.
        """
        name, unit, description, latex = (_text(spec, key) for key in ("name", "unit", "description", "latex"))
        if not isinstance(spec.get("axes"), list):
            raise DataError(f"the observable {name!r} states no list of 'axes'")
        axes = tuple(Axis(_text(a, "name"), _numbers(a, "values"), _text(a, "unit")) for a in spec["axes"])
        return cls(name, axes, unit, description, latex)


def _text(spec: Any, key: str) -> str:
    value = spec.get(key) if isinstance(spec, Mapping) else None
    if not isinstance(value, str):
        raise DataError(f"an observable or an axis must state the text {key!r}, not {value!r:.60}")
    return value


def _numbers(spec: Mapping[str, Any], key: str) -> NDArray[np.float64]:
    values = spec.get(key)
    if not isinstance(values, list) or not {int, float} >= set(map(type, values)):
        raise DataError(f"the axis {spec['name']!r} must state a list of numbers {key!r}")
    return np.array(values, dtype=float)
