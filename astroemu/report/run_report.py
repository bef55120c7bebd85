"""The report of a run: table, corner plot, and a posterior predictive figure for every probe."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from astroemu.inference.run_folder import RunFolder
from astroemu.inference.summary import POSTERIOR_DRAWS
from astroemu.model.model import Model
from astroemu.report.corner import draw_corner
from astroemu.report.predictive import draw_predictive
from astroemu.report.tables import text_table


def write_report(folder: RunFolder, model: Model) -> list[Path]:
    """Write the table and the figures of a finished run.

    Returns
    -------
    list of Path
        The files written.
    """
    samples, summary = folder.samples(), folder.summary()
    table = folder.path / "table.txt"
    table.write_text(text_table(summary))
    corner = folder.path / "corner.png"
    draw_corner(samples, model.prior, corner)
    theta = samples.equal_weight(POSTERIOR_DRAWS, np.random.default_rng(summary["seed"]))
    written = [table, corner]
    for probe in model.probes:
        path = folder.path / f"predictive_{probe}.png"
        if draw_predictive(model, probe, theta, path):
            written.append(path)
    return written
