"""The fuzzers of tests/fuzz on a few hundred seeds. docs/robustness.md describes the long runs."""

from __future__ import annotations

import importlib.util
import random
import warnings
from collections import Counter
from pathlib import Path

import pytest

FUZZERS = Path(__file__).parent


def fuzzer(name):
    spec = importlib.util.spec_from_file_location(f"fuzz_{name}", FUZZERS / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_configurations_are_accepted_or_refused(tmp_path):
    module = fuzzer("configurations")
    sources, found = module.read_sources(), Counter()
    for seed in range(200):
        (tmp_path / "fuzzed.toml").write_bytes(module.content(seed, sources))
        found[module.outcome(tmp_path / "fuzzed.toml", probes=False)] += 1
    assert set(found) == {"accepted", "refused"}


def test_the_configuration_of_a_seed_is_the_same_again():
    module = fuzzer("configurations")
    sources = module.read_sources()
    assert [module.content(s, sources) for s in range(50)] == [module.content(s, sources) for s in range(50)]


def test_headers_of_tables_are_read_or_refused(valid, tmp_path):
    module, found = fuzzer("files"), Counter()
    for seed in range(40):
        path = tmp_path / "changed.ecsv"
        path.write_bytes(valid["ecsv"].read_bytes())
        module.rewrite_header(path, random.Random(seed))
        found[module.read("ecsv", path)] += 1
    assert set(found) == {"read", "refused"}


@pytest.mark.parametrize("kind", ["configuration", "table", "spectra", "rewritten"])
@pytest.mark.attack(
    "unusual files", "other spellings, types, byte orders, filters, units, packings of the same content"
)
def test_what_is_unusual_but_says_the_same_gives_the_same(tmp_path, kind):
    check = fuzzer("unusual").checks(tmp_path)[kind]
    for seed in range(10):
        check(seed)


@pytest.fixture(scope="module")
def valid(tmp_path_factory):
    return fuzzer("files").make(tmp_path_factory.mktemp("valid"))


def test_what_is_not_damaged_is_read(valid):
    module = fuzzer("files")
    assert {kind: module.read(kind, path) for kind, path in valid.items()} == dict.fromkeys(valid, "read")


def test_files_whose_parts_are_changed_are_read_or_refused(valid, tmp_path):
    """No flipped bytes here: they can crash the HDF5 library, so that files.py tests them in a child process."""
    module, found = fuzzer("files"), Counter()
    for seed in range(150):
        rng = random.Random(seed)
        kind = rng.choice(["training", "samples", "emulator"])
        path = tmp_path / "changed.h5"
        path.write_bytes(valid[kind].read_bytes())
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            module.restructure(path, rng)
        found[module.read(kind, path)] += 1
    assert set(found) == {"read", "refused"}
