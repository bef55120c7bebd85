"""``astroemu report``: make the pictures of a finished run again."""

from __future__ import annotations

from pathlib import Path

import typer


def report(folder: Path = typer.Argument(..., help="Folder of a finished run.")) -> None:
    """Write the table, the corner plot and the predictive pictures of a run."""
    from astroemu.report import write_report
    from astroemu.run import RunFolder

    run = RunFolder.open(folder)
    written = write_report(run, run.configuration().model())
    typer.echo((folder / "table.txt").read_text())
    typer.echo("Written:")
    for path in written:
        typer.echo(f"  {path}")
