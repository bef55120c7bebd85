"""The style of the figures, and how a figure is made without a change of the user's Matplotlib.

Figures are made by Matplotlib's object interface. Neither the backend nor a setting of the process is changed.
"""

from __future__ import annotations

import io
import os
import sys
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import Any, TypeVar

from astroemu.core.parameter import Parameter
from astroemu.errors import AstroemuError, ReportWarning
from astroemu.io.files import write_atomically
from astroemu.io.terminal import visible, visible_line

_T = TypeVar("_T")
COLOUR = "#1f5a8a"
DATA = "#111111"
ACCENT = "#c1440e"

_SETTINGS: dict[str, Any] = {
    "axes.formatter.useoffset": False,  # the numbers at the ticks are complete
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
#: Settings that choose how the user's own figures are shown. They are left as they are.
_OF_THE_USER = ("backend", "backend_fallback", "date.epoch", "interactive", "timezone", "tk.", "toolbar", "webagg.")


def matplotlib_package() -> Any:
    """Return the package matplotlib, imported also if MPLBACKEND names a backend that is not installed.

    Matplotlib refuses its own import then, and a second attempt in the same process finds half a package.
    """
    if "matplotlib" in sys.modules:
        return sys.modules["matplotlib"]
    wanted = os.environ.pop("MPLBACKEND", "")
    try:
        import matplotlib as mpl
    finally:
        if wanted:
            os.environ["MPLBACKEND"] = wanted
    if wanted:
        with suppress(ValueError):  # as Matplotlib does when it is imported
            mpl.rcParams["backend"] = wanted
    return mpl


@contextmanager
def settings() -> Iterator[None]:
    """Context manager with Matplotlib's defaults and the style of the project, whatever the user's settings are."""
    mpl = matplotlib_package()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", mpl.MatplotlibDeprecationWarning)
        warnings.filterwarnings("ignore", message="Glyph .* missing from")  # a box is drawn instead
        warnings.filterwarnings("ignore", message="All-NaN (slice|axis) encountered")  # nothing is drawn there
        plain = {key: value for key, value in mpl.rcParamsDefault.items() if not key.startswith(_OF_THE_USER)}
        with mpl.rc_context({**plain, **_SETTINGS}):
            yield


@contextmanager
def style() -> Iterator[Any]:
    """Yield pyplot with the style of the project. The user's settings and backend are the same afterwards."""
    with settings():
        from matplotlib import pyplot as plt

        yield plt


@contextmanager
def picture(path: Path, **options: Any) -> Iterator[Any]:
    """Yield an empty figure in the style of the project; save it as PNG when the block ends without an error.

    Parameters
    ----------
    path : Path
        A link is replaced, never followed.
    **options
        Arguments of :class:`matplotlib.figure.Figure`, such as ``figsize``.
    """
    with settings():
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure

        figure = Figure(**options)
        FigureCanvasAgg(figure)
        yield figure
    save_picture(figure, path)


def save_picture(figure: Any, path: Path) -> None:
    """Save a figure as PNG in the style of the project. A link is replaced, never followed."""
    with settings():
        image = png(figure)
    write_atomically(path, lambda temporary: temporary.write_bytes(image))


def drawn(draw: Callable[..., object], *arguments: Any, path: Path) -> bool:
    """Call ``draw(*arguments, path)`` and return True if it wrote the file.

    An error costs this file only: a :class:`~astroemu.errors.ReportWarning` states which one and why.
    """
    try:
        return draw(*arguments, path) is not False
    except Exception as error:
        kind = "" if isinstance(error, AstroemuError) else f"{type(error).__name__}: "
        warnings.warn(visible_line(f"{path} was not written: {kind}{error}"), ReportWarning, stacklevel=2)
        return False


def settable(latex: str) -> bool:
    """Return True if matplotlib can draw a LaTeX symbol; it knows only a part of LaTeX."""
    return _can_set(f"${latex}$")


def formula(latex: str) -> bytes:
    """Return an SVG image of a LaTeX symbol, see :func:`settable`."""
    with settings():
        from matplotlib import font_manager, mathtext

        image = io.BytesIO()
        size = font_manager.FontProperties(size=12)
        mathtext.math_to_image(f"${latex}$", image, prop=size, format="svg", color="#1c2733")
    return image.getvalue()


def plain_where_unsettable(parameter: Parameter) -> Parameter:
    """Return the parameter, without its LaTeX symbol if matplotlib cannot draw it."""
    return parameter if settable(parameter.latex) else replace(parameter, latex="")


def symbol(name: str, latex: str, unit: str = "") -> str:
    """Return a label: the LaTeX symbol if matplotlib can draw it, else the name; with the unit in brackets."""
    label = f"${latex}$" if latex and settable(latex) else name
    return f"{label} [{unit}]" if unit else label


@lru_cache(maxsize=1024)
def _can_set(text: str) -> bool:
    """Return True if matplotlib can draw a text, whose formulas are between dollar signs."""
    with settings():
        from matplotlib.mathtext import MathTextParser

        try:
            for line in text.splitlines():
                MathTextParser("path").parse(line)
        except (ValueError, RecursionError):
            return False
    return True


def png(figure: Any) -> bytes:
    """Return a figure as PNG, with its texts made :func:`drawable`."""

    def save() -> bytes:
        image = io.BytesIO()
        figure.savefig(image, format="png")
        return image.getvalue()

    return drawable(figure, save)


def drawable(figure: Any, draw: Callable[[], _T]) -> _T:
    """Return the result of ``draw()``. A text whose formulas matplotlib cannot draw is shown as it is written."""
    from matplotlib.text import Text

    texts = figure.findobj(Text)
    for text in texts:
        text.set_text(visible(text.get_text()))
    try:
        return draw()
    except ValueError:
        for text in texts:
            text.set_parse_math(_can_set(text.get_text()))
        return draw()
