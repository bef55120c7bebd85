"""What a run is: everything that its samples depend on, field by field.

A run is resumed only as what it was. Fields that must match are the parameters in their order with their
priors, the content of the configuration, the bytes of every data set, emulator and file that it names, the
sampler with its options, the seed, and the versions of the packages that make the samples. Others (a title,
where a file lies, the engine, limits) may differ.
"""

from __future__ import annotations

import hashlib
import importlib.metadata
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from astroemu.configuration import Configuration
from astroemu.errors import RunFolderError
from astroemu.files import looks_like_path, resolve, sha256
from astroemu.model import Model
from astroemu.sampler import Sampler

#: Fields of a configuration that do not move the samples, or not by more than their engines differ.
_FREE = ("title", "engine")
_OURS = "astroemu-inference"


@dataclass(frozen=True)
class Identity:
    """The fields of a run, with their values as text.

    Attributes
    ----------
    must_match, may_differ : mapping of str to str
    """

    must_match: Mapping[str, str]
    may_differ: Mapping[str, str]

    @property
    def digest(self) -> str:
        """SHA-256 of what must match."""
        return hashlib.sha256(json.dumps(self.must_match, sort_keys=True).encode()).hexdigest()

    def differences(self, other: Identity, here: str, there: str) -> list[str]:
        """One line a field that must match and does not."""
        lines = []
        for field in sorted({*self.must_match, *other.must_match}):
            ours, theirs = (each.must_match.get(field, "not there") for each in (self, other))
            if ours != theirs:
                lines.append(f"{field}: {_short(theirs)} {there}, {_short(ours)} {here}")
        return lines

    def save(self) -> dict[str, Any]:
        """The content of ``identity.json``."""
        return {"digest": self.digest, "must_match": dict(self.must_match), "may_differ": dict(self.may_differ)}

    @classmethod
    def load(cls, path: Path) -> Identity:
        """Read ``identity.json``.

        Raises
        ------
        RunFolderError
            If it is damaged.
        """
        try:
            content = json.loads(path.read_text(encoding="utf-8"))
            found = cls(dict(content["must_match"]), dict(content["may_differ"]))
            if found.digest != content["digest"]:
                raise ValueError("its digest is not that of its fields")
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise RunFolderError(f"{path} cannot be read ({error}); start afresh in another folder") from None
        return found


def identify(configuration: Configuration, model: Model, sampler: Sampler, name: str, seed: int) -> Identity:
    """Return what a run of a configuration is.

    Parameters
    ----------
    configuration, model, sampler
        What is run.
    name : str
        The sampler's name in the configuration.
    seed : int
    """
    base = configuration.path.parent
    must = {"sampler": name, "seed": str(seed), "order of the parameters": ", ".join(model.names)}
    must |= {f"prior of {p.name}": str(p.prior) for p in model.prior.parameters}
    may = {"path": str(configuration.path)}
    tables = {key: value for key, value in configuration.raw.items() if key not in ("parameters", "sampler", "seed")}
    tables["samplers"] = {name: configuration.document.samplers.get(name, {})}
    free = {*_FREE, *(f"samplers.{name}.{option}" for option in sampler.traits.may_change)}
    for field, value in _flat(tables):
        file = Path(resolve(value, base)) if isinstance(value, str) and looks_like_path(value) else None
        if file is not None and file.is_file():
            must[f"bytes of {field}"], may[field] = sha256(file), value
        else:
            (may if field in free else must)[field] = json.dumps(value, default=str)
    must |= {f"bytes of {what}": digest for what, digest in _bytes(model).items()}
    must |= {f"version of {package}": version for package, version in _versions(model, sampler).items()}
    return Identity(must, may)


def _flat(table: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for key, value in table.items():
        if isinstance(value, Mapping) and value:
            yield from _flat(value, f"{prefix}{key}.")
        elif not isinstance(value, Mapping) or prefix != "samplers.":  # no options are no field
            yield f"{prefix}{key}", value


def _bytes(model: Model) -> dict[str, str]:
    found: dict[str, str] = {}
    for key, provider in model.providers.items():
        found |= {f"emulator {key}, {name}": digest for name, digest in provider.sources.items()}
    for key, probe in model.probes.items():
        found |= {f"catalog {catalog.name} of {key}": catalog.sha256 for catalog in probe.catalogs}
    return found


def _versions(model: Model, sampler: Sampler) -> dict[str, str]:
    """Versions of the distributions that the probes, the sampler and what it wraps come from."""
    origins = importlib.metadata.packages_distributions()
    modules = {type(part).__module__.partition(".")[0] for part in (*model.probes.values(), sampler)}
    names = {_OURS, *sampler.traits.packages, *(name for module in modules for name in origins.get(module, ()))}
    found = {}
    for name in sorted(names):
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found


def _short(value: str) -> str:
    return value if len(value) <= 60 else f"{value[:28]}...{value[-28:]}"
