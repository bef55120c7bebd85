"""``astroemu tension``: measure how well groups of probes agree."""

from __future__ import annotations

from pathlib import Path

import typer

from astroemu.cli.options import ACCEPT_CHANGED_CODE, CONFIGURATION, ENGINE, SEED_INSTEAD, SET, WITHOUT, load
from astroemu.cli.terminal import tell


def tension(
    configuration: str = CONFIGURATION,
    between: str = typer.Option(..., metavar="PROBE+...", help="First group of probes, with their names joined by +."),
    and_: list[str] = typer.Option(
        [], "--and", metavar="PROBE+...", help="Another group of probes. Can be repeated. Default: all other probes."
    ),
    sampler: str | None = typer.Option(
        None,
        help="Name of a nested sampler. Default: the first nested sampler that the configuration names, or the one "
        "that is installed.",
    ),
    out: Path | None = typer.Option(None, help="Folder for the runs and the result. Default: runs/NAME_tension."),
    seed: int | None = SEED_INSTEAD,
    engine: str | None = ENGINE,
    set_: list[str] = SET,
    without: list[str] = WITHOUT,
    accept_changed_code: bool = ACCEPT_CHANGED_CODE,
) -> None:
    """Measure how well groups of probes agree.

    Each group is fitted alone, and all groups are fitted together, by nested sampling. The command prints the evidence
    ratio R, the suspiciousness, the shared dimensionality and the tension probability p.

    After an interruption, the same command continues. Finished runs with the same inputs and settings are used again.
    """
    from astroemu.analysis.tension import TensionStudy
    from astroemu.analysis.tension import tension as run_tension
    from astroemu.cli.progress import shown, warned
    from astroemu.report.tables import tension_table

    loaded = load(configuration, set_, without, engine)
    plan = TensionStudy.of(loaded, [between, *and_], sampler)
    with warned():
        result = run_tension(
            plan,
            out or Path("runs") / f"{loaded.name}_tension",
            seed=seed,
            accept_changed_code=accept_changed_code,
            report=shown,
        )
    if result is not None:
        typer.echo(tension_table(result))
        tell(f"Written: {result['written']}")
