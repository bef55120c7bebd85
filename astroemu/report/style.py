"""How the pictures look."""

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
    """Whether matplotlib can set a symbol; it knows a part of LaTeX only."""
    from matplotlib.mathtext import MathTextParser

    try:
        MathTextParser("path").parse(f"${latex}$")
    except ValueError:
        return False
    return True


def plain_where_unsettable(parameter: Parameter) -> Parameter:
    """Return the parameter, without its symbol if matplotlib cannot set it: a name is better than no picture."""
    return parameter if settable(parameter.latex) else replace(parameter, latex="")


def corner_package() -> Any:
    """Import corner, without the announcements of ArviZ, which it imports where it is installed."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)
        import corner

    return corner


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
