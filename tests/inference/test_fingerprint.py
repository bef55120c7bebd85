"""A run goes on only with what it was started with, and says what differs."""

from __future__ import annotations

import hashlib
import json
from importlib.metadata import EntryPoint
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from astroemu import FileName, Parameter, Probe
from astroemu.core.distributions import Uniform
from astroemu.errors import RunFolderError
from astroemu.inference.configuration import configuration_from, load_configuration
from astroemu.inference.fingerprint import RunFingerprint
from astroemu.runtime.plugins import PROBES, SIMULATORS


def identity(*overrides, sampler="emcee", seed=1):
    configuration = load_configuration("galaxies", overrides)
    model, algorithm = configuration.model(), configuration.sampler(sampler)
    return RunFingerprint.of(configuration, model, algorithm, sampler=sampler, seed=seed)


@pytest.fixture(scope="module")
def plain():
    return identity()


def test_the_same_is_the_same(plain, tmp_path):
    plain.save(tmp_path / "identity.json")
    again = RunFingerprint.load(tmp_path / "identity.json")
    assert again.digest == plain.digest == identity().digest
    plain.demand_same(again, tmp_path)
    assert set(plain.must_match["versions"]) >= {"astroemu-inference", "emcee"}
    assert "numpy" in plain.may_differ["versions"]


def test_a_title_does_not_matter(plain):
    assert identity('title="another"').digest == plain.digest


@pytest.mark.parametrize(
    ("changed", "key", "before", "now"),
    [
        ({"seed": 2}, "seed", "1", "2"),
        ({"overrides": ["samplers.emcee.walkers=32"]}, "sampler.walkers", "64", "32"),
        ({"overrides": ["parameters.t_star.low=0.02"]}, "configuration.parameters.t_star.low", "0.01", "0.02"),
        ({"overrides": ['engine="keras"']}, "engine", '"numpy"', '"keras"'),
        ({"sampler": "ultranest"}, "sampler.name", '"emcee"', '"ultranest"'),
    ],
)
def test_every_difference_is_named(plain, tmp_path, changed, key, before, now):
    other = identity(*changed.pop("overrides", ()), **changed)
    with pytest.raises(RunFolderError, match="holds another run; nothing was changed") as caught:
        other.demand_same(plain, tmp_path)
    assert f"  {key}: {before} in the folder, {now} now" in str(caught.value)


def test_the_order_of_the_parameters_is_part_of_a_run(plain, tmp_path):
    configuration = load_configuration("galaxies")
    tables = dict(reversed(configuration.raw["parameters"].items()))
    turned = configuration_from({**configuration.raw, "parameters": tables}, configuration.path)
    model, algorithm = turned.model(), turned.sampler("emcee")
    other = RunFingerprint.of(turned, model, algorithm, sampler="emcee", seed=1)
    before, now = plain.must_match["parameters"], list(model.names)
    assert sorted(before) == sorted(now) and before != now
    with pytest.raises(RunFolderError) as caught:
        other.demand_same(plain, tmp_path)
    assert f"  parameters: {json.dumps(before)} in the folder, {json.dumps(now)} now" in str(caught.value)
    assert str(caught.value).count(" in the folder, ") == 1


def test_other_data_are_another_run(plain, tmp_path):
    content = json.loads(json.dumps(dict(plain.must_match)))
    name = next(iter(content["sha256"]))
    content["sha256"][name] = ["0" * 64]
    with pytest.raises(RunFolderError, match=f"sha256.{name}"):
        plain.demand_same(RunFingerprint(content, {}), tmp_path)


class Reader(Probe):
    """A probe of files; it reads none of them."""

    parameters = (Parameter("x", Uniform(0.0, 1.0)),)

    def __init__(
        self, data: FileName, sets: list[str] | None = None, label: str = "", weights: dict[str, float] | None = None,
        limit: float = 1, words: Any = frozenset({"b", "a", "c"}),
    ) -> None:  # fmt: skip
        pass

    @property
    def requires(self):
        return {}

    def log_likelihood(self, predictions, parameters, xp):
        return -parameters["x"]


@pytest.fixture
def of_reader(monkeypatch):
    """The fingerprint of a fit of the probe of files, with these options."""
    entry = EntryPoint("reader", f"{__name__}:Reader", "astroemu.probes")
    monkeypatch.setitem(vars(PROBES), "entries", {"reader": [entry]})

    def make(folder, **options):
        prior = {"distribution": "uniform", "low": 0.0, "high": 1.0}
        raw = {"probes": {"reader": options}, "parameters": {"x": prior}}
        found = configuration_from(raw, folder / "fit.toml")
        return RunFingerprint.of(found, found.model(), found.sampler("emcee"), sampler="emcee", seed=1)

    return make


