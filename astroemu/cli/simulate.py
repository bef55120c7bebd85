"""``astroemu simulate``: run a simulator over a design."""

from __future__ import annotations

from pathlib import Path

import typer


def simulate(
    recipe: str = typer.Argument(..., help="TOML recipe, or the name of an installed one."),
    out: Path = typer.Option(..., help="Training set to write (HDF5)."),
    workers: int = typer.Option(1, min=1, help="Processes."),
) -> None:
    """Simulate the design of a recipe into a training set. Started again, it goes on."""
    from astroemu.cli.progress import shown
    from astroemu.parallel import world
    from astroemu.training_set import read_metadata
    from astroemu.workshop import Workshop

    workshop = Workshop(recipe)
    task = workshop.simulation()
    with shown(f"simulate {task.simulator}") as report:
        path = workshop.simulate(out, workers=workers, report=report)
    if world().first:
        failed = read_metadata(path)["failed"]
        typer.echo(f"Written: {path} ({task.n - len(failed)} points, {len(failed)} failed)")
