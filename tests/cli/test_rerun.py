"""The same configuration and seed give the same bytes, here and in another process; `rerun` says whether they do."""

from __future__ import annotations

import hashlib
import itertools
import json
import os
import shutil
import subprocess
import sys
import time

import h5py
import numpy as np
import pytest
from helpers import FIT_OF_TAU, command

from astroemu.analysis.rerun import compare_samples
from astroemu.inference.run_folder import RunFolder
from astroemu.report.tables import repetition_table
from astroemu.sampling.samples import ARRAYS, Samples

FIT = (
    "seed = 3"
    + FIT_OF_TAU
    + """
[probes.neutral_fraction]
references = ["McGreer+2015"]
catalog = "neutral_fraction.ecsv"
[samplers.emcee]
walkers = 8
max_steps = 30
starting_draws = 100
[samplers.ultranest]
live_points = 40
batch = 64
max_calls = 3000
"""
)


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """One short run of each sampler, beside the file and the catalog that it was made of."""
    from astroemu.runtime.plugins import CATALOGS

    folder = tmp_path_factory.mktemp("rerun")
    (folder / "fit.toml").write_text(FIT)
    shutil.copyfile(CATALOGS.load("neutral_fraction").path, folder / "neutral_fraction.ecsv")
    for name in ("emcee", "ultranest"):
        where = ("--out", str(folder / name), "--no-report")
        code, _, error = command("fit", str(folder / "fit.toml"), "--sampler", name, *where)
        assert code == 0, error
    return folder


def arrays(folder):
    """SHA-256 of the bytes of every array of a run."""
    with h5py.File(folder / "samples.h5") as file:
        return {name: hashlib.sha256(file[name][()].tobytes()).hexdigest() for name in ARRAYS}


