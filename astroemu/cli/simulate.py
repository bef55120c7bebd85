"""``astroemu simulate``: run a simulator at the points of a design."""

from __future__ import annotations

from pathlib import Path

import typer

from astroemu.cli.options import ACCEPT_CHANGED_CODE, SIMULATION_WORKERS
from astroemu.cli.terminal import tell


def simulate(
    recipe: str = typer.Argument(..., help="TOML recipe of an emulator, or the name of an installed recipe."),
    out: Path = typer.Option(..., help="Training set to write (HDF5)."),
    workers: int = SIMULATION_WORKERS,
    part: str = typer.Option(
        "",
        metavar="I/N",
        help="Simulate only part I of N, into a separate file next to --out. `astroemu merge` joins the parts.",
    ),
    points: Path | None = typer.Option(
        None,
        metavar="SAMPLES",
        help="Posterior samples (samples.h5 of a run). The recipe's number of points is drawn from them with its seed, "
        "instead of its design.",
    ),
    accept_changed_code: bool = ACCEPT_CHANGED_CODE,
) -> None:
    """Run the simulator of a recipe at the points of its design, or at samples of a posterior.

    The results are one training set. After an interruption, the same command continues.
    """
    from astroemu.cli.progress import shown
    from astroemu.emulation.recipe import Recipe
    from astroemu.emulation.shards import Shard
    from astroemu.emulation.training_set import read_metadata
    from astroemu.runtime.mpi import processes
    from astroemu.sampling.samples import Samples

    loaded = Recipe(recipe)
    task = loaded.simulation()
    piece = Shard.parse(part) if part else None
    given = None if points is None else loaded.points_of(Samples.load(points))
    with shown(f"simulate {task.simulator}") as report:
        path = loaded.simulate(
            out, points=given, workers=workers, part=piece, report=report, accept_changed_code=accept_changed_code
        )
    if processes().is_root:
        failed = read_metadata(path)["failed"]
        n = task.n if piece is None else len(piece.rows(task.n))
        tell(f"Written: {path} ({n - len(failed)} points, {len(failed)} failed)")
