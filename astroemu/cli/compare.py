"""``astroemu compare``: posteriors of several runs side by side."""

from __future__ import annotations

from pathlib import Path

import typer


def compare(
    folders: list[Path] = typer.Argument(..., help="Folders of finished runs; the others are compared with the first."),
) -> None:
    """Print the parameters of several runs side by side, and how far they lie from the first run's."""
    from astroemu.report.table import comparison_table
    from astroemu.run import RunFolder

    runs = {str(folder): RunFolder.open(folder) for folder in folders}
    typer.echo(comparison_table({label: (run.samples(), run.summary()) for label, run in runs.items()}))
