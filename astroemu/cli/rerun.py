"""``astroemu rerun``: a finished run made again, and compared bit by bit."""

from __future__ import annotations

from pathlib import Path

import typer


def rerun(
    run: Path = typer.Argument(..., help="Folder of a finished run."),
    out: Path | None = typer.Option(None, help="New folder. Default: the first free RUN-rerun, RUN-rerun-2, ..."),
) -> None:
    """Repeat a run from what its folder holds; say whether the samples are the same. Exit code 3 if they are not.

    Refused, field by field, if the configuration, data, emulators or versions that it was made of have changed.
    """
    from astroemu.cli.progress import shown, warned
    from astroemu.parallel import world
    from astroemu.repetition import repetition_table
    from astroemu.repetition import rerun as repeat
    from astroemu.run import RunFolder

    folder = RunFolder.open(run)
    with warned(), shown(f"rerun {run.name}") as report:
        new, found = repeat(folder, out, report)
    if world().first:
        typer.echo(repetition_table(found))
        typer.echo(f"Written: {new.path}")
    if not found["identical"]:
        raise typer.Exit(3)
