"""A run goes on only with what it was started with, and says what differs."""

from __future__ import annotations

import json

import pytest

from astroemu.errors import RunFolderError
from astroemu.inference.configuration import Configuration, configuration_from, load_configuration
from astroemu.inference.fingerprint import RunFingerprint


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
        ({"overrides": ["samplers.emcee.walkers=32"]}, "sampler.walkers", "not there", "32"),
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
    name = next(key for key in content["sha256"] if key.startswith("catalog"))
    content["sha256"][name] = "0" * 64
    with pytest.raises(RunFolderError, match=f"sha256.{name}"):
        plain.demand_same(RunFingerprint(content, {}), tmp_path)


def test_files_may_move_but_not_change(tmp_path):
    found = []
    for folder, text in (("here", "1"), ("there", "1"), ("changed", "2")):
        data = tmp_path / folder / "data.csv"
        data.parent.mkdir()
        data.write_text(text)
        configuration = load_configuration("galaxies")
        raw = {**configuration.raw, "probes": {"mine": {"data": str(data), "sets": [str(data)], "label": "a/b.c"}}}
        found.append((str(data), Configuration(configuration.path, raw, configuration.document)))
    model, algorithm = configuration.model(), configuration.sampler("emcee")
    here, there, changed = (RunFingerprint.of(each, model, algorithm, sampler="emcee", seed=1) for _, each in found)
    there.demand_same(here, tmp_path)
    assert here.digest == there.digest and here.must_match["configuration"]["probes"]["mine"]["label"] == "a/b.c"
    assert there.may_differ["paths"]["configuration.probes.mine.data"] == found[1][0]
    with pytest.raises(RunFolderError, match=r"configuration\.probes\.mine\.data\.sha256"):
        changed.demand_same(here, tmp_path)


def test_a_relative_path_counts_from_the_configuration(tmp_path):
    configuration = load_configuration("galaxies")
    (tmp_path / "data.csv").write_text("1")
    raw = {**configuration.raw, "probes": {"mine": {"data": "data.csv"}}}
    moved = Configuration(tmp_path / "fit.toml", raw, configuration.document)
    (tmp_path / "fit.toml").write_text("")
    found = RunFingerprint.of(moved, configuration.model(), configuration.sampler("emcee"), sampler="emcee", seed=1)
    assert set(found.must_match["configuration"]["probes"]["mine"]["data"]) == {"sha256"}


@pytest.mark.parametrize("content", [None, "", "[]", "{}", '{"must_match": 1'])
def test_a_file_that_is_none_is_refused(tmp_path, content):
    if content is not None:
        (tmp_path / "identity.json").write_text(content)
    with pytest.raises(RunFolderError, match="holds no run that could be resumed"):
        RunFingerprint.load(tmp_path / "identity.json")
