"""``astroemu calibrate``: does the truth lie where the posteriors say?"""

from __future__ import annotations

from pathlib import Path

import typer

from astroemu.cli.fit import DEFAULT
from astroemu.cli.mock import FIX, SET, SIMULATIONS, SIMULATOR, SIMULATOR_OPTION, WITHOUT, chosen


def calibrate(
    configuration: str = typer.Argument(DEFAULT, help="TOML file, or the name of an installed configuration."),
    n: int = typer.Option(200, "--n", min=10, help="Mock data sets, and fits. More can be added later."),
    out: Path = typer.Option(..., help="Folder of the calibration. Started again with it, it goes on."),
    draws: int = typer.Option(199, min=19, help="Posterior draws among which a truth is ranked."),
    seed: int = typer.Option(1, min=0),
    sampler: str | None = typer.Option(None, help="Sampler, instead of the configuration's."),
    workers: int = typer.Option(1, min=1, help="Processes."),
    simulator: str | None = SIMULATOR,
    option: list[str] = SIMULATOR_OPTION,
    fix: list[str] = FIX,
    simulations: Path | None = SIMULATIONS,
    set_: list[str] = SET,
    without: list[str] = WITHOUT,
) -> None:
    """Fit many mock data sets and examine the ranks of their truths. Exit code 3 if they are not uniform."""
    from astroemu.calibration import Calibration, calibration_table, read_fit
    from astroemu.cli.progress import shown
    from astroemu.configuration import load_configuration
    from astroemu.parallel import world
    from astroemu.report.calibration import draw_calibration

    loaded = load_configuration(configuration, set_).without(without)
    truth = chosen(simulator, option, fix, simulations)
    with shown(f"calibrate {loaded.name}") as report:
        task = Calibration(loaded, truth, sampler, seed, draws)
        found = task.run(out, n, workers=workers, report=report)
    if world().first:
        typer.echo(calibration_table(found))
        for path in draw_calibration([read_fit(out, i) for i in range(n)], draws, loaded.model().prior, out):
            typer.echo(f"Written: {path}")
        typer.echo(f"Written: {out / 'calibration.json'}")
    if not found["passed"]:
        raise typer.Exit(3)
