"""The pictures of the page: data points, bands of a posterior, and curves that follow the sliders.

They show what :mod:`astroemu.report.predictive` draws, by Bokeh instead of Matplotlib. The axes do not move with a
curve, so that its changes can be seen.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import numpy as np
from bokeh.models import BoxAnnotation, ColumnDataSource, Span
from bokeh.plotting import figure

from astroemu.core.panel import Panel
from astroemu.core.typing import FloatArray
from astroemu.report.density import smooth_density
from astroemu.report.explore.numbers import BAND
from astroemu.report.style import ACCENT, COLOUR, DATA

#: Bands of the posterior: probability and opacity.
_BANDS = ((0.95, 0.12), (0.68, 0.22))
_MARKERS = {"measurement": "circle", "upper": "inverted_triangle", "lower": "triangle"}
_HEIGHT = 205
#: A logarithmic axis holds no more decades than this below the measurements, and altogether.
_BELOW, _ALL = 2.0, 8.0
#: The quantiles of typical curves that an axis holds.
_MIDDLE = (0.16, 0.84)


class Figures:
    """The figures of all panels of one page.

    Parameters
    ----------
    panels : sequence of Panel
    typical : sequence of (n, c) array
        Curves of each panel that set the range of its axis.
    bands : sequence of (n, c) array or None
        Curves of each panel over the posterior.

    Attributes
    ----------
    models : list
        The figures.
    curves : ColumnDataSource
        The curves of all panels, as columns ``x0``, ``y0``, ``x1``, ... One source is one message to the browser.
    """

    def __init__(
        self, panels: Sequence[Panel], typical: Sequence[FloatArray], bands: Sequence[FloatArray] | None
    ) -> None:
        self.panels = tuple(panels)
        self.curves = ColumnDataSource(name="curves")
        self._pins = [ColumnDataSource({"xs": [], "ys": [], "colour": []}) for _ in panels]
        self.models = [self._made(i, typical[i], None if bands is None else bands[i]) for i in range(len(panels))]

    def show(self, curves: Sequence[FloatArray]) -> None:
        """Draw one curve ``(c,)`` of each panel."""
        lines = [_line(panel, curve) for panel, curve in zip(self.panels, curves, strict=True)]
        longest = max((len(x) for x, _ in lines), default=0)
        data = {}
        for i, (x, y) in enumerate(lines):  # as lists: each array would be a message of its own
            data[f"x{i}"], data[f"y{i}"] = _padded(x, longest), _padded(y, longest)
        self.curves.data = data

    def pin(self, pinned: Sequence[tuple[str, Sequence[FloatArray]]]) -> None:
        """Draw pinned curves, each with its colour, instead of those that were pinned before."""
        colours = [colour for colour, _ in pinned]
        for i, (panel, source) in enumerate(zip(self.panels, self._pins, strict=True)):
            lines = [_line(panel, curves[i]) for _, curves in pinned]
            source.data = {"xs": [x for x, _ in lines], "ys": [y for _, y in lines], "colour": colours}

    def _made(self, i: int, typical: FloatArray, band: FloatArray | None) -> Any:
        panel = self.panels[i]
        plot = figure(
            height=_HEIGHT,
            sizing_mode="stretch_width",
            x_axis_label=_math(panel.x_label),
            y_axis_label=_math(panel.y_label),
            x_axis_type="log" if panel.x_log else "linear",
            y_axis_type="log" if panel.y_log and panel.curve_x is not None else "linear",
            tools="pan,wheel_zoom,box_zoom,reset,save",
            active_scroll=None,
            output_backend="canvas",
        )
        plot.toolbar.logo, plot.toolbar.autohide = None, True
        plot.min_border = 4
        plot.grid.grid_line_alpha = 0.25
        plot.axis.axis_label_text_font_size = "12px"
        plot.axis.axis_label_text_font_style = "normal"
        for axis, log in ((plot.xaxis, panel.x_log), (plot.yaxis, panel.y_log)):
            axis.ticker.desired_num_ticks = 4
            if not log:
                axis.minor_tick_line_color = None
        if panel.curve_x is None:
            _single_number(plot, panel, typical, band)
        else:
            _over_data(plot, panel, panel.curve_x, typical, band)
        plot.multi_line("xs", "ys", source=self._pins[i], line_color="colour", line_dash="dashed", line_width=1.8)
        plot.line(f"x{i}", f"y{i}", source=self.curves, line_color=COLOUR, line_width=2.2)
        return plot


def _line(panel: Panel, curve: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return the points of a model: a curve, or the height of the axes at a single number."""
    if panel.curve_x is None:
        return np.repeat(curve, 2), np.array([0.0, 1.0])
    if len(panel.curve_x) == 1:
        return _short(panel, panel.curve_x[0]), np.repeat(_drawable(panel, curve), 2)
    return panel.curve_x, _drawable(panel, curve)


