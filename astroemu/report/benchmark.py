"""Table and figure of the speed of a joint model."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from astroemu.model.benchmark import Peak, Timing
from astroemu.report.columns import columns
from astroemu.report.style import ACCENT, COLOUR, DATA, picture


def draw_speed(rows: Sequence[Timing], path: Path) -> None:
    """Draw the time per point against the batch size, one line per engine."""
    with picture(path, figsize=(5, 3.6)) as figure:
        axis = figure.subplots()
        for i, engine in enumerate(dict.fromkeys(row.engine for row in rows)):
            mine = [row for row in rows if row.engine == engine]
            colour = (COLOUR, ACCENT, DATA)[i % 3]
            axis.loglog([r.batch for r in mine], [r.microseconds for r in mine], "o-", color=colour, label=engine)
        axis.set_xlabel("points per batch")
        axis.set_ylabel(r"time per point [$\mu$s]")
        axis.legend()


def benchmark_table(peak: Peak, rows: Sequence[Timing]) -> list[str]:
    """Return the lines of the table of a benchmark.

    Parameters
    ----------
    peak : Peak
        Measured speed of matrix products.
    rows : sequence of Timing
        One per engine and batch size.
    """
    lines = [f"matrix products here: {1e-9 * peak.single:.0f} GFLOP/s in float32, {1e-9 * peak.double:.0f} in float64"]
    head = (
        "engine", "batch", "us per point", "points per s", "GFLOP/s", "of sgemm", "of peak", "kB per point",
        "compiled in",
    )  # fmt: skip
    cells = [
        (
            row.engine,
            f"{row.batch}",
            f"{row.microseconds:.2f}",
            f"{1e6 / row.microseconds:,.0f}",
            f"{row.gflops:.1f}",
            _percent(row.of_sgemm),
            _percent(row.of_peak),
            f"{1e-3 * row.bytes_moved:.1f}",
            f"{row.compile_seconds:.2f} s" if row.compile_seconds else "",
        )
        for row in rows
    ]
    return lines + columns(head, cells)


def _percent(share: float) -> str:
    return f"{100 * share:.0f} %" if share == share else "-"
