"""``astroemu check``: does a plugin do what its interface says?"""

from __future__ import annotations

import typer


def check(
    name: str = typer.Argument(..., help="Name of an installed plugin, or of a table of --model."),
    kind: str | None = typer.Option(None, help="Only this kind, such as probe, catalog, sampler."),
    model: str | None = typer.Option(None, help="Configuration whose options and emulators are used."),
    processes: bool = typer.Option(
        False, "--processes", help="Samplers: also kill and restart, and two MPI processes."
    ),
) -> None:
    """Run the conformance kit on a plugin and print the table. Exit code 3 if a check fails."""
    from astroemu.testing import check_installed

    reports = check_installed(name, kind=kind, model=model, in_processes=processes)
    typer.echo("\n\n".join(report.table() for report in reports))
    if not all(report.passed for report in reports):
        raise typer.Exit(3)
