"""New figures, which are returned to the user or saved by the report."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from astroemu.report.style import settings


@contextmanager
def new_figure(**options: Any) -> Iterator[Any]:
    """Yield an empty :class:`~astroemu.report.shown_figure.ShownFigure`; what is drawn inside has the project's style.

    Parameters
    ----------
    **options
        Arguments of :class:`matplotlib.figure.Figure`, such as ``figsize``.
    """
    with settings():
        from matplotlib.backends.backend_agg import FigureCanvasAgg

        from astroemu.report.shown_figure import ShownFigure

        figure = ShownFigure(**options)
        FigureCanvasAgg(figure)
        yield figure
