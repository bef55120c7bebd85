"""``astroemu fit``: sample a posterior and report it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import typer

#: What ``astroemu fit`` runs when no file is named.
DEFAULT = "reionization"


def fit(
    configuration: str = typer.Argument(DEFAULT, help="TOML file, or the name of an installed configuration."),
    sampler: str | None = typer.Option(None, help="Sampler, instead of the configuration's."),
    out: Path | None = typer.Option(None, help="Run folder. Default: the first free runs/NAME, runs/NAME-2, ..."),
    seed: int | None = typer.Option(None, min=0, help="Seed, instead of the configuration's."),
    engine: str | None = typer.Option(None, help="auto, numpy or keras, instead of the configuration's."),
    set_: list[str] = typer.Option(
        [], "--set", metavar="KEY=VALUE", help="Override a key, such as samplers.emcee.walkers=32."
    ),
    without: list[str] = typer.Option([], metavar="PROBE", help="Leave a probe out; repeat for several."),
    resume: bool = typer.Option(
        False,
        "--resume",
        help="Go on with the run in --out (or the last runs/NAME) where it was cut short; start it if there is none.",
    ),
    profile: bool = typer.Option(False, "--profile", help="Time the sampler, the emulators and the probes."),
    no_report: bool = typer.Option(False, "--no-report", help="Skip the pictures."),
) -> None:
    """Sample the joint posterior of a configuration; write samples, summary and pictures.

    A folder that holds a finished run is never overwritten. Under mpiexec the processes share the likelihood.
    """
    from astroemu.cli.progress import shown
    from astroemu.configuration import load_configuration
    from astroemu.fitting import fit as run_fit
    from astroemu.parallel import world
    from astroemu.profile import profile_table
    from astroemu.report import write_report
    from astroemu.report.table import text_table

    loaded = load_configuration(configuration, [*set_, *with_engine(engine)]).without(without)
    with plain_warnings(), shown(f"fit {loaded.name}") as report:
        folder, model = run_fit(
            loaded, out=out, sampler=sampler, seed=seed, resume=resume, profile=profile, report=report
        )
    if not world().first:
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


def with_engine(engine: str | None) -> list[str]:
    """Return the override that ``--engine`` is."""
    return [] if engine is None else [f'engine="{engine}"']


@contextmanager
def plain_warnings() -> Iterator[None]:
    """Print what a fit warns of as lines, once a job."""
    import warnings

    from astroemu.model import DoubleCountingWarning
    from astroemu.parallel import world
    from astroemu.record import DivergenceWarning

    with warnings.catch_warnings():
        warnings.showwarning = _plain
        warnings.simplefilter("always" if world().first else "ignore", DoubleCountingWarning)
        warnings.simplefilter("always", DivergenceWarning)
        yield


def _plain(message: Warning | str, *_: object, **__: object) -> None:
    typer.echo(f"warning: {message}", err=True)
