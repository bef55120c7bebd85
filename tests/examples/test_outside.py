"""The two plugins of plugins/examples, installed as a stranger would: listed, checked, tested, fitted."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from stranger import REPOSITORY, Stranger, engine, installable

PLUGINS = {"astroemu-global-21cm": "global_21cm", "astroemu-jwst-uvlf": "jwst_uvlf"}
CHAIN = {"walkers": 16, "max_steps": 60, "starting_draws": 500}
QUICK = [word for name, value in CHAIN.items() for word in ("--set", f"samplers.emcee.{name}={value}")]


@pytest.fixture(scope="module")
def stranger(tmp_path_factory):
    installable()
    before = engine()
    made = Stranger(tmp_path_factory.mktemp("outside"))
    copies = [made.folder / folder for folder in PLUGINS]
    for copy in copies:
        shutil.copytree(REPOSITORY / "plugins" / "examples" / copy.name, copy)
    made.install(*copies)
    yield made
    assert engine() == before


@pytest.fixture(scope="module")
def said(stranger):
    """The text of each command, by its kind and the plugin's name. One process runs all of them."""
    tasks = {("list", ""): ["astroemu", "list"]}
    for folder, name in PLUGINS.items():
        tasks["check", name] = ["astroemu", "check", name, "--kind", "probe", "--model", name]
        tasks["mock", name] = ["astroemu", "mock", name, "--draw", "--out", f"mock_{name}"]
        tasks["read", name] = ["read", f"mock_{name}/{name}.toml", f"mock_{name}/truth.json"]
        configuration = f"{folder}/pyproject.toml"
        tasks["test", name] = ["pytest", "-q", "-p", "no:cacheprovider", "-c", configuration, folder]
    tasks["fit", "global_21cm"] = ["astroemu", "fit", "global_21cm", "--out", "global_21cm", *QUICK]
    session = str(Path(__file__).with_name("session.py"))
    results = json.loads(stranger.run(session, given=json.dumps(list(tasks.values()))).splitlines()[-1])
    failed = [(task, text) for task, (code, text) in zip(tasks, results, strict=True) if code]
    assert not failed, failed
    return {task: text for task, (_, text) in zip(tasks, results, strict=True)}


@pytest.mark.parametrize("name", PLUGINS.values())
def test_it_is_found_and_conforms(said, name):
    assert f"  {name} " in said["list", ""]
    check = said["check", name]
    assert "failed" not in check and "uniform" in check and "<- " in check


@pytest.mark.parametrize("name", PLUGINS.values())
def test_its_own_tests_pass(said, name):
    assert " passed" in said["test", name] and "failed" not in said["test", name]


def check_fit(folder, name):
    summary = json.loads((folder / "summary.json").read_text())
    assert name in summary["best_log_likelihood"]
    assert (folder / f"predictive_{name}.png").stat().st_size > 10_000


def test_it_is_fitted_by_name(stranger, said):
    assert "log10_l_x" in said["fit", "global_21cm"]
    check_fit(stranger.folder / "global_21cm", "global_21cm")


@pytest.mark.slow
def test_the_other_one_is_fitted_by_name(stranger):
    stranger.astroemu("fit", "jwst_uvlf", "--out", "jwst_uvlf", *QUICK)
    check_fit(stranger.folder / "jwst_uvlf", "jwst_uvlf")


@pytest.mark.parametrize("name", PLUGINS.values())
def test_it_draws_and_writes_mock_data_that_it_reads(said, name):
    assert f"mock_{name}" in said["mock", name]
    assert -1e3 < float(said["read", name]) < 1e3


@pytest.mark.slow
def test_it_joins_the_default_fit(stranger):
    stranger.astroemu("fit", "--set", "probes.global_21cm={}", "--out", "joint", "--no-report", *QUICK[2:])
    assert len(json.loads((stranger.folder / "joint" / "summary.json").read_text())["best_log_likelihood"]) == 5


def test_the_mock_is_made_again_bit_by_bit(stranger):
    folder = stranger.folder / "astroemu-global-21cm"
    stranger.run(str(folder / "make_mock.py"), "again.ecsv")
    kept = (folder / "astroemu_global_21cm" / "data" / "global_21cm_mock.ecsv").read_text().splitlines()
    again = (stranger.folder / "again.ecsv").read_text().splitlines()
    assert kept[:16] == again[:16] and len(kept) == len(again)
