"""``astroemu merge``: join the parts of a design that jobs of their own have simulated."""

from __future__ import annotations

from pathlib import Path

import typer


def merge(
    parts: list[Path] = typer.Argument(..., help="Files that `astroemu simulate --part` has written."),
    out: Path = typer.Option(..., help="Training set to write (HDF5)."),
) -> None:
    """Join the parts of a design into one training set. Nothing may be missing, nothing there twice."""
    from astroemu.emulation.shards import merge as merged
    from astroemu.io.files import new_file

    new_file(out)
    data = merged(parts)
    data.save(out)
    typer.echo(f"Written: {out} ({len(data)} points, {len(data.metadata['failed'])} failed)")
