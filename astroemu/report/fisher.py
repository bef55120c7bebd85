"""Figure of a Fisher matrix: ellipses for every pair of parameters."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from astroemu.core.prior import Prior
from astroemu.inference.fisher import FisherForecast
from astroemu.report.style import COLOUR, picture, plain_where_unsettable

#: delta chi^2 of the 68 and 95 % regions of two Gaussian parameters.
_LEVELS = (2.2957, 5.9915)


def draw_ellipses(forecast: FisherForecast, prior: Prior, path: Path) -> None:
    """Draw one- and two-dimensional marginals with 68 and 95 % ellipses."""
    n = len(forecast.names)
    with picture(path, figsize=(1.6 * n + 1, 1.6 * n + 1)) as figure:
        axes = figure.subplots(n, n, squeeze=False)
        figure.subplots_adjust(hspace=0.08, wspace=0.08)
        for i in range(n):
            for j in range(n):
                axis = axes[i, j]
                axis.set_visible(j <= i)
                if j < i:
                    _pair(axis, forecast, j, i)
                elif j == i:
                    _single(axis, forecast, i)
                axis.set_xlim(*_range(forecast, j))
                axis.tick_params(labelbottom=i == n - 1, labelleft=j == 0 and i > 0, labelsize=7)
                axis.locator_params(nbins=3)
                if i == n - 1:
                    axis.set_xlabel(_label(prior, forecast.names[j]), fontsize=8)
                if j == 0 and i > 0:
                    axis.set_ylabel(_label(prior, forecast.names[i]), fontsize=8)


def _label(prior: Prior, name: str) -> str:
    return plain_where_unsettable(prior[name]).label.replace(" [", "\n[")


def _range(forecast: FisherForecast, i: int) -> tuple[float, float]:
    reach = 3.2 * forecast.std[i]
    return float(forecast.theta[i] - reach), float(forecast.theta[i] + reach)


def _single(axis: Any, forecast: FisherForecast, i: int) -> None:
    x = np.linspace(*_range(forecast, i), 200)
    axis.plot(x, np.exp(-0.5 * ((x - forecast.theta[i]) / forecast.std[i]) ** 2), color=COLOUR)
    axis.set_yticks([])


def _pair(axis: Any, forecast: FisherForecast, j: int, i: int) -> None:
    block = forecast.covariance[np.ix_([j, i], [j, i])]
    turn = np.linspace(0.0, 2.0 * np.pi, 200)
    circle = np.linalg.cholesky(block) @ np.array([np.cos(turn), np.sin(turn)])
    for level, alpha in zip(_LEVELS, (0.45, 0.2), strict=True):
        x, y = np.sqrt(level) * circle + forecast.theta[[j, i], None]
        axis.fill(x, y, color=COLOUR, alpha=alpha, lw=0)
    axis.plot(*forecast.theta[[j, i]], "+", color=COLOUR)
    axis.set_ylim(*_range(forecast, i))
