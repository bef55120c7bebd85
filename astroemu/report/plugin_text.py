"""What ``astroemu list NAME`` prints: a plugin, its options, and what it takes and gives."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from importlib.metadata import EntryPoint
from pathlib import Path
from typing import Any

from astroemu.core.catalog import Catalog
from astroemu.core.observable import Observable
from astroemu.core.probe import Probe
from astroemu.core.provider import Provider
from astroemu.emulation.loading import load_emulator
from astroemu.emulation.simulator import Simulator
from astroemu.errors import AstroemuError, PluginError, closest, listing
from astroemu.io.toml import read_toml
from astroemu.report.columns import WIDTH, wrapped
from astroemu.runtime.option_words import Option, options_of, summary_of
from astroemu.runtime.options import build
from astroemu.runtime.plugins import (
    CONFIGURATIONS,
    DERIVED,
    EMULATORS,
    GROUPS,
    PROBES,
    SAMPLERS,
    SIMULATORS,
    TRAINED,
    PluginGroup,
)

#: Table of a configuration that holds the options of each kind of plugin.
TABLES: Mapping[str, str] = {
    PROBES.name: "[probes.{}]",
    SAMPLERS.name: "[samplers.{}]",
    SIMULATORS.name: "[simulators.{}.options]",
    DERIVED.name: "[derived.{}.options]",
}


def plugin_text(name: str, width: int = WIDTH) -> str:
    """Return what is known about the installed plugins of one name, which may be of several kinds.

    Parameters
    ----------
    name : str
    width : int
        Largest length of a line.

    Raises
    ------
    PluginError
        If nothing is installed under the name.
    """
    groups = [group for group in GROUPS if name in group.entries]
    if not groups:
        known = {known for group in GROUPS for known in group.entries}
        raise PluginError(
            f"nothing is installed under the name {name!r}.{closest(name, known)} `astroemu list` prints all names"
        )
    return "\n\n".join("\n".join(_lines(group, name, width)) for group in groups)


def _lines(group: PluginGroup, name: str, width: int) -> Iterator[str]:
    entry = group.entries[name][0]
    yield f"{group.noun} {name}  ({_origin(entry)})"
    try:
        plugin = group.load(name)
    except PluginError as error:
        yield wrapped(f"  it cannot be used: {error}", width)
        return
    if group in (TRAINED, CONFIGURATIONS):
        yield from _of_file(group, plugin, width)
    elif isinstance(plugin, Catalog):
        yield from _indented([plugin.reference, plugin.licence, f"rows: astroemu catalogs show {name}"], width)
    elif isinstance(plugin, type):
        yield from _of_class(group, name, plugin, width)
    else:
        yield f"  {plugin}"


def _origin(entry: EntryPoint) -> str:
    return f"{entry.dist.name} {entry.dist.version}" if entry.dist else "an unknown distribution"


def _indented(texts: Iterable[str], width: int, indent: str = "  ") -> Iterator[str]:
    for text in texts:
        yield from (indent + line for line in wrapped(text, width - len(indent)).splitlines())


def _of_file(group: PluginGroup, path: Path, width: int) -> Iterator[str]:
    if group is CONFIGURATIONS:
        content = read_toml(path)
        kind = "fit" if "probes" in content else "recipe of an emulator"
        command = "explain" if kind == "fit" else "train"
        texts = [str(content.get("title", "")), f"{kind}: astroemu {command} {path.stem}", str(path)]
        yield from _indented(texts, width)
        return
    emulator = load_emulator(path)
    yield from _indented([f"kind: {emulator.kind}", emulator.citation], width)
    yield "  takes"
    for name, (low, high) in emulator.bounds.items():
        yield f"    {name:<22} {low:g} to {high:g} {emulator.labels.get(name, ('', ''))[1]}".rstrip()
    yield from _given(emulator.provides)


def _given(observables: Mapping[str, Observable]) -> Iterator[str]:
    yield "  gives"
    for name, o in observables.items():
        axes = ", ".join(f"{a.name} {a.values[0]:g} to {a.values[-1]:g} {a.unit}".rstrip() for a in o.axes)
        yield f"    {name:<22} {o.unit + '  ' if o.unit else ''}{axes}".rstrip()


def _of_class(group: PluginGroup, name: str, cls: type, width: int) -> Iterator[str]:
    yield from _indented([summary_of(cls)], width)
    if group is EMULATORS:
        yield from _indented(["its options are those of [training] in a recipe: docs/workshop.md"], width)
        return
    yield from _connections(cls, width)
    options = options_of(cls)
    yield f"  options, in {TABLES[group.name].format(name)}" if options else "  no options"
    for option in options:
        yield from _of_option(option, width)


def _of_option(option: Option, width: int) -> Iterator[str]:
    state = "required" if option.required else f"default {option.shown_default}"
    yield from _indented([f"{option.name}: {option.kind}; {state}"], width, "    ")
    if option.text:
        yield from _indented([option.text], width, "      ")


def _connections(cls: type, width: int) -> Iterator[str]:
    """Yield what a plugin takes and gives with its default options, if it can be built with them."""
    plugin: Any = None
    with suppress(AstroemuError):
        plugin = build(cls, {}, cls.__name__)
    if isinstance(plugin, Probe):
        yield from _indented([f"needs {_names(r.observable for r in plugin.requires.values())}"], width)
        if plugin.parameters:
            yield from _indented([f"nuisance parameters {_names(p.name for p in plugin.parameters)}"], width)
    elif isinstance(plugin, Provider | Simulator):
        requires = plugin.requires if isinstance(plugin, Provider) else ()
        names = plugin.parameters if isinstance(plugin, Provider) else [p.name for p in plugin.parameters]
        yield from _indented([f"takes {_names([*names, *(r.observable for r in requires)])}"], width)
        yield from _given(plugin.provides)


def _names(names: Iterable[str]) -> str:
    return ", ".join(dict.fromkeys(names)) or listing([])
