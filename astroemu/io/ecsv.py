"""Reading ECSV tables of strangers.

The header of an ECSV file is YAML. Astropy builds NumPy objects from its tags, also arrays of pointers to memory that
the file chooses. The header is therefore read here, as plain YAML. Astropy sees a header that is written anew, with
nothing but the names and types of the columns, and the rows as they are.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from astroemu.errors import DataError, closest, located
from astroemu.io.numbers import read_number
from astroemu.io.untrusted import read_text

#: Types of columns that are read. ECSV has no others but complex and structured ones.
DATATYPES = (
    "bool", "int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64",
    "float16", "float32", "float64", "float128", "string",
)  # fmt: skip
#: Largest header in characters, largest number of its items, deepest nesting, and largest number of columns.
LARGEST_HEADER = 1 << 20
MOST_ITEMS = 20_000
DEEPEST = 32
MOST_COLUMNS = 1000
LONGEST_UNIT = 200
_TAGS = {f"tag:yaml.org,2002:{name}" for name in ("omap", "str", "int", "float", "bool", "null", "map", "seq")}
#: Tags by which astropy describes a column of a `QTable`; they are read as plain mappings, and only there.
_UNIT, _VALUE = "!astropy.units.Unit", "!astropy.table.SerializedColumn"
_QUANTITY = "astropy.units.quantity.Quantity"
_FIRST = re.compile(r"%ECSV \d+\.\d+(\.\d+)?$")
#: What a column may state, and the types of these values.
_COLUMN = {"name": str, "datatype": str, "unit": str, "description": str, "format": str, "meta": object}
_DELIMITERS = (" ", ",")


def read_ecsv(path: str | Path) -> Any:
    """Return the content of an ECSV file as an :class:`astropy.table.Table` of plain columns.

    Parameters
    ----------
    path : str or Path
        A text file in UTF-8, with or without a byte-order mark, with line ends of any system.

    Returns
    -------
    Table
        Its columns have the types, units and descriptions of the header. Blank cells are masked. Formats for printing
        are left out: printing by a format of strangers may need any memory.

    Raises
    ------
    DataError
        If it is not ECSV, exceeds a limit of this module, or its header holds more than names, types, units and texts.

    Notes
    -----
    Quantities of a `QTable` are read as columns with units. Other objects of astropy are refused.
    """
    with located(str(path)):
        lines = re.split("\r\n|\n|\r", read_text(path).removeprefix("\ufeff"))
        for number, line in enumerate(lines, start=1):
            if "\0" in line:
                raise DataError(f"line {number} holds a NUL byte; this is no text")
        lines, rows = _split(lines)
        header = _header(lines)
        return _table(_columns(header), header, rows)


def _split(lines: list[str]) -> tuple[list[str], list[str]]:
    """Return the lines of the header without their marks, and all lines after it."""
    stripped = [line.strip() for line in lines]
    first = next((i for i, line in enumerate(stripped) if line and not line.startswith("#")), len(lines))
    if sum(map(len, stripped[:first])) > LARGEST_HEADER:
        raise DataError(f"the header has more than {LARGEST_HEADER} characters")
    header = [text for line in stripped[:first] if (text := line.removeprefix("#").removeprefix(" "))]
    if not header or not _FIRST.match(header[0]):
        raise DataError('this is not an ECSV table: its first line is not "# %ECSV 1.0"')
    return header[1:], lines[first:]


class _Tagged(dict[str, Any]):
    """A mapping with one of the tags of a `QTable`."""


def _header(lines: list[str]) -> Mapping[str, Any]:
    """Return the header as plain values, from YAML without tags of objects and without references."""
    import yaml  # here: it is needed only where a table is read

    class Loader(yaml.SafeLoader):  # type: ignore[misc]
        """Loader of plain values. The tags of a `QTable` give plain mappings."""

    for tag in (_UNIT, _VALUE):
        Loader.add_constructor(tag, lambda loader, node: _Tagged(loader.construct_mapping(node, deep=True)))
    text = "\n".join(lines)
    try:
        _check_events(yaml.parse(text, Loader=Loader))
        found = yaml.load(text, Loader=Loader)  # noqa: S506 (a safe loader)
    except (yaml.YAMLError, ValueError, LookupError, TypeError, AttributeError) as error:
        raise DataError(f"its header is not plain YAML: {' '.join(str(error).split())}") from None
    if not isinstance(found, Mapping):
        raise DataError("its header is not a YAML mapping with `datatype`")
    return found


def _check_events(events: Iterator[Any]) -> None:
    """Raise an error at anything in a YAML text that a plain header does not need."""
    import yaml

    depth, units = 0, set()
    for number, event in enumerate(events):
        anchor, tag = getattr(event, "anchor", None), getattr(event, "tag", None)
        if number > MOST_ITEMS:
            raise DataError(f"its header has more than {MOST_ITEMS} items")
        if tag is not None and tag not in _TAGS and tag not in (_UNIT, _VALUE):
            raise DataError(_tagged(tag))
        if anchor is not None:
            if tag == _UNIT:  # columns of a `QTable` share their units
                units.add(anchor)
            elif not (isinstance(event, yaml.AliasEvent) and anchor in units):
                raise DataError(f"its header refers to {anchor!r}; write the value out instead of an anchor or alias")
        depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        if depth > DEEPEST:
            raise DataError(f"its header nests more than {DEEPEST} values")


def _tagged(tag: str) -> str:
    remedy = "Write plain columns with units instead of objects" if tag.startswith("!astropy") else "Remove the tag"
    return f"its header has the YAML tag {tag!r}; only plain values are read. {remedy}"


def _demand_plain(value: Any) -> None:
    """Raise an error if a value holds a mapping with a tag."""
    if isinstance(value, _Tagged):
        raise DataError(_tagged(_UNIT if "unit" in value else _VALUE))
    for item in (
        value.values() if isinstance(value, Mapping) else value if isinstance(value, list | tuple | set) else ()
    ):
        _demand_plain(item)


def _columns(header: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """Return the checked descriptions of the columns."""
    columns = header.get("datatype")
    if not isinstance(columns, list) or not columns:
        raise DataError("its header lacks the list `datatype` of the columns")
    if len(columns) > MOST_COLUMNS:
        raise DataError(f"it has more than {MOST_COLUMNS} columns")
    names: list[str] = []
    for number, column in enumerate(columns, start=1):
        where = f"column {number} of its header"
        if not isinstance(column, Mapping) or not isinstance(column.get("name"), str):
            raise DataError(f"{where} has no name, or a name that is not a text; give the name in quotes")
        where = f"the column {column['name']!r}"
        if column["name"] in names:
            raise DataError(f"{where} is given twice")
        names.append(column["name"])
        _check(column, where)
    return columns


def _check(column: Mapping[str, Any], where: str) -> None:
    datatype = column.get("datatype")
    if "subtype" in column:
        raise DataError(
            f"{where} has the subtype {column['subtype']!r}: arrays and objects in cells are not read; use one column "
            "for each number"
        )
    if not isinstance(datatype, str) or datatype not in DATATYPES:
        raise DataError(
            f"{where} has the datatype {datatype!r}.{closest(str(datatype), DATATYPES)} Known: {', '.join(DATATYPES)}"
        )
    for key, value in column.items():
        if key not in _COLUMN:
            raise DataError(f"{where} has the unknown key {key!r}.{closest(str(key), _COLUMN)}")
        if not isinstance(value, _COLUMN[key]) and value is not None:
            raise DataError(f"{where} has {key} = {value!r}, which is not a text; give it in quotes")
    if len(column.get("unit") or "") > LONGEST_UNIT:
        raise DataError(f"{where} has a unit of more than {LONGEST_UNIT} characters")


def _table(columns: list[Mapping[str, Any]], header: Mapping[str, Any], rows: list[str]) -> Any:
    """Return the table of checked columns and the lines of the rows, of which the first holds the names."""
    delimiter = header.get("delimiter", " ")
    if delimiter not in _DELIMITERS:
        raise DataError(f"its delimiter is {delimiter!r}; ECSV has a blank or a comma")
    meta = _plain_meta(header.get("meta"))
    _check_objects(meta.pop("__serialized_columns__", {}), columns)
    _demand_plain(meta)
    types = {column["name"]: column["datatype"] for column in columns}
    try:
        table = _rows(types, delimiter, rows)
    except Exception as error:  # astropy raises many kinds
        table = _rows_with_foreign_numbers(types, delimiter, rows)
        if table is None:
            raise DataError(f"its rows do not fit its header: {' '.join(str(error).split())}") from None
    for column in columns:
        for key in ("unit", "description"):
            if column.get(key):
                setattr(table[column["name"]], key, column[key])
    table.meta.update(meta)
    return table


def _rows(types: Mapping[str, str], delimiter: str, rows: list[str]) -> Any:
    """Return the table of rows, read by astropy under a header of nothing but names and types."""
    from astropy.table import Table

    columns = [{"name": name, "datatype": datatype} for name, datatype in types.items()]
    header = json.dumps({"datatype": columns, "delimiter": delimiter}, ensure_ascii=False)
    return Table.read(["# %ECSV 1.0", "# ---", f"# {header}", *rows], format="ascii.ecsv")


def _rows_with_foreign_numbers(types: Mapping[str, str], delimiter: str, rows: list[str]) -> Any:
    """Return the table of rows whose numbers are those of Fortran or words for NaN; None if astropy cannot read it."""
    import numpy as np
    from astropy.table import MaskedColumn

    floats = [name for name, datatype in types.items() if datatype.startswith("float")]
    try:
        table = _rows({**types, **dict.fromkeys(floats, "string")}, delimiter, rows)
    except Exception:  # the fault is another one
        return None
    for name in floats:
        blank = np.ma.getmaskarray(np.ma.asarray(table[name]))
        values = np.full(len(table), np.nan)
        for row in np.flatnonzero(~blank):
            try:
                values[row] = read_number(table[name][row])
            except ValueError as error:
                raise DataError(f"its rows do not fit its header: row {row + 1}, column {name!r}: {error}") from None
        table.replace_column(name, MaskedColumn(values, name, mask=blank))
    return table


def _plain_meta(meta: Any) -> dict[str, Any]:
    """Return the metadata of the table as a dict. An ordered map is read as a list of pairs."""
    if meta is None:
        return {}
    if isinstance(meta, list) and all(isinstance(pair, tuple) for pair in meta):
        meta = dict(meta)
    if not isinstance(meta, Mapping):
        raise DataError("its `meta` is not a mapping")
    return {str(key): value for key, value in meta.items()}


def _check_objects(objects: Any, columns: list[Mapping[str, Any]]) -> None:
    """Raise an error unless all astropy objects of a table are quantities, each of which is a column with its unit."""
    units = {column["name"]: column.get("unit") or "" for column in columns}
    for name, described in objects.items() if isinstance(objects, Mapping) else [("?", None)]:
        described = described if isinstance(described, Mapping) else {}
        kind = described.get("__class__")
        plain = {"__class__": _QUANTITY, "unit": {"unit": units.get(name)}, "value": {"name": name}}
        if kind != _QUANTITY or name not in units:
            raise DataError(f"{name!r} is an object of astropy ({kind}); write plain columns with units instead")
        if {key: described.get(key) for key in plain} != plain:
            raise DataError(f"the unit of {name!r} is given twice and differs; write plain columns with units instead")
