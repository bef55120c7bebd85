"""The fingerprint of a run: all that determines its numbers.

A run is resumed, repeated or used again only if everything that would change its numbers is the same. This includes
the code of every plugin. Options that only decide when to stop may differ. What does not change the numbers is stored
for information.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from astroemu.core.adapters import SampledParameter, unwrapped
from astroemu.core.distributions import Distribution
from astroemu.core.probe import Probe
from astroemu.core.provider import Provider
from astroemu.emulation.simulator import Simulator
from astroemu.errors import RunFolderError
from astroemu.inference.configuration import Configuration
from astroemu.inference.configuration_tables import DerivedTable
from astroemu.inference.run_documents import read_table
from astroemu.inference.stored_inputs import is_file
from astroemu.io.files import parse_json, sha256, strict_json, write_json
from astroemu.io.paths import looks_like_path, resolve
from astroemu.model.model import Model
from astroemu.runtime.options import plain, resolved
from astroemu.runtime.plugin_identity import dotted, identity_of
from astroemu.runtime.plugins import DERIVED, PROBES, SAMPLERS, SIMULATORS, PluginGroup
from astroemu.runtime.provenance import machine, versions
from astroemu.sampling.sampler import Sampler

#: Version of the content. Version 1 had neither the code of the plugins nor the options that were not written.
FORMAT = 2
#: Distribution of the engine and of the built-in plugins.
_OWN = "astroemu-inference"
#: Fields that change with the code of a plugin, by their beginnings. Only these can be accepted.
_CODE = ("source.", "plugins.", f"versions.{_OWN}")


@dataclass(frozen=True)
class RunFingerprint:
    """The fingerprint of a run.

    Attributes
    ----------
    must_match : mapping
        Resolved options of all plugins, resolved priors, seed, order of the parameters, engine, checksums of catalogs
        and emulators, plugins with their distributions, SHA-256 of their source, version of the sampler. Files named by
        options are replaced by their checksums.
    may_differ : mapping
        Other versions, host, platform, number of processes and of threads, paths of files.
    stopping : mapping
        The sampler's options that only decide when to stop.
    accepted : tuple of mapping
        Changes of code that were accepted knowingly: ``sha256`` of the earlier fingerprint, and its ``changes``.
    format : int
        :data:`FORMAT`, or that of an earlier version.
    """

    must_match: Mapping[str, Any]
    may_differ: Mapping[str, Any]
    stopping: Mapping[str, Any] = field(default_factory=dict)
    accepted: tuple[Mapping[str, Any], ...] = ()
    format: int = FORMAT

    @classmethod
    def of(
        cls,
        configuration: Configuration,
        model: Model,
        algorithm: Sampler,
        *,
        sampler: str,
        seed: int,
    ) -> RunFingerprint:
        """Return the fingerprint of a run that is about to start."""
        paths: dict[str, str] = {}
        base = configuration.path.absolute().parent
        must = of_likelihood(configuration, model, [algorithm], paths)
        options = _options(configuration, "samplers", SAMPLERS, sampler, configuration.document.samplers.get(sampler))
        stopping = {name: options.pop(name) for name in sorted(algorithm.stopping) if name in options}
        found = versions(algorithm.packages)
        moving = {name: found.pop(name) for name in (_OWN, *algorithm.packages) if name in found}
        must |= {
            "sampler": by_content({"name": sampler, **options}, base, paths, "sampler"),
            "seed": seed,
            "engine": model.engine.name,
            "versions": moving,
        }
        may = {"versions": found, **machine(), "paths": paths}
        return cls(*(parse_json(strict_json(part)) for part in (must, may, stopping)))

    @property
    def digest(self) -> str:
        """SHA-256 of what must match."""
        content = self.must_match if self.format == 1 else flatten(self.must_match)
        return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()

    @property
    def digests(self) -> tuple[str, ...]:
        """The digest, and those of the fingerprints whose differences were accepted."""
        return (self.digest, *(str(change["sha256"]) for change in self.accepted))

    def save(self, path: Path) -> None:
        """Write the fingerprint as JSON."""
        content = {"format": self.format, "sha256": self.digest, **dataclasses.asdict(self)}
        write_json(path, content)

    @classmethod
    def load(cls, path: Path) -> RunFingerprint:
        """Return the fingerprint that a file holds.

        Raises
        ------
        RunFolderError
            If the file is missing or damaged, or of a newer format.
        """
        if not is_file(path):
            raise _none(path, "missing")
        try:
            content = read_table(path)
        except RunFolderError as error:
            raise _none(path, f"damaged ({error})") from None
        form = content.get("format", 1)
        if not isinstance(form, int) or form > FORMAT:
            raise RunFolderError(f"{path} is of format {form!r}; this version reads {FORMAT}. Update astroemu")
        kinds = {"must_match": dict, "may_differ": dict} | ({"stopping": dict, "accepted": list} if form > 1 else {})
        for key, kind in kinds.items():
            if not isinstance(content.get(key), kind):
                raise _none(path, f"damaged (its {key!r} is missing or of another kind)")
        found = cls(**{key: content[key] for key in kinds if key != "accepted"}, format=form)
        if content.get("sha256") != found.digest:
            raise _none(path, "damaged or edited (its 'sha256' is not that of its content)")
        if not all(isinstance(c, dict) and isinstance(c.get("sha256"), str) for c in content.get("accepted", [])):
            raise _none(path, "damaged (its 'accepted')")
        return replace(found, accepted=tuple(content.get("accepted", [])))

    def demand_same(self, other: RunFingerprint, folder: Path, *, accept_changed_code: bool = False) -> RunFingerprint:
        """Return this fingerprint, with what was accepted, if its run is the one in a folder.

        Parameters
        ----------
        other : RunFingerprint
            That of the folder.
        folder : Path
        accept_changed_code : bool
            Accept that the code of plugins and their versions have changed. Nothing else can be accepted.

        Raises
        ------
        RunFolderError
            If a field that must match differs. The message names every such field and both values.
        """
        _demand_format(other, folder)
        lines = self._named(differences(other.must_match, self.must_match))
        accepted = self._accepting(other, lines, accept_changed_code)
        if accepted is None:
            raise RunFolderError(
                f"{folder} holds another run; nothing was changed. Choose another folder with --out, or restore what "
                "differs:\n" + "\n".join(lines.values()) + _hint(lines, "--resume")
            )
        return accepted

    def demand_repeatable(
        self, other: RunFingerprint, folder: Path, *, accept_changed_code: bool = False
    ) -> RunFingerprint:
        """Return this fingerprint, with what was accepted, if the finished run in a folder can be repeated now.

        Parameters and errors are those of :meth:`demand_same`.
        """
        _demand_format(other, folder)
        lines = differences(other.must_match, self.must_match) | differences(other.stopping, self.stopping)
        lines = self._named(lines)
        accepted = self._accepting(other, lines, accept_changed_code)
        if accepted is None:
            raise RunFolderError(
                f"{folder} cannot be repeated, because its inputs have changed; nothing was written. Restore "
                "what differs:\n" + "\n".join(lines.values()) + _hint(lines, "the same command")
            )
        return accepted

    def _named(self, lines: Mapping[str, str]) -> dict[str, str]:
        """Return the lines of :func:`differences`, with the path of each file."""
        paths = self.may_differ.get("paths", {})
        return {
            k: f"{v} ({paths[name]})" if (name := k.removesuffix(".sha256")) in paths else v for k, v in lines.items()
        }

    def _accepting(self, other: RunFingerprint, lines: Mapping[str, str], accept: bool) -> RunFingerprint | None:
        """Return this fingerprint with all that was accepted; None if a difference is not."""
        if lines and not (accept and only_code(lines)):
            return None
        new = ({"sha256": other.digest, "changes": [line.strip() for line in lines.values()]},) if lines else ()
        return replace(self, accepted=(*other.accepted, *new))


def of_likelihood(
    configuration: Configuration, model: Model, more: Iterable[Any] = (), paths: dict[str, str] | None = None
) -> dict[str, Any]:
    """Return what determines the posterior of a configuration, whatever samples it.

    Parameters
    ----------
    configuration : Configuration
    model : Model
        Its model.
    more : iterable
        Further plugins.
    paths : dict, optional
        Receives the paths of files that options name, by field.
    """
    identity = identity_of([*_plugins([*model.probes.values(), *model.providers.values()]), *more])
    document = configuration.document
    probes = {}
    for name, options in document.probes.items():
        plugin = str(options.get("plugin", name))
        rest = {key: value for key, value in options.items() if key != "plugin"}
        probes[name] = _options(configuration, "probes", PROBES, name, rest, plugin)
    tables: dict[str, Any] = {"probes": probes, "emulators": {name: {} for name in document.emulators}}
    for key, group in (("simulators", SIMULATORS), ("derived", DERIVED)):
        tables[key] = {
            name: _options(configuration, key, group, name, table.options, table.plugin or name)
            for name, table in getattr(document, key).items()
            if not (isinstance(table, DerivedTable) and table.expression is not None)
        }
    tables["derived"] |= {name: {"expression": t.expression} for name, t in document.derived.items() if t.expression}
    for key in ("emulators", "simulators", "derived"):
        for name, table in tables[key].items():
            table["provides"] = sorted(model.providers[name].provides)
            table["computed by"] = _stated(model.providers[name])
            errors = getattr(document, key)[name].model_error
            if errors:
                table["model_error"] = {observable: error.model_dump() for observable, error in errors.items()}
    joint = {name: block for block in model.prior.joint for name in block.names}
    tables["parameters"] = {p.name: prior_table(p.prior) for p in model.prior.parameters if p.name not in joint}
    if joint:
        tables["joint_priors"] = {"+".join(block.names): plain(block.table()) for block in model.prior.joint}
    tables["emulator_error"] = plain(model.emulator_error)
    base, paths = configuration.path.absolute().parent, {} if paths is None else paths
    paths |= {f"source.{name}": str(path.resolve()) for name, path in configuration.plugin_files().items()}
    catalogs = {f"probe {key}": sorted(c.sha256 for c in probe.catalogs) for key, probe in model.probes.items()}
    content = {
        "configuration": by_content(tables, base, paths, "configuration"),
        "parameters": list(model.names),
        "sha256": {name: digests for name, digests in catalogs.items() if digests},
        "plugins": identity.plugins,
        "source": identity.source,
    }
    return dict(parse_json(strict_json(content)))


def prior_table(prior: Distribution) -> dict[str, Any]:
    """Return a prior as in a configuration: its kind and all its numbers."""
    return {"distribution": prior.kind, **{f.name: plain(getattr(prior, f.name)) for f in dataclasses.fields(prior)}}


def differences(there: Mapping[str, Any], here: Mapping[str, Any]) -> dict[str, str]:
    """Return a line for each field that differs between two fingerprints: of a run in a folder, and of one now."""
    now, then = flatten(here), flatten(there)
    return {
        key: f"  {key}: {_shown(then, key)} in the folder, {_shown(now, key)} now"
        for key in sorted(now.keys() | then.keys())
        if _shown(now, key) != _shown(then, key)  # as text: NaN is the same as NaN
    }


def only_code(fields: Iterable[str]) -> bool:
    """Return True if all these fields describe the code of plugins, so that a difference can be accepted."""
    return all(name.startswith(_CODE) for name in fields)


def flatten(value: Any, prefix: str = "") -> dict[str, Any]:
    """Return nested tables as one flat table with dotted keys."""
    if not isinstance(value, Mapping):
        return {prefix: value}
    return {k: v for key, item in value.items() for k, v in flatten(item, f"{prefix}.{key}" if prefix else key).items()}


def _options(
    configuration: Configuration,
    key: str,
    group: PluginGroup,
    name: str,
    options: Mapping[str, Any] | None,
    plugin: str | None = None,
) -> dict[str, Any]:
    """Return the class of a plugin and all its options, with defaults."""
    cls = configuration.plugin(group, plugin or name)
    found = resolved(cls, options or {}, configuration.where(key, name), configuration.path.absolute().parent)
    return {"class": dotted(cls), **found}


def _plugins(waiting: list[Any]) -> Iterator[Any]:
    """Yield plugins and those that they hold: a simulator in its provider, the members of an ensemble."""
    seen: set[int] = set()
    while waiting:
        item = waiting.pop()
        if id(item) in seen:
            continue
        if isinstance(item, list | tuple | Mapping | Probe | Provider | Simulator):
            seen.add(id(item))
        if isinstance(item, list | tuple):
            waiting += item
        elif isinstance(item, Mapping):
            waiting += item.values()
        elif isinstance(item, Probe | Provider | Simulator):
            waiting += getattr(item, "__dict__", {}).values()
            if not isinstance(item, SampledParameter):
                yield item


def _stated(provider: Provider) -> dict[str, Any]:
    """Return what a provider states about what it computes with: its files, or its simulator."""
    inner = unwrapped(provider)
    simulator = getattr(inner, "simulator", None)
    if isinstance(simulator, Simulator):
        return {"version": simulator.version, "settings": plain(simulator.settings)}
    return {"sha256": sorted(inner.sources.values())}


def by_content(value: Any, base: Path, paths: dict[str, str], key: str = "") -> Any:
    """Return options with the SHA-256 of a file instead of its path, and store the path in ``paths`` by its key."""
    if isinstance(value, Mapping):
        return {k: by_content(item, base, paths, f"{key}.{k}" if key else k) for k, item in value.items()}
    if isinstance(value, list):
        return [by_content(item, base, paths, f"{key}.{i}") for i, item in enumerate(value)]
    if isinstance(value, str) and looks_like_path(value):
        path = Path(resolve(value, base))
        if is_file(path):
            paths[key] = str(path.resolve())
            return {"sha256": sha256(path)}
    return value


def _shown(flat: Mapping[str, Any], key: str) -> str:
    return json.dumps(flat[key]) if key in flat else "not there"


def _hint(lines: Iterable[str], command: str) -> str:
    if not only_code(lines):
        return ""
    return (
        f"\nOnly code has changed. If no number can depend on it (a comment, a label), add --accept-changed-code to "
        f"{command}: the change is accepted and recorded"
    )


def _demand_format(other: RunFingerprint, folder: Path) -> None:
    if "reweighted" in other.must_match:
        raise RunFolderError(
            f"{folder} holds no run that could be resumed or repeated: it was made by reweighting another run, without "
            "a sampler. Choose another folder"
        )
    if other.format != FORMAT:
        raise RunFolderError(
            f"{folder} was made by an earlier version of astroemu, which did not store the code of its plugins; "
            "nothing was changed. A finished run can still be reported and exported. To go on, use that version, or "
            "start again in another folder with --out"
        )


def _none(path: Path, why: str) -> RunFolderError:
    return RunFolderError(
        f"{path.parent} holds no run that could be resumed or repeated: {path.name} is {why}. Choose another folder"
    )
