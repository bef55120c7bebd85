"""What is in a catalog, as text: a table of its rows or datasets, its notes, papers and licence.

An ECSV table with the column ``reference`` is summed up by reference. Other tables, and those of which all rows are
wanted, are listed row by row. An HDF5 file is listed by its datasets.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import islice
from typing import Any

import numpy as np

from astroemu.core.catalog import Catalog
from astroemu.core.typing import FloatArray
from astroemu.core.wheel_catalog import WheelCatalog
from astroemu.errors import ConfigurationError, closest, listing
from astroemu.io.terminal import visible_line
from astroemu.report.columns import WIDTH, columns, wrapped

#: Texts of the header that are printed under a heading of their own; the others follow by their names.
_HEADINGS = {"not_independent": "Overlaps", "left_out": "Left out"}
#: Texts of the header that the catalog object states, or that head the table.
_STATED = ("title", "licence", "reference", "arxiv")
#: Columns of which a table of all rows shows the texts last, as they are long.
_LONG = ("data", "method", "description", "doi")
#: Longest text in a cell, and most rows of a table without references that are printed.
_LONGEST, _MOST = 34, 60
#: Largest number of datasets of an HDF5 file that are looked at.
_MOST_DATASETS = 10_000
#: In the column ``mark``: nothing to say.
_NO_MARK = ("", "-")


def is_hdf5(catalog: Catalog) -> bool:
    """Return True if a catalog is read as HDF5: by the suffix of its file, or if it is made from those of a wheel."""
    return isinstance(catalog, WheelCatalog) or catalog.path.suffix.lower() in (".h5", ".hdf5")


def catalog_text(catalog: Catalog, rows: bool = False, reference: str | None = None, width: int = WIDTH) -> str:
    """Return what is in a catalog.

    Parameters
    ----------
    catalog : Catalog
    rows : bool
        Whether every row of a table is listed, instead of one line for each reference.
    reference : str, optional
        List the rows of this reference only.
    width : int
        Largest number of characters in a line.

    Raises
    ------
    ConfigurationError
        If no row has the reference, or rows of an HDF5 file are wanted.
    DataError
        If the file is missing, changed or cannot be read.
    """
    if is_hdf5(catalog):
        if rows or reference:
            raise ConfigurationError(f"{catalog.name!r} is an HDF5 file, which has no rows; leave out the option")
        with catalog.hdf5() as file:
            title, table, notes = _datasets(file, width)
    else:
        content = catalog.table()
        title, notes = str(content.meta.get("title", "")), _notes(content.meta, _column_notes(content))
        if rows or reference:
            content = _of_reference(content, reference)
            table, notes = _rows(content, width), [_mark_note(content), *_verified(content), *notes]
        else:
            table, notes = _summary(content, width), [_mark_note(content), *notes]
    lines = [wrapped(visible_line(f"{catalog.name}: {title}" if title else catalog.name), width), "", *table, ""]
    return "\n".join([*lines, *(wrapped(note, width) for note in notes if note), *_origin(catalog, width)])


def _origin(catalog: Catalog, width: int) -> list[str]:
    """Return papers, licence and checksum."""
    stated = {
        "Cite": catalog.reference,
        "arXiv": ", ".join(catalog.arxiv),
        "Licence": catalog.licence,
        "SHA-256": catalog.sha256,
    }
    return [wrapped(visible_line(f"{name}: {text}"), width) for name, text in stated.items() if text]


def _notes(meta: Mapping[str, Any], contents: Sequence[str]) -> list[str]:
    """Return the texts of a header: the overlaps, then the descriptions of the contents, then the others."""
    first = [visible_line(f"{word}: {_in_words(meta[key])}") for key, word in _HEADINGS.items() if key in meta]
    others = [str(key) for key in meta if key not in (*_STATED, *_HEADINGS)]
    return [*first, *contents, *(visible_line(f"{key}: {_in_words(meta[key])}") for key in others)]


def _in_words(value: Any) -> str:
    if isinstance(value, Mapping):
        return "; ".join(f"{key}: {_in_words(each)}" for key, each in value.items())
    if isinstance(value, Sequence) and not isinstance(value, str):
        return "; ".join(_in_words(each) for each in value)
    return str(value)


def _mark_note(table: Any) -> str:
    """Return what the star at a reference or row means; empty if there is none."""
    if "mark" not in table.colnames or not np.any(_marked(table)):
        return ""
    return "*: read in one secondary source only; `--rows` prints in which"


def _verified(table: Any) -> list[str]:
    """Return how the rows were checked."""
    if not {"verified", "reference"} <= set(table.colnames):
        return []
    pairs = zip(table["reference"].tolist(), table["verified"].tolist(), strict=True)
    return ["Verified:", *dict.fromkeys(visible_line(f"* {reference}: {text}") for reference, text in pairs)]


def _marked(table: Any) -> Any:
    if "mark" not in table.colnames:
        return np.zeros(len(table), dtype=bool)
    return ~np.isin(np.asarray(table["mark"], dtype=str), _NO_MARK)


def _column_notes(table: Any) -> list[str]:
    """Return unit and description of each column."""
    made = []
    for name in table.colnames:
        unit, text = table[name].unit, table[name].description
        made.append(visible_line(f"{name}{f' [{unit}]' if unit else ''}: {text or 'no description'}"))
    return ["Columns:", *(f"* {line}" for line in made)]


def _summary(table: Any, width: int) -> list[str]:
    """Return one line for each reference, or the rows of a table without references."""
    if "reference" not in table.colnames:
        return _rows(table, width)
    names, marked = np.asarray(table["reference"], dtype=str), _marked(table)
    kinds = _distinct(table, "kind")
    lines = []
    for name in _distinct(table, "reference"):
        here = names == name
        star = "*" if np.all(marked[here]) else " (*)" if np.any(marked[here]) else ""
        counts = [str(_distinct(table[here], "kind", unique=False).count(kind)) for kind in kinds] or [str(here.sum())]
        cells = [name + star, *counts, _range(table[here], "z"), ", ".join(_distinct(table[here], "arxiv"))]
        lines.append([visible_line(cell) for cell in cells])
    head = ["reference", *(visible_line(kind) for kind in kinds or ["rows"]), "z", "arXiv"]
    used = [j for j in range(len(head)) if any(line[j] for line in lines)]
    return columns([head[j] for j in used], [[line[j] for j in used] for line in lines], width)


def _range(table: Any, name: str) -> str:
    """Return the numbers of a column: each of a few, or the range of many."""
    if name not in table.colnames:
        return ""
    values: FloatArray = np.unique(np.ma.compressed(np.ma.masked_invalid(np.ma.asarray(table[name], dtype=float))))
    if len(values) > 2:
        return f"{values[0]:g} to {values[-1]:g}"
    return ", ".join(f"{value:g}" for value in values)


def _distinct(table: Any, name: str, unique: bool = True) -> list[str]:
    """Return the texts of a column that are not blank, each once or as often as they occur."""
    if name not in table.colnames:
        return []
    texts = [text for text in np.ma.filled(np.ma.asarray(table[name]).astype(str), "").tolist() if text]
    return list(dict.fromkeys(texts)) if unique else texts


def _of_reference(table: Any, reference: str | None) -> Any:
    """Return the rows of a reference, or all rows."""
    if reference is None:
        return table
    known = _distinct(table, "reference")
    if reference not in known:
        raise ConfigurationError(
            f"no row has the reference {reference!r}.{closest(reference, known)} It has {listing(known)}"
        )
    return table[np.asarray(table["reference"], dtype=str) == reference]


def _rows(table: Any, width: int) -> list[str]:
    """Return one line for each row; a table that names no references is cut."""
    names = [name for name in table.colnames if name not in ("mark", "verified", "reference", *_LONG)]
    names = [name for name in ("reference", *names, *_LONG) if name in table.colnames]
    shown = len(table) if "reference" in table.colnames else min(len(table), _MOST)
    stars, lines = _marked(table), []
    for i in range(shown):
        cells = [_cell(table[name][i]) for name in names]
        lines.append([cells[0] + ("*" if stars[i] else ""), *cells[1:]])
    more = [] if shown == len(table) else ["", f"and {len(table) - shown} more rows"]
    return columns([visible_line(name) for name in names], lines, width) + more


def _cell(value: Any) -> str:
    """Return a cell, with the digits of the file; a long text is cut."""
    if np.ma.is_masked(value) or (isinstance(value, (float, np.floating)) and np.isnan(value)):
        return "-"
    if isinstance(value, (float, np.floating)):
        return f"{float(value):.9g}"
    text = visible_line(str(value))
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 3]}..."


def _datasets(file: Any, width: int) -> tuple[str, list[str], list[str]]:
    """Return title, table of the datasets and notes of an HDF5 file. Datasets of one name and unit share a line."""
    found: dict[tuple[str, int, str], list[Any]] = {}
    for path, dataset in islice(_walk(file), _MOST_DATASETS):
        key = (path.rpartition("/")[2], path.count("/"), str(dataset.attrs.get("units", "")))
        found.setdefault(key, []).append((path, dataset))
    lines, notes = [], []
    for (name, _, unit), same in found.items():
        shapes = list(dict.fromkeys("x".join(map(str, dataset.shape)) or "number" for _, dataset in same))
        first = visible_line(same[0][0] if len(same) == 1 else f"{same[0][0]} ...")
        size = ", ".join(shapes[:3]) + (" ..." if len(shapes) > 3 else "")
        lines.append([first, str(len(same)), size, visible_line(unit) or "-"])
        notes.append(visible_line(f"* {name}: {same[0][1].attrs.get('description', 'no description')}"))
    attributes = {str(key): file.attrs[key] for key in file.attrs}
    table = columns(["dataset", "number", "shape", "unit"], lines, width)
    return str(attributes.get("title", "")), table, _notes(attributes, ["Datasets:", *dict.fromkeys(notes)])


def _walk(group: Any, place: str = "") -> Any:
    """Yield path and dataset of all datasets below a group, in the order of their names."""
    for name in sorted(group):
        each = group[name]
        path = f"{place}/{name}" if place else name
        if hasattr(each, "shape"):
            yield path, each
        else:
            yield from _walk(each, path)
