"""Figure of the speed of a joint model."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from astroemu.model.benchmark import Timing
from astroemu.report.style import ACCENT, COLOUR, DATA, style


def draw_speed(rows: Sequence[Timing], path: Path) -> None:
    """Draw the time per point against the batch size, one line per engine."""
    with style() as pyplot:
        figure, axis = pyplot.subplots(figsize=(5, 3.6))
        for i, engine in enumerate(dict.fromkeys(row.engine for row in rows)):
            mine = [row for row in rows if row.engine == engine]
            colour = (COLOUR, ACCENT, DATA)[i % 3]
            axis.loglog([r.batch for r in mine], [r.microseconds for r in mine], "o-", color=colour, label=engine)
        axis.set_xlabel("points per batch")
        axis.set_ylabel(r"time per point [$\mu$s]")
        axis.legend()
        figure.savefig(path)
        pyplot.close(figure)
