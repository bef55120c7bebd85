"""A picture of a catalog: values with error bars and limits.

The columns of a table are recognised by their place and their names. The *value* is the last column of numbers before
the error bars, ``err_up`` and ``err_lo`` or ``error``, or a column with ``limit`` in its name. The last one before the
value is the axis, such as ``z``, or ``M_UV`` of a luminosity function. A further one before the axis, such as ``z``,
makes one panel for each of its values. Columns that end in ``_lo`` or ``_hi``, and ``dM``, are widths of bins. In an
HDF5 file, every group with an axis of ``k`` or ``ell`` and values on it is drawn.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from astroemu.core.catalog import Catalog
from astroemu.core.typing import FloatArray
from astroemu.errors import ConfigurationError
from astroemu.io.terminal import visible_line
from astroemu.report.catalog_table import is_hdf5
from astroemu.report.style import matplotlib_package, picture

#: Columns that are neither axis nor value.
_WIDTHS = ("dM",)
_EDGES = ("_lo", "_hi")
_ERRORS = ("err_up", "err_lo", "error")
#: Columns of numbers that describe a row, and are neither axis nor value.
_ABOUT = ("cl", "n_sigma", "n_gal", "wavelength", "doi", "arxiv")
#: Names of axes of HDF5 datasets, the preferred one first.
_AXES = ("k_mpc", "k", "ell_eff", "ell")
#: Datasets from which an error follows, with the power of the error that they hold.
_VARIANCES = {"sigma": 1, "variance": 2, "covariance": 2}
#: Most panels, and most labels of a legend.
_MOST_PANELS, _MOST_LABELS = 24, 45
_MARKERS = "osD^vP*X"


@dataclass(frozen=True, eq=False)
class _Series:
    """Points of one panel with one label: ``x``, ``y`` and lengths of the error bars, NaN for a limit."""

    panel: str
    label: str
    x: FloatArray
    y: FloatArray
    low: FloatArray
    high: FloatArray
    kind: tuple[str, ...]


def draw_catalog(catalog: Catalog, path: Path) -> None:
    """Draw the data of a catalog.

    Parameters
    ----------
    catalog : Catalog
    path : Path
        PNG file.

    Raises
    ------
    ConfigurationError
        If no column or dataset can be drawn.
    DataError
        If the file is missing, changed or cannot be read.
    """
    if is_hdf5(catalog):
        with catalog.hdf5() as file:
            found = list(_groups(file))
        labels = ("", "")
    else:
        found, labels = _of_table(catalog.table())
    if not found:
        raise ConfigurationError(
            f"{catalog.name!r} has nothing that can be drawn. A picture needs values with error bars (`err_up` and "
            "`err_lo`, or `error`) or limits, or in HDF5 values on an axis `k` or `ell`"
        )
    _draw(catalog.name, found, labels, path)


def _of_table(table: Any) -> tuple[list[_Series], tuple[str, str]]:
    """Return the series of a table, and the labels of its axes."""
    numbers = [name for name in table.colnames if np.asarray(table[name]).dtype.kind in "iuf"]
    numbers = [name for name in numbers if name not in (*_WIDTHS, *_ABOUT) and not name.endswith(_EDGES)]
    place = _place_of_errors(table)
    before = [name for name in numbers if name not in _ERRORS and table.colnames.index(name) < place]
    if not len(table) or not before:
        return [], ("", "")
    *others, value = before
    axis, panel = (others[-1] if others else None), (others[-2] if len(others) > 1 else None)
    x = np.arange(len(table), dtype=float) if axis is None else _numbers(table, axis)
    panels = _panel_names(table, panel)
    labels = np.asarray(table["reference"], dtype=str) if "reference" in table.colnames else np.full(len(table), "")
    kinds = _kinds(table)
    made = []
    for name in sorted(set(panels), key=lambda text: float(text.rpartition(" ")[2] or 0.0)):
        for label in dict.fromkeys(labels[np.array(panels) == name].tolist()):
            rows = np.flatnonzero((np.array(panels) == name) & (labels == label))
            low, high = (_bars(table, error)[rows] for error in ("err_lo", "err_up"))
            kind = tuple(kinds[i] for i in rows)
            made.append(_Series(name, visible_line(label), x[rows], _numbers(table, value)[rows], low, high, kind))
    return made, ("row" if axis is None else _label(table, axis), _label(table, value))


def _place_of_errors(table: Any) -> int:
    """Return the number of columns before the error bars, or up to a limit; zero if there is neither."""
    for i, name in enumerate(table.colnames):
        if name in _ERRORS:
            return i
        if "limit" in name:
            return i + 1
    return 0


def _bars(table: Any, name: str) -> FloatArray:
    """Return the lengths of the error bars of one side."""
    return _numbers(table, name if name in table.colnames else "error")


def _panel_names(table: Any, name: str | None) -> list[str]:
    """Return the panel of each row: one for each number of a column, or one for all if there would be too many."""
    numbers = None if name is None else _numbers(table, name)
    if numbers is None or len(np.unique(numbers)) > _MOST_PANELS:
        return [""] * len(table)
    return [f"{name} = {number:g}" for number in numbers.tolist()]


def _numbers(table: Any, name: str) -> FloatArray:
    """Return the numbers of a column, NaN where it is blank or missing."""
    if name not in table.colnames:
        return np.full(len(table), np.nan)
    return np.asarray(np.ma.filled(np.ma.asarray(table[name], dtype=float), np.nan))


def _kinds(table: Any) -> list[str]:
    """Return the kind of each row; rows of a table without errors and kinds whose value is a limit are upper limits."""
    if "kind" in table.colnames:
        return np.asarray(table["kind"], dtype=str).tolist()
    limits = any("limit" in name for name in table.colnames)
    return ["upper" if limits else "measurement"] * len(table)


def _label(table: Any, name: str) -> str:
    return visible_line(f"{name} [{table[name].unit}]" if table[name].unit else name)


def _groups(group: Any, place: str = "") -> Iterator[_Series]:
    """Yield the series of a group of an HDF5 file, and of the groups below it."""
    arrays = {name: group[name] for name in group if hasattr(group[name], "shape")}
    axis = next((name for name in _AXES if name in arrays and len(arrays[name].shape) == 1), None)
    if axis is not None:
        yield from _on_axis(arrays, np.asarray(arrays[axis], dtype=float), axis, place)
    for name in sorted(set(group) - set(arrays)):
        yield from _groups(group[name], f"{place}/{name}" if place else name)


def _on_axis(arrays: dict[str, Any], x: FloatArray, axis: str, place: str) -> Iterator[_Series]:
    error = _error(arrays, len(x))
    for name, values in arrays.items():
        numbers = values.dtype.kind == "f" and name not in (*_AXES, *_VARIANCES)
        if not numbers or values.shape[-1:] != x.shape or len(values.shape) > 2 or name in ("W", "window"):
            continue
        rows = np.atleast_2d(np.asarray(values, dtype=float))
        parts = _parts(arrays, len(x)) if len(rows) == 1 else {"": np.arange(len(x))}
        for i, row in enumerate(rows[: len(_MARKERS)]):
            for part, here in parts.items():
                label = visible_line(" ".join(filter(None, (place, name, part, str(i) if len(rows) > 1 else ""))))
                panel = visible_line(f"{place.partition('/')[0]} {name} against {axis}{', ' + part if part else ''}")
                kind = ("measurement",) * len(here)
                yield _Series(panel, label, x[here], row[here], error[here], error[here], kind)


def _parts(arrays: dict[str, Any], size: int) -> dict[str, Any]:
    """Return the rows of each spectrum, if a dataset names the spectrum of every value."""
    names = arrays.get("spectrum")
    if names is None or names.shape != (size,):
        return {"": np.arange(size)}
    texts = [name.decode(errors="replace") if isinstance(name, bytes) else str(name) for name in names[()].tolist()]
    return {text: np.flatnonzero(np.array(texts) == text) for text in dict.fromkeys(texts)}


def _error(arrays: dict[str, Any], size: int) -> FloatArray:
    """Return the errors of the values of a group, NaN if it states none."""
    for name, power in _VARIANCES.items():
        if name in arrays and arrays[name].shape in ((size,), (size, size)):
            found = np.asarray(arrays[name], dtype=float)
            found = np.diagonal(found) if found.ndim == 2 else found
            return np.where(found > 0, np.abs(found) ** (1.0 / power), np.nan)
    return np.full(size, np.nan)


def _draw(title: str, found: Sequence[_Series], labels: tuple[str, str], path: Path) -> None:
    panels = list(dict.fromkeys(series.panel for series in found))[:_MOST_PANELS]
    names = list(dict.fromkeys(series.label for series in found))
    across = min(len(panels), 3)
    down = -(-len(panels) // across)
    colours = matplotlib_package().colormaps["turbo"](np.linspace(0.05, 0.95, len(names)))
    size = (max(5.0 * across, 7.5), 3.6 * down + (0.2 * min(len(names), _MOST_LABELS) / 3 if len(names) > 1 else 0.0))
    with picture(path, figsize=size, layout="constrained") as figure:
        axes = figure.subplots(down, across, squeeze=False)
        for axis, panel in zip(axes.flat, panels, strict=False):
            here = [series for series in found if series.panel == panel]
            for series in here:
                number = names.index(series.label)
                _points(axis, series, colours[number], _MARKERS[number % len(_MARKERS)])
            _scale(axis, here)
            axis.set(title=panel, xlabel=labels[0], ylabel=labels[1])
        for axis in axes.flat[len(panels) :]:
            axis.set_visible(False)
        if len(names) > 1:
            _legend(figure, names, colours)
        figure.suptitle(title, fontsize=11)


def _legend(figure: Any, names: Sequence[str], colours: Any) -> None:
    from matplotlib.lines import Line2D

    shown = list(enumerate(names))[:_MOST_LABELS]
    handles = [
        Line2D([], [], ls="", marker=_MARKERS[i % len(_MARKERS)], ms=4, color=colours[i], label=name)
        for i, name in shown
    ]
    figure.legend(handles=handles, loc="outside lower center", ncols=3, fontsize=7)


def _points(axis: Any, series: _Series, colour: Any, marker: str) -> None:
    """Draw measurements with their error bars, and limits as arrows. A long series is a line."""
    kind = np.array(series.kind)
    measured = ~np.isin(kind, ("upper", "lower"))
    if len(series.x) > 500:
        axis.plot(series.x, series.y, lw=0.8, color=colour)
        return
    bars = [np.nan_to_num(side[measured]) for side in (series.low, series.high)]
    style = {"fmt": marker, "ms": 3.5, "lw": 0.9, "color": colour}
    if measured.any():
        axis.errorbar(series.x[measured], series.y[measured], np.maximum(bars, 0.0), **style)
    for name, arrow in (("upper", "$\\downarrow$"), ("lower", "$\\uparrow$")):
        rows = kind == name
        axis.plot(series.x[rows], series.y[rows], ls="", marker="_", ms=7, color=colour)
        axis.plot(series.x[rows], series.y[rows], ls="", marker=arrow, ms=9, color=colour)


def _scale(axis: Any, here: Sequence[_Series]) -> None:
    """Use a logarithmic axis for positive values over more than two decades."""
    values = np.concatenate([series.y for series in here])
    values = values[np.isfinite(values)]
    if len(values) and values.min() > 0 and values.max() > 100 * values.min():
        axis.set_yscale("log")
        axis.set_ylim(values.min() / 5, values.max() * 5)
