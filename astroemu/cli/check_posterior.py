"""``astroemu check-posterior``: a finished run against the true simulator."""

from __future__ import annotations

from pathlib import Path

import typer

from astroemu.cli.mock import FIX, SIMULATIONS, SIMULATOR, SIMULATOR_OPTION, chosen


def check_posterior(
    run: Path = typer.Argument(..., help="Folder of a finished run."),
    simulator: str | None = SIMULATOR,
    option: list[str] = SIMULATOR_OPTION,
    fix: list[str] = FIX,
    simulations: Path | None = SIMULATIONS,
    n: int = typer.Option(50, "--n", min=2, help="Draws of the posterior at which the simulator is run."),
    seed: int = typer.Option(1, min=0, help="Seed of the draws."),
    workers: int = typer.Option(1, min=1, help="Processes of the simulations."),
    out: Path | None = typer.Option(
        None, help="Folder of the check. Default: RUN/check_SIMULATOR. Started again with it, it goes on."
    ),
    points: Path | None = typer.Option(None, help="Only write the draws to this file, for a simulator elsewhere."),
) -> None:
    """Run the true simulator at posterior draws; print by how much the emulator moved the result."""
    from astroemu.cli.progress import shown
    from astroemu.parallel import world
    from astroemu.posterior_check import PosteriorCheck, check_table, write_points
    from astroemu.run import RunFolder

    folder = RunFolder.open(run)
    if points is not None:
        typer.echo(f"Written: {write_points(folder, n, seed, points)}")
        return
    task = PosteriorCheck(folder, chosen(simulator, option, fix, simulations), n, seed, workers)
    place = out or run / f"check_{simulator or 'simulations'}"
    with shown(f"check {run.name}") as report:
        found = task.check(place, report)
    if world().first:
        typer.echo(check_table(found))
        typer.echo(f"Written: {place / 'check.json'}")
