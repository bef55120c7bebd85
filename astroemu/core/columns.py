"""Columns of tables, as a probe declares them, and their validation.

All tables of observations are validated here, when they are read. A value that the likelihood would misread is refused
with its row: a blank cell, text among numbers, an error of zero, an unknown word, a confidence of 68 in place of 0.68.
Integers become float64 before their unit is converted.
"""

from __future__ import annotations

import math
import warnings
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from astroemu.core.foreign_values import as_numbers, in_unit
from astroemu.core.units import parse_unit
from astroemu.errors import DataError, DoubleCountingWarning, closest, listing

#: Rows of a table, as a mask ``(rows,)``.
Rows = NDArray[np.bool_]
#: Most rows, and most problems, that one message lists.
_MOST = 5


def where(**texts: str) -> Callable[[Any], Rows]:
    """Return a function of a table that gives its rows with these texts, such as ``where(kind="upper")``."""
    return lambda table: np.all([np.asarray(table[name] == text) for name, text in texts.items()], axis=0)


class Column(ABC):
    """What is needed of one column."""

    #: Unit in which the column is returned; empty for a pure number, or for text.
    unit: str = ""
    #: Rows in which there must be a value: all, none, or those of ``needed(table)``.
    needed: bool | Callable[[Any], Rows] = True
    #: Value in every row of a column that is not needed, and is missing.
    absent: ClassVar[Any] = math.nan

    @abstractmethod
    def read(self, column: Any) -> Any:
        """Return the values ``(rows,)`` of a column of astropy, NaN or empty where a cell is blank.

        Raises
        ------
        DataError
            If the column has another type, or a unit that cannot be converted.
        """

    @abstractmethod
    def faults(self, name: str, table: Any) -> Iterable[str]:
        """Yield what is wrong with the values, after all columns were read."""


@dataclass(frozen=True)
class NumberColumn(Column):
    """A column of finite numbers, converted to float64 in one unit.

    Attributes
    ----------
    unit : str
        Unit in which the column is returned; empty for a pure number.
    above, below : float
        Bounds of the numbers, themselves excluded.
    needed : bool or callable
        Rows in which there must be a number: all, none, or those of ``needed(table)``, see :func:`where`. A number that
        is not needed may be blank or NaN, or the entire column may be missing. It is then NaN.
    same : str
        Another unit in which the numbers are the same, such as ``mag(AB)`` for ``mag``.
    """

    unit: str = ""
    above: float = -math.inf
    below: float = math.inf
    needed: bool | Callable[[Any], Rows] = True
    same: str = ""

    def read(self, column: Any) -> Any:
        blank = np.ma.getmaskarray(np.ma.asarray(column))
        values = np.ma.getdata(column)
        values = as_numbers(np.where(blank, "nan", values) if values.dtype.kind in "SU" else values)
        values[blank] = np.nan
        if self.unit and column.unit is None:
            raise DataError(f"is needed in {self.unit!r} but states no unit; add it in the header")
        stated = "" if column.unit is None else str(column.unit)
        return values if self.same and stated == self.same else in_unit(values, stated, self.unit)

    def faults(self, name: str, table: Any) -> Iterable[str]:
        values = np.asarray(table[name])
        yield from _fault(
            table,
            np.isnan(values) & _needed(self.needed, table),
            f"no number in the column {name!r} (blank, NaN or missing); give one, or remove the row",
        )
        yield from _fault(table, np.isinf(values), f"the column {name!r} is infinite; give a finite number")
        wrong = np.isfinite(values) & ((values <= self.above) | (values >= self.below))
        if np.any(wrong):
            first = float(values[wrong][0])
            yield from _fault(table, wrong, f"the column {name!r} is {first:g}; {self._bounds(first)}")

    def _bounds(self, value: float) -> str:
        if math.isinf(self.below):
            return f"it must be above {self.above:g}"
        if self.below == 1 and 1 < value < 100:
            return f"it is a fraction, so give {value / 100:g}"
        return f"it must lie between {self.above:g} and {self.below:g}"


@dataclass(frozen=True)
class TextColumn(Column):
    """A column of texts, without blanks around them.

    Attributes
    ----------
    choices : tuple of str
        Known texts; empty if any text is allowed.
    needed : bool or callable
        As for :class:`NumberColumn`. A text that is not needed may be blank, or the entire column may be missing. It is
        then empty.
    """

    absent = ""
    choices: tuple[str, ...] = ()
    needed: bool | Callable[[Any], Rows] = True

    def read(self, column: Any) -> Any:
        values = np.ma.getdata(column)
        if values.dtype.kind not in "SU":
            raise DataError("holds no text; give texts, with `datatype: string` in the header")
        return np.where(np.ma.getmaskarray(np.ma.asarray(column)), "", np.char.strip(values.astype(str)))

    def faults(self, name: str, table: Any) -> Iterable[str]:
        values = np.asarray(table[name])
        yield from _fault(
            table,
            (values == "") & _needed(self.needed, table),
            f"no text in the column {name!r} (blank or missing); give one, or remove the row",
        )
        for word in dict.fromkeys(values[values != ""].tolist() if self.choices else ()):
            if word not in self.choices:
                hint = f"{closest(word, self.choices)} Known: {listing(self.choices)}"
                yield from _fault(table, values == word, f"the column {name!r} is {word!r}.{hint}")


