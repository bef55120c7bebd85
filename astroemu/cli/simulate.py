"""``astroemu simulate``: run a simulator over a design."""

from __future__ import annotations

from pathlib import Path

import typer


def simulate(
    recipe: str = typer.Argument(..., help="TOML recipe, or the name of an installed one."),
    out: Path = typer.Option(..., help="Training set to write (HDF5)."),
    workers: int = typer.Option(1, min=1, help="Processes."),
    part: str = typer.Option(
        "", metavar="I/N", help="Simulate the I-th of N parts only, into a file beside; `astroemu merge` joins them."
    ),
) -> None:
    """Simulate the design of a recipe into a training set. Started again, it goes on."""
    from astroemu.cli.progress import shown
    from astroemu.emulation.recipe import Recipe
    from astroemu.emulation.shards import Shard
    from astroemu.emulation.training_set import read_metadata
    from astroemu.runtime.mpi import processes

    workshop = Recipe(recipe)
    task = workshop.simulation()
    piece = Shard.parse(part) if part else None
    with shown(f"simulate {task.simulator}") as report:
        path = workshop.simulate(out, workers=workers, part=piece, report=report)
    if processes().is_root:
        failed = read_metadata(path)["failed"]
        n = task.n if piece is None else len(piece.rows(task.n))
        typer.echo(f"Written: {path} ({n - len(failed)} points, {len(failed)} failed)")
