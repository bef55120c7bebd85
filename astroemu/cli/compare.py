"""``astroemu compare``: parameters, Bayes factors and configurations of several runs."""

from __future__ import annotations

from pathlib import Path

import typer


def compare(
    folders: list[Path] = typer.Argument(..., help="Folders of finished runs. The first one is the reference."),
    jeffreys: bool = typer.Option(
        False, "--jeffreys", help="Also describe the Bayes factors in words, by Jeffreys' scale."
    ),
) -> None:
    """Compare the posteriors of several runs, their Bayes factors, and their configurations.

    The parameters are printed side by side, with their differences from the first run. Every option that differs is
    listed.

    A Bayes factor needs two runs of the same data. For other runs, the differences in the data are printed.
    """
    from astroemu.cli.terminal import answer, width
    from astroemu.inference.run_folder import RunFolder
    from astroemu.report.run_differences import differences_text
    from astroemu.report.tables import bayes_table, comparison_table

    runs = {str(folder): RunFolder.open(folder) for folder in folders}
    answer(comparison_table({label: (run.samples(), run.summary()) for label, run in runs.items()}, width()))
    if factors := bayes_table(runs, jeffreys=jeffreys):
        answer(f"\n{factors}")
    if len(runs) > 1:
        answer(f"\n{differences_text(runs, width())}")
