"""A configuration for given probes, as a commented TOML file: what ``astroemu new config`` writes.

Emulators and derived quantities are chosen among the installed ones, so that every observable has one provider. Priors
are the training ranges. Numbers without a range, such as those of the cosmology, are taken from an installed
configuration. What nobody can know is left as a comment that says what to fill in.
"""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from astroemu.core.probe import Probe
from astroemu.core.provider import Provider
from astroemu.core.requirement import Requirement
from astroemu.emulation.loading import load_emulator
from astroemu.errors import AstroemuError, ConfigurationError, closest, listing
from astroemu.inference.fingerprint import prior_table
from astroemu.io.toml import read_toml
from astroemu.runtime.option_words import Option, options_of, summary_of, toml_value
from astroemu.runtime.options import build
from astroemu.runtime.plugin_files import plugin_class, split_reference
from astroemu.runtime.plugins import CONFIGURATIONS, DERIVED, PROBES, SAMPLERS, SIMULATORS, TRAINED

#: Longest line of a comment in the file, in characters.
_WIDTH = 100


@dataclass(frozen=True)
class _Asked:
    """A probe to fit: the name of its table, how it was asked for, its class, and options that were given."""

    name: str
    reference: str
    cls: type
    options: Mapping[str, Any]


def configuration_template(
    probes: Sequence[str],
    emulators: Sequence[str] = (),
    options: Mapping[str, Mapping[str, Any]] | None = None,
    base: Path | None = None,
) -> str:
    """Return the text of a configuration that fits some probes.

    Parameters
    ----------
    probes : sequence of str
        Names of installed probes, or ``"FILE.py:CLASS"`` for a probe in a file, which is executed.
    emulators : sequence of str
        Names of installed emulators to use. Others are added for observables that these do not give.
    options : mapping of str to mapping, optional
        Options of some of these probes, by the name of the probe.
    base : Path, optional
        Folder of the configuration, from which files count; by default the present one.

    Raises
    ------
    ConfigurationError
        If no probe is named, or one is named twice, or there are options of another one.
    PluginError
        If one is not installed, or a file of code cannot be used.
    """
    if not probes or len({*probes}) < len(probes):
        raise ConfigurationError(
            f"name the probes of the configuration, each once: astroemu new config PROBE ... "
            f"Installed: {listing(PROBES.names)}"
        )
    base, given = base or Path(), dict(options or {})
    asked = [_asked(reference, given, base) for reference in probes]
    if given:
        names = [probe.name for probe in asked]
        raise ConfigurationError(
            f"options of {listing(given)}, which is no probe of this configuration.{closest(next(iter(given)), names)} "
            f"It has {listing(names)}"
        )
    plan = _Plan.of(asked, emulators, base)
    tables = [_probe_table(probe, plan) for probe in asked]
    parts = [_head(asked), *_provider_tables(plan), *tables, _parameters(plan), _further(plan)]
    return "\n\n".join("\n".join(part) for part in parts if part) + "\n"


