"""``astroemu validate``: an emulator against simulations that it never saw."""

from __future__ import annotations

from pathlib import Path

import typer


def validate(
    emulator: str = typer.Argument(..., help="Emulator file, or the name of an installed one."),
    data: Path = typer.Option(..., help="Simulations: a training set, or plain HDF5 arrays named as the observables."),
    out: Path | None = typer.Option(None, help="Write the figures as JSON."),
) -> None:
    """Print the error of an emulator, by observable, against simulations."""
    from astroemu.files import new_file, strict_json, write_atomically
    from astroemu.trained import load_emulator
    from astroemu.validation import error_table, errors, load_simulations

    path = None if out is None else new_file(out)
    loaded = load_emulator(emulator)
    found = errors(loaded, load_simulations(loaded, data))
    typer.echo(error_table(found))
    if path is not None:
        write_atomically(path, lambda temporary: temporary.write_text(strict_json(found)))
        typer.echo(f"Written: {path}")