def _short(panel: Panel, x: float) -> FloatArray:
    """Return the ends of a short line, which shows a model of one point."""
    width = 0.02 * (float(np.ptp(panel.x)) if len(panel.x) > 1 else abs(x) or 1.0)
    return np.array([x - width, x + width]) if not panel.x_log or x > width else np.array([x / 1.05, x * 1.05])


def _drawable(panel: Panel, y: FloatArray) -> FloatArray:
    """Return values without those that the axis cannot hold."""
    return np.where(np.isfinite(y) & ((y > 0) | (not panel.y_log)), y, np.nan)


def _padded(values: FloatArray, length: int) -> list[float]:
    """Return values with the last one repeated: all columns of a source have one length."""
    return [*values.tolist(), *[float(values[-1])] * (length - len(values))]


def _over_data(plot: Any, panel: Panel, x: FloatArray, typical: FloatArray, band: FloatArray | None) -> None:
    if band is not None:
        for mass, alpha in _BANDS:
            low, high = _quantiles(band, [(1 - mass) / 2, (1 + mass) / 2])
            low, high = _drawable(panel, low), _drawable(panel, high)
            if len(x) > 1:
                plot.varea(x, low, high, fill_color=BAND, fill_alpha=alpha)
            else:  # a band of one point has no width
                plot.segment(x, low, x, high, line_color=BAND, line_alpha=alpha, line_width=10)
    kind = np.array(panel.kind)
    measured = kind == "measurement"
    low = panel.y - panel.error_low
    if panel.y_log:  # error bars end above zero
        low = np.maximum(low, 1e-3 * panel.y)
    y, top = _drawable(panel, panel.y), _drawable(panel, panel.y + panel.error_high)
    plot.segment(panel.x[measured], low[measured], panel.x[measured], top[measured], line_color=DATA)
    for name, marker in _MARKERS.items():
        rows = kind == name
        if rows.any():
            size = 6 if name == "measurement" else 8
            plot.scatter(panel.x[rows], y[rows], marker=marker, size=size, color=DATA)
    _set(plot.x_range, _span([x, panel.x], log=panel.x_log))
    values = [low[measured], top[measured], y, _quantiles(typical, _MIDDLE)]
    _set(plot.y_range, _span(values, log=panel.y_log, lowest=y[measured & np.isfinite(y)].min(initial=np.inf)))


def _single_number(plot: Any, panel: Panel, typical: FloatArray, band: FloatArray | None) -> None:
    if band is not None and len(values := band[np.isfinite(band)]) and np.ptp(values) > 1e-12 * np.abs(values).max():
        x, density = smooth_density(values)
        plot.varea(x, 0 * x, density / density.max(), fill_color=BAND, fill_alpha=0.3)
    y, low, high = panel.y[0], panel.error_low[0], panel.error_high[0]
    plot.add_layout(BoxAnnotation(left=y - low, right=y + high, fill_color=ACCENT, fill_alpha=0.15, line_width=0))
    plot.add_layout(Span(location=y, dimension="height", line_color=ACCENT))
    _set(plot.x_range, _span([np.array([y - 3 * low, y + 3 * high]), _quantiles(typical, _MIDDLE)], log=False))
    _set(plot.y_range, (0.0, 1.05))
    plot.yaxis.visible = False


def _quantiles(curves: FloatArray, levels: Sequence[float]) -> FloatArray:
    """Return quantiles ``(levels, c)`` of curves ``(n, c)``: NaN where no curve is defined."""
    found = np.full((len(levels), curves.shape[1]), np.nan)
    defined = ~np.isnan(curves).all(axis=0)
    found[:, defined] = np.nanquantile(curves[:, defined], levels, axis=0)
    return found


def _span(parts: Sequence[FloatArray], *, log: bool, lowest: float = np.inf) -> tuple[float, float] | None:
    """Return the range of an axis that holds all values, with a margin; None if there are none."""
    values = np.concatenate([np.ravel(part) for part in parts])
    values = values[np.isfinite(values) & ((values > 0) | (not log))]
    if not len(values):
        return None
    low, high = values.min(), values.max()
    if log:
        low = max(low, high * 10**-_ALL, lowest * 10**-_BELOW if np.isfinite(lowest) else 0.0)
        margin = max((high / low) ** 0.05, 1.3)
        return low / margin, high * margin
    margin = 0.05 * (high - low) or 0.1 * abs(high) or 1.0
    return low - margin, high + margin


def _set(range_: Any, ends: tuple[float, float] | None) -> None:
    if ends is not None:
        range_.start, range_.end = map(float, ends)


def _math(label: str) -> str:
    """Return a label of a panel with the delimiters of Bokeh around its formulas."""
    return re.sub(r"\$([^$]+)\$", r"$$\1$$", label)
