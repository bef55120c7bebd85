"""``astroemu export``: write a run in the format of another package."""

from __future__ import annotations

from pathlib import Path

import typer

from astroemu.cli.options import RUN_PLUGIN_FILES
from astroemu.cli.terminal import tell


def export(
    folder: Path = typer.Argument(..., help="Folder of a finished run."),
    to: str = typer.Option(..., help="Format: arviz, getdist, anesthetic, csv or fits."),
    out: Path | None = typer.Option(
        None,
        help="File to write (for getdist: common root of its file names). Default: export_FORMAT in the run folder.",
    ),
    derived: bool = typer.Option(False, "--derived", help="Add derived numbers, such as tau_e, as columns."),
    run_plugin_files: bool = RUN_PLUGIN_FILES,
) -> None:
    """Write a run for ArviZ, getdist or anesthetic, or as CSV or FITS.

    The samples are written with their weights, symbols and units, as far as the format can store them.
    """
    from astroemu.analysis.export import export as write
    from astroemu.cli.progress import warned
    from astroemu.inference.run_folder import RunFolder

    with warned():
        written = write(RunFolder.open(folder, run_plugin_files=run_plugin_files), to, out, derived=derived)
    for path in written:
        tell(f"Written: {path}")