@dataclass
class _Plan:
    """Providers for the observables of some probes, and what is missing.

    Attributes
    ----------
    probes : dict of str to Probe
        Those that can be built: no option is missing or wrong.
    emulators, derived : dict of str to Provider
    taken : dict of str to list of str
        By emulator: the observables for which it was chosen.
    others : dict of str to list of str
        By emulator: other installed emulators that give one of these observables too.
    sampled : set of str
        Observables that are sampled parameters.
    missing : list of str
        Observables that nobody provides.
    """

    probes: dict[str, Probe] = field(default_factory=dict)
    emulators: dict[str, Provider] = field(default_factory=dict)
    derived: dict[str, Provider] = field(default_factory=dict)
    taken: dict[str, list[str]] = field(default_factory=dict)
    others: dict[str, list[str]] = field(default_factory=dict)
    sampled: set[str] = field(default_factory=set)
    missing: list[str] = field(default_factory=list)

    @classmethod
    def of(cls, asked: Sequence[_Asked], emulators: Sequence[str], base: Path) -> _Plan:
        """Return the providers for some probes."""
        plan = cls(emulators={name: load_emulator(TRAINED.load(name)) for name in emulators})
        waiting: list[Requirement] = []
        for probe in asked:
            with suppress(AstroemuError):  # an option without a default, or a catalog that must be fetched first
                plan.probes[probe.name] = build(probe.cls, probe.options, probe.name, base)
                waiting += plan.probes[probe.name].requires.values()
        installed = _installed_emulators() if waiting else {}
        while waiting:
            waiting = plan._provide(waiting, installed)
        return plan

    @property
    def providers(self) -> dict[str, Provider]:
        """Emulators and derived quantities, by name."""
        return {**self.emulators, **self.derived}

    def _provide(self, requirements: Sequence[Requirement], installed: Mapping[str, Provider]) -> list[Requirement]:
        """Add providers of some observables, and return what those need in turn."""
        open_ = {r.observable: r for r in requirements if not self._has(r.observable)}
        for name in list(self.emulators):
            self._take(name, [o for o in open_ if o in self.emulators[name].provides], open_)
        while open_:
            scalars = [o for o, r in open_.items() if not r.at and self._is_parameter(o)]
            if scalars:
                self.sampled |= {*scalars}
                open_ = {o: r for o, r in open_.items() if o not in scalars}
                continue
            gives = {name: [o for o in open_ if o in emulator.provides] for name, emulator in installed.items()}
            best = max(gives, key=lambda name: len(gives[name]), default="")
            if not best or not gives[best]:
                break
            self.others[best] = [name for name, given in gives.items() if name != best and {*given} & {*gives[best]}]
            self.emulators[best] = installed[best]
            self._take(best, gives[best], open_)
        return self._derive(open_)

    def _derive(self, open_: dict[str, Requirement]) -> list[Requirement]:
        """Add derived quantities for what no emulator gives, and return what they need."""
        needs: list[Requirement] = []
        for name in DERIVED.names if open_ else ():
            with suppress(AstroemuError):
                provider = build(DERIVED.load(name), {}, name)
                if any(o in provider.provides for o in open_):
                    self.derived[name] = provider
                    needs += provider.requires
                    open_ = {o: r for o, r in open_.items() if o not in provider.provides}
        for observable, requirement in open_.items():
            if requirement.at:
                self.missing.append(observable)
            else:
                self.sampled.add(observable)
        return needs

    def _take(self, name: str, observables: Iterable[str], open_: dict[str, Requirement]) -> None:
        for observable in observables:
            self.taken.setdefault(name, []).append(observable)
            open_.pop(observable, None)

    def _has(self, observable: str) -> bool:
        given = {o for taken in self.taken.values() for o in taken}
        given |= {o for provider in self.derived.values() for o in provider.provides}
        return observable in given | self.sampled | {*self.missing}

    def _is_parameter(self, name: str) -> bool:
        return any(name in provider.parameters for provider in self.providers.values())

    def given(self, name: str) -> list[str]:
        """Return the observables that an emulator of the file gives: all, unless others give some of them too.

        A single number that is a parameter of another provider stays: it is that parameter.
        """
        own = self.emulators[name].provides
        others = {o for key, provider in self.providers.items() if key != name for o in provider.provides}
        if not others & {*own}:
            return list(own)
        taken = self.taken.get(name, [])
        return [*taken, *(o for o in own if o not in taken and o not in others and self._is_parameter(o))]

    def computed(self) -> dict[str, str]:
        """Return the names of the providers by the observables that they give."""
        found = {o: name for name in self.emulators for o in self.given(name)}
        return found | {o: name for name, provider in self.derived.items() for o in provider.provides}

    def parameters(self) -> list[str]:
        """Return the names of all parameters, also of those that another provider computes."""
        names = [name for provider in self.providers.values() for name in provider.parameters]
        return list(dict.fromkeys([*names, *sorted(self.sampled)]))


def _installed_emulators() -> dict[str, Provider]:
    found: dict[str, Provider] = {}
    for name in TRAINED.names:
        with suppress(AstroemuError):  # a broken one is reported by the doctor
            found[name] = load_emulator(name)
    return found


def _simulators_of(observables: Sequence[str]) -> Iterator[str]:
    """Yield the names of the installed simulators that give one of some observables."""
    for name in SIMULATORS.names:
        with suppress(AstroemuError):
            if {*observables} & {*build(SIMULATORS.load(name), {}, name).provides}:
                yield name


def _asked(reference: str, options: dict[str, Mapping[str, Any]], base: Path) -> _Asked:
    """Return a probe that was asked for, and take its options out of those that were given."""
    parts = split_reference(reference)
    name = reference if parts is None else re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", parts[1]).lower()
    cls = plugin_class(PROBES, reference, base, may_execute=True)
    return _Asked(name, reference, cls, options.pop(name, {}))


def _head(asked: Sequence[_Asked]) -> list[str]:
    others = [name for name in SAMPLERS.names if name != "emcee"]
    return [
        *_comment(
            "A configuration, written by `astroemu new config`. `astroemu explain FILE` says what it does, and "
            "`astroemu fit FILE` runs it. Lines that begin with # have no effect: they show defaults."
        ),
        "",
        f'title = "{", ".join(probe.name for probe in asked)}"',
        f'sampler = "emcee"  # installed too: {", ".join(others)}; options: astroemu list emcee',
        "seed = 1",
    ]


