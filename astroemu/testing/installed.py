"""Checks of installed plugins, by name."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from astroemu.core.prior import Prior
from astroemu.core.probe import Probe
from astroemu.core.provider import Provider
from astroemu.emulation.loading import load_emulator
from astroemu.emulation.recipe import Recipe
from astroemu.emulation.simulator import SimulatorProvider
from astroemu.errors import AstroemuError, ConfigurationError, PluginError, closest, listing
from astroemu.inference.configuration import Configuration, load_configuration
from astroemu.model.model import Model
from astroemu.runtime.options import build
from astroemu.runtime.plugin_files import plugin_class, split_reference
from astroemu.runtime.plugins import (
    CATALOGS,
    CONFIGURATIONS,
    DERIVED,
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
from astroemu.testing.derived import check_derived
from astroemu.testing.emulator import check_emulator, check_kind_of_emulator
from astroemu.testing.findings import Report, Skipped, ensure
from astroemu.testing.probe import check_probe
from astroemu.testing.process_state import unchanged
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
        Entry-point name, the name of a table of ``model``, or ``"FILE.py:CLASS"``.
    kind : str, optional
        Only the plugin of this kind, such as ``probe`` or ``catalog``.
    model : str or Path, optional
        Configuration with the options of the plugin, and with the emulators and simulators that resolve the
        requirements of a probe. The truths of its mock data are then predictions of this model. Without it, the plugin
        has no options, all installed emulators and simulators are tried, and truths are constants.
    in_processes : bool
        For samplers: also kill and resume a run, and run with two MPI processes.

    Raises
    ------
    PluginError
        If no plugin of this name is installed.
    """
    configuration = None if model is None else load_configuration(model)
    plugin, options = _named(name, configuration, kind)
    if split_reference(plugin) is not None:
        base = Path.cwd() if configuration is None else configuration.path.absolute().parent
        found = [_group_of_file(plugin, base, kind)]
    else:
        found = [group for group in GROUPS if plugin in group.entries and kind in (None, group.noun)]
    if not found:
        known = {known for group in GROUPS for known in group.names if kind in (None, group.noun)}
        what = kind or "plugin"
        raise PluginError(f"no {what} is called {name!r}.{closest(name, known)} Installed: {listing(known)}")
    return [_examined(group, plugin, options.get(group.name, {}), configuration, in_processes) for group in found]


def _group_of_file(reference: str, base: Path, kind: str | None) -> PluginGroup:
    """Return the group to which the class in a file belongs."""
    refused: list[PluginError] = []
    for group in (PROBES, SIMULATORS, DERIVED):
        if kind in (None, group.noun):
            try:
                plugin_class(group, reference, base, may_execute=True)
                return group
            except PluginError as error:
                refused.append(error)
    if not refused:
        raise PluginError(f"a file holds a probe, a simulator or a derived quantity, not a {kind}")
    raise refused[0]


def _named(name: str, configuration: Configuration | None, kind: str | None) -> tuple[str, dict[str, Options]]:
    """Return the plugin of a name, and its options by group, from the tables of that name in the configuration."""
    plugins: dict[str, str] = {}
    options: dict[str, Options] = {}
    if configuration is None:
        return name, options
    document = configuration.document
    if name in document.probes:
        table = dict(document.probes[name])
        plugins[PROBES.name], options[PROBES.name] = str(table.pop("plugin", name)), table
    for group, tables in ((SIMULATORS, document.simulators), (DERIVED, document.derived)):
        if name in tables:
            plugins[group.name], options[group.name] = tables[name].plugin or name, tables[name].options
    options[SAMPLERS.name] = document.samplers.get(name, {})
    nouns = {group.name: group.noun for group in GROUPS}
    chosen = [plugin for group, plugin in plugins.items() if kind in (None, nouns[group])]
    return (chosen or [name])[0], options


def _examined(
    group: PluginGroup, name: str, options: Options, configuration: Configuration | None, in_processes: bool
) -> Report:
    loaded: list[Any] = []
    first = Report(f"{group.noun} {name!r}")
    base = None if configuration is None else configuration.path.parent

    def load() -> str:
        with unchanged("its import"):
            loaded.append(plugin_class(group, name, (base or Path()).absolute(), may_execute=True))
        with unchanged("its constructor"):
            if group in (PROBES, SIMULATORS, DERIVED):
                loaded[0] = build(loaded[0], options, f"options of {name!r}", base)
            elif group is SAMPLERS:
                build(loaded[0], options, f"options of {name!r}", base)
        if name not in group.entries:
            return name
        entry = group.entries[name][0]
        return f"{entry.value}" + (f" of {entry.dist.name} {entry.dist.version}" if entry.dist else "")

    if not first.run("loads", load):
        return first
    plugin = loaded[0]
    examine: dict[str, Callable[[], Report]] = {
        PROBES.name: lambda: check_probe(plugin, _providers(configuration), model=_model(plugin, configuration, first)),
        DERIVED.name: lambda: check_derived(plugin),
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
    found: list[Report] = []

    def examined() -> str:
        found.append(examine[group.name]())
        return ""

    if first.run("examination", examined):
        first.findings[-1:] = found[0].findings
    return first


def _model(probe: Probe, configuration: Configuration | None, report: Report) -> Model | None:
    """Return a model of one probe with the prior and providers of a configuration. The report states a refusal."""
    if configuration is None:
        return None
    made: list[Model] = []

    def make() -> str:
        document = configuration.document
        providers = {**configuration.emulators(), **configuration.simulators(), **configuration.derived()}
        used = {name for provider in providers.values() for name in provider.parameters}
        used |= {parameter.name for parameter in probe.parameters}
        prior = Prior(tuple(p for p in configuration.prior().parameters if p.name in used))
        try:
            model = Model(
                prior,
                providers,
                {"probe": probe},
                emulator_error=document.emulator_error,
                truncate_prior=document.truncate_prior,
                engine="numpy",
                name=configuration.name,
            )
        except ConfigurationError as error:
            raise Skipped(f"the model of {configuration.name!r} does not fit this probe: {error}") from None
        made.append(model)
        return f"predictions of {configuration.name!r}, {len(model.names)} parameters"

    report.run("model", make)
    return made[0] if made else None


def _providers(configuration: Configuration | None) -> dict[str, Provider]:
    """Return the emulators and simulators that may meet the requirements of a probe; those that fail are left out."""
    if configuration is not None:
        return {**configuration.emulators(), **configuration.simulators(), **configuration.derived()}
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
