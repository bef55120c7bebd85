"""``astroemu import``: plain arrays made elsewhere, as a training set."""

from __future__ import annotations

from pathlib import Path

import typer


def importing(
    recipe: str = typer.Argument(..., help="TOML recipe whose [import] says which array is what."),
    data: Path = typer.Option(..., help="Arrays: npz, HDF5 or CSV."),
    out: Path = typer.Option(..., help="Training set to write (HDF5)."),
) -> None:
    """Turn plain arrays into a training set."""
    from astroemu.files import new_file
    from astroemu.workshop import Workshop

    new_file(out)
    imported = Workshop(recipe).imported(data)
    imported.save(out)
    typer.echo(f"Written: {out} ({len(imported)} points)")
