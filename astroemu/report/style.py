"""How the pictures look."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

COLOUR = "#1f5a8a"
DATA = "#111111"
ACCENT = "#c1440e"


@contextmanager
def style() -> Iterator[Any]:
    """Give pyplot with the project's style, on a canvas that needs no screen."""
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot as plt

    settings: dict[Any, Any] = {
        "axes.grid": False,
        "axes.labelsize": 11,
        "axes.titlesize": 10,
        "figure.dpi": 110,
        "font.size": 10,
        "legend.frameon": False,
        "mathtext.fontset": "cm",
        "savefig.bbox": "tight",
        "xtick.direction": "in",
        "xtick.top": True,
        "ytick.direction": "in",
        "ytick.right": True,
    }
    with plt.rc_context(settings):
        yield plt
