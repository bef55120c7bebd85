"""The typed configuration: one TOML file describes one inference.

Every table is checked before anything is computed. Unknown keys at any level, wrong types, missing files and
mismatched parameters are errors. The message names the file, the key and the remedy.
"""

from __future__ import annotations

import hashlib
import tomllib
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import suppress
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from astroemu.core.expression import Expression
from astroemu.core.prior import Prior
from astroemu.core.probe import Probe
from astroemu.core.provider import Provider
from astroemu.emulation.loading import emulators_reaching, load_emulator
from astroemu.emulation.simulator import SimulatorProvider
from astroemu.errors import AstroemuError, ConfigurationError, ResolutionError, closest, listing, located
from astroemu.inference.configuration_tables import ConfigurationDocument, DerivedTable, SimulatorTable
from astroemu.inference.priors import members_of, prior_from, without_parameters
from astroemu.io.paths import resolve, safe_name
from astroemu.io.toml import LARGEST_TOML, dump_toml, parse_toml
from astroemu.io.untrusted import read_text
from astroemu.model.model import Model
from astroemu.runtime.options import build, validate_options
from astroemu.runtime.plugin_files import plugin_class, split_reference
from astroemu.runtime.plugins import CONFIGURATIONS, DERIVED, PROBES, SAMPLERS, SIMULATORS, PluginGroup, locate
from astroemu.sampling.sampler import Sampler


