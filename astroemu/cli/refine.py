"""``astroemu refine``: add simulations in the region of the posterior, and train again."""

from __future__ import annotations

from pathlib import Path

import typer

from astroemu.cli.options import ACCEPT_CHANGED_CODE, SIMULATION_WORKERS
from astroemu.cli.terminal import tell


def refine(
    recipe: str = typer.Argument(..., help="TOML recipe of the emulator, or the name of an installed recipe."),
    emulator: str = typer.Option(..., help="Emulator to refine: a file, or the name of an installed emulator."),
    data: Path = typer.Option(..., help="Training set of that emulator (HDF5)."),
    model: str = typer.Option(..., help="Configuration of the fit. Its emulator is replaced by the refined one."),
    out: Path = typer.Option(..., help="Folder of the refinement. An interrupted refinement is continued."),
    n: int = typer.Option(1000, min=1, help="Number of simulations to add."),
    check: int = typer.Option(
        200,
        min=0,
        help="Number of posterior samples at which the emulator is compared with the simulator. 0 skips this check.",
    ),
    temperature: float = typer.Option(
        2.0,
        min=1.0,
        help="New points are drawn with the likelihood to the power 1/temperature, which widens the posterior.",
    ),
    seed: int = typer.Option(1, min=0, help="Seed of the samples and the new points."),
    workers: int = SIMULATION_WORKERS,
    accept_changed_code: bool = ACCEPT_CHANGED_CODE,
) -> None:
    """Add simulations in the region of the posterior, and train the emulator again.

    The command prints how the posterior has moved, and how well the old and the new emulator agree with the simulator.
    """
    from astroemu.emulation.loading import load_emulator
    from astroemu.emulation.recipe import Recipe
    from astroemu.inference.configuration import load_configuration
    from astroemu.report.emulator_tables import refinement_table
    from astroemu.validation.refinement import Refinement

    task = Refinement(
        Recipe(recipe),
        data,
        load_emulator(emulator),
        load_configuration(model),
        n=n,
        check=check,
        temperature=temperature,
        seed=seed,
        workers=workers,
        accept_changed_code=accept_changed_code,
    )
    typer.echo(refinement_table(task.run(out, log=lambda line: typer.echo(line))))
    tell(f"Written: {out}")
