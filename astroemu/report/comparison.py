"""Figures of several runs: overlaid corner plots, and evidences as bars."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from astroemu.core.prior import Prior
from astroemu.report.corner import Layer, draw_layers
from astroemu.report.style import picture
from astroemu.sampling.samples import Samples

#: Colours that can be distinguished with all common kinds of colour vision (Okabe & Ito).
COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#56b4e9", "#e69f00", "#000000")


def draw_corners(runs: Mapping[str, Samples], priors: Mapping[str, Prior], path: Path) -> bool:
    """Draw the marginals of the parameters that all runs have in common; return False if there are none.

    Parameters
    ----------
    runs : mapping of label to Samples
    priors : mapping of label to Prior
        The first one gives the symbols of the parameters.
    path : Path
    """
    first, *others = runs.values()
    names = [name for name in first.names if all(name in samples.names for samples in others)]
    if not names:
        return False
    pairs = zip(runs, colours(len(runs)), strict=True)
    layers = [Layer(runs[label], priors[label], colour, label) for label, colour in pairs]
    draw_layers(layers, names, path)
    return True


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
    with picture(path, figsize=(6.5, 0.8 + 0.45 * len(labels))) as figure:
        axis = figure.subplots()
        places = np.arange(len(labels))[::-1]
        axis.barh(places, values - values.max(), xerr=errors, color=colours(len(labels)), height=0.6, capsize=3)
        axis.set_yticks(places, labels)
        axis.set_xlabel(rf"$\ln Z - \ln Z_{{\rm max}}$,  $\ln Z_{{\rm max}} = {values.max():.2f}$")


def colours(n: int) -> list[str]:
    """Return a colour for each of ``n`` posteriors."""
    return [COLOURS[i % len(COLOURS)] for i in range(n)]
