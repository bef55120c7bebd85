"""Figure of the posterior of every observable of a model, with 68 and 95 % bands.

An observable with one axis, such as x_HI(z), is a curve. One with two axes is a set of curves along the last axis, such
as luminosity functions by redshift. A single number, such as tau_e, is a histogram.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from astroemu.core.observable import Observable
from astroemu.core.typing import FloatArray
from astroemu.model.model import Model
from astroemu.report.density import draw_density
from astroemu.report.figure import new_figure
from astroemu.report.style import COLOUR, matplotlib_package, save_picture, symbol

_BANDS = ((0.95, 0.25), (0.68, 0.55))
_CURVES = 4
_LARGEST = 20_000


def draw_observables(model: Model, theta: FloatArray, path: Path) -> bool:
    """Draw the figure of :func:`observables_figure` into a file; return False if there is none."""
    figure = observables_figure(model, theta)
    if figure is not None:
        save_picture(figure, path)
    return figure is not None


def observables_figure(model: Model, theta: FloatArray) -> Any:
    """Return a figure of the observables of a model at equally weighted samples ``(n, d)``; None if there are none."""
    shown = {name: o for name, o in model.observables.items() if len(o.axes) <= 2 and o.size <= _LARGEST}
    if not shown:
        return None
    found = model.predict(theta)
    columns = min(len(shown), 3)
    rows = -(-len(shown) // columns)
    with new_figure(figsize=(4.3 * columns, 3.3 * rows), layout="tight") as figure:
        axes = figure.subplots(rows, columns, squeeze=False)
        for axis, (name, observable) in zip(axes.flat, shown.items(), strict=False):
            _draw(axis, observable, found[name])
        for axis in axes.flat[len(shown) :]:
            axis.set_visible(False)
    return figure


def _draw(axis: Any, observable: Observable, values: FloatArray) -> None:
    label = symbol(observable.name, observable.latex, observable.unit)
    if not observable.axes:
        draw_density(axis, values)
        axis.set(xlabel=label)
        return
    last = observable.axes[-1]
    axis.set(xlabel=symbol(last.name, "", last.unit), ylabel=label)
    for selected, text, colour in _slices(observable):
        curve = values if selected is None else values[:, selected]
        for mass, alpha in _BANDS:
            low, high = np.nanquantile(curve, [(1 - mass) / 2, (1 + mass) / 2], axis=0)
            axis.fill_between(last.values, low, high, color=colour, alpha=alpha, lw=0)
        axis.plot(last.values, np.nanmedian(curve, axis=0), color=colour, lw=1.2, label=text)
    if len(observable.axes) == 2:
        axis.legend(fontsize=7)
    if last.values[0] > 0 and last.values[-1] > 20 * last.values[0]:
        axis.set_xscale("log")
    if observable.unit and np.nanmin(values) > 0 and np.nanmax(values) > 100 * np.nanmin(values):
        axis.set_yscale("log")  # dimensionless numbers, such as fractions, have a linear axis
    if observable.unit.startswith("log10"):
        _within(axis, values)


def _within(axis: Any, values: FloatArray) -> None:
    """Limit the axis of a logarithm to most of the medians: the lowest values can be extremely small."""
    median = np.nanmedian(values, axis=0)
    low, high = np.nanquantile(median, 0.1), np.nanquantile(values, 0.99)
    axis.set_ylim(low - 0.1 * (high - low), high + 0.1 * (high - low))


def _slices(observable: Observable) -> list[tuple[int | None, str, Any]]:
    """Return the curves to draw: index along the first axis, label, colour."""
    if len(observable.axes) == 1:
        return [(None, "", COLOUR)]
    first = observable.axes[0]
    chosen = np.unique(np.linspace(0, len(first.values) - 1, min(_CURVES, len(first.values))).round().astype(int))
    colours = matplotlib_package().colormaps["viridis"](np.linspace(0.0, 0.85, len(chosen)))
    return [
        (int(i), f"{first.name} = {first.values[i]:.3g} {first.unit}".rstrip(), colour)
        for i, colour in zip(chosen, colours, strict=True)
    ]
