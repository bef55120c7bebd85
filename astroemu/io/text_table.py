"""Tables of numbers in text files that were made elsewhere: CSV and its relatives.

The first line that is neither blank nor a comment (``#``) names the columns. A file whose numbers begin at once may
name them in the last comment before, as ``numpy.savetxt`` writes it. Values are separated by commas, semicolons, tabs
or spaces. Anything that could be read in two ways is refused, with the line and what to do.
"""

from __future__ import annotations

import codecs
import csv
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from astroemu.errors import DataError, listing
from astroemu.io.numbers import read_number

#: Largest text table, in bytes.
LARGEST_TABLE = 256 << 20
_WORDS = {",": "commas", ";": "semicolons", "\t": "tabs", " ": "spaces"}
_COMMA = re.compile(r"[+-]?\d+,\d+(?:[eEdD][+-]?\d+)?", re.ASCII)
_THOUSANDS = re.compile(r"[+-]?[1-9]\d{0,2},\d{3}", re.ASCII)
_POINT = re.compile(r"[+-]?\d*\.\d+(?:[eEdD][+-]?\d+)?", re.ASCII)


@dataclass(frozen=True)
class TextTable:
    """The cells of a text table. A column is converted when it is asked for; texts in other columns do no harm.

    Attributes
    ----------
    path : Path
    names : tuple of str
        Of the columns, as the header has them. A column without a name has the name ``""``.
    rows : list of list of str
    lines : list of int
        Line of each row in the file; the first line is 1.
    """

    path: Path
    names: tuple[str, ...]
    rows: list[list[str]]
    lines: list[int]

    def column(self, name: str) -> list[float]:
        """Return the numbers of a column, NaN where a value is missing.

        Raises
        ------
        DataError
            If a cell holds no number, or two columns have the name.
        """
        if self.names.count(name) > 1:
            raise DataError(f"{self.path} has more than one column {name!r}; rename or remove the others")
        column, found = self.names.index(name), []
        for line, row in zip(self.lines, self.rows, strict=True):
            cell = row[column]
            try:
                found.append(read_number(cell.replace(",", ".") if "," in cell and self._has_decimal_commas else cell))
            except ValueError as error:
                raise DataError(f"{self.path}, line {line}, column {name!r}: {error}") from None
        return found

    @cached_property
    def _has_decimal_commas(self) -> bool:
        """True if commas are decimal marks everywhere in the file, beyond doubt."""
        cells = [cell.strip() for row in self.rows for cell in row]
        commas = [cell for cell in cells if _COMMA.fullmatch(cell)]
        points = [cell for cell in cells if _POINT.fullmatch(cell)]
        if commas and points:
            raise DataError(
                f"{self.path} holds both {commas[0]!r} and {points[0]!r}; write all decimals with a point, and no "
                "thousands separators"
            )
        if commas and all(_THOUSANDS.fullmatch(cell) for cell in commas):
            raise DataError(
                f"{self.path} holds {commas[0]!r}, which may be a decimal or a number of thousands; write it with a "
                "decimal point, or without a separator"
            )
        return bool(commas)


def read_table(path: str | Path) -> TextTable:
    """Return the table in a text file.

    Raises
    ------
    DataError
        If the file is no text in UTF-8 or UTF-16, if its columns have no names, if a line has more or fewer values than
        there are columns, or if there are no rows.
    """
    path = Path(path)
    lines = _decoded(path).splitlines()
    start, header, separator = _header(path, lines)
    rows, numbers = [], []
    for number, row in _split(path, lines[start:], separator, start):
        if len(row) != len(header):
            hint = " A comma here must separate values; decimals need a point." if separator == "," else ""
            raise DataError(
                f"{path}, line {number} has {_count(row, 'value')}, separated by {_WORDS[separator]}; the header names "
                f"{_count(header, 'column')} ({listing(header)}).{hint}"
            )
        rows.append(row)
        numbers.append(number)
    if not rows:
        raise DataError(f"{path} has no rows: it holds only the names {listing(header)}")
    return TextTable(path, tuple(header), rows, numbers)


def _count(items: list[str], word: str) -> str:
    return f"{len(items)} {word}{'' if len(items) == 1 else 's'}"


def _decoded(path: Path) -> str:
    try:
        with path.open("rb") as file:
            content = file.read(LARGEST_TABLE + 1)
    except OSError as error:
        raise DataError(f"cannot read {path}: {error.strerror}") from None
    if len(content) > LARGEST_TABLE:
        raise DataError(f"{path} is larger than {LARGEST_TABLE >> 20} MiB; store its columns as arrays in an npz file")
    wide = content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
    try:
        text = content.decode("utf-16" if wide else "utf-8-sig")
    except UnicodeDecodeError as error:
        raise DataError(
            f"{path} is not text in UTF-8 ({error.reason} at byte {error.start}); save it in UTF-8"
        ) from None
    if "\0" in text:
        raise DataError(f"{path} is not text in UTF-8: it holds zero bytes")
    return text


def _header(path: Path, lines: list[str]) -> tuple[int, list[str], str]:
    """Return the number of lines up to the header, the names of the columns, and the separator."""
    comment = ""
    for number, line in enumerate(lines):
        if line.lstrip().startswith("#"):
            comment = line.lstrip().lstrip("#").strip()
            if comment.startswith("%ECSV"):
                raise DataError(f"{path} is an ECSV table, whose header is not read here; store it as plain CSV")
        elif line.strip():
            separator = _separator(line, next((after for after in lines[number + 1 :] if after.strip()), line))
            names = _cells(path, line, separator)
            if not all(_is_number(name) for name in names):
                return number + 1, names, separator
            named = _cells(path, comment, separator) if comment else []
            if len(named) != len(names) or all(_is_number(name) for name in named):
                raise DataError(
                    f"{path}, line {number + 1} holds numbers, but no line before it names the columns; "
                    f"add a first line with {_count(names, 'name')}"
                )
            return number, named, separator
    raise DataError(f"{path} has no rows: it is empty")


def _separator(header: str, first: str) -> str:
    """Return what separates the names of a header; a blank does only if it separates the first values too."""
    found = next((mark for mark in ("\t", ";", ",") if mark in header), " ")
    return "," if found == " " and len(first.split()) == 1 else found


def _cells(path: Path, line: str, separator: str) -> list[str]:
    return next((row for _, row in _split(path, [line], separator, 0)), [])


def _is_number(cell: str) -> bool:
    """Return True if a cell holds a number. A blank is none: an index column of pandas has a blank name."""
    try:
        return bool(cell) and read_number(cell.replace(",", ".")) is not None
    except ValueError:
        return False


def _split(path: Path, lines: list[str], separator: str, before: int) -> Iterator[tuple[int, list[str]]]:
    """Yield the number and the cells of each line that is neither blank nor a comment; tabs alone are blank cells."""
    kept = [(before + i, line) for i, line in enumerate(lines, 1) if line.strip(" ") and line.lstrip()[:1] != "#"]
    texts: Iterable[str] = (line for _, line in kept)
    if separator == " ":
        texts = (" ".join(line.split()) for line in texts)
    reader = csv.reader(texts, delimiter=separator, skipinitialspace=True)
    try:
        for row in reader:
            yield kept[reader.line_num - 1][0], [cell.strip() for cell in row]
    except csv.Error as error:
        raise DataError(f"{path}, line {kept[reader.line_num - 1][0]} cannot be read: {error}") from None