@dataclass(frozen=True)
class Configuration:
    """A parsed configuration.

    Attributes
    ----------
    path : Path
        The file that it was read from.
    raw : mapping
        Its content as plain values, after overrides.
    document : ConfigurationDocument
        The same, checked and typed.
    text : str
        The text of the file, from which ``raw`` was read before overrides. The file itself may have changed since.
    run_plugin_files : bool
        Whether files of code that it names may be executed, see :mod:`astroemu.runtime.plugin_files`.
    """

    path: Path
    raw: Mapping[str, Any]
    document: ConfigurationDocument
    text: str
    run_plugin_files: bool = True

    @property
    def sha256(self) -> str:
        """SHA-256 of the text, in UTF-8."""
        return hashlib.sha256(self.text.encode()).hexdigest()

    @property
    def name(self) -> str:
        """The file name without its suffix."""
        return self.path.stem

    def where(self, *keys: str) -> str:
        """Return the name of a table of the file for a message."""
        return f"{self.path}, [{'.'.join(keys)}]" if keys else str(self.path)

    def overridden(self, overrides: Sequence[str]) -> Configuration:
        """Return this configuration with some keys set, each as ``key.key=value``.

        Raises
        ------
        ConfigurationError
            If an override does not have this form, or the result is not a valid configuration.
        """
        raw = deepcopy(dict(self.raw))
        for override in overrides:
            set_key(raw, override)
        return self._with(raw)

    def _with(self, raw: Mapping[str, Any]) -> Configuration:
        """Return the configuration with another content."""
        return configuration_from(raw, self.path, self.text, run_plugin_files=self.run_plugin_files)

    def only(self, probes: Collection[str]) -> Configuration:
        """Return this configuration with these probes only."""
        return self.without([name for name in self.document.probes if name not in probes])

    def without(self, probes: Sequence[str]) -> Configuration:
        """Return this configuration without some of its probes and without the priors that only they need.

        Raises
        ------
        ConfigurationError
            If it has no such probe.
        """
        kept = dict(self.document.probes)
        for name in probes:
            if name not in kept:
                raise ConfigurationError(
                    f"{self.path} has no probe {name!r}.{closest(name, kept)} It has {listing(kept)}"
                )
            del kept[name]
        left = self._with({**self.raw, "probes": kept})
        orphans = left._orphans({name: self.document.probes[name] for name in probes})
        return self._with(without_parameters(left.raw, orphans, self.path)) if orphans else left

    def _orphans(self, dropped: Mapping[str, Mapping[str, Any]]) -> set[str]:
        """Return the parameters with a prior in the file that only the dropped probes use."""
        orphans: set[str] = set()
        known = {*self.document.parameters}.union(*members_of(self.document.joint_priors).values())
        for name, options in dropped.items():
            with suppress(AstroemuError):  # the probe may be left out because it cannot be built
                orphans |= {p.name for p in self._probe(name, options).parameters} & known
        if orphans:
            orphans -= {p.name for probe in self.probes().values() for p in probe.parameters}
            providers = {**self.emulators(), **self.simulators(), **self.derived()}
            orphans -= {name for provider in providers.values() for name in provider.parameters}
        return orphans

    def prior(self) -> Prior:
        """Return the prior of ``[parameters]`` and ``[joint_priors]``."""
        tables = self.document.parameters, self.document.joint_priors
        return prior_from(*tables, self.where, self.path.absolute().parent)

    def plugin(self, group: PluginGroup, reference: str) -> Any:
        """Return a plugin by its installed name, or by a file and a class, see :mod:`astroemu.runtime.plugin_files`."""
        return plugin_class(group, reference, self.path.absolute().parent, may_execute=self.run_plugin_files)

    def plugin_files(self) -> dict[str, Path]:
        """Return the files of code that it names, by file name."""
        document = self.document
        tables = [*document.simulators.values(), *document.derived.values()]
        named = [table.plugin for table in tables] + [table.get("plugin") for table in document.probes.values()]
        parts = [split_reference(each) for each in named if isinstance(each, str)]
        found: dict[str, Path] = {}
        for file, _ in filter(None, parts):
            path = Path(resolve(file, self.path.absolute().parent))
            if found.setdefault(path.name, path).resolve() != path.resolve():
                raise ConfigurationError(
                    f"{self.path}: {found[path.name]} and {path} have one name; rename one of them"
                )
        return found

    def emulators(self) -> dict[str, Provider]:
        """Return the emulators of ``[emulators]``, by name."""
        loaded: dict[str, Provider] = {}
        for name, table in self.document.emulators.items():
            with located(self.where("emulators", name)):
                loaded[name] = table.adapted(load_emulator(resolve(table.file or name, self.path.parent)))
        return loaded

    def simulators(self) -> dict[str, Provider]:
        """Return the simulators of ``[simulators]``, by name."""
        tables = self.document.simulators
        return {
            name: self._plugged("simulators", SIMULATORS, name, table, SimulatorProvider, self.document.emulators)
            for name, table in tables.items()
        }

    def derived(self) -> dict[str, Provider]:
        """Return the derived quantities of ``[derived]``, by name."""
        taken = {*self.document.emulators, *self.document.simulators}
        return {
            name: self._plugged("derived", DERIVED, name, table, lambda provider: provider, taken)
            if table.expression is None
            else self._expression(name, table, taken)
            for name, table in self.document.derived.items()
        }

    def _expression(self, name: str, table: DerivedTable, taken: Collection[str]) -> Provider:
        where = self.where("derived", name)
        with located(where):
            others = {"plugin", "options", "provides", "model_error"} & table.model_fields_set
            if others:
                raise ConfigurationError(f"{listing(others)} belong(s) to a plugin; remove it, or `expression`")
            if name in taken:
                raise ConfigurationError("another provider has the same name; choose another name")
            sampled = {*self.document.parameters}.union(*members_of(self.document.joint_priors).values())
            if name in sampled:
                raise ConfigurationError(
                    f"{name!r} has a prior too; choose another name, or remove [parameters.{name}]"
                )
            assert table.expression is not None
            return Expression(name, table.expression, table.latex or "", table.unit or "")

    def _plugged(
        self,
        key: str,
        group: PluginGroup,
        name: str,
        table: SimulatorTable,
        provider: Callable[[Any], Provider],
        taken: Collection[str],
    ) -> Provider:
        where = self.where(key, name)
        with located(where):
            if name in taken:
                raise ConfigurationError("another provider has the same name; choose another name, and state `plugin`")
            if isinstance(table, DerivedTable) and {"latex", "unit"} & table.model_fields_set:
                raise ConfigurationError("`latex` and `unit` belong to an `expression`; remove them")
            made = provider(build(self.plugin(group, table.plugin or name), table.options, where, self.path.parent))
            return table.adapted(made)

    def probes(self) -> dict[str, Probe]:
        """Return the probes of ``[probes]``, by name."""
        return {name: self._probe(name, options) for name, options in self.document.probes.items()}

    def _probe(self, name: str, options: Mapping[str, Any]) -> Probe:
        where = self.where("probes", name)
        options = dict(options)
        plugin = options.pop("plugin", name)
        if not isinstance(plugin, str):
            raise ConfigurationError(f'{where}: plugin = {plugin!r} must be the name of a probe, or "FILE.py:CLASS"')
        with located(where):
            probe = build(self.plugin(PROBES, plugin), options, where, self.path.parent)
        assert isinstance(probe, Probe)
        return probe

    def model(self) -> Model:
        """Return the joint model."""
        document = self.document
        self.plugin_files()  # refuses two files of one name
        with located(str(self.path)):
            providers = {**self.emulators(), **self.simulators(), **self.derived()}
            try:
                return Model(
                    self.prior(),
                    providers,
                    self.probes(),
                    emulator_error=document.emulator_error,
                    truncate_prior=document.truncate_prior,
                    engine=document.engine,
                    name=self.name,
                )
            except ResolutionError as error:
                others = [] if error.beyond is None else emulators_reaching(error.beyond)
                if not others:
                    raise
                raise ResolutionError(f"{error}. Installed emulators that reach there: {listing(others)}") from None

    def sampler(self, name: str | None = None) -> Sampler:
        """Return the sampler with its options; by default the one that the file names."""
        name = name or self.document.sampler
        options = self.document.samplers.get(name, {})
        with located(str(self.path)):
            sampler = build(SAMPLERS.load(name), options, self.where("samplers", name), self.path.parent)
        assert isinstance(sampler, Sampler)
        return sampler


