"""``astroemu compare``: posteriors and evidences of several runs side by side."""

from __future__ import annotations

from pathlib import Path

import typer


def compare(
    folders: list[Path] = typer.Argument(..., help="Folders of finished runs; the others are compared with the first."),
    jeffreys: bool = typer.Option(False, "--jeffreys", help="Put the Bayes factors in words, on Jeffreys' scale."),
) -> None:
    """Print the parameters of several runs side by side, how far they lie from the first run's, and Bayes factors.

    Runs of different data have no Bayes factor; it is said what differs.
    """
    from astroemu.inference.run_folder import RunFolder
    from astroemu.report.tables import bayes_table, comparison_table

    runs = {str(folder): RunFolder.open(folder) for folder in folders}
    typer.echo(comparison_table({label: (run.samples(), run.summary()) for label, run in runs.items()}))
    if factors := bayes_table(runs, jeffreys=jeffreys):
        typer.echo(f"\n{factors}")
