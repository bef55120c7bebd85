"""``astroemu import``: turn plain arrays from other programs into a training set."""

from __future__ import annotations

from pathlib import Path

import typer

from astroemu.cli.terminal import tell


def importing(
    recipe: str = typer.Argument(
        ..., help="TOML recipe. Its table [import] names the array of each parameter and observable."
    ),
    data: Path = typer.Option(..., help="File with the arrays: npz, HDF5, or a text table such as CSV."),
    out: Path = typer.Option(..., help="Training set to write (HDF5)."),
) -> None:
    """Turn plain arrays from other programs into a training set.

    What looks odd in the points, such as repetitions or values that are left out, is printed.
    """
    from astroemu.emulation.inspection import inspect
    from astroemu.emulation.recipe import Recipe
    from astroemu.io.files import new_file

    new_file(out)
    imported = Recipe(recipe).imported(data)
    imported.save(out)
    tell(f"Written: {out} ({len(imported)} points)")
    for remark in inspect(imported)["remarks"]:
        typer.echo(f"note: {remark}")
