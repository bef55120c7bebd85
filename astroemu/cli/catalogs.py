"""``astroemu catalogs``: list the catalogs, show what is in one, and fetch data that may not be redistributed."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from astroemu.cli.sections import CommandGroup
from astroemu.cli.terminal import speaking

app = typer.Typer(
    cls=CommandGroup,
    help="List the catalogs, show what is in one, and fetch data that may not be redistributed.",
    no_args_is_help=True,
)


@app.command("list")
@speaking
def listing() -> None:
    """List the installed catalogs with their references and licences.

    A catalog that must be fetched first is marked.
    """
    from astroemu.cli.terminal import fitted
    from astroemu.core.catalog import load_catalog
    from astroemu.core.remote_catalog import RemoteCatalog
    from astroemu.core.wheel_catalog import WheelCatalog
    from astroemu.runtime.plugins import CATALOGS

    for name in CATALOGS.entries:
        catalog = load_catalog(name)
        missing = "not installed" if isinstance(catalog, WheelCatalog) else "not fetched yet"
        state = "" if catalog.path.is_file() else f"   {missing}"
        if isinstance(catalog, RemoteCatalog):
            state = state or f"   fetched: {catalog.path}"
        facts = (fitted(f"  {fact}", 4) for fact in (catalog.reference, catalog.licence))
        typer.echo("\n".join([f"{name}{state}", *facts]))


@app.command("show")
@speaking
def show(
    name: Annotated[str, typer.Argument(help="Name of the catalog, see `astroemu catalogs list`, or a file.")],
    rows: Annotated[bool, typer.Option("--rows", help="List every row, instead of one line for each paper.")] = False,
    reference: Annotated[str | None, typer.Option(help="List the rows of one paper, such as Davies+2026.")] = None,
    out: Annotated[Path | None, typer.Option(help="New PNG file for a picture of the data.")] = None,
) -> None:
    """Show what is in a catalog: its rows, overlaps, units, papers and licence.

    A table is summed up by paper. A star marks numbers that were read in one secondary source only.
    """
    from astroemu.cli.terminal import answer, tell, width
    from astroemu.core.catalog import load_catalog
    from astroemu.io.files import new_file
    from astroemu.io.paths import looks_like_path
    from astroemu.report.catalog_figure import draw_catalog
    from astroemu.report.catalog_table import catalog_text

    picture = None if out is None else new_file(out)
    catalog = load_catalog(name if looks_like_path(name) else name.replace("-", "_"))
    answer(catalog_text(catalog, rows, reference, min(width(), 80) if not rows else width()))
    if picture is not None:
        draw_catalog(catalog, picture)
        tell(f"Written: {picture}")


@app.command("fetch")
@speaking
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
    from astroemu.core.wheel_catalog import WheelCatalog
    from astroemu.errors import ConfigurationError

    catalog = load_catalog(name.replace("-", "_"))
    if isinstance(catalog, WheelCatalog):
        raise ConfigurationError(f"the catalog {catalog.name!r} is not downloaded by this command. {catalog.remedy}")
    if not isinstance(catalog, RemoteCatalog):
        raise ConfigurationError(f"the catalog {catalog.name!r} comes with its package; there is nothing to fetch")
    made = catalog.fetch(source)
    typer.echo(f"{'fetched' if made else 'already fetched'}: {catalog.path}")
    typer.echo(f"cite: {catalog.reference}; arXiv {', '.join(catalog.arxiv)}")
