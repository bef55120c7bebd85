"""``astroemu new``: write a template of a plugin, or a configuration."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import typer

from astroemu.cli.terminal import note, remark, tell

#: The word for a configuration in the place of a kind of plugin, and its file if none is named.
_CONFIGURATION, _FILE = "config", Path("fit.toml")


def new(
    kind: str = typer.Argument(..., help="Kind of the plugin: probe, emulator, simulator or sampler. Or config."),
    names: list[str] = typer.Argument(
        None,
        metavar="NAME...",
        help="Name of the plugin: lower-case letters, digits and underscores. For config: the probes to fit, by their "
        "installed names, or as FILE.py:CLASS beside the new file, which is executed.",
    ),
    out: Path | None = typer.Option(
        None, help="New folder of the package; default: astroemu-NAME. For config: the new file; default: fit.toml."
    ),
    emulator: list[str] = typer.Option(
        [], help="For config: an installed emulator to use. Can be repeated. Default: those that the probes need."
    ),
    set_: list[str] = typer.Option(
        [],
        "--set",
        metavar="KEY=VALUE",
        help="For config: an option of a probe, for example probes.table.observable=x_hi. Can be repeated.",
    ),
) -> None:
    """Write a template of a probe, emulator, simulator or sampler, or a configuration for some probes.

    The template is a working Python package with code, entry point, tests and an example configuration.

    A configuration is a commented TOML file with every option, a prior for every parameter, and the emulators that the
    probes need. Example: `astroemu new config optical_depth neutral_fraction`
    """
    from astroemu.errors import ConfigurationError

    if kind == _CONFIGURATION:
        _write_configuration(names or [], emulator, set_, out or _FILE)
        return
    if emulator or set_:
        raise ConfigurationError("--emulator and --set belong to `astroemu new config`; leave them out")
    if len(names or []) != 1:
        raise ConfigurationError(f"name the new {kind}, with one name: astroemu new {kind} NAME")
    _write_plugin(kind, names[0], out)


def _write_plugin(kind: str, name: str, out: Path | None) -> None:
    from astroemu.cli.scaffold import write_plugin

    written = write_plugin(kind, name, out)
    tell("\n  ".join(["Written:", *map(str, written)]))
    folder = next(path for path in written if path.name == "pyproject.toml").parent
    tell(f"Next: pip install -e {folder}, then astroemu check {name}")


def _write_configuration(probes: list[str], emulators: list[str], set_: list[str], path: Path) -> None:
    from astroemu.cli.progress import warned
    from astroemu.errors import AstroemuError
    from astroemu.inference.configuration import load_configuration
    from astroemu.inference.configuration_template import configuration_template
    from astroemu.io.files import new_file, write_text

    file = new_file(path)
    write_text(file, configuration_template(probes, emulators, _options(set_), path.absolute().parent))
    tell(f"Written: {path}")
    try:
        with warned():
            load_configuration(path).model()
    except AstroemuError as error:
        remark(f"It is not complete yet: {error}")
    else:
        note("all parts fit together")
    tell(f"Next: astroemu explain {path}, then astroemu fit {path}")


def _options(settings: list[str]) -> dict[str, dict[str, Any]]:
    """Return the options of probes that ``--set`` gives, by probe."""
    from astroemu.errors import ConfigurationError
    from astroemu.inference.configuration import set_key

    raw: dict[str, Any] = {}
    for setting in settings:
        set_key(raw, setting)
    probes = raw.pop("probes", {})
    if raw or not all(isinstance(options, dict) for options in probes.values()):
        raise ConfigurationError("--set of `astroemu new config` has the form probes.NAME.OPTION=VALUE")
    return dict(probes)
