"""Checks of installed plugins, by name."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from astroemu.core.provider import Provider
from astroemu.emulation.loading import load_emulator
from astroemu.emulation.recipe import Recipe
from astroemu.emulation.simulator import SimulatorProvider
from astroemu.errors import AstroemuError, PluginError, closest, listing
from astroemu.inference.configuration import Configuration, load_configuration
from astroemu.runtime.options import build
from astroemu.runtime.plugins import (
    CATALOGS,
    CONFIGURATIONS,
    EMULATORS,
    GROUPS,
    PROBES,
    REFERENCES,
    SAMPLERS,
    SIMULATORS,
    TRAINED,
    PluginGroup,
)
from astroemu.testing.catalog import check_catalog
from astroemu.testing.emulator import check_emulator, check_kind_of_emulator
from astroemu.testing.findings import Report, Skipped, ensure
from astroemu.testing.probe import check_probe
from astroemu.testing.sampler import check_sampler
from astroemu.testing.simulator import check_simulator

Options = Mapping[str, Any]


def check_installed(
    name: str, *, kind: str | None = None, model: str | Path | None = None, in_processes: bool = False
) -> list[Report]:
    """Return the reports on all installed plugins of a name, one for each group that has it.

    Parameters
    ----------
    name : str
        Entry-point name, or the name of a table of ``model``.
    kind : str, optional
        Only the plugin of this kind, such as ``probe`` or ``catalog``.
    model : str or Path, optional
        Configuration with the options of the plugin, and with the emulators and simulators that resolve the
        requirements of a probe. Without it, the plugin has no options, and all installed emulators and simulators are
        tried.
    in_processes : bool
        For samplers: also kill and resume a run, and run with two MPI processes.

    Raises
    ------
    PluginError
        If no plugin of this name is installed.
    """
    configuration = None if model is None else load_configuration(model)
    plugin, options = _named(name, configuration)
    found = [group for group in GROUPS if plugin in group.entries and kind in (None, group.noun)]
    if not found:
        known = {known for group in GROUPS for known in group.names if kind in (None, group.noun)}
        what = kind or "plugin"
        raise PluginError(f"no {what} is called {name!r}.{closest(name, known)} Installed: {listing(known)}")
    return [_examined(group, plugin, options, configuration, in_processes) for group in found]


def _named(name: str, configuration: Configuration | None) -> tuple[str, Options]:
    """Return the plugin name and the options of a name, from the configuration if it has such a table."""
    if configuration is None:
        return name, {}
    document = configuration.document
    if name in document.probes:
        options = dict(document.probes[name])
        return str(options.pop("plugin", name)), options
    if name in document.simulators:
        table = document.simulators[name]
        return table.plugin or name, table.options
    return name, document.samplers.get(name, {})


def _examined(
    group: PluginGroup, name: str, options: Options, configuration: Configuration | None, in_processes: bool
) -> Report:
    loaded: list[Any] = []
    first = Report(f"{group.noun} {name!r}")
    base = None if configuration is None else configuration.path.parent

    def load() -> str:
        loaded.append(group.load(name))
        if group in (PROBES, SIMULATORS):
            loaded[0] = build(loaded[0], options, f"options of {name!r}", base)
        elif group is SAMPLERS:
            build(loaded[0], options, f"options of {name!r}", base)
        entry = group.entries[name][0]
        return f"{entry.value}" + (f" of {entry.dist.name} {entry.dist.version}" if entry.dist else "")

    if not first.run("loads", load):
        return first
    plugin = loaded[0]
    examine: dict[str, Callable[[], Report]] = {
        PROBES.name: lambda: check_probe(plugin, _providers(configuration)),
        SIMULATORS.name: lambda: check_simulator(plugin),
        SAMPLERS.name: lambda: check_sampler(
            lambda: build(plugin, options, name, base), name, in_processes=in_processes
        ),
        EMULATORS.name: lambda: check_kind_of_emulator(plugin, name=name),
        TRAINED.name: lambda: check_emulator(load_emulator(name)),
        CATALOGS.name: lambda: check_catalog(plugin),
        CONFIGURATIONS.name: lambda: _configuration(plugin),
        REFERENCES.name: lambda: _bibliography(plugin),
    }
    if group.name not in examine:
        return first  # plugins of the other groups only have to load
    try:
        first.findings += examine[group.name]().findings
    except AstroemuError as error:
        reason = str(error)
        first.run("examination", lambda: _raise(reason))
    return first


def _raise(reason: str) -> str:
    raise Skipped(reason)


def _providers(configuration: Configuration | None) -> dict[str, Provider]:
    """Return the emulators and simulators that may meet the requirements of a probe; those that fail are left out."""
    if configuration is not None:
        return {**configuration.emulators(), **configuration.simulators()}
    found: dict[str, Provider] = {}
    for name in TRAINED.names:
        try:
            found[name] = load_emulator(name)
        except AstroemuError:
            continue
    for name in SIMULATORS.names:
        try:
            direct = SimulatorProvider(build(SIMULATORS.load(name), {}, name))
            _ = direct.provides
        except AstroemuError:
            continue
        found[name] = direct
    return found


def _configuration(path: Path) -> Report:
    """Check that the model of a configuration, or the simulations of a recipe, can be built."""
    import tomllib

    report = Report("configuration")

    def valid() -> str:
        if "simulation" in tomllib.loads(path.read_text(encoding="utf-8")):
            return f"recipe of {Recipe(path).simulation().n} points"
        model = load_configuration(path).model()
        return f"{len(model.names)} parameters, probes {', '.join(model.probes)}"

    report.run("valid", valid)
    return report


def _bibliography(path: Path) -> Report:
    """Check that every entry of a bibliography states its arXiv number."""
    report = Report("bibliography")

    def valid() -> str:
        text = path.read_text(encoding="utf-8")
        entries, numbers = text.count("\n@") + text.startswith("@"), text.count("eprint")
        ensure(entries == numbers > 0, f"{entries} entries, of which {numbers} state an eprint")
        ensure(text.count("{") == text.count("}"), "its braces do not match")
        return f"{entries} entries"

    report.run("valid", valid)
    return report
