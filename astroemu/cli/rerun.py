"""``astroemu rerun``: repeat a finished run and compare the samples bit by bit."""

from __future__ import annotations

from pathlib import Path

import typer

from astroemu.cli.options import ACCEPT_CHANGED_CODE, FINISHED_RUN, RUN_PLUGIN_FILES


def rerun(
    run: Path = FINISHED_RUN,
    out: Path | None = typer.Option(
        None, help="New run folder. Default: the first free one of RUN-rerun, RUN-rerun-2, ..."
    ),
    accept_changed_code: bool = ACCEPT_CHANGED_CODE,
    run_plugin_files: bool = RUN_PLUGIN_FILES,
) -> None:
    """Repeat a finished run and compare the samples bit by bit.

    Exit code 3 if the samples differ.

    Configuration, data, emulators, the code of all plugins, and the versions of astroemu and the sampler must be those
    of the finished run. If one has changed, nothing is written and every change is listed.
    """
    from astroemu.analysis.rerun import rerun as repeat
    from astroemu.cli.progress import shown, warned
    from astroemu.cli.run_log import RunLog, command_line
    from astroemu.cli.terminal import answer, heard, tell
    from astroemu.inference.run_folder import RunFolder
    from astroemu.report.tables import repetition_table
    from astroemu.runtime.mpi import processes

    folder = RunFolder.open(run, run_plugin_files=run_plugin_files)
    with RunLog(command_line()) as log, heard(log.write):
        with warned(), shown(f"rerun {run.name}") as report:
            new, found = repeat(
                folder,
                out,
                report,
                accept_changed_code=accept_changed_code,
                opened=lambda folder: log.open(folder.path),
            )
        if processes().is_root:
            answer(repetition_table(found))
            tell(f"Written: {new.path}")
    if not found["identical"]:
        raise typer.Exit(3)