@pytest.mark.parametrize("sampler", ["emcee", pytest.param("ultranest", marks=pytest.mark.slow)])
def test_the_same_bytes_here_and_in_another_process(runs, tmp_path, sampler):
    code, said, error = command("rerun", str(runs / sampler), "--out", str(tmp_path / "here"))
    assert code == 0 and said.splitlines()[-2] == "identical", error
    done = subprocess.run(
        [sys.executable, "-m", "astroemu", "rerun", str(runs / sampler), "--out", str(tmp_path / "there")],
        capture_output=True, text=True, timeout=300, check=False, env={**os.environ, "PYTHONHASHSEED": "77"},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert arrays(runs / sampler) == arrays(tmp_path / "here") == arrays(tmp_path / "there")
    found = json.loads((tmp_path / "there" / "rerun.json").read_text())
    assert found["identical"] and found["of"] == sampler and set(found["arrays"]) == set(ARRAYS)
    assert found["provenance"]["inputs"] == {
        "samples.h5": hashlib.sha256((runs / sampler / "samples.h5").read_bytes()).hexdigest()
    }


@pytest.mark.parametrize(("sampler", "jump"), [("emcee", -86400.0), ("emcee", 86400.0), ("ultranest", -86400.0)])
def test_a_clock_that_is_set_during_the_fit_changes_nothing(runs, tmp_path, monkeypatch, sampler, jump):
    real, calls = time.time, itertools.count()
    monkeypatch.setattr(time, "time", lambda: real() + jump * next(calls))  # one more day with every look at it
    code, said, error = command("rerun", str(runs / sampler), "--out", str(tmp_path / "run"))
    assert code == 0 and said.splitlines()[-2] == "identical", error
    assert 0.0 < RunFolder.open(tmp_path / "run").summary()["wall_seconds"] < 600.0


def test_the_folder_is_enough(runs, tmp_path):
    """The configuration file may have gone or changed: the run holds its own."""
    written = (runs / "fit.toml").read_text()
    (runs / "fit.toml").write_text("seed = 4")
    try:
        code, said, error = command("rerun", str(runs / "emcee"))
        again = command("rerun", str(runs / "emcee"))
    finally:
        (runs / "fit.toml").write_text(written)
    assert code == 0 and f"Written: {runs / 'emcee-rerun'}" in said, error
    assert f"Written: {runs / 'emcee-rerun-2'}" in again[1]
    one, two = (RunFolder.open(runs / name) for name in ("emcee", "emcee-rerun"))
    assert (two.path / "configuration.toml").read_text() == written
    assert one.summary()["inputs"] == two.summary()["inputs"]


def test_data_that_have_changed_since_are_those_of_the_run(runs, tmp_path):
    catalog = runs / "neutral_fraction.ecsv"
    written = catalog.read_text()
    catalog.write_text(written + "\n")
    try:
        code, said, error = command("rerun", str(runs / "emcee"), "--out", str(tmp_path / "new"))
    finally:
        catalog.write_text(written)
    assert code == 0 and said.splitlines()[-2] == "identical", error
    assert error.count(f"{catalog} has changed since {runs / 'emcee'} was made; the copy in the folder is used") == 1


def test_changed_options_are_refused_field_by_field(runs, tmp_path):
    shutil.copytree(runs / "emcee", tmp_path / "run")
    resolved = tmp_path / "run" / "resolved.json"
    resolved.write_text(resolved.read_text().replace('"seed": 3', '"seed": 4'))
    code, _, error = command("rerun", str(tmp_path / "run"), "--out", str(tmp_path / "new"))
    assert code == 2 and "cannot be repeated" in error and "  seed: 3 in the folder, 4 now" in error
    assert not (tmp_path / "new").exists()


def test_samples_that_came_out_otherwise_are_told_and_exit_3(runs, tmp_path):
    shutil.copytree(runs / "emcee", tmp_path / "run")
    with h5py.File(tmp_path / "run" / "samples.h5", "r+") as file:
        file["theta"][2, 0] = np.nextafter(file["theta"][2, 0], 9.0)
    code, said, _ = command("rerun", str(tmp_path / "run"))
    assert code == 3 and said.splitlines()[-2] == "NOT identical"
    found = json.loads((tmp_path / "run-rerun" / "rerun.json").read_text())
    assert not found["identical"] and [found["arrays"][name]["identical"] for name in ARRAYS] == [False, *[True] * 3]
    theta = found["arrays"]["theta"]
    assert (theta["number"], theta["first"]) == (1, 2) and 0 < theta["largest"] < 1e-15


def test_what_may_differ_is_told(runs, tmp_path):
    shutil.copytree(runs / "emcee", tmp_path / "run")
    identity = json.loads((tmp_path / "run" / "identity.json").read_text())
    identity["may_differ"] |= {"threads": 77, "host": "elsewhere"}
    (tmp_path / "run" / "identity.json").write_text(json.dumps(identity))
    code, said, _ = command("rerun", str(tmp_path / "run"))
    assert code == 0 and "differs: threads: 77 in the folder" in said and 'differs: host: "elsewhere"' in said


@pytest.mark.parametrize("lacking", ["samples.h5", "identity.json", "resolved.json"])
def test_a_folder_that_is_not_whole_is_refused(runs, tmp_path, lacking):
    shutil.copytree(runs / "emcee", tmp_path / "run")
    (tmp_path / "run" / lacking).unlink()
    code, _, error = command("rerun", str(tmp_path / "run"), "--out", str(tmp_path / "new"))
    assert code == 2 and lacking in error and not (tmp_path / "new").exists()


def sampled(theta):
    n = len(theta)
    return Samples(("a",), theta, np.zeros(n), np.zeros(n), np.full(n, -np.log(n)), "it", 1.0, True, "", 1)


def test_other_shapes_and_the_sign_of_zero_are_differences():
    one, zero = sampled(np.zeros((3, 1))), sampled(np.full((3, 1), -0.0))
    assert compare_samples(one, one) == {name: {"identical": True} for name in ARRAYS}
    assert compare_samples(one, zero)["theta"]["number"] == 3
    shorter = compare_samples(one, sampled(np.zeros((2, 1))))["theta"]
    assert shorter == {"identical": False, "shape": [[3, 1], [2, 1]]}
    said = repetition_table({"arrays": {"theta": shorter}, "differs": [], "identical": False})
    assert "of the shape [3, 1] in the run, [2, 1] now" in said
