"""The style of the figures."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import lru_cache
from typing import Any

from astroemu.core.parameter import Parameter

COLOUR = "#1f5a8a"
DATA = "#111111"
ACCENT = "#c1440e"


@lru_cache(maxsize=512)
def settable(latex: str) -> bool:
    """Return True if matplotlib can draw a LaTeX symbol; it knows only a part of LaTeX."""
    from matplotlib.mathtext import MathTextParser

    try:
        MathTextParser("path").parse(f"${latex}$")
    except ValueError:
        return False
    return True


def plain_where_unsettable(parameter: Parameter) -> Parameter:
    """Return the parameter, without its LaTeX symbol if matplotlib cannot draw it."""
    return parameter if settable(parameter.latex) else replace(parameter, latex="")


def corner_package() -> Any:
    """Return the package corner, imported without the warnings of ArviZ, which corner imports if it is installed."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)
        import corner

    return corner


@contextmanager
def style() -> Iterator[Any]:
    """Yield pyplot with the style of the project, on a canvas that needs no screen."""
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
