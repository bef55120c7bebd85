"""``astroemu cite``: print the BibTeX entries of everything that a fit used."""

from __future__ import annotations

from pathlib import Path

import typer

from astroemu.cli.options import DEFAULT, RUN_PLUGIN_FILES, SAMPLER


def cite(
    configuration: str = typer.Argument(
        DEFAULT,
        help="TOML file of a fit, name of an installed configuration, or run folder. "
        "An installed name comes first; write ./NAME for a folder of that name.",
    ),
    sampler: str | None = SAMPLER,
    run_plugin_files: bool = RUN_PLUGIN_FILES,
) -> None:
    """Print the BibTeX entries of everything that a fit used.

    These are data, likelihoods, models, sampler and software.
    """
    from astroemu.cli.progress import warned
    from astroemu.inference.bibliography import bibtex
    from astroemu.inference.configuration import load_configuration
    from astroemu.inference.reuse import model_of
    from astroemu.inference.run_folder import RunFolder
    from astroemu.runtime.plugins import CONFIGURATIONS

    folder = Path(configuration)
    is_run = configuration not in CONFIGURATIONS.entries and folder.is_dir()
    run = RunFolder.open(folder, run_plugin_files=run_plugin_files) if is_run else None
    loaded = load_configuration(configuration) if run is None else run.configuration()
    if run is not None:
        with warned():
            model_of(run)  # says what has changed since the run
    typer.echo(bibtex(loaded, sampler), nl=False)
