"""``astroemu check-posterior``: compare a finished run with the true simulator."""

from __future__ import annotations

from pathlib import Path

import typer

from astroemu.cli.options import (
    ACCEPT_CHANGED_CODE,
    FINISHED_RUN,
    FIX,
    RUN_PLUGIN_FILES,
    SIMULATION_WORKERS,
    SIMULATIONS,
    SIMULATOR,
    SIMULATOR_OPTION,
    chosen_truth,
)
from astroemu.cli.terminal import tell


def check_posterior(
    run: Path = FINISHED_RUN,
    simulator: str | None = SIMULATOR,
    option: list[str] = SIMULATOR_OPTION,
    fix: list[str] = FIX,
    simulations: Path | None = SIMULATIONS,
    n: int = typer.Option(50, "--n", min=2, help="Number of posterior draws at which the simulator is run."),
    seed: int = typer.Option(1, min=0, help="Seed of the posterior draws."),
    workers: int = SIMULATION_WORKERS,
    out: Path | None = typer.Option(
        None, help="Folder of the check. An interrupted check is continued. Default: RUN/check_SIMULATOR."
    ),
    points: Path | None = typer.Option(
        None, help="Only write the posterior draws to this file, to run the simulator on another machine."
    ),
    accept_changed_code: bool = ACCEPT_CHANGED_CODE,
    run_plugin_files: bool = RUN_PLUGIN_FILES,
) -> None:
    """Compare a finished run with the true simulator.

    The simulator is run at draws of the posterior. The command prints how much the emulator has moved the posterior.

    If the simulator runs on another machine, write the draws with --points, and give its results with --simulations.
    """
    from astroemu.cli.progress import shown
    from astroemu.inference.run_folder import RunFolder
    from astroemu.report.tables import check_table
    from astroemu.runtime.mpi import processes
    from astroemu.validation.posterior_check import PosteriorCheck, write_points

    folder = RunFolder.open(run, run_plugin_files=run_plugin_files)
    if points is not None:
        tell(f"Written: {write_points(folder, n, seed, points)}")
        return
    truth = chosen_truth(simulator, option, fix, simulations)
    task = PosteriorCheck(folder, truth, n, seed, workers, accept_changed_code)
    place = out or run / f"check_{simulator or 'simulations'}"
    with shown(f"check {run.name}") as report:
        found = task.check(place, report)
    if processes().is_root:
        typer.echo(check_table(found))
        tell(f"Written: {place / 'check.json'}")
