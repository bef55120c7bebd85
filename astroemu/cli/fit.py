"""``astroemu fit``: sample a posterior and write the results."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import typer

from astroemu.cli.options import (
    ACCEPT_CHANGED_CODE,
    CONFIGURATION,
    ENGINE,
    NO_REPORT,
    SAMPLER,
    SEED_INSTEAD,
    SET,
    WITHOUT,
    load,
)

if TYPE_CHECKING:
    from astroemu.inference.run_folder import RunFolder
    from astroemu.model.model import Model


def fit(
    configuration: str = CONFIGURATION,
    sampler: str | None = SAMPLER,
    out: Path | None = typer.Option(
        None, help="Run folder. Default: the first free one of runs/NAME, runs/NAME-2, ..."
    ),
    seed: int | None = SEED_INSTEAD,
    engine: str | None = ENGINE,
    set_: list[str] = SET,
    without: list[str] = WITHOUT,
    resume: bool = typer.Option(
        False,
        "--resume",
        help="Continue an interrupted run, in --out or else in the last runs/NAME. If there is none, start a new run. "
        "A run that ended unconverged goes on with more steps or other stopping criteria.",
    ),
    accept_changed_code: bool = ACCEPT_CHANGED_CODE,
    profile: bool = typer.Option(
        False, "--profile", help="Measure the time of the sampler, the emulators and the probes."
    ),
    no_report: bool = NO_REPORT,
) -> None:
    """Sample the joint posterior of a configuration.

    Samples, summary, table and figures are written into the run folder. A converged run is never overwritten.

    Under mpiexec, the processes share the likelihood evaluations.
    """
    from astroemu.cli.progress import shown, warned
    from astroemu.cli.run_log import RunLog, command_line
    from astroemu.cli.terminal import heard, note
    from astroemu.inference.fitting import fit as run_fit
    from astroemu.runtime.mpi import processes

    with RunLog(command_line()) as log, heard(log.write):
        loaded = load(configuration, set_, without, engine)
        note(f"read {loaded.path}")
        with warned(), shown(f"fit {loaded.name}") as report:
            folder, model = run_fit(
                loaded,
                out=out,
                sampler=sampler,
                seed=seed,
                resume=resume,
                accept_changed_code=accept_changed_code,
                profile=profile,
                report=report,
                opened=lambda folder: log.open(folder.path),
            )
        if processes().is_root:
            _tell_results(folder, model, no_report=no_report)


def _tell_results(folder: RunFolder, model: Model, *, no_report: bool) -> None:
    """Draw the report of a run, and print its table and what was written."""
    from astroemu.cli.progress import warned
    from astroemu.cli.terminal import note, tell, width
    from astroemu.report import write_report
    from astroemu.report.tables import profile_table, text_table

    with warned():
        if not no_report:
            note("drawing the report")
        written = [] if no_report else write_report(folder, model)
    if model.engine.name != "numpy":
        tell("\n".join(model.compile_report()))
    summary = folder.summary()
    tell(text_table(summary, width()))
    if "profile" in summary:
        tell(profile_table(summary))
    if written:
        tell("\n  ".join(["Written:", *map(str, written)]))
