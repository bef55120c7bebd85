"""Corner plots, drawn by the package corner: marginals of one posterior, or of several over each other."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from astroemu.core.parameter import Parameter
from astroemu.core.prior import Prior
from astroemu.report.digits import Digits
from astroemu.report.figure import new_figure
from astroemu.report.style import COLOUR, plain_where_unsettable, save_picture
from astroemu.sampling.samples import Samples
from astroemu.sampling.statistics import statistics, weighted_quantile

#: How corner draws. Widths of the smoothing are in bins, which follow from Scott's rule, see :meth:`Layer.bins`.
_DRAWING: dict[str, Any] = {
    "smooth": 3.0,
    "smooth1d": 7.0,  # a line has less noise than a plane: 0.6 of its width,
    "hist_bin_factor": 4,  # in finer bins, whose steps are not seen
    "levels": (0.68, 0.95),
    "plot_datapoints": False,
    "fill_contours": True,
    "no_fill_contours": True,  # nothing white over the other posteriors
    "quiet": True,
    "max_n_ticks": 3,
}
#: Width of a page in inches, and dots per inch: the picture of many parameters stays sharp on a wide page.
_PAGE, _DPI = 8.5, 180


@dataclass(frozen=True, eq=False)
class Layer:
    """A posterior in a corner plot, with its colour, and a label for the legend if there are several.

    No density is smoothed over an edge of the prior.
    """

    samples: Samples
    prior: Prior
    colour: str = COLOUR
    label: str = ""

    def reach(self, name: str) -> tuple[float, float]:
        """Return the central 99.8 % of a parameter with a margin, inside the edges of its prior."""
        low, high = self._quantiles(name, 0.001, 0.999)
        margin = 0.05 * max(high - low, 1e-12 * max(abs(low), abs(high), 1.0))
        return self.inside(name, low - margin, high + margin)

    def inside(self, name: str, low: float, high: float) -> tuple[float, float]:
        """Return the part of an interval that is inside the edges of the prior."""
        edges = self.prior[name].prior.support if name in self.prior else (low, high)
        return max(low, edges[0]), min(high, edges[1])

    def bins(self, name: str, low: float, high: float) -> int:
        """Return the number of bins of an interval that makes the smoothing of a plane 1.25 widths of Scott's rule."""
        q16, q84 = self._quantiles(name, 0.16, 0.84)
        width = 1.25 * 0.5 * (q84 - q16) * max(self.samples.ess, 1.0) ** (-1 / 6)
        return round(min(max(_DRAWING["smooth"] * (high - low) / width, 12), 120)) if width > 0 else 120

    def title(self, parameter: Parameter) -> str:
        """Return the symbol, the median and the distances to the ends of the 68 % interval."""
        row = statistics(self.samples[parameter.name], self.samples.weight)
        text = Digits.of_row(row).title(row["median"], row["q16"], row["q84"])
        return f"${parameter.latex} = {text}$" if parameter.latex else f"{parameter.name} = ${text}$"

    def _quantiles(self, name: str, *levels: float) -> list[float]:
        return [weighted_quantile(self.samples[name], self.samples.weight, q) for q in levels]


def draw_corner(samples: Samples, prior: Prior, path: Path) -> None:
    """Draw one- and two-dimensional marginals with 68 and 95 % credible regions."""
    draw_layers([Layer(samples, prior)], samples.names, path)


def draw_layers(layers: Sequence[Layer], names: Sequence[str], path: Path) -> None:
    """Draw the figure of :func:`layers_figure` into a file."""
    save_picture(layers_figure(layers, names), path)


