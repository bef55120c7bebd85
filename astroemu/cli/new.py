"""``astroemu new``: a plugin to start from."""

from __future__ import annotations

from pathlib import Path

import typer


def new(
    kind: str = typer.Argument(..., help="probe, emulator, simulator or sampler."),
    name: str = typer.Argument(..., help="Its name: small letters, digits and underscores."),
    out: Path | None = typer.Option(None, help="Folder to write. Default: astroemu-NAME."),
) -> None:
    """Write a working plugin as a distribution of its own: code, entry point, tests, an example."""
    from astroemu.cli.scaffold import write_plugin

    written = write_plugin(kind, name, out)
    typer.echo("Written:")
    for path in written:
        typer.echo(f"  {path}")
    folder = next(path for path in written if path.name == "pyproject.toml").parent
    typer.echo(f"Next: pip install -e {folder}, then astroemu check {name}")
