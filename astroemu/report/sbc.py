"""Figures of a calibration: histograms of ranks, their cumulative distribution with its band, and coverage."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.stats import binom

from astroemu.core.prior import Prior
from astroemu.report.style import COLOUR, picture, plain_where_unsettable
from astroemu.validation.ranks import Uniformity, cumulative_ranks
from astroemu.validation.verdict import ranks_by_quantity, tested_ranks

Ranks = Mapping[str, NDArray[np.intp]]
_BINS = 20
_COLUMNS = 4


def draw_calibration(fits: list[dict[str, Any]], draws: int, prior: Prior, folder: Path) -> list[Path]:
    """Write ``ranks.png``, ``ecdf.png`` and ``coverage.png`` into a folder and return their paths.

    Parameters
    ----------
    fits : list of dict
        As from :func:`astroemu.validation.sbc.read_fit`.
    draws : int
        Number of posterior draws among which a truth was ranked.
    prior : Prior
        For the symbols of the parameters.
    folder : Path
    """
    ranks = tested_ranks(ranks_by_quantity(fits))
    names = {p.name: plain_where_unsettable(p).label for p in prior.free}
    titles = {name: names.get(name, name.replace("_", "-")) for name in ranks}
    expected = Uniformity.of(len(fits), draws)
    paths = [folder / name for name in ("ranks.png", "ecdf.png", "coverage.png")]
    _draw_histograms(ranks, titles, draws, paths[0])
    _draw_distributions(ranks, titles, expected, paths[1])
    _draw_coverage(ranks, titles, expected, set(names), paths[2])
    return paths


@contextmanager
def _grid(path: Path, ranks: Ranks, titles: Mapping[str, str], x_label: str, y_label: str) -> Iterator[dict[str, Any]]:
    """Yield one panel for each quantity, by name."""
    rows = -(-len(ranks) // _COLUMNS)
    with picture(path, figsize=(2.9 * _COLUMNS, 2.3 * rows), layout="constrained") as figure:
        axes = figure.subplots(rows, _COLUMNS, squeeze=False)
        for axis in axes.flat[len(ranks) :]:
            axis.set_axis_off()
        places = dict(zip(ranks, axes.flat, strict=False))
        for name, axis in places.items():
            axis.set_title(titles[name], fontsize=10)
        figure.supxlabel(x_label)
        figure.supylabel(y_label)
        yield places


def _draw_histograms(ranks: Ranks, titles: Mapping[str, str], draws: int, path: Path) -> None:
    """Draw histograms of ranks. Each bin of uniform ranks is inside the band with a probability of 95 %."""
    edges = np.linspace(0, draws + 1, _BINS + 1)
    with _grid(path, ranks, titles, "rank of the truth", "fits") as places:
        for name, axis in places.items():
            n = len(ranks[name])
            axis.axhspan(*binom.ppf([0.025, 0.975], n, 1 / _BINS), color="0.85")
            axis.axhline(n / _BINS, color="0.5", lw=0.8)
            axis.hist(ranks[name] + 0.5, edges, color=COLOUR, alpha=0.8)
            axis.set_xlim(0, draws + 1)


def _draw_distributions(ranks: Ranks, titles: Mapping[str, str], expected: Uniformity, path: Path) -> None:
    """Draw cumulative distributions. Uniform ranks are inside the band at all points with a probability of 95 %."""
    z = np.arange(1, expected.draws + 1) / (expected.draws + 1.0)
    low, high = expected.band()
    labels = ("fraction of the posterior below the truth", "fraction of the fits, minus the expected one")
    with _grid(path, ranks, titles, *labels) as places:
        for name, axis in places.items():
            axis.fill_between(z, low - z, high - z, color="0.85", step="mid")
            axis.axhline(0.0, color="0.5", lw=0.8)
            axis.step(z, cumulative_ranks(ranks[name], expected.draws) / expected.n - z, where="mid", color=COLOUR)
            axis.set_xlim(0, 1)


def _draw_coverage(
    ranks: Ranks, titles: Mapping[str, str], expected: Uniformity, parameters: set[str], path: Path
) -> None:
    """Draw the coverage of the central interval against its level."""
    width = np.arange(1, expected.draws + 1)
    level = width / (expected.draws + 1.0)
    first = (expected.draws + 1 - width) // 2
    with picture(path, figsize=(5.0, 4.6), layout="constrained") as figure:
        axis = figure.subplots()
        axis.fill_between(level, *(binom.ppf(q, expected.n, level) / expected.n for q in (0.025, 0.975)), color="0.85")
        axis.plot([0, 1], [0, 1], color="0.5", lw=0.8)
        for name in ranks:
            if name in parameters:
                inside = (ranks[name][:, None] >= first) & (ranks[name][:, None] < first + width)
                axis.plot(level, inside.mean(axis=0), lw=1.2, label=titles[name])
        axis.set(xlabel="level of the central interval", ylabel="fraction of fits whose interval holds the truth")
        axis.set(xlim=(0, 1), ylim=(0, 1))
        axis.legend(fontsize=8, frameon=False)
