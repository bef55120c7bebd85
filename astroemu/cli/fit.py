"""``astroemu fit``: sample a posterior and write the results."""

from __future__ import annotations

from pathlib import Path

import typer

from astroemu.cli.options import CONFIGURATION, ENGINE, NO_REPORT, SAMPLER, SEED_INSTEAD, SET, WITHOUT, load


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
        help="Continue an interrupted run, in --out or else in the last runs/NAME. If there is none, start a new run.",
    ),
    profile: bool = typer.Option(
        False, "--profile", help="Measure the time of the sampler, the emulators and the probes."
    ),
    no_report: bool = NO_REPORT,
) -> None:
    """Sample the joint posterior of a configuration.

    Samples, summary, table and figures are written into the run folder. A finished run is never overwritten.

    Under mpiexec, the processes share the likelihood evaluations.
    """
    from astroemu.cli.progress import shown, warned
    from astroemu.inference.fitting import fit as run_fit
    from astroemu.report import write_report
    from astroemu.report.tables import profile_table, text_table
    from astroemu.runtime.mpi import processes

    loaded = load(configuration, set_, without, engine)
    with warned(), shown(f"fit {loaded.name}") as report:
        folder, model = run_fit(
            loaded, out=out, sampler=sampler, seed=seed, resume=resume, profile=profile, report=report
        )
    if not processes().is_root:
        return
    if model.engine.name != "numpy":
        typer.echo("\n".join(model.compile_report()))
    summary = folder.summary()
    typer.echo(text_table(summary))
    if "profile" in summary:
        typer.echo(profile_table(summary))
    if not no_report:
        typer.echo("Written:")
        for path in write_report(folder, model):
            typer.echo(f"  {path}")
