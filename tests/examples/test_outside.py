"""The two plugins of plugins/examples, installed as a stranger would: listed, checked, tested, fitted."""

from __future__ import annotations

import json
import shutil

import pytest
from stranger import REPOSITORY, Stranger, engine, installable

PLUGINS = {"astroemu-global-21cm": "global_21cm", "astroemu-jwst-uvlf": "jwst_uvlf"}
QUICK = ("--set", "samplers.emcee.max_steps=100", "--set", "samplers.emcee.walkers=16")


@pytest.fixture(scope="module")
def stranger(tmp_path_factory):
    installable()
    before = engine()
    made = Stranger(tmp_path_factory.mktemp("outside"))
    for folder in PLUGINS:
        copy = made.folder / folder
        shutil.copytree(REPOSITORY / "plugins" / "examples" / folder, copy)
        made.install(copy)
    yield made
    assert engine() == before


@pytest.mark.parametrize(("folder", "name"), PLUGINS.items())
def test_it_is_found_and_conforms(stranger, folder, name):
    assert f"  {name} " in stranger.astroemu("list")
    said = stranger.astroemu("check", name, "--kind", "probe", "--model", name)
    assert "failed" not in said and "uniform" in said and "<- " in said


@pytest.mark.parametrize("folder", PLUGINS)
def test_its_own_tests_pass(stranger, folder):
    said = stranger.run("-m", "pytest", "-q", "-p", "no:cacheprovider", "-c", f"{folder}/pyproject.toml", folder)
    assert " passed" in said and "failed" not in said


@pytest.mark.parametrize("name", ["global_21cm", pytest.param("jwst_uvlf", marks=pytest.mark.slow)])
def test_it_is_fitted_by_name(stranger, name):
    stranger.astroemu("fit", name, "--out", name, *QUICK)
    summary = json.loads((stranger.folder / name / "summary.json").read_text())
    assert name in summary["best_log_likelihood"]
    assert (stranger.folder / name / f"predictive_{name}.png").stat().st_size > 10_000


@pytest.mark.parametrize("name", PLUGINS.values())
def test_it_draws_and_writes_mock_data_that_it_reads(stranger, name):
    stranger.astroemu("mock", name, "--draw", "--out", f"mock_{name}")
    truth = json.loads((stranger.folder / f"mock_{name}" / "truth.json").read_text())["parameters"]
    read = "import sys, astroemu; m = astroemu.load_model(sys.argv[1]); "
    point = f"t = {truth!r}; print(m.log_likelihood([[t[n] for n in m.names]])[0])"
    said = stranger.run("-c", read + point, f"mock_{name}/{name}.toml")
    assert -1e3 < float(said) < 1e3


@pytest.mark.slow
def test_it_joins_the_default_fit(stranger):
    stranger.astroemu("fit", "--set", "probes.global_21cm={}", "--out", "joint", "--no-report", *QUICK[:2])
    assert len(json.loads((stranger.folder / "joint" / "summary.json").read_text())["best_log_likelihood"]) == 5


def test_the_mock_is_made_again_bit_by_bit(stranger):
    folder = stranger.folder / "astroemu-global-21cm"
    stranger.run(str(folder / "make_mock.py"), "again.ecsv")
    kept = (folder / "astroemu_global_21cm" / "data" / "global_21cm_mock.ecsv").read_text().splitlines()
    again = (stranger.folder / "again.ecsv").read_text().splitlines()
    assert kept[:16] == again[:16] and len(kept) == len(again)
