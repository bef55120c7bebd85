"""``astroemu clean``: drop points of a training set by the rules of a recipe."""

from __future__ import annotations

from pathlib import Path

import typer

from astroemu.cli.terminal import tell


def clean(
    recipe: str = typer.Argument(..., help="TOML recipe. Its table [cleaning] has the rules."),
    data: Path = typer.Option(..., help="Training set to read (HDF5). It is not changed."),
    out: Path = typer.Option(
        ..., help="Training set to write (HDF5). The list of dropped points gets the suffix .dropped.csv."
    ),
) -> None:
    """Drop points of a training set by the rules of a recipe.

    The remaining points are written as a new training set, and the dropped points as a list.
    """
    from astroemu.emulation.recipe import Recipe
    from astroemu.io.files import new_file

    loaded = Recipe(recipe)
    log = out.with_suffix(".dropped.csv")
    for path in (out, log):
        new_file(path)
    dropped = loaded.clean(data, out)
    for rule, count in dropped.items():
        typer.echo(f"{count:8d}  {rule}")
    typer.echo(f"{sum(dropped.values()):8d}  dropped in all")
    tell(f"Written: {out}, {log}")
