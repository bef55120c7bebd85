"""``astroemu catalogs``: what data there are, and data that must be fetched."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(help="List the catalogs, or fetch one that may not be passed on.", no_args_is_help=True)


@app.command("list")
def listing() -> None:
    """List the installed catalogs with their reference, licence, and whether they are here."""
    from astroemu.core.catalog import load_catalog
    from astroemu.core.remote_catalog import RemoteCatalog
    from astroemu.runtime.plugins import CATALOGS

    for name in CATALOGS.entries:
        catalog = load_catalog(name)
        state = "" if catalog.path.is_file() else "   not here yet"
        if isinstance(catalog, RemoteCatalog):
            state = state or f"   fetched: {catalog.path}"
        typer.echo(f"{name}{state}\n  {catalog.reference}\n  {catalog.licence}")


@app.command("fetch")
def fetch(
    name: Annotated[str, typer.Argument(help="The catalog.")],
    source: Annotated[
        Path | None, typer.Option("--from", help="A folder with the files, instead of their public address.")
    ] = None,
) -> None:
    """Download a catalog into the cache folder (ASTROEMU_CACHE, or the user's), and check it."""
    from astroemu.core.catalog import load_catalog
    from astroemu.core.remote_catalog import RemoteCatalog
    from astroemu.errors import ConfigurationError

    catalog = load_catalog(name.replace("-", "_"))
    if not isinstance(catalog, RemoteCatalog):
        raise ConfigurationError(f"the catalog {catalog.name!r} comes with its package; there is nothing to fetch")
    made = catalog.fetch(source)
    typer.echo(f"{'fetched' if made else 'already here'}: {catalog.path}")
    typer.echo(f"cite: {catalog.reference}; arXiv {', '.join(catalog.arxiv)}")