def layers_figure(layers: Sequence[Layer], names: Sequence[str]) -> Any:
    """Return a figure of the marginals of some parameters of one posterior or several.

    Parameters
    ----------
    layers : sequence of Layer
        The first one gives the symbols. A single one gets titles with its medians and 68 % intervals.
    names : sequence of str
    """
    n = len(names)
    parameters = [plain_where_unsettable(layers[0].prior[name]) for name in names]
    reaches = np.array([[layer.reach(name) for name in names] for layer in layers])
    limits = list(zip(reaches[..., 0].min(axis=0), reaches[..., 1].max(axis=0), strict=True))
    size = min(max(_PAGE, 0.9 * n), 1.8 * n)
    options: dict[str, Any] = {
        "labels": [parameter.label.replace(" [", "\n[") for parameter in parameters],
        "label_kwargs": {"fontsize": 10 if n < 7 else 7.5},
        "labelpad": 0.5 * n / size - 0.3,  # half an inch: corner adds 0.3 of a panel
    }
    if len(layers) == 1:
        options |= {"quantiles": (0.16, 0.5, 0.84), "show_titles": True, "title_fmt": None}
        options["titles"] = [layers[0].title(parameter) for parameter in parameters]
        options["title_kwargs"] = {"fontsize": 9, "loc": "left"}
    with new_figure(figsize=(size + 0.7, size + 0.7), dpi=_DPI) as figure:
        for layer in layers:
            _add(figure, layer, names, limits, **options)
        _set_axes(figure, limits)
        if len(layers) > 1:
            _add_legend(figure, layers)
    return figure


def _add(
    figure: Any, layer: Layer, names: Sequence[str], limits: Sequence[tuple[float, float]], **options: Any
) -> None:
    """Add a posterior to a figure that shows ``limits`` of each parameter."""
    from matplotlib.patches import Rectangle

    ranges = [layer.inside(name, *ends) for name, ends in zip(names, limits, strict=True)]
    theta = np.stack([layer.samples[name] for name in names], axis=1)
    repeats = -(-max(len(names), 2) // len(theta))  # corner wants more samples than parameters
    _corner_package().corner(
        np.repeat(theta, repeats, axis=0),
        weights=np.repeat(layer.samples.weight, repeats),
        fig=figure,
        range=ranges,
        bins=[layer.bins(name, *ends) for name, ends in zip(names, ranges, strict=True)],
        color=layer.colour,
        contour_kwargs={"linewidths": 0.8},
        contourf_kwargs={"colors": [(layer.colour, alpha) for alpha in (0.0, 0.25, 0.66)], "antialiased": True},
        **_DRAWING,
        **options,
    )
    for axis in figure.axes:  # corner draws contours a bin beyond the ranges
        (left, right), (low, high) = axis.get_xlim(), axis.get_ylim()
        for contours in axis.collections[-2:]:
            contours.set_clip_path(Rectangle((left, low), right - left, high - low, transform=axis.transData))


def _corner_package() -> Any:
    """Return the package corner. It imports ArviZ if that is installed, which may warn or fail, and is not needed."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)
        try:
            import corner
        except Exception:  # such as the cache folder of ArviZ, if it cannot be written
            sys.modules["arviz"] = None  # type: ignore[assignment]
            try:
                import corner
            finally:
                del sys.modules["arviz"]
    return corner


def _set_axes(figure: Any, limits: Sequence[tuple[float, float]]) -> None:
    """Show the same limits in each row and column, and lines of the same height."""
    for i, row in enumerate(np.reshape(figure.axes, (len(limits), len(limits)))):
        for j, axis in enumerate(row[: i + 1]):
            axis.set(xlim=limits[j], ylim=limits[i] if j < i else (0.0, 1.08))
            axis.locator_params("both" if j < i else "x", prune="both")
            axis.tick_params(labelsize=8, labelrotation=45, length=2.5)
        for line in row[i].lines:
            line.set(ydata=line.get_ydata() / np.max(line.get_ydata()), linewidth=1.0)


def _add_legend(figure: Any, layers: Sequence[Layer]) -> None:
    from matplotlib.lines import Line2D

    handles = [Line2D([], [], color=layer.colour, label=layer.label) for layer in layers]
    figure.legend(handles=handles, loc="upper right", fontsize=11)
