"""``astroemu cite``: what to cite."""

from __future__ import annotations

from pathlib import Path

import typer

from astroemu.cli.options import DEFAULT


def cite(
    configuration: str = typer.Argument(DEFAULT, help="TOML file, name of an installed configuration, or run folder."),
    sampler: str | None = typer.Option(None, help="Sampler, instead of the configuration's."),
) -> None:
    """Print the BibTeX of everything that a fit used: data, likelihoods, models, sampler, software."""
    from astroemu.inference.bibliography import bibtex
    from astroemu.inference.configuration import load_configuration
    from astroemu.inference.run_folder import RunFolder

    folder = Path(configuration)
    loaded = RunFolder.open(folder).configuration() if folder.is_dir() else load_configuration(configuration)
    typer.echo(bibtex(loaded, sampler), nl=False)
