"""``astroemu refine``: more simulations where the posterior is."""

from __future__ import annotations

from pathlib import Path

import typer

from astroemu.cli.options import SIMULATION_WORKERS


def refine(
    recipe: str = typer.Argument(..., help="Recipe of the emulator: its simulator and its training."),
    emulator: str = typer.Option(..., help="Emulator to refine: a file, or the name of an installed one."),
    data: Path = typer.Option(..., help="Training set that it was trained on."),
    model: str = typer.Option(..., help="Configuration of the fit; its emulator is replaced by this one."),
    out: Path = typer.Option(..., help="Folder of the refinement. Started again with it, it goes on."),
    n: int = typer.Option(1000, min=1, help="Simulations to add."),
    check: int = typer.Option(200, min=0, help="Posterior samples compared with the true simulator."),
    temperature: float = typer.Option(2.0, min=1.0, help="The likelihood is raised to the power 1/temperature."),
    seed: int = typer.Option(1, min=0),
    workers: int = SIMULATION_WORKERS,
) -> None:
    """Simulate where the posterior is, train again, and say what moved and how well it stands for the truth."""
    from astroemu.emulation.loading import load_emulator
    from astroemu.emulation.recipe import Recipe
    from astroemu.inference.configuration import load_configuration
    from astroemu.report.tables import refinement_table
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
    )
    typer.echo(refinement_table(task.run(out, log=lambda line: typer.echo(line))))
    typer.echo(f"Written: {out}")
