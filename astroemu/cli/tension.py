"""``astroemu tension``: how well probes agree."""

from __future__ import annotations

from pathlib import Path

import typer

from astroemu.cli.fit import DEFAULT, with_engine


def tension(
    configuration: str = typer.Argument(DEFAULT, help="TOML file, or the name of an installed configuration."),
    between: str = typer.Option(..., metavar="PROBE+...", help="A set of probes, joined by +."),
    and_: list[str] = typer.Option(
        [], "--and", metavar="PROBE+...", help="Another set; repeat for more. Default: all other probes."
    ),
    sampler: str | None = typer.Option(None, help="A nested one. Default: the configuration's, or one of its tables."),
    out: Path | None = typer.Option(None, help="Folder of the runs. Default: runs/NAME_tension."),
    seed: int | None = typer.Option(None, min=0, help="Seed, instead of the configuration's."),
    engine: str | None = typer.Option(None, help="auto, numpy or keras, instead of the configuration's."),
    set_: list[str] = typer.Option(
        [], "--set", metavar="KEY=VALUE", help="Override a key, such as samplers.ultranest.live_points=800."
    ),
    without: list[str] = typer.Option([], metavar="PROBE", help="Leave a probe out; repeat for several."),
) -> None:
    """Fit sets of probes alone and together, and say how well they agree: R, suspiciousness, dimensionality, p.

    The same command goes on where it was cut short; finished runs of the same identity are used again.
    """
    from astroemu.cli.progress import shown, warned
    from astroemu.configuration import load_configuration
    from astroemu.report.tension import tension_table
    from astroemu.tension import Plan
    from astroemu.tension import tension as run_tension

    loaded = load_configuration(configuration, [*set_, *with_engine(engine)]).without(without)
    plan = Plan.of(loaded, [between, *and_], sampler)
    with warned():
        result = run_tension(plan, out or Path("runs") / f"{loaded.name}_tension", seed=seed, report=shown)
    if result is not None:
        typer.echo(tension_table(result))
        typer.echo(f"Written: {result['written']}")
