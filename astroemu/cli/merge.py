"""``astroemu merge``: join the parts of a design that separate jobs have simulated."""

from __future__ import annotations

from pathlib import Path

import typer

from astroemu.cli.options import ACCEPT_CHANGED_CODE
from astroemu.cli.terminal import tell


def merge(
    parts: list[Path] = typer.Argument(..., help="Files that `astroemu simulate --part` has written, one per part."),
    out: Path = typer.Option(..., help="Training set to write (HDF5)."),
    accept_changed_code: bool = ACCEPT_CHANGED_CODE,
) -> None:
    """Join the parts of a design from separate jobs into one training set.

    No part may be missing, and none may be given twice.
    """
    from astroemu.emulation.shards import merge as merged
    from astroemu.io.files import new_file
    from astroemu.io.lock import alone

    with alone(out, "command"):
        new_file(out)
        data = merged(parts, accept_changed_code=accept_changed_code)
        data.save(out)
    tell(f"Written: {out} ({len(data)} points, {len(data.metadata['failed'])} failed)")
