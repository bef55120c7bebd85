"""``astroemu explore``: move the parameters of a model in the browser."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from astroemu.cli.options import DEFAULT, ENGINE, RUN_PLUGIN_FILES, SET, WITHOUT, load

if TYPE_CHECKING:
    from astroemu.inference.run_folder import RunFolder
    from astroemu.model.model import Model
    from astroemu.report.explore import Explorer

#: Seconds between two looks for Ctrl-C.
_PAUSE = 0.2


def explore(
    configuration: str | None = typer.Argument(
        None,
        help="TOML file of a fit, or the name of an installed configuration. "
        f"Default: that of --run; without it, {DEFAULT}.",
    ),
    run: Path | None = typer.Option(
        None, help="Folder of a finished run. Its posterior is drawn behind the curves, and its median is a button."
    ),
    port: int = typer.Option(0, min=0, max=65535, help="Port of 127.0.0.1. Default: any free one."),
    no_browser: bool = typer.Option(False, "--no-browser", help="Print the address only, and open no browser."),
    seed: int = typer.Option(1, min=0, help="Seed of the draws from the prior."),
    engine: str | None = ENGINE,
    run_plugin_files: bool = RUN_PLUGIN_FILES,
    set_: list[str] = SET,
    without: list[str] = WITHOUT,
) -> None:
    """Move the parameters of a model in the browser, and see the predictions change over the data.

    The page has one slider per parameter, the pictures of every probe, and the log-likelihoods. It is served on this
    machine only, and only to those who know the random token in its address. Ctrl-C ends it.
    """
    from astroemu.cli.progress import warned
    from astroemu.inference.run_folder import RunFolder
    from astroemu.report.explore import explore as serve

    folder = None if run is None else RunFolder.open(run, run_plugin_files=run_plugin_files)
    with warned():
        model = _model(configuration, folder, set_, without, engine)
    explorer = serve(model, None if folder is None else folder.samples(), name=str(run or ""), port=port, seed=seed)
    typer.echo(f"{model.name}: {len(model.names)} parameters, {len(model.probes)} probes\n{explorer.url}")
    if not no_browser and not explorer.open():
        typer.echo(_without_browser(explorer))
    typer.echo("The address works on this machine only. Ctrl-C ends the page.")
    _wait()


def _model(
    configuration: str | None, run: RunFolder | None, set_: list[str], without: list[str], engine: str | None
) -> Model:
    """Return the model to explore: that of a run, unless a configuration is named."""
    from astroemu.inference.reuse import model_of

    if configuration is not None or run is None:
        return load(configuration or DEFAULT, set_, without, engine).model()
    changes = [*set_, *([] if engine is None else [f'engine="{engine}"'])]
    if not changes and not without:
        return model_of(run)
    return run.configuration().overridden(changes).without(without).model()


def _without_browser(explorer: Explorer) -> str:
    port = explorer.port
    return (
        "There is no browser here. Open the address in a browser of this machine. From another machine, type there\n"
        f"  ssh -L {port}:127.0.0.1:{port} NAME_OF_THIS_MACHINE\n"
        "and open the same address there."
    )


def _wait() -> None:
    """Wait for a signal; the server works in a thread of its own."""
    from astroemu.runtime import interruption

    while True:
        interruption.check()
        time.sleep(_PAUSE)
