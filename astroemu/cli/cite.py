"""``astroemu cite``: print the BibTeX entries of everything that a fit used."""

from __future__ import annotations

from pathlib import Path

import typer

from astroemu.cli.options import DEFAULT, SAMPLER


def cite(
    configuration: str = typer.Argument(
        DEFAULT, help="TOML file of a fit, name of an installed configuration, or run folder."
    ),
    sampler: str | None = SAMPLER,
) -> None:
    """Print the BibTeX entries of everything that a fit used.

    These are data, likelihoods, models, sampler and software.
    """
    from astroemu.inference.bibliography import bibtex
    from astroemu.inference.configuration import load_configuration
    from astroemu.inference.run_folder import RunFolder

    folder = Path(configuration)
    loaded = RunFolder.open(folder).configuration() if folder.is_dir() else load_configuration(configuration)
    typer.echo(bibtex(loaded, sampler), nl=False)
