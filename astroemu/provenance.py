"""What went into a run: files, versions, papers."""

from __future__ import annotations

import platform
from collections.abc import Iterable
from importlib.metadata import PackageNotFoundError, packages_distributions, version
from pathlib import Path
from typing import Any

from astroemu.configuration import Configuration
from astroemu.files import sha256
from astroemu.model import Model

_PACKAGES = ("astroemu-inference", "numpy", "scipy", "h5py", "astropy", "emcee", "ultranest", "nautilus-sampler")


def inputs(model: Model, configuration: Configuration, file: Path | None = None) -> dict[str, str]:
    """SHA-256 of every catalog, emulator and configuration used, by name.

    ``file`` is a copy of the configuration's file, where that one may be gone.
    """
    return {f"configuration {configuration.path.name}": sha256(file or configuration.path), **data_files(model)}


def data_files(model: Model) -> dict[str, str]:
    """SHA-256 of every catalog and emulator used, by name."""
    found: dict[str, str] = {}
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


def versions(more: Iterable[str] = ()) -> dict[str, str]:
    """Versions of Python, of the packages that move the numbers, and of some more that are installed."""
    found = {"python": platform.python_version()}
    for name in dict.fromkeys((*_PACKAGES, *more)):
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


def distributions(objects: Iterable[Any]) -> dict[str, str]:
    """Versions of the distributions that the classes of some objects come from, by name."""
    by_package = packages_distributions()
    roots = {type(item).__module__.partition(".")[0] for item in objects}
    return {name: version(name) for root in sorted(roots) for name in by_package.get(root, [])}
