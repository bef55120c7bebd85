"""``astroemu doctor``: check the installation."""

from __future__ import annotations

from contextlib import suppress

import typer


def doctor() -> None:
    """Check the installation: Python, packages, devices, MPI, MultiNest, disk and plugins.

    Exit code 3 if a check fails.
    """
    from astroemu.cli.terminal import answer, fitted
    from astroemu.errors import PluginError
    from astroemu.runtime.environment import examine
    from astroemu.runtime.mpi import processes

    with suppress(PluginError):  # a broken MPI is reported as one of the findings
        if not processes().is_root:
            return
    part, failed = "", 0
    for finding in examine():
        if finding.part != part:
            part = finding.part
            typer.echo(part)
        answer(fitted(f"  {finding.name:<30} {finding.state:<7} {finding.detail}".rstrip(), 41))
        failed += finding.state == "failed"
    typer.echo(f"{failed} problem(s)" if failed else "No problem found.")
    if failed:
        raise typer.Exit(3)