@dataclass(frozen=True)
class _AsStated(Column):
    """A column of the type that the file states. Numbers are converted to a unit and may be NaN."""

    unit: str = ""

    def read(self, column: Any) -> Any:
        if np.any(np.ma.getmaskarray(np.ma.asarray(column))):
            raise DataError("has blank cells; fill them")
        values = np.asarray(column)
        if values.dtype.kind in "iufc" or column.unit is not None or self.unit:
            return NumberColumn(self.unit).read(column)
        return np.char.strip(values) if values.dtype.kind == "U" else values

    def faults(self, name: str, table: Any) -> Iterable[str]:
        values = np.asarray(table[name])
        if values.dtype.kind == "f":
            yield from _fault(table, np.isinf(values), f"the column {name!r} is infinite; give a finite number")


def check_columns(table: Any, columns: Mapping[str, Column | str]) -> None:
    """Replace the declared columns of an :class:`astropy.table.Table` by validated ones.

    Parameters
    ----------
    table : Table
    columns : mapping of str to NumberColumn, TextColumn or str
        What is needed, by name. A text alone is a unit. The column then has the type that the file states, and its
        numbers may be NaN.

    Raises
    ------
    DataError
        With all missing columns, all columns that cannot be read, or all values that are refused.
    """
    declared = {name: _AsStated(each) if isinstance(each, str) else each for name, each in columns.items()}
    if declared and len(table) == 0:
        raise DataError("the table has no rows")
    problems = list(_missing(table, declared))
    for name, column in declared.items():
        try:
            if name in table.colnames and table[name].ndim > 1:
                problems.append(f"the column {name!r} holds several values in a cell; give one column for each")
            elif name in table.colnames:
                _replace(table, name, column.read(table[name]), column.unit)
            elif column.needed is not True:
                table[name] = np.full(len(table), column.absent)
        except DataError as error:
            problems.append(f"the column {name!r} {error}")
    if not problems:
        problems = [fault for name, column in declared.items() for fault in column.faults(name, table)]
    if problems:
        more = f"; and {len(problems) - _MOST} more problems" if len(problems) > _MOST else ""
        raise DataError("; ".join(problems[:_MOST]) + more)


def _missing(table: Any, columns: Mapping[str, Column]) -> Iterable[str]:
    names = [name for name, column in columns.items() if column.needed is True and name not in table.colnames]
    if names:
        hints = "".join(closest(name, table.colnames) for name in names)
        yield f"the table has no column {listing(names)}.{hints} It has {listing(table.colnames)}"


def _replace(table: Any, name: str, values: Any, unit: str) -> None:
    from astropy.table import Column as AstropyColumn

    old = table[name]
    numbers = np.asarray(values).dtype.kind == "f"
    # Without the format of the file, which would cut digits when the table is written again.
    new = AstropyColumn(values, name, unit=parse_unit(unit) if numbers and unit else None, description=old.description)
    table.replace_column(name, new)


def _needed(needed: bool | Callable[[Any], Rows], table: Any) -> Rows:
    return needed(table) if callable(needed) else np.full(len(table), needed)


def _fault(table: Any, wrong: Rows, what: str) -> Iterable[str]:
    if np.any(wrong):
        yield f"{name_rows(table, wrong)}: {what}"


def name_rows(table: Any, rows: Rows) -> str:
    """Return the numbers of some rows, of which the first is 1, with the reference of the first of them."""
    numbers = np.flatnonzero(rows)
    shown = ", ".join(str(number + 1) for number in numbers[:_MOST])
    more = f" and {len(numbers) - _MOST} more" if len(numbers) > _MOST else ""
    reference = str(table["reference"][numbers[0]]) if "reference" in table.colnames else ""
    return f"row{'s' if len(numbers) > 1 else ''} {shown}{more}" + (f" ({reference})" if reference else "")


def warn_of_repeated_rows(table: Any, names: Iterable[str], rows: Rows, source: str) -> None:
    """Warn if two of the rows in use are the same in all named columns.

    Parameters
    ----------
    table : Table
    names : iterable of str
        Columns to compare.
    rows : (n,) array of bool
        Rows in use.
    source : str
        Catalog, for the message.
    """
    seen: dict[tuple[str, ...], int] = {}
    cells = list(zip(*(map(repr, table[name].tolist()) for name in names), strict=True))
    for number in np.flatnonzero(rows):
        first = seen.setdefault(cells[number], int(number))
        if first != number:
            warnings.warn(
                f"{source}: rows {first + 1} and {number + 1} are the same measurement, which the likelihood counts "
                "twice. Remove one of them",
                DoubleCountingWarning,
                stacklevel=4,
            )
