"""The report of a run: table, corner plot, and a posterior predictive figure for every probe."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from astroemu.inference.run_folder import RunFolder
from astroemu.inference.summary import POSTERIOR_DRAWS
from astroemu.io.files import write_text
from astroemu.model.model import Model
from astroemu.report.corner import draw_corner
from astroemu.report.predictive import draw_predictive
from astroemu.report.style import drawn
from astroemu.report.tables import text_table


def write_report(folder: RunFolder, model: Model) -> list[Path]:
    """Write the table and the figures of a finished run.

    A file that cannot be written is left out. A :class:`~astroemu.errors.ReportWarning` states which one and why.

    Returns
    -------
    list of Path
        The files written.
    """
    samples, summary = folder.samples(), folder.summary()
    theta = samples.equal_weight(POSTERIOR_DRAWS, np.random.default_rng(summary["seed"]))
    table, corner = folder.path / "table.txt", folder.path / "corner.png"
    written = [table] if drawn(_write_table, summary, path=table) else []
    written += [corner] if drawn(draw_corner, samples, model.prior, path=corner) else []
    for probe in model.probes:
        path = predictive_file(folder, probe)
        if drawn(draw_predictive, model, probe, theta, path=path):
            written.append(path)
    return written


def predictive_file(folder: RunFolder, probe: str) -> Path:
    """Return the path of the figure of a probe in a run folder."""
    return folder.path / f"predictive_{probe}.png"


def _write_table(summary: dict[str, object], path: Path) -> None:
    write_text(path, text_table(summary))
