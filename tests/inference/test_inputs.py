"""The inputs of a fit: checksums, provenance and citations."""

from __future__ import annotations

import hashlib

import pytest
from helpers import assert_provenance

from astroemu.inference.configuration import load_configuration
from astroemu.inference.inputs import citations, data_files, inputs, provenance_of


@pytest.fixture(scope="module")
def default():
    configuration = load_configuration("reionization")
    return configuration, configuration.model()


def test_every_catalog_and_emulator_has_a_checksum(default):
    _, model = default
    found = data_files(model)
    kinds = {name.partition(" ")[0] for name in found}
    assert kinds == {"catalog", "emulator"} and "emulator acg" in found
    assert found["emulator acg"] == model.providers["acg"].file_hash
    (catalog,) = model.probes["optical_depth"].catalogs
    assert found[f"catalog {catalog.name}"] == hashlib.sha256(catalog.path.read_bytes()).hexdigest()


def test_the_configuration_is_an_input_too(default):
    configuration, model = default
    found = inputs(model, configuration)
    assert found == {
        "configuration reionization.toml": hashlib.sha256(configuration.path.read_bytes()).hexdigest(),
        **data_files(model),
    }
    assert_provenance(provenance_of(model, configuration), *found, engine="numpy")


def test_citations_are_those_of_catalogs_and_emulators(tau, default):
    _, model = default
    found = citations(model)
    assert found == sorted(set(found)) and model.providers["acg"].citation in found
    (of_tau,) = citations(tau.model())
    assert of_tau in found and "arXiv" in of_tau
