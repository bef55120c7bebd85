"""``astroemu merge``: join the parts of a design that separate jobs have simulated."""

from __future__ import annotations

from pathlib import Path

import typer


def merge(
    parts: list[Path] = typer.Argument(..., help="Files that `astroemu simulate --part` has written, one per part."),
    out: Path = typer.Option(..., help="Training set to write (HDF5)."),
) -> None:
    """Join the parts of a design from separate jobs into one training set.

    No part may be missing, and none may be given twice.
    """
    from astroemu.emulation.shards import merge as merged
    from astroemu.io.files import new_file

    new_file(out)
    data = merged(parts)
    data.save(out)
    typer.echo(f"Written: {out} ({len(data)} points, {len(data.metadata['failed'])} failed)")