def load_configuration(name_or_path: str | Path, overrides: Sequence[str] = ()) -> Configuration:
    """Return a configuration, read from a path or found by the name of an installed one.

    Parameters
    ----------
    name_or_path : str or Path
    overrides : sequence of str
        Each ``key.key=value`` with a TOML value; text without quotes is a string.

    Returns
    -------
    Configuration

    Raises
    ------
    AstroemuError
        If the file does not exist or is not a valid configuration.
    """
    path = locate(CONFIGURATIONS, name_or_path)
    text = read_text(path, LARGEST_TOML)
    raw = parse_toml(text, path)
    for override in overrides:
        set_key(raw, override)
    return configuration_from(raw, path, text)


def configuration_from(
    raw: Mapping[str, Any], path: Path, text: str | None = None, *, run_plugin_files: bool = True
) -> Configuration:
    """Return the configuration with this content, after checking it.

    Parameters
    ----------
    raw : mapping
    path : Path
        The file that it belongs to. Relative paths count from its folder.
    text : str, optional
        The text of that file; by default the content as TOML.
    run_plugin_files : bool
        Whether files of code that it names may be executed.
    """
    document = validate_options(ConfigurationDocument, raw, str(path))
    for key in ("parameters", "emulators", "simulators", "derived", "joint_priors", "probes", "samplers"):
        for name in getattr(document, key):
            safe_name(name, f"{path}, [{key}]: the name")
    for name in document.samplers:
        if name not in SAMPLERS.entries:
            raise ConfigurationError(
                f"{path}, [samplers.{name}]: no sampler is called {name!r}.{closest(name, SAMPLERS.names)} "
                f"Installed: {listing(SAMPLERS.names)}"
            )
    return Configuration(path, raw, document, dump_toml(raw) if text is None else text, run_plugin_files)


def set_key(raw: dict[str, Any], override: str) -> None:
    """Set one dotted key, as ``key.key=value``. A missing table is added; it is checked later, with all others."""
    key, equals, text = override.partition("=")
    if not equals or not key.strip():
        raise ConfigurationError(
            f"--set {override!r} must have the form key=value, for example probes.optical_depth.errors=split"
        )
    try:
        value = tomllib.loads(f"value = {text}")["value"]
    except (ValueError, RecursionError):
        value = text
    *tables, last = key.strip().split(".")
    for name in tables:
        raw = raw.setdefault(name, {})
        if not isinstance(raw, dict):
            raise ConfigurationError(f"--set {override!r}: {name!r} is a value, not a table")
    raw[last] = value


def load_model(name_or_path: str | Path, overrides: Sequence[str] = ()) -> Model:
    """Return the joint model of a configuration, given by its path or its installed name.

    Examples
    --------
    >>> model = load_model("reionization")  # doctest: +SKIP
    >>> model.log_likelihood(model.prior_transform(rng.random((5, 9))))  # doctest: +SKIP
    """
    return load_configuration(name_or_path, overrides).model()
