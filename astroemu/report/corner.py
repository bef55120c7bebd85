"""Corner plot of a posterior."""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np

from astroemu.core.prior import Prior
from astroemu.report.style import COLOUR, corner_package, plain_where_unsettable, style
from astroemu.sampling.samples import Samples


def draw_corner(samples: Samples, prior: Prior, path: Path) -> None:
    """Draw one- and two-dimensional marginals with 68 and 95 % credible regions."""
    corner = corner_package()
    shown = [plain_where_unsettable(prior[name]) for name in samples.names]
    with style() as pyplot, warnings.catch_warnings():
        # corner warns if the outermost contour has few samples; the contours are still correct.
        warnings.filterwarnings("ignore", message="Too few points")
        figure = corner.corner(
            samples.theta,
            weights=samples.weight,
            labels=[p.label.replace(" [", "\n[") for p in shown],
            levels=(0.68, 0.95),
            quantiles=(0.16, 0.5, 0.84),
            show_titles=True,
            titles=[f"${p.latex}$" if p.latex else p.name for p in shown],
            title_kwargs={"fontsize": 9},
            label_kwargs={"fontsize": 11},
            labelpad=0.12,
            color=COLOUR,
            bins=30,
            smooth=1.0,
            smooth1d=1.0,
            plot_datapoints=False,
            fill_contours=True,
            max_n_ticks=4,
            range=_ranges(samples),
            rasterized=True,
        )
        figure.savefig(path)
        pyplot.close(figure)


def _ranges(samples: Samples) -> list[tuple[float, float]]:
    """Return the central 99.8 % of each parameter, with a margin."""
    low, high = samples.quantile(0.001), samples.quantile(0.999)
    margin = 0.05 * np.maximum(high - low, 1e-12)
    return list(zip((low - margin).tolist(), (high + margin).tolist(), strict=True))
