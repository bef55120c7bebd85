"""Figures of a training set: each observable, coloured by each parameter."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from astroemu.core.observable import Observable
from astroemu.core.typing import FloatArray
from astroemu.emulation.inspection import stated_box
from astroemu.emulation.training_set import TrainingSet
from astroemu.report.style import matplotlib_package, picture, symbol

_CURVES = 150


def draw_observable(data: TrainingSet, name: str, path: Path) -> None:
    """Draw one observable at some points, one panel per parameter, coloured by that parameter.

    A grid with several axes is drawn along its first one, at the middle of the others. A single number is drawn against
    the parameter.
    """
    observable = data.observables[name]
    rows = np.linspace(0, len(data) - 1, min(_CURVES if observable.axes else 2000, len(data))).astype(int)
    values, cut = _middle(observable, np.asarray(data.values[name][np.unique(rows)], dtype=float))
    theta, box = data.theta[np.unique(rows)], stated_box(data)
    logarithmic = bool(np.nanmin(values) > 0 and np.nanmax(values) > 100 * np.nanmin(values))
    columns = min(len(data.names), 3)
    lines = -(-len(data.names) // columns)
    with picture(path, figsize=(3.9 * columns, 2.9 * lines), layout="tight") as figure:
        axes = figure.subplots(lines, columns, squeeze=False)
        for j, axis in enumerate(axes.flat):
            if j >= len(data.names):
                axis.set_visible(False)
                continue
            _panel(axis, observable, values, theta[:, j], box[data.names[j]])
            label = _latex(data, data.names[j])
            axis.set_title(f"coloured by {label}" if observable.axes else "")
            axis.set_xlabel(symbol(observable.axes[0].name, "", observable.axes[0].unit) if observable.axes else label)
            axis.set_ylabel(symbol(name, observable.latex, observable.unit))
            if logarithmic:
                axis.set_yscale("log")
        figure.suptitle(f"{name}{cut}, {len(values)} of {len(data)} points", fontsize=10)


def _panel(
    axis: Any, observable: Observable, values: FloatArray, parameter: FloatArray, box: tuple[float, float]
) -> None:
    if not observable.axes:
        axis.plot(parameter, values, ".", ms=2, color="#1f5a8a")
        return
    low, high = box
    shade = (parameter - low) / (high - low) if high > low else np.zeros(len(parameter))
    mpl = matplotlib_package()
    colours = mpl.colormaps["viridis"](shade)
    for curve, colour in zip(values, colours, strict=True):
        axis.plot(observable.axes[0].values, curve, color=colour, lw=0.6)
    scale = mpl.cm.ScalarMappable(mpl.colors.Normalize(low, high), "viridis")
    axis.figure.colorbar(scale, ax=axis, pad=0.02)


def _middle(observable: Observable, values: FloatArray) -> tuple[FloatArray, str]:
    """Return the values ``(n, first axis)`` at the middle of the other axes, and a text that states these."""
    words = ""
    for axis in reversed(observable.axes[1:]):
        middle = len(axis.values) // 2
        values = values[..., middle]
        words += f", {axis.name} = {axis.values[middle]:.3g} {axis.unit}".rstrip()
    return values, words


def _latex(data: TrainingSet, name: str) -> str:
    own = data.metadata.get("parameters", {}).get(name, {})
    return symbol(name, own.get("latex", ""), own.get("unit", ""))