def test_files_may_move_but_not_change(of_reader, tmp_path):
    found = []
    for folder, text, name in (("here", "1", "data.csv"), ("there", "1", "renamed.csv"), ("changed", "2", "data.csv")):
        data = tmp_path / folder / name
        data.parent.mkdir()
        data.write_text(text)
        reference = str(data) if folder != "there" else name
        found.append(of_reader(data.parent, data=reference, sets=[reference], label="a/b.c"))
    here, there, changed = found
    there.demand_same(here, tmp_path)
    assert here.digest == there.digest and here.must_match["configuration"]["probes"]["reader"]["label"] == "a/b.c"
    assert there.may_differ["paths"]["configuration.probes.reader.data"] == str(tmp_path / "there" / "renamed.csv")
    with pytest.raises(RunFolderError, match=r"configuration\.probes\.reader\.data\.sha256.*changed/data\.csv"):
        changed.demand_same(here, tmp_path)


@pytest.mark.attack("resuming", "the configuration is named by a relative path, and later by an absolute one")
def test_a_relative_path_of_the_configuration_is_the_same_file(of_reader, tmp_path, monkeypatch):
    (tmp_path / "work").mkdir()
    (tmp_path / "work" / "data.csv").write_text("1")
    monkeypatch.chdir(tmp_path)
    relative, absolute = (of_reader(folder, data="data.csv") for folder in (Path("work"), tmp_path / "work"))
    assert relative.must_match == absolute.must_match
    assert set(relative.must_match["configuration"]["probes"]["reader"]["data"]) == {"sha256"}


def test_what_means_the_same_is_the_same(of_reader, tmp_path):
    plain = of_reader(tmp_path, data="catalog", weights={"a": 1, "b": 2.5})
    same = of_reader(tmp_path, data="catalog", weights={"b": 2.5, "a": 1.0}, limit=1.0, label="", sets=None)
    assert same.digest == plain.digest and same.must_match == plain.must_match
    assert of_reader(tmp_path, data="catalog", limit=1.5).digest != plain.digest


@pytest.mark.attack("options", "a text that is no path: 5,000 characters with separators, and one with a NUL character")
def test_texts_that_cannot_be_paths_are_texts(of_reader, tmp_path):
    for label in ("a/" * 2500, "a/\0b"):
        found = of_reader(tmp_path, data="catalog", label=label)
        assert found.must_match["configuration"]["probes"]["reader"]["label"] == label


@pytest.mark.parametrize("change", [{"limit": float("inf")}, {"weights": {"a": float("-inf")}}])
@pytest.mark.case(1)
def test_infinite_options_survive_the_file(of_reader, tmp_path, change):
    found = of_reader(tmp_path, data="catalog", **change)
    found.save(tmp_path / "identity.json")
    again = RunFingerprint.load(tmp_path / "identity.json")
    assert again.must_match == found.must_match and again.digest == found.digest
    with pytest.raises(RunFolderError, match="Infinity"):
        of_reader(tmp_path, data="catalog").demand_same(found, tmp_path)


def test_an_edited_fingerprint_is_refused(plain, tmp_path):
    plain.save(tmp_path / "identity.json")
    text = (tmp_path / "identity.json").read_text()
    (tmp_path / "identity.json").write_text(text.replace('"walkers": 64', '"walkers": 32'))
    with pytest.raises(RunFolderError, match=r"damaged or edited"):
        RunFingerprint.load(tmp_path / "identity.json")


def test_a_run_of_an_earlier_version_is_not_resumed(plain, tmp_path):
    content = {"must_match": {"seed": 1, "empty": {}}, "may_differ": {}}
    digest = hashlib.sha256(json.dumps(content["must_match"], sort_keys=True).encode()).hexdigest()
    (tmp_path / "identity.json").write_text(json.dumps({"sha256": digest, **content}))
    other = RunFingerprint.load(tmp_path / "identity.json")
    for demand in (plain.demand_same, plain.demand_repeatable):
        with pytest.raises(RunFolderError, match="made by an earlier version of astroemu, which did not store"):
            demand(other, tmp_path)


def test_a_simulator_states_its_version_and_its_settings():
    parameters = {
        p.name: {"distribution": "fixed", "value": float(p.prior.transform(np.array(0.5)))}
        for p in SIMULATORS.load("park19").parameters
    } | {"t_star": {"distribution": "uniform", "low": 0.1, "high": 0.9}}
    tables = {"simulators": {"park19": {"provides": ["tau_e"]}}, "probes": {"optical_depth": {}}}
    configuration = configuration_from({**tables, "parameters": parameters}, Path("fit.toml"))
    found = RunFingerprint.of(
        configuration, configuration.model(), configuration.sampler("emcee"), sampler="emcee", seed=1
    ).must_match["configuration"]["simulators"]["park19"]
    assert set(found["computed by"]) == {"version", "settings"} and found["provides"] == ["tau_e"]


@pytest.mark.parametrize("content", [None, "", "[]", "{}", '{"must_match": 1'])
def test_a_file_that_is_none_is_refused(tmp_path, content):
    if content is not None:
        (tmp_path / "identity.json").write_text(content)
    with pytest.raises(RunFolderError, match="holds no run that could be resumed"):
        RunFingerprint.load(tmp_path / "identity.json")
