"""``astroemu rerun``: a finished run made again, and compared bit by bit."""

from __future__ import annotations

from pathlib import Path

import typer

from astroemu.cli.options import FINISHED_RUN


def rerun(
    run: Path = FINISHED_RUN,
    out: Path | None = typer.Option(None, help="New folder. Default: the first free RUN-rerun, RUN-rerun-2, ..."),
) -> None:
    """Repeat a run from what its folder holds; say whether the samples are the same. Exit code 3 if they are not.

    Refused, field by field, if the configuration, data, emulators or versions that it was made of have changed.
    """
    from astroemu.analysis.rerun import rerun as repeat
    from astroemu.cli.progress import shown, warned
    from astroemu.inference.run_folder import RunFolder
    from astroemu.report.tables import repetition_table
    from astroemu.runtime.mpi import processes

    folder = RunFolder.open(run)
    with warned(), shown(f"rerun {run.name}") as report:
        new, found = repeat(folder, out, report)
    if processes().is_root:
        typer.echo(repetition_table(found))
        typer.echo(f"Written: {new.path}")
    if not found["identical"]:
        raise typer.Exit(3)
