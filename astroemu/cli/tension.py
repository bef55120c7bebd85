"""``astroemu tension``: how well probes agree."""

from __future__ import annotations

from pathlib import Path

import typer

from astroemu.cli.options import CONFIGURATION, ENGINE, SEED_INSTEAD, SET, WITHOUT, load


def tension(
    configuration: str = CONFIGURATION,
    between: str = typer.Option(..., metavar="PROBE+...", help="A set of probes, joined by +."),
    and_: list[str] = typer.Option(
        [], "--and", metavar="PROBE+...", help="Another set; repeat for more. Default: all other probes."
    ),
    sampler: str | None = typer.Option(None, help="A nested one. Default: the configuration's, or one of its tables."),
    out: Path | None = typer.Option(None, help="Folder of the runs. Default: runs/NAME_tension."),
    seed: int | None = SEED_INSTEAD,
    engine: str | None = ENGINE,
    set_: list[str] = SET,
    without: list[str] = WITHOUT,
) -> None:
    """Fit sets of probes alone and together, and say how well they agree: R, suspiciousness, dimensionality, p.

    The same command goes on where it was cut short; finished runs of the same identity are used again.
    """
    from astroemu.analysis.tension import TensionStudy
    from astroemu.analysis.tension import tension as run_tension
    from astroemu.cli.progress import shown, warned
    from astroemu.report.tables import tension_table

    loaded = load(configuration, set_, without, engine)
    plan = TensionStudy.of(loaded, [between, *and_], sampler)
    with warned():
        result = run_tension(plan, out or Path("runs") / f"{loaded.name}_tension", seed=seed, report=shown)
    if result is not None:
        typer.echo(tension_table(result))
        typer.echo(f"Written: {result['written']}")
