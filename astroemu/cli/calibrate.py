"""``astroemu calibrate``: simulation-based calibration of the complete pipeline."""

from __future__ import annotations

from pathlib import Path

import typer

from astroemu.cli.options import (
    ACCEPT_CHANGED_CODE,
    CONFIGURATION,
    FIX,
    SAMPLER,
    SET,
    SIMULATIONS,
    SIMULATOR,
    SIMULATOR_OPTION,
    WITHOUT,
    chosen_truth,
    load,
)
from astroemu.cli.terminal import tell


def calibrate(
    configuration: str = CONFIGURATION,
    n: int = typer.Option(
        200,
        "--n",
        help="Number of mock data sets and fits, at least 10. Below 50 it cannot tell that the test is passed. A later "
        "call with a larger number adds fits.",
    ),
    out: Path = typer.Option(..., help="Folder of the calibration. An interrupted calibration is continued."),
    draws: int = typer.Option(199, min=19, help="Number of posterior draws among which each true value is ranked."),
    seed: int = typer.Option(1, min=0, help="Seed of the mock data and of the fits."),
    sampler: str | None = SAMPLER,
    workers: int = typer.Option(1, min=1, help="Number of processes for the fits."),
    simulator: str | None = SIMULATOR,
    option: list[str] = SIMULATOR_OPTION,
    fix: list[str] = FIX,
    simulations: Path | None = SIMULATIONS,
    set_: list[str] = SET,
    without: list[str] = WITHOUT,
    accept_changed_code: bool = ACCEPT_CHANGED_CODE,
) -> None:
    """Fit many mock data sets, and test whether the ranks of their truths are uniform.

    This is simulation-based calibration. It tests emulator, likelihood and sampler together. Exit code 3 if the test
    fails.
    """
    from astroemu.cli.progress import shown
    from astroemu.report.sbc import draw_calibration
    from astroemu.report.tables import calibration_table
    from astroemu.runtime.mpi import processes
    from astroemu.validation.sbc import SimulationBasedCalibration, read_fit

    loaded = load(configuration, set_, without)
    truth = chosen_truth(simulator, option, fix, simulations)
    with shown(f"calibrate {loaded.name}") as report:
        task = SimulationBasedCalibration(loaded, truth, sampler, seed, draws)
        found = task.run(out, n, workers=workers, report=report, accept_changed_code=accept_changed_code)
    if processes().is_root:
        typer.echo(calibration_table(found))
        for path in draw_calibration([read_fit(out, i) for i in range(n)], draws, loaded.model().prior, out):
            tell(f"Written: {path}")
        tell(f"Written: {out / 'calibration.json'}")
    if found["passed"] is False:  # None: too few fits to tell
        raise typer.Exit(3)