def _provider_tables(plan: _Plan) -> Iterator[list[str]]:
    for name, emulator in plan.emulators.items():
        lines = _comment(emulator.citation) if emulator.citation else []
        lines += _comment(f"It gives {', '.join(plan.taken.get(name, [])) or 'nothing that these probes need'}.")
        if plan.others.get(name):
            lines += _comment(f"Other installed emulators for these: {', '.join(plan.others[name])}.")
        lines.append(f"[emulators.{name}]")
        given = plan.given(name)
        if len(given) < len(emulator.provides):
            lines.append(f"provides = {toml_value(given)}")
        yield lines
    for name, provider in plan.derived.items():
        yield [*_comment(f"{summary_of(type(provider))} It gives {', '.join(provider.provides)}."), f"[derived.{name}]"]
    if plan.missing:
        known = [f"[simulators.{name}]" for name in _simulators_of(plan.missing)]
        yield _comment(
            f"No installed emulator gives {', '.join(plan.missing)}. Add one of your own, as [emulators.NAME] with "
            f'file = "PATH", or a simulator that runs in the likelihood: {", ".join(known) or "none is installed"}.'
        )


def _probe_table(probe: _Asked, plan: _Plan) -> list[str]:
    lines = _comment(summary_of(probe.cls))
    if probe.name not in plan.probes:
        lines += _comment(
            "Not complete: give the options that are marked as required. `astroemu new config` takes them too, as "
            f"--set probes.{probe.name}.OPTION=VALUE, and then adds the emulators and the priors."
        )
    lines.append(f"[probes.{probe.name}]")
    if probe.name != probe.reference:
        lines.append(f"plugin = {toml_value(probe.reference)}")
    known = options_of(probe.cls)
    for option in known:
        lines += _option_lines(option, probe.options)
    unknown = [key for key in probe.options if key not in [option.name for option in known]]
    return [*lines, *(f"{key} = {toml_value(probe.options[key])}" for key in unknown)]


def _option_lines(option: Option, given: Mapping[str, Any]) -> list[str]:
    words = _comment(f"  {option.kind}. {option.text}".rstrip())
    if option.name in given:
        return [*words, f"{option.name} = {toml_value(given[option.name])}"]
    value = "..." if option.required or option.default is None else option.shown_default
    return [*words, f"# {option.name} = {value}" + ("  # required" if option.required else "")]


def _parameters(plan: _Plan) -> list[str]:
    lines = [
        *_comment(
            "Priors, in the order of the columns of the samples. To hold a parameter: "
            '{ distribution = "fixed", value = ... }. LaTeX symbols and units come from the emulators; '
            "`latex` and `unit` replace them."
        ),
        "[parameters]",
    ]
    known, computed = _known_priors(), plan.computed()
    for name in plan.parameters():
        if name in computed:
            lines += _comment(f"{name} is computed by {computed[name]}, and needs no prior.")
        else:
            lines.append(_prior_line(name, plan, known))
    for key, probe in plan.probes.items():
        for parameter in probe.parameters:
            lines.append(f"# {parameter.name} = {toml_value(prior_table(parameter.prior))}  # default of {key}")
    return lines


def _further(plan: _Plan) -> list[str]:
    """Return comments on what a configuration may have too."""
    logarithms = [name for name in plan.parameters() if name.startswith("log10_")]
    example = f'{logarithms[0][6:]} = "10 ** {logarithms[0]}"' if logarithms else 'NAME = "EXPRESSION"'
    return [
        *_comment("Derived numbers, reported like parameters: expressions of parameters and of other single numbers."),
        "# [derived]",
        f"# {example}",
        *_comment(
            'A bound of a prior may be the name of another parameter, as in low = "NAME". Priors of several parameters '
            "together, such as a correlated normal or a former posterior, are tables [joint_priors.NAME]."
        ),
    ]


def _prior_line(name: str, plan: _Plan, known: Mapping[str, tuple[str, Mapping[str, Any]]]) -> str:
    ranges = [p.bounds[name] for p in plan.providers.values() if name in p.bounds]
    low, high = max((r[0] for r in ranges), default=-float("inf")), min((r[1] for r in ranges), default=float("inf"))
    users = ", ".join(key for key, p in plan.providers.items() if name in p.parameters) or "a probe itself"
    if float("-inf") < low < high < float("inf"):
        return f'{name} = {{ distribution = "uniform", low = {low:g}, high = {high:g} }}  # the range of {users}'
    if name in known:
        source, table = known[name]
        return f"{name} = {toml_value(table)}  # as in {source}; used by {users}"
    return f'# {name} = {{ distribution = "uniform", low = ..., high = ... }}  # used by {users}: choose a prior'


def _known_priors() -> dict[str, tuple[str, Mapping[str, Any]]]:
    """Return a prior of each parameter of the installed configurations of fits, and the name of its configuration."""
    found: dict[str, tuple[str, Mapping[str, Any]]] = {}
    for name in CONFIGURATIONS.names:
        with suppress(AstroemuError):
            content = read_toml(CONFIGURATIONS.load(name))
            if "probes" in content:
                found |= {p: (name, t) for p, t in content.get("parameters", {}).items() if p not in found}
    return found


def _comment(text: str) -> list[str]:
    indent = "# " + " " * (len(text) - len(text.lstrip()))
    return textwrap.wrap(text.strip(), _WIDTH, initial_indent=indent, subsequent_indent=indent)
