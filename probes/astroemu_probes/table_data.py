"""The rows of the probe ``table``: columns of a file, limits as half-normal distributions, and a covariance."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from astroemu.core.catalog import Catalog
from astroemu.core.columns import Column, NumberColumn, TextColumn, where
from astroemu.core.likelihoods import half_normal_width
from astroemu.core.typing import FloatArray
from astroemu.errors import ConfigurationError, DataError, closest, listing

MEASUREMENT = "measurement"
KINDS = (MEASUREMENT, "upper", "lower")
#: Width without a penalty.
NO_WIDTH = 1e100
_ROLES = ("value", "error", "err_up", "err_lo", "kind", "cl")


@dataclass(frozen=True)
class TableLayout:
    """What a table holds. The attributes are options of the probe.

    Attributes
    ----------
    axes : mapping of str to str
        Unit by axis.
    unit : str
    columns : mapping of str to str
    floor, ceiling : float or None
    has_covariance : bool
    """

    axes: Mapping[str, str]
    unit: str
    columns: Mapping[str, str]
    floor: float | None = None
    ceiling: float | None = None
    has_covariance: bool = False

    def names(self, there: list[str]) -> dict[str, str]:
        """Return the name of the column of each role, for those that are in the table or must be.

        Raises
        ------
        ConfigurationError
            If an axis or a role has a wrong name.
        """
        for axis in self.axes:
            if axis in _ROLES:
                raise ConfigurationError(f"axes.{axis}: the name is that of a column of data; it cannot be an axis")
        roles = (*self.axes, *_ROLES)
        for role in self.columns:
            if role not in roles:
                raise ConfigurationError(f"columns.{role}: no such role.{closest(role, roles)} Roles: {listing(roles)}")
        needed = {*self.axes, "value", *self.columns}
        names = {role: self.columns.get(role, role) for role in roles}
        return {role: name for role, name in names.items() if name in there or role in needed}

    def declared(self, used: Mapping[str, str]) -> dict[str, Column]:
        """Return what is needed of each column, by its name."""
        measured = where(**{used["kind"]: MEASUREMENT}) if "kind" in used else True
        error = NumberColumn(self.unit, above=0, needed=False if self.has_covariance else measured)
        found: dict[str, Column] = {used[axis]: NumberColumn(unit) for axis, unit in self.axes.items()}
        found[used["value"]] = NumberColumn(self.unit)
        found |= {used[role]: error for role in ("error", "err_up", "err_lo") if role in used}
        if "kind" in used:
            found[used["kind"]] = TextColumn(choices=KINDS)
        if "cl" in used:
            found[used["cl"]] = NumberColumn(above=0, below=1, needed=False)
        return found

    @property
    def covariance_unit(self) -> str:
        """Unit of a covariance; empty for numbers, and for logarithms, whose squares have no name."""
        return "" if not self.unit or self.unit.startswith("log10") else f"({self.unit})^2"


@dataclass(frozen=True, eq=False)
class Rows:
    """Rows in use, ``s`` of ``m`` rows of the file.

    Attributes
    ----------
    table : Table
        Of astropy.
    columns : mapping of str to str
        Name of the column of each role.
    at : mapping of str to (s,) array
        Coordinates by axis.
    axis_units : mapping of str to str
    value : (s,) array
        As the file states it: a datum or a limit.
    datum, low, high : (s,) array
        What the likelihood uses: two half-Gaussians around ``datum``, of which a limit has one.
    kind : tuple of s str
    bars : tuple of two (s,) arrays
        Lengths of error bars in a figure.
    kept : (m,) array of bool
    covariance_unit : str
    """

    table: Any
    columns: Mapping[str, str]
    at: Mapping[str, FloatArray]
    axis_units: Mapping[str, str]
    value: FloatArray
    datum: FloatArray
    low: FloatArray
    high: FloatArray
    kind: tuple[str, ...]
    bars: tuple[FloatArray, FloatArray]
    kept: Any
    covariance_unit: str

    @property
    def finite_width(self) -> FloatArray:
        """Mean of the two widths; the only one of a limit."""
        both = np.array([kind == MEASUREMENT for kind in self.kind])
        return np.where(both, 0.5 * (self.low + self.high), np.minimum(self.low, self.high))


def read_rows(
    source: Catalog,
    layout: TableLayout,
    select: Mapping[str, tuple[str, ...]],
    ranges: Mapping[str, tuple[float, float]],
) -> Rows:
    """Return the rows that the options of the probe choose.

    Raises
    ------
    ConfigurationError
        If an option names a column or role that is not there, or no row is left.
    DataError
        If a column is missing, or a value is refused.
    """
    used = layout.names(source.table().colnames)
    _demand_errors(source, used, layout.has_covariance)
    table = source.table(layout.declared(used))
    kept = _kept(table, source.name, select, ranges)
    table = table[kept]
    kind = tuple(map(str, table[used["kind"]])) if "kind" in used else (MEASUREMENT,) * len(table)
    if layout.has_covariance and set(kind) != {MEASUREMENT}:
        raise ConfigurationError("a covariance is possible for measurements only; put the limits into another table")
    value = np.asarray(table[used["value"]], dtype=float)
    datum, low, high, bars = _half_gaussians(source, table, layout, used, kind)
    at = {axis: np.asarray(table[used[axis]], dtype=float) for axis in layout.axes}
    return Rows(table, used, at, layout.axes, value, datum, low, high, kind, bars, kept, layout.covariance_unit)


def _demand_errors(source: Catalog, used: Mapping[str, str], has_covariance: bool) -> None:
    """Raise an error unless the table has one kind of errors."""
    split = {"err_up", "err_lo"} & used.keys()
    if len(split) == 1:
        raise DataError(f"catalog {source.name!r} has {split.pop()!r} alone; both err_up and err_lo are needed")
    if split and "error" in used:
        raise DataError(
            f"catalog {source.name!r} has 'error', and 'err_up' and 'err_lo' too; remove those that are not to be used"
        )
    if not split and "error" not in used and not has_covariance:
        raise DataError(
            f"catalog {source.name!r} has no errors: a column 'error', or 'err_up' and 'err_lo', is needed (other "
            "names in `columns`), or a covariance"
        )


def _kept(
    table: Any, name: str, select: Mapping[str, tuple[str, ...]], ranges: Mapping[str, tuple[float, float]]
) -> Any:
    """Return which rows to use, ``(m,)``."""
    kept = np.ones(len(table), dtype=bool)
    for key, column in [("select", column) for column in select] + [("ranges", column) for column in ranges]:
        if column not in table.colnames:
            hint = f"{closest(column, table.colnames)} It has {listing(table.colnames)}"
            raise ConfigurationError(f"{key}.{column}: {name!r} has no such column.{hint}")
    for column, texts in select.items():
        cells = [str(cell) for cell in table[column]]
        for text in texts:
            if text not in cells:
                hint = f"{closest(text, cells)} It has {listing(set(cells))}"
                raise ConfigurationError(f"select.{column}: {name!r} has no {text!r}.{hint}")
        kept &= np.isin(cells, texts)
    for column, (low, high) in ranges.items():
        if table[column].dtype.kind not in "iuf":
            raise ConfigurationError(f"ranges.{column}: the column holds no numbers; use select.{column}")
        numbers = np.asarray(table[column], dtype=float)
        kept &= (numbers >= low) & (numbers <= high)
    if not kept.any():
        raise ConfigurationError(f"select and ranges leave none of the {len(table)} rows of {name!r}")
    return kept


def _half_gaussians(
    source: Catalog, table: Any, layout: TableLayout, used: Mapping[str, str], kind: tuple[str, ...]
) -> tuple[FloatArray, FloatArray, FloatArray, tuple[FloatArray, FloatArray]]:
    """Return centres and widths ``(s,)`` of the half-Gaussians, and the lengths of error bars for a figure."""

    def numbers(role: str) -> FloatArray:
        return np.array(table[used[role]], dtype=float) if role in used else np.full(len(table), np.nan)

    pair = ("error", "error") if "error" in used else ("err_lo", "err_up")
    low, high, value, level = numbers(pair[0]), numbers(pair[1]), numbers("value"), numbers("cl")
    kinds, datum = np.array(kind), value.copy()
    bars = (np.where(kinds == MEASUREMENT, low, 0.0), np.where(kinds == MEASUREMENT, high, 0.0))
    upper = ("upper", layout.floor, "floor", "least", high, low, 1.0)
    lower = ("lower", layout.ceiling, "ceiling", "greatest", low, high, -1.0)
    for name, edge, key, possible, tail, other, sign in (upper, lower):
        rows = kinds == name
        bare = rows & np.isnan(tail)
        source.refuse_rows(
            table, bare & np.isnan(level), "a limit needs the width of its tail, or its confidence in the column 'cl'"
        )
        other[rows] = NO_WIDTH
        if not bare.any():
            continue
        if edge is None:
            raise ConfigurationError(
                f"{key} is missing: {int(bare.sum())} {name} limit(s) state no tail, so that the {possible} possible "
                "value is needed"
            )
        distance = sign * (value - edge)
        source.refuse_rows(
            table, bare & ~(distance > 0), f"the {name} limit is not on the right side of {key} = {edge}"
        )
        tail[bare], datum[bare] = half_normal_width(distance[bare], level[bare]), edge
    return datum, low, high, bars


def read_covariance(source: Catalog, prefix: str, rows: Rows) -> FloatArray:
    """Return the covariance ``(s, s)`` of the rows in use.

    Parameters
    ----------
    source : Catalog
        With one column for each row of the table.
    prefix : str
        Beginning of the names of the columns; empty for all columns.
    rows : Rows

    Raises
    ------
    DataError
        If the size is another, or the matrix is not symmetric and positive definite.
    """
    n = len(rows.kept)
    names = [name for name in source.table().colnames if name.startswith(prefix)]
    table = source.table(dict.fromkeys(names, NumberColumn(rows.covariance_unit)))
    if (len(table), len(names)) != (n, n):
        what = f"columns that begin with {prefix!r}" if prefix else "columns"
        raise DataError(
            f"catalog {source.name!r} has {len(table)} rows and {len(names)} {what}, but the covariance of {n} rows "
            f"needs {n} of each"
        )
    matrix = np.stack([np.asarray(table[name], dtype=float) for name in names], axis=1)
    with source.located():
        _demand_positive(matrix)
    return np.asarray(matrix[np.ix_(rows.kept, rows.kept)])


def _demand_positive(matrix: FloatArray) -> None:
    variance = np.diag(matrix)
    if np.any(variance <= 0):
        row = int(np.argmax(variance <= 0)) + 1
        raise DataError(f"the variance in row {row} of the covariance is not above 0")
    sigma = np.sqrt(variance)
    correlation = matrix / (sigma[:, None] * sigma)
    uneven = np.argwhere(np.abs(correlation - correlation.T) > 1e-6)
    if len(uneven):
        i, j = uneven[0] + 1
        raise DataError(f"the covariance is not symmetric in row {i}, column {j}; correct it")
    least = float(np.linalg.eigvalsh(correlation)[0])
    if least < 1e-12:
        raise DataError(
            f"the covariance is not positive definite: its correlation has the eigenvalue {least:.3g}; correct it"
        )
