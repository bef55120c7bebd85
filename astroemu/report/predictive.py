"""Posterior predictive figures: the data of each probe, and 68 and 95 % bands of the model."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from astroemu.core.panel import Panel
from astroemu.core.typing import FloatArray
from astroemu.model.model import Model
from astroemu.model.panel_curves import panel_curves
from astroemu.report.density import draw_density
from astroemu.report.figure import new_figure
from astroemu.report.style import ACCENT, COLOUR, DATA, save_picture

_BANDS = ((0.95, 0.25), (0.68, 0.55))


def draw_predictive(model: Model, probe: str, theta: FloatArray, path: Path) -> bool:
    """Draw the panels of one probe; return False if it has none.

    Parameters
    ----------
    model : Model
    probe : str
        Name of the probe in the model.
    theta : (n, d) array
        Equally weighted posterior samples.
    path : Path
    """
    figure = predictive_figure(model, [probe], theta)
    if figure is not None:
        save_picture(figure, path)
    return figure is not None


def predictive_figure(model: Model, probes: Sequence[str], theta: FloatArray) -> Any:
    """Return a figure of the panels of some probes at equally weighted samples ``(n, d)``; None if there are none."""
    panels: list[Panel] = []
    curves: list[FloatArray] = []
    for probe in probes:
        found = model.probes[probe].panels()
        panels += found
        curves += panel_curves(model, probe, found, theta)
    if not panels:
        return None
    columns = min(len(panels), 2)
    rows = -(-len(panels) // columns)
    with new_figure(figsize=(5.2 * columns, 3.9 * rows), layout="tight") as figure:
        axes = figure.subplots(rows, columns, squeeze=False)
        for i, (axis, panel) in enumerate(zip(axes.flat, panels, strict=False)):
            values = panel.transform(curves[i])
            if panel.curve_x is None:
                _histogram(axis, panel, values[:, 0])
            else:
                _curve(axis, panel, panel.curve_x, values)
            axis.set(title=panel.title, xlabel=panel.x_label, ylabel=panel.y_label)
        for axis in axes.flat[len(panels) :]:
            axis.set_visible(False)
        axes.flat[0].legend(loc="best", fontsize=8)
    return figure


def _curve(axis: Any, panel: Panel, x: FloatArray, values: FloatArray) -> None:
    for mass, alpha in _BANDS:
        low, high = np.nanquantile(values, [(1 - mass) / 2, (1 + mass) / 2], axis=0)
        label = f"{mass:.0%} of the posterior"
        if len(x) > 1:
            axis.fill_between(x, low, high, color=COLOUR, alpha=alpha, lw=0, label=label)
        else:  # a band of one point has no width
            axis.vlines(x, low, high, color=COLOUR, alpha=alpha, lw=10, label=label)
    axis.plot(x, np.nanmedian(values, axis=0), color=COLOUR, lw=1.2, marker="_" if len(x) == 1 else "", ms=14)
    _scale(axis, panel)
    kind = np.array(panel.kind)
    measured = kind == "measurement"
    if measured.any():
        errors = [_visible(panel, measured), panel.error_high[measured]]
        axis.errorbar(panel.x[measured], panel.y[measured], errors, fmt="o", ms=3.5, lw=1, color=DATA, label="data")
    for name, marker in (("upper", 7), ("lower", 6)):  # carets that point down and up
        rows = kind == name
        if rows.any():
            axis.plot(panel.x[rows], panel.y[rows], ls="", marker=marker, ms=6, color=DATA, label=f"{name} limit")
    if panel.y_log:
        _floor(axis, panel, values)


def _scale(axis: Any, panel: Panel) -> None:
    """Set the scales of the axes, with few enough ticks to be readable."""
    from matplotlib import ticker

    axis.set_yscale("log" if panel.y_log else "linear")
    if panel.x_log:
        axis.set_xscale("log")
        axis.xaxis.set_major_locator(ticker.LogLocator(subs=(1.0, 2.0, 5.0)))
        axis.xaxis.set_major_formatter(ticker.FormatStrFormatter("%g"))
        axis.xaxis.set_minor_formatter(ticker.NullFormatter())
    else:
        axis.xaxis.set_major_locator(ticker.MaxNLocator(6))


def _visible(panel: Panel, rows: NDArray[np.bool_]) -> FloatArray:
    """Return the lower error bars; on a logarithmic axis they end above zero."""
    low, y = panel.error_low[rows], panel.y[rows]
    return np.minimum(low, 0.999 * y) if panel.y_log else low


def _floor(axis: Any, panel: Panel, values: FloatArray) -> None:
    """Limit a logarithmic axis to the decades of the median and the data."""
    positive = panel.y[panel.y > 0]
    median, top = np.nanmedian(values, axis=0), np.nanquantile(values, 0.975, axis=0)
    shown = [part[np.isfinite(part) & (part > 0)] for part in (median, top, positive)]
    if any(len(part) for part in shown):
        shown_values = np.concatenate(shown)
        axis.set_ylim(shown_values.min() / 5, shown_values.max() * 3)


def _histogram(axis: Any, panel: Panel, values: FloatArray) -> None:
    draw_density(axis, values, "posterior")
    y, low, high = panel.y[0], panel.error_low[0], panel.error_high[0]
    axis.axvspan(y - low, y + high, color=ACCENT, alpha=0.2, lw=0, label="data, 68%")
    axis.axvline(y, color=ACCENT, lw=1.2)
