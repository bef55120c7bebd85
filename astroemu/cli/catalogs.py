"""``astroemu catalogs``: list the catalogs, and fetch data that may not be redistributed."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from astroemu.cli.sections import CommandGroup

app = typer.Typer(
    cls=CommandGroup,
    help="List the catalogs, and fetch data that may not be redistributed.",
    no_args_is_help=True,
)


@app.command("list")
def listing() -> None:
    """List the installed catalogs with their references and licences.

    A catalog that must be fetched first is marked.
    """
    from astroemu.core.catalog import load_catalog
    from astroemu.core.remote_catalog import RemoteCatalog
    from astroemu.runtime.plugins import CATALOGS

    for name in CATALOGS.entries:
        catalog = load_catalog(name)
        state = "" if catalog.path.is_file() else "   not fetched yet"
        if isinstance(catalog, RemoteCatalog):
            state = state or f"   fetched: {catalog.path}"
        typer.echo(f"{name}{state}\n  {catalog.reference}\n  {catalog.licence}")


@app.command("fetch")
def fetch(
    name: Annotated[str, typer.Argument(help="Name of the catalog, see `astroemu catalogs list`.")],
    source: Annotated[
        Path | None, typer.Option("--from", help="Folder that already holds the files, instead of a download.")
    ] = None,
) -> None:
    """Download a catalog and compare the checksums of its files.

    It is stored in the folder of the environment variable ASTROEMU_CACHE, or else in the user's cache folder.
    """
    from astroemu.core.catalog import load_catalog
    from astroemu.core.remote_catalog import RemoteCatalog
    from astroemu.errors import ConfigurationError

    catalog = load_catalog(name.replace("-", "_"))
    if not isinstance(catalog, RemoteCatalog):
        raise ConfigurationError(f"the catalog {catalog.name!r} comes with its package; there is nothing to fetch")
    made = catalog.fetch(source)
    typer.echo(f"{'fetched' if made else 'already fetched'}: {catalog.path}")
    typer.echo(f"cite: {catalog.reference}; arXiv {', '.join(catalog.arxiv)}")
