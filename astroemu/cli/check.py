"""``astroemu check``: run the conformance kit on an installed plugin."""

from __future__ import annotations

import typer

from astroemu.cli.terminal import answer, fitted


def check(
    name: str = typer.Argument(..., help="Name of an installed plugin, or of its table in the configuration --model."),
    kind: str | None = typer.Option(
        None, help="Check only the plugin of this kind, for example probe, catalog or sampler."
    ),
    model: str | None = typer.Option(
        None, help="Configuration with the options of the plugin, and with the model that predicts a probe's mock data."
    ),
    processes: bool = typer.Option(
        False, "--processes", help="For samplers: also kill and resume a run, and run with two MPI processes."
    ),
) -> None:
    """Run the conformance kit on an installed plugin.

    The kit checks that the plugin does what its interface demands, and prints a table. Exit code 3 if a check fails.
    """
    from astroemu.testing import check_installed

    reports = check_installed(name, kind=kind, model=model, in_processes=processes)
    tables = "\n\n".join(report.table() for report in reports)
    answer("\n".join(fitted(line, 6) for line in tables.splitlines()))
    if not all(report.passed for report in reports):
        raise typer.Exit(3)
