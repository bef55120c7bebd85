"""``astroemu export``: a run for other packages."""

from __future__ import annotations

from pathlib import Path

import typer


def export(
    folder: Path = typer.Argument(..., help="Folder of a finished run."),
    to: str = typer.Option(..., help="arviz, getdist, anesthetic, csv or fits."),
    out: Path | None = typer.Option(None, help="File to write (getdist: root of three). Default: in the run folder."),
    derived: bool = typer.Option(False, "--derived", help="Add the derived numbers, such as tau_e, as columns."),
) -> None:
    """Write the samples of a run in the form of another package, with weights, symbols and units."""
    from astroemu.analysis.export import export as write
    from astroemu.inference.run_folder import RunFolder

    for path in write(RunFolder.open(folder), to, out, derived=derived):
        typer.echo(f"Written: {path}")
