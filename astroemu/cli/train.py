"""``astroemu train``: train an emulator on a training set."""

from __future__ import annotations

from pathlib import Path

import typer


def train(
    recipe: str = typer.Argument(..., help="TOML recipe, or the name of an installed one."),
    data: Path = typer.Option(..., help="Training set made by `astroemu simulate`."),
    out: Path = typer.Option(..., help="Emulator to write (HDF5)."),
    reuse: str | None = typer.Option(
        None, help="Earlier emulator; its networks that would come out the same are kept."
    ),
    logs: Path | None = typer.Option(None, help="Folder for TensorBoard's logs, to watch the training."),
) -> None:
    """Train the emulator of a recipe; print its accuracy on points that it never saw. Killed, it goes on."""
    import json
    import shutil

    from astroemu.emulation.loading import load_emulator
    from astroemu.emulation.recipe import Recipe
    from astroemu.emulation.training_set import TrainingSet
    from astroemu.io.files import new_file

    new_file(out)
    unfinished = out.with_name(out.name + ".training")
    emulator = Recipe(recipe).train(
        TrainingSet.load(data),
        log=lambda line: typer.echo(line),
        reuse=load_emulator(reuse) if reuse else None,
        folder=unfinished,
        logs=logs,
    )
    emulator.save(out)
    shutil.rmtree(unfinished, ignore_errors=True)
    typer.echo(json.dumps(emulator.provenance["metrics"], indent=1))
    typer.echo(f"Written: {out}")
