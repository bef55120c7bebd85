"""The inputs of a fit: checksums of its files, its provenance block, and what to cite."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from astroemu.io.files import sha256
from astroemu.runtime.provenance import provenance

if TYPE_CHECKING:
    from astroemu.inference.configuration import Configuration
    from astroemu.model.model import Model


def provenance_of(model: Model, configuration: Configuration) -> dict[str, Any]:
    """Return the provenance block of a result that was computed with the model of a configuration."""
    return provenance(engine=model.engine.name, inputs=inputs(model, configuration))


def inputs(model: Model, configuration: Configuration) -> dict[str, str]:
    """Return the SHA-256 of the configuration and of every catalog and emulator used, by name."""
    return {f"configuration {configuration.path.name}": sha256(configuration.source), **data_files(model)}


def data_files(model: Model) -> dict[str, str]:
    """Return the SHA-256 of every catalog and emulator used, by name."""
    found: dict[str, str] = {}
    for provider in model.providers.values():
        found |= {f"emulator {name}": digest for name, digest in provider.sources.items()}
    for probe in model.probes.values():
        found |= {f"catalog {catalog.name}": catalog.sha256 for catalog in probe.catalogs}
    return found


def citations(model: Model) -> list[str]:
    """Return the sorted references to cite for the catalogs and the emulators of a model."""
    found = []
    for probe in model.probes.values():
        for catalog in probe.catalogs:
            found.append(f"{catalog.reference} (arXiv: {', '.join(catalog.arxiv)})" if catalog.arxiv else catalog.name)
    found += [provider.citation for provider in model.providers.values()]
    return sorted({citation for citation in found if citation})
