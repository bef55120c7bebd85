"""The fingerprint of a run: all that determines its numbers.

A run is resumed only if everything that would change its numbers is the same as at its start. What should not change
them may differ; it is stored for information.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from astroemu.errors import RunFolderError
from astroemu.inference.configuration import Configuration
from astroemu.inference.inputs import data_files
from astroemu.io.files import sha256, strict_json, write_json
from astroemu.io.paths import looks_like_path, resolve
from astroemu.model.model import Model
from astroemu.runtime.provenance import distributions, machine, versions
from astroemu.sampling.sampler import Sampler

#: Keys of a configuration that do not change what is computed, or that have a field of their own in the fingerprint.
_APART = ("title", "sampler", "samplers", "seed", "engine")


@dataclass(frozen=True)
class RunFingerprint:
    """The fingerprint of a run.

    Attributes
    ----------
    must_match : mapping
        Configuration, sampler and its options, seed, order of the parameters, engine, checksums of catalogs and
        emulators, versions of astroemu and of the sampler. Files named by options are replaced by their checksums.
    may_differ : mapping
        Other versions, host, platform, number of processes and of threads, paths of files.
    """

    must_match: Mapping[str, Any]
    may_differ: Mapping[str, Any]

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
        found = versions(algorithm.packages)
        moving = {name: found.pop(name) for name in ("astroemu-inference", *algorithm.packages) if name in found}
        moving |= distributions([*model.probes.values(), *model.providers.values(), algorithm])
        paths: dict[str, str] = {}
        chosen = {
            "configuration": {k: v for k, v in configuration.raw.items() if k not in _APART},
            "sampler": {"name": sampler, **configuration.raw.get("samplers", {}).get(sampler, {})},
        }
        must = {
            **_by_content(chosen, configuration.path.parent, paths),
            "seed": seed,
            "parameters": list(model.names),
            "engine": model.engine.name,
            "sha256": data_files(model),
            "versions": moving,
        }
        may = {"versions": found, **machine(), "paths": paths}
        return cls(json.loads(strict_json(must)), json.loads(strict_json(may)))

    @property
    def digest(self) -> str:
        """SHA-256 of what must match."""
        return hashlib.sha256(json.dumps(self.must_match, sort_keys=True).encode()).hexdigest()

    def save(self, path: Path) -> None:
        """Write the fingerprint as JSON."""
        content = {"sha256": self.digest, "must_match": self.must_match, "may_differ": self.may_differ}
        write_json(path, content)

    @classmethod
    def load(cls, path: Path) -> RunFingerprint:
        """Return the fingerprint that a file holds.

        Raises
        ------
        RunFolderError
            If the file is missing or damaged.
        """
        try:
            content = json.loads(path.read_text())
            return cls(content["must_match"], content["may_differ"])
        except (OSError, ValueError, KeyError, TypeError):
            raise RunFolderError(
                f"{path.parent} holds no run that could be resumed or repeated: {path.name} is missing or damaged. "
                "Choose another folder"
            ) from None

    def demand_same(self, other: RunFingerprint, folder: Path) -> None:
        """Raise unless this run is the one in a folder, whose fingerprint is ``other``.

        Raises
        ------
        RunFolderError
            If a field that must match differs. The message names every such field and both values.
        """
        lines = differences(other.must_match, self.must_match)
        if lines:
            raise RunFolderError(
                f"{folder} holds another run; nothing was changed. Choose another folder with --out, or restore what "
                "differs:\n" + "\n".join(lines)
            )

    def demand_repeatable(self, other: RunFingerprint, folder: Path) -> None:
        """Raise unless the finished run in a folder, whose fingerprint is ``other``, can be repeated now.

        Raises
        ------
        RunFolderError
            If a field that must match differs. The message names every such field and both values.
        """
        lines = differences(other.must_match, self.must_match)
        if lines:
            raise RunFolderError(
                f"{folder} cannot be repeated, because its inputs have changed; nothing was written. Restore "
                "what differs:\n" + "\n".join(lines)
            )


def differences(there: Mapping[str, Any], here: Mapping[str, Any]) -> list[str]:
    """Return one line for each field that differs between two fingerprints: of a run in a folder, and of one now."""
    now, then = flatten(here), flatten(there)
    return [
        f"  {key}: {_shown(then, key)} in the folder, {_shown(now, key)} now"
        for key in sorted(now.keys() | then.keys())
        if now.get(key, _shown) != then.get(key, _shown)
    ]


def _by_content(value: Any, base: Path, paths: dict[str, str], key: str = "") -> Any:
    """Return options with the SHA-256 of a file instead of its path, and store the path in ``paths`` by its key."""
    if isinstance(value, Mapping):
        return {k: _by_content(item, base, paths, f"{key}.{k}" if key else k) for k, item in value.items()}
    if isinstance(value, list):
        return [_by_content(item, base, paths, f"{key}.{i}") for i, item in enumerate(value)]
    if isinstance(value, str) and looks_like_path(value):
        path = Path(resolve(value, base))
        if path.is_file():
            paths[key] = str(path.resolve())
            return {"sha256": sha256(path)}
    return value


def flatten(value: Any, prefix: str = "") -> dict[str, Any]:
    """Return nested tables as one flat table with dotted keys."""
    if not isinstance(value, Mapping):
        return {prefix: value}
    return {k: v for key, item in value.items() for k, v in flatten(item, f"{prefix}.{key}" if prefix else key).items()}


def _shown(flat: Mapping[str, Any], key: str) -> str:
    return json.dumps(flat[key]) if key in flat else "not there"
