"""The density of draws of one number, as a smooth curve."""

from __future__ import annotations

from typing import Any

import numpy as np

from astroemu.core.typing import FloatArray
from astroemu.report.style import COLOUR

_POINTS = 300


def draw_density(axis: Any, values: FloatArray, label: str = "") -> None:
    """Draw the density of equally weighted draws ``(n,)``; those that are not finite are left out.

    A number without a spread is a line.
    """
    values = values[np.isfinite(values)]
    if len(values) and np.ptp(values) > 1e-12 * np.abs(values).max():
        x, density = smooth_density(values)
        axis.fill_between(x, density, color=COLOUR, alpha=0.4, lw=0, label=label)
        axis.plot(x, density, color=COLOUR, lw=1.2)
    elif len(values):
        axis.axvline(values[0], color=COLOUR, lw=2, label=label)
    axis.set_ylim(bottom=0.0)
    axis.set_yticks([])


def smooth_density(values: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return coordinates and the density of finite draws ``(n,)``, with a Gaussian kernel by Scott's rule."""
    from scipy.ndimage import gaussian_filter1d

    low, high = np.quantile(values, [0.16, 0.84])
    spread = 0.5 * (high - low) or float(values.std())
    width = spread * len(values) ** -0.2
    edges = np.linspace(values.min() - 4 * width, values.max() + 4 * width, _POINTS + 1)
    density, _ = np.histogram(values, edges, density=True)
    step = edges[1] - edges[0]
    return 0.5 * (edges[1:] + edges[:-1]), gaussian_filter1d(density, max(width / step, 0.8), mode="constant")
