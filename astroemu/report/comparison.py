"""Figures of several runs: overlaid corner plots, and evidences as bars."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from astroemu.core.prior import Prior
from astroemu.report.style import corner_package, plain_where_unsettable, style
from astroemu.sampling.samples import Samples

#: Colours that can be distinguished with all common kinds of colour vision (Okabe & Ito).
COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#56b4e9", "#e69f00", "#000000")


def draw_corners(runs: Mapping[str, Samples], prior: Prior, path: Path) -> Sequence[str]:
    """Draw the marginals of the parameters that all runs have in common, overlaid; return their names.

    Parameters
    ----------
    runs : mapping of label to Samples
    prior : Prior
        That of the first run, for the symbols of the parameters.
    path : Path
    """
    corner = corner_package()
    first, *others = runs.values()
    names = [name for name in first.names if all(name in samples.names for samples in others)]
    if not names:
        return names
    tables = [np.stack([samples[name] for name in names], axis=1) for samples in runs.values()]
    edges = [_range([table[:, j] for table in tables]) for j in range(len(names))]
    with style() as pyplot, warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Too few points")
        figure = None
        for colour, table, samples in zip(_colours(len(runs)), tables, runs.values(), strict=True):
            figure = corner.corner(
                table,
                fig=figure,
                weights=samples.weight,  # they sum to one, so all histograms have the same area
                labels=[plain_where_unsettable(prior[name]).label.replace(" [", "\n[") for name in names],
                levels=(0.68, 0.95),
                color=colour,
                bins=30,
                smooth=1.0,
                smooth1d=1.0,
                plot_datapoints=False,
                plot_density=False,
                labelpad=0.12,
                max_n_ticks=4,
                range=edges,
                rasterized=True,
            )
        assert figure is not None
        _top(figure, len(names))
        handles = [
            pyplot.Line2D([], [], color=c, label=text) for c, text in zip(_colours(len(runs)), runs, strict=True)
        ]
        figure.legend(handles=handles, loc="upper right", fontsize=11)
        figure.savefig(path)
        pyplot.close(figure)
    return names


def draw_evidence(evidences: Mapping[str, tuple[float, float]], path: Path) -> None:
    """Draw ln Z of each run relative to the largest, with its error.

    Parameters
    ----------
    evidences : mapping of label to (float, float)
        ln Z and its error.
    path : Path
    """
    labels = list(evidences)
    values, errors = (np.array([pair[i] for pair in evidences.values()]) for i in (0, 1))
    with style() as pyplot:
        figure, axis = pyplot.subplots(figsize=(6.5, 0.8 + 0.45 * len(labels)))
        places = np.arange(len(labels))[::-1]
        axis.barh(places, values - values.max(), xerr=errors, color=_colours(len(labels)), height=0.6, capsize=3)
        axis.set_yticks(places, labels)
        axis.set_xlabel(rf"$\ln Z - \ln Z_{{\rm max}}$,  $\ln Z_{{\rm max}} = {values.max():.2f}$")
        figure.savefig(path)
        pyplot.close(figure)


def _colours(n: int) -> list[str]:
    return [COLOURS[i % len(COLOURS)] for i in range(n)]


def _range(columns: list[Any]) -> tuple[float, float]:
    low = min(float(np.quantile(column, 0.001)) for column in columns)
    high = max(float(np.quantile(column, 0.999)) for column in columns)
    margin = 0.05 * max(high - low, 1e-12)
    return low - margin, high + margin


def _top(figure: Any, n: int) -> None:
    """Extend the diagonal axes to the highest of the overlaid histograms."""
    for j in range(n):
        axis = figure.axes[j * (n + 1)]
        heights = [line.get_ydata().max() for line in axis.lines if len(line.get_ydata()) > 2]
        axis.set_ylim(0, 1.1 * max(heights, default=1.0))
