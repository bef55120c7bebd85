"""The folder of a run: what went in, what came out.

    RUN/configuration.toml   the configuration as given
    RUN/resolved.json        the same with every override applied, and where it was read from
    RUN/samples.h5           posterior samples
    RUN/summary.json         the result in numbers, with versions and checksums
    RUN/*.png, RUN/table.txt made by the report

A folder that holds a run is never written into again.
"""

from __future__ import annotations

import json
import platform
import shutil
from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import numpy as np

from astroemu.bounds import read_text
from astroemu.configuration import Configuration, configuration_from
from astroemu.errors import RunFolderError
from astroemu.files import sha256, strict_json, write_atomically
from astroemu.model import Model
from astroemu.requirement import Requirement
from astroemu.samples import Samples, statistics

#: Samples behind the derived numbers and the bands of the pictures.
POSTERIOR_DRAWS = 1000
_PACKAGES = ("astroemu-inference", "numpy", "scipy", "h5py", "astropy", "emcee", "ultranest")


class RunFolder:
    """One run on disk.

    Attributes
    ----------
    path : Path
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)

    @classmethod
    def create(cls, path: str | Path) -> RunFolder:
        """Make the folder of a new run.

        Raises
        ------
        RunFolderError
            If it already holds anything, or cannot be made.
        """
        path = Path(path)
        if path.exists() and (not path.is_dir() or any(path.iterdir())):
            raise RunFolderError(
                f"{path} already holds a run or other files; nothing was changed. "
                "Choose another folder with --out, or remove this one"
            )
        try:
            path.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise RunFolderError(f"cannot make the folder {path}: {error.strerror}") from None
        return cls(path)

    @classmethod
    def open(cls, path: str | Path) -> RunFolder:
        """Open the folder of a finished run.

        Raises
        ------
        RunFolderError
            If it does not hold one.
        """
        folder = cls(path)
        for needed in (folder.samples_file, folder.summary_file, folder.resolved_file):
            if not needed.is_file():
                raise RunFolderError(f"{folder.path} does not hold a finished run: {needed.name} is missing")
        return folder

    @classmethod
    def fresh(cls, parent: Path, name: str) -> RunFolder:
        """Make the first free folder of ``name``, ``name-2``, ``name-3``, ..."""
        number, path = 1, parent / name
        while path.exists() and any(path.iterdir()):
            number += 1
            path = parent / f"{name}-{number}"
        return cls.create(path)

    @property
    def samples_file(self) -> Path:
        return self.path / "samples.h5"

    @property
    def summary_file(self) -> Path:
        return self.path / "summary.json"

    @property
    def resolved_file(self) -> Path:
        return self.path / "resolved.json"

    def start(self, configuration: Configuration, resolved: Mapping[str, Any]) -> None:
        """Write what goes in."""
        shutil.copyfile(configuration.path, self.path / "configuration.toml")
        self._json(self.resolved_file, resolved)

    def finish(self, samples: Samples, summary: Mapping[str, Any]) -> None:
        """Write what came out; the summary last, so that its presence means a finished run."""
        samples.save(self.samples_file)
        self._json(self.summary_file, summary)

    def samples(self) -> Samples:
        """Read the samples."""
        return Samples.load(self.samples_file)

    def summary(self) -> dict[str, Any]:
        """Read the summary."""
        return self._read_json(self.summary_file)

    def configuration(self) -> Configuration:
        """Return the configuration as it was run."""
        resolved = self._read_json(self.resolved_file)
        if not isinstance(resolved.get("configuration"), dict) or not isinstance(resolved.get("path"), str):
            raise RunFolderError(f"{self.resolved_file} lacks the configuration or its path")
        return configuration_from(resolved["configuration"], Path(resolved["path"]))

    @staticmethod
    def _read_json(path: Path) -> dict[str, Any]:
        try:
            content = json.loads(read_text(path))
        except (ValueError, RecursionError) as error:
            raise RunFolderError(f"{path} is damaged: {error}") from None
        if not isinstance(content, dict):
            raise RunFolderError(f"{path} is damaged: it holds no table")
        return content

    def _json(self, path: Path, value: Mapping[str, Any]) -> None:
        write_atomically(path, lambda temporary: temporary.write_text(strict_json(value)))


def summarise(
    samples: Samples, model: Model, configuration: Configuration, *, seed: int, wall_seconds: float
) -> dict[str, Any]:
    """Return the summary of a run, as written to ``summary.json``."""
    best = samples.best()
    counts = model.counts
    return {
        "title": configuration.document.title,
        "sampler": samples.sampler,
        "seed": seed,
        "parameters": samples.table(),
        "derived": derived(samples, model, seed),
        "log_evidence": samples.log_evidence,
        "log_evidence_err": samples.log_evidence_err,
        "n_likelihood": samples.n_likelihood,
        "wall_seconds": wall_seconds,
        "ess": samples.ess,
        "converged": samples.converged,
        "converged_reason": samples.reason,
        "best_sample": dict(zip(samples.names, best.tolist(), strict=True)),
        "best_log_likelihood": {k: float(v[0]) for k, v in model.log_likelihood_by_probe(best[None]).items()},
        "evaluations": {
            "outside_emulator_range": counts.outside,
            "not_finite": counts.not_finite,
            "fraction_outside": counts.outside / max(counts.evaluated, 1),
        },
        "diagnostics": dict(samples.diagnostics),
        "versions": versions(),
        "inputs": inputs(model, configuration),
        "citations": citations(model),
    }


def derived(samples: Samples, model: Model, seed: int) -> dict[str, dict[str, float]]:
    """Statistics of every observable that is one number, such as ``tau_e``, over the posterior.

    From :data:`POSTERIOR_DRAWS` equally weighted samples; the keys are those of the parameters.
    """
    numbers = {name: observable for name, observable in model.observables.items() if not observable.axes}
    theta = samples.equal_weight(POSTERIOR_DRAWS, np.random.default_rng(seed))
    found = model.predict_for({name: Requirement(name, {}, o.unit) for name, o in numbers.items()}, theta)
    return {name: statistics(values[:, 0], np.ones(len(theta))) for name, values in found.items()}


def inputs(model: Model, configuration: Configuration) -> dict[str, str]:
    """SHA-256 of every catalog, emulator and configuration used, by name."""
    found = {f"configuration {configuration.path.name}": sha256(configuration.path)}
    for provider in model.providers.values():
        found |= {f"emulator {name}": digest for name, digest in provider.sources.items()}
    for probe in model.probes.values():
        found |= {f"catalog {catalog.name}": catalog.sha256 for catalog in probe.catalogs}
    return found


def citations(model: Model) -> list[str]:
    """What to cite for the data and the emulators of a run."""
    found = []
    for probe in model.probes.values():
        for catalog in probe.catalogs:
            found.append(f"{catalog.reference} (arXiv: {', '.join(catalog.arxiv)})" if catalog.arxiv else catalog.name)
    found += [provider.citation for provider in model.providers.values()]
    return sorted({citation for citation in found if citation})


def versions() -> dict[str, str]:
    """Versions of Python and of the packages that move the numbers."""
    found = {"python": platform.python_version()}
    for name in _PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found
