"""Trace plot of a run.

For a chain, it shows each parameter against the step, for all walkers. It also shows the mean of each tenth of the
chain with its standard error. In a converged chain these means scatter about one value. For weighted samples, it shows
each parameter in the order of the run, and the weight along this order.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from astroemu.core.prior import Prior
from astroemu.core.typing import FloatArray
from astroemu.report.figure import new_figure
from astroemu.report.style import ACCENT, COLOUR, plain_where_unsettable, save_picture
from astroemu.sampling.samples import Samples

_PARTS = 10
_POINTS = 6000
#: Points of a nested run are left out if their weight is this far (natural logarithm) below the largest one.
_WEIGHTLESS = 600.0


def draw_trace(samples: Samples, prior: Prior, path: Path) -> None:
    """Draw the figure of :func:`trace_figure` into a file."""
    save_picture(trace_figure(samples, prior), path)


def trace_figure(samples: Samples, prior: Prior) -> Any:
    """Return a figure with one row per parameter and one for the log-likelihood."""
    columns = {name: samples[name] for name in samples.names} | {"ln L": samples.log_likelihood}
    labels = {name: plain_where_unsettable(prior[name]).label for name in samples.names} | {"ln L": r"$\ln L$"}
    seen = np.flatnonzero(samples.log_weight > samples.log_weight.max() - _WEIGHTLESS)
    shown = seen[np.unique(np.linspace(0, len(seen) - 1, min(_POINTS, len(seen))).astype(int))]
    chain = bool(np.ptp(samples.log_weight) < 1e-9)
    with new_figure(figsize=(9.0, 1.45 * len(columns)), layout="tight") as figure:
        figure.get_layout_engine().set(h_pad=0.3)
        axes = figure.subplots(len(columns), 2, width_ratios=(3, 1), squeeze=False, sharex="col")
        for (left, right), (name, values) in zip(axes, columns.items(), strict=True):
            left.plot(shown, values[shown], ",", color=COLOUR, alpha=0.7, rasterized=True)
            left.set_ylabel(labels[name].replace(" [", "\n["), fontsize=9)
            left.margins(x=0)
            (_tenths if chain else _weights)(right, samples, values)
        axes[-1, 0].set_xlabel("sample, in the order of the run")
        axes[-1, 1].set_xlabel("tenth of the chain" if chain else "sample")
        axes[0, 1].set_title("mean of each tenth" if chain else "weight", fontsize=9)
    return figure


def _tenths(axis: Any, samples: Samples, values: FloatArray) -> None:
    values = values[np.isfinite(values)]
    if len(values) < _PARTS:
        return
    parts = np.array_split(values, _PARTS)
    means = [part.mean() for part in parts]
    error = values.std() / np.sqrt(max(samples.ess / _PARTS, 1.0))
    axis.axhspan(values.mean() - values.std(), values.mean() + values.std(), color=COLOUR, alpha=0.12, lw=0)
    axis.errorbar(np.arange(1, _PARTS + 1), means, error, fmt="o", ms=3, lw=1, color=ACCENT)
    axis.axhline(values.mean(), color=COLOUR, lw=0.8)


def _weights(axis: Any, samples: Samples, values: FloatArray) -> None:
    part = np.array_split(np.arange(len(values)), 60)
    axis.fill_between(
        [rows.mean() for rows in part], [samples.weight[rows].sum() for rows in part], color=ACCENT, alpha=0.6, lw=0
    )
    axis.set_yticks([])
