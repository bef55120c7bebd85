"""``astroemu train``: train an emulator on a training set."""

from __future__ import annotations

from pathlib import Path

import typer

from astroemu.cli.options import ACCEPT_CHANGED_CODE
from astroemu.cli.terminal import tell


def train(
    recipe: str = typer.Argument(..., help="TOML recipe of an emulator, or the name of an installed recipe."),
    data: Path = typer.Option(..., help="Training set (HDF5), for example from `astroemu simulate`."),
    out: Path = typer.Option(..., help="Emulator to write (HDF5)."),
    reuse: str | None = typer.Option(
        None, help="Earlier emulator. Its networks are kept if their settings, data and seed are the same."
    ),
    errors_of: str | None = typer.Option(
        None, help="Earlier emulator. Only its errors are fitted, on --data that it was not trained on."
    ),
    logs: Path | None = typer.Option(
        None, help="Folder for logs of TensorBoard, which shows the progress of the training."
    ),
    accept_changed_code: bool = ACCEPT_CHANGED_CODE,
) -> None:
    """Train the emulator of a recipe on a training set.

    Its errors are printed for test points that were not used in the training. After an interruption, the same command
    continues.

    With --errors-of, the networks of an earlier emulator are kept as they are. Only its stated errors are made, from
    simulations that it was not trained on.
    """
    import json

    from astroemu.emulation.loading import load_emulator
    from astroemu.emulation.recipe import TRAINING_NOTE, Recipe
    from astroemu.emulation.training_set import TrainingSet
    from astroemu.errors import ConfigurationError
    from astroemu.io.claim import release_folder
    from astroemu.io.files import new_file
    from astroemu.io.lock import alone

    if errors_of and (reuse or logs):
        raise ConfigurationError("--errors-of trains no network of an observable; leave out --reuse and --logs")
    with alone(out, "training"):
        new_file(out)
        if errors_of:
            made = Recipe(recipe).errors_of(load_emulator(errors_of), TrainingSet.load(data), typer.echo)
            made.save(out)
            tell(f"Written: {out}")
            return
        unfinished = out.with_name(out.name + ".training")
        emulator = Recipe(recipe).train(
            TrainingSet.load(data),
            log=lambda line: typer.echo(line),
            reuse=load_emulator(reuse) if reuse else None,
            folder=unfinished,
            logs=logs,
            accept_changed_code=accept_changed_code,
        )
        emulator.save(out)
        release_folder(unfinished / TRAINING_NOTE)
    typer.echo(json.dumps(emulator.provenance.get("metrics", {}), indent=1))
    tell(f"Written: {out}")
