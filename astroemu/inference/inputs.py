"""The inputs of a fit: checksums of its files, its provenance block, and what to cite."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from astroemu.runtime.provenance import provenance

if TYPE_CHECKING:
    from astroemu.inference.configuration import Configuration
    from astroemu.model.model import Model


def provenance_of(model: Model, configuration: Configuration) -> dict[str, Any]:
    """Return the provenance block of a result that was computed with the model of a configuration."""
    return provenance(engine=model.engine.name, inputs=inputs(model, configuration))


def inputs(model: Model, configuration: Configuration) -> dict[str, str]:
    """Return the SHA-256 of the configuration and of every catalog and emulator used, by name."""
    return {f"configuration {configuration.path.name}": configuration.sha256, **data_files(model)}


def data_files(model: Model) -> dict[str, str]:
    """Return the SHA-256 of every catalog and emulator used, by name.

    Two files of one name and different content are told apart by the part of the model that uses the second one.
    """
    found: dict[str, str] = {}
    files = [(f"emulator {k}", v, key) for key, p in model.providers.items() for k, v in p.sources.items()]
    files += [(f"catalog {c.name}", c.sha256, key) for key, probe in model.probes.items() for c in probe.catalogs]
    for name, digest, user in files:
        found[name if found.get(name, digest) == digest else f"{name} of {user}"] = digest
    return found


def citations(model: Model) -> list[str]:
    """Return the sorted references to cite for the catalogs and the emulators of a model."""
    found = []
    for probe in model.probes.values():
        for catalog in probe.catalogs:
            found.append(f"{catalog.reference} (arXiv: {', '.join(catalog.arxiv)})" if catalog.arxiv else catalog.name)
    found += [provider.citation for provider in model.providers.values()]
    return sorted({citation for citation in found if citation})
