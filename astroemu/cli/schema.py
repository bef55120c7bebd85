"""``astroemu schema``: print the JSON schema of a configuration, for editors."""

from __future__ import annotations

from pathlib import Path

import typer

from astroemu.cli.terminal import answer, tell


def schema(
    recipe: bool = typer.Option(False, "--recipe", help="Print the schema of the recipe of an emulator instead."),
    out: Path | None = typer.Option(None, help="New JSON file to write. Default: print it."),
) -> None:
    """Print the JSON schema of a configuration, with which editors complete and check TOML.

    It describes the options of all installed plugins. Write it to a file, and name that in the first line of a
    configuration: #:schema ./FILE
    """
    import json

    from astroemu.inference.configuration_schema import configuration_schema, recipe_schema
    from astroemu.io.files import new_file, write_json

    path = None if out is None else new_file(out)
    content = recipe_schema() if recipe else configuration_schema()
    if path is None:
        answer(json.dumps(content, indent=1))
        return
    write_json(path, content)
    tell(f"Written: {path}\nName it in the first line of a configuration: #:schema ./{path.name}")
