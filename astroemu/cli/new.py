"""``astroemu new``: write a template of a plugin."""

from __future__ import annotations

from pathlib import Path

import typer


def new(
    kind: str = typer.Argument(..., help="Kind of the plugin: probe, emulator, simulator or sampler."),
    name: str = typer.Argument(..., help="Name of the plugin: lower-case letters, digits and underscores."),
    out: Path | None = typer.Option(None, help="New folder of the package. Default: astroemu-NAME."),
) -> None:
    """Write a template of a probe, emulator, simulator or sampler.

    The template is a working Python package with code, entry point, tests and an example configuration.
    """
    from astroemu.cli.scaffold import write_plugin

    written = write_plugin(kind, name, out)
    typer.echo("Written:")
    for path in written:
        typer.echo(f"  {path}")
    folder = next(path for path in written if path.name == "pyproject.toml").parent
    typer.echo(f"Next: pip install -e {folder}, then astroemu check {name}")
