"""A Matplotlib figure that keeps its style, whatever the user's settings are when it is shown or saved.

Matplotlib makes ticks when it draws, by the settings of that time. pyplot does not know these figures, so no window
opens and no backend is chosen.
"""

from __future__ import annotations

from typing import Any

from matplotlib.figure import Figure

from astroemu.report.style import png, settings


class ShownFigure(Figure):
    """A figure in the style of the project, which a notebook shows as a picture."""

    def draw(self, renderer: Any) -> None:
        """Draw the figure, see :meth:`matplotlib.figure.Figure.draw`."""
        with settings():
            super().draw(renderer)

    def savefig(self, fname: Any, **options: Any) -> None:
        """Save the figure, see :meth:`matplotlib.figure.Figure.savefig`."""
        with settings():
            super().savefig(fname, **options)

    def _repr_png_(self) -> bytes:
        return png(self)
