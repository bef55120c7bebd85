"""``astroemu calibrate``: does the truth lie where the posteriors say?"""

from __future__ import annotations

from pathlib import Path

import typer

from astroemu.cli.options import (
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


def calibrate(
    configuration: str = CONFIGURATION,
    n: int = typer.Option(200, "--n", min=10, help="Mock data sets, and fits. More can be added later."),
    out: Path = typer.Option(..., help="Folder of the calibration. Started again with it, it goes on."),
    draws: int = typer.Option(199, min=19, help="Posterior draws among which a truth is ranked."),
    seed: int = typer.Option(1, min=0),
    sampler: str | None = SAMPLER,
    workers: int = typer.Option(1, min=1, help="Processes."),
    simulator: str | None = SIMULATOR,
    option: list[str] = SIMULATOR_OPTION,
    fix: list[str] = FIX,
    simulations: Path | None = SIMULATIONS,
    set_: list[str] = SET,
    without: list[str] = WITHOUT,
) -> None:
    """Fit many mock data sets and examine the ranks of their truths. Exit code 3 if they are not uniform."""
    from astroemu.cli.progress import shown
    from astroemu.report.sbc import draw_calibration
    from astroemu.report.tables import calibration_table
    from astroemu.runtime.mpi import processes
    from astroemu.validation.sbc import SimulationBasedCalibration, read_fit

    loaded = load(configuration, set_, without)
    truth = chosen_truth(simulator, option, fix, simulations)
    with shown(f"calibrate {loaded.name}") as report:
        task = SimulationBasedCalibration(loaded, truth, sampler, seed, draws)
        found = task.run(out, n, workers=workers, report=report)
    if processes().is_root:
        typer.echo(calibration_table(found))
        for path in draw_calibration([read_fit(out, i) for i in range(n)], draws, loaded.model().prior, out):
            typer.echo(f"Written: {path}")
        typer.echo(f"Written: {out / 'calibration.json'}")
    if not found["passed"]:
        raise typer.Exit(3)
