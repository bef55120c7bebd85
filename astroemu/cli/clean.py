"""``astroemu clean``: drop points of a training set by stated rules."""

from __future__ import annotations

from pathlib import Path

import typer


def clean(
    recipe: str = typer.Argument(..., help="TOML recipe whose [cleaning] has the rules."),
    data: Path = typer.Option(..., help="Training set (HDF5); it is not changed."),
    out: Path = typer.Option(..., help="Training set to write (HDF5), with a list of all that was dropped."),
) -> None:
    """Write the points that no rule refuses into a new training set, and a list of the others."""
    from astroemu.emulation.recipe import Recipe
    from astroemu.io.files import new_file

    workshop = Recipe(recipe)
    log = out.with_suffix(".dropped.csv")
    for path in (out, log):
        new_file(path)
    dropped = workshop.clean(data, out)
    for rule, count in dropped.items():
        typer.echo(f"{count:8d}  {rule}")
    typer.echo(f"{sum(dropped.values()):8d}  dropped in all")
    typer.echo(f"Written: {out}, {log}")
