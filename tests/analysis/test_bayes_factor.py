"""Bayes factors: given for the same data, refused for others, and put in words."""

from __future__ import annotations

import inspect
import json

import numpy as np
import pytest
from helpers import command, summary_of

from astroemu.analysis.bayes_factor import BayesFactor
from astroemu.inference.run_folder import RunFolder
from astroemu.report.tables import bayes_table
from astroemu.sampling.samples import Samples
from astroemu_probes.optical_depth import OpticalDepth

CONFIGURATION = {
    "parameters": {"tau_e": {"distribution": "uniform", "low": 0.0, "high": 0.2}},
    "probes": {"optical_depth": {"reference": "Planck2018-VI"}},
}


def a_run(folder, log_evidence, *, error=0.3, checksum="0" * 64, **options):
    """A finished run on disk that no sampler made."""
    theta = np.array([[0.04], [0.05], [0.06]])
    zeros = np.zeros(3)
    samples = Samples(("tau_e",), theta, zeros, zeros, zeros, "made", 3.0, True, "made", 3, log_evidence, error)
    folder.mkdir()
    probes = {"optical_depth": CONFIGURATION["probes"]["optical_depth"] | options}
    resolved = {"path": str(folder / "fit.toml"), "configuration": {**CONFIGURATION, "probes": probes}}
    (folder / "resolved.json").write_text(json.dumps(resolved))
    inputs = {"catalog optical_depth": checksum, "emulator acg": str(log_evidence)}
    summary = summary_of(("tau_e",), log_evidence=log_evidence, log_evidence_err=error, inputs=inputs)
    RunFolder(folder).finish(samples, summary)
    return RunFolder.open(folder)


def test_the_factor_of_the_same_data_has_the_error_of_both(tmp_path):
    one, two = a_run(tmp_path / "one", -10.0, error=0.3), a_run(tmp_path / "two", -12.0, error=0.4)
    factor = BayesFactor.of(one, two)
    assert factor.log_b == pytest.approx(2.0) and factor.error == pytest.approx(0.5)
    assert BayesFactor.of(two, one).log_b == pytest.approx(-2.0)
    assert str(factor) == "ln B = +2.00 +- 0.50"


@pytest.mark.attack("compare", "two runs of one catalog of the user, of which each holds a copy in its own folder")
def test_a_file_counts_by_its_content(tmp_path):
    runs = []
    for name, text in (("one", "same"), ("two", "same"), ("three", "other")):
        file = tmp_path / f"{name}.ecsv"
        file.write_text(text)
        runs.append(a_run(tmp_path / name, -10.0, catalog=str(file)))
    assert BayesFactor.of(runs[0], runs[1]).log_b == pytest.approx(0.0)
    assert "probes.optical_depth.catalog.sha256" in BayesFactor.of(runs[0], runs[2]).why_not


def test_a_default_that_is_written_out_is_the_same_data(tmp_path):
    default = inspect.signature(OpticalDepth.__init__).parameters["errors"].default
    one, two = a_run(tmp_path / "one", -10.0), a_run(tmp_path / "two", -12.0, errors=default)
    assert BayesFactor.of(one, two).log_b == pytest.approx(2.0)


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"reference": "Pagano+2020"}, "probes.optical_depth.reference"),
        ({"checksum": "1" * 64}, "catalog optical_depth"),
    ],
)
def test_different_data_have_none(tmp_path, change, named):
    one, two = a_run(tmp_path / "one", -10.0), a_run(tmp_path / "two", -12.0, **change)
    factor = BayesFactor.of(two, one)
    assert factor.log_b is None and named in factor.why_not
    table = " ".join(bayes_table({"one": one, "two": two}, jeffreys=True).split())
    assert f"two: no Bayes factor: evidences of different data ({named})" in table and "ln B =" not in table


def test_a_run_without_evidence_has_none(tmp_path):
    one, two = a_run(tmp_path / "one", -10.0), a_run(tmp_path / "two", None, error=None)
    assert "no evidence" in str(BayesFactor.of(two, one)) and str(two.path) in str(BayesFactor.of(one, two))
    assert "against one" in bayes_table({"two": two, "one": one})
    assert bayes_table({"two": two, "again": two}) == "" and bayes_table({"one": one}) == ""


@pytest.mark.parametrize(
    ("log_b", "error", "word"),
    [
        (0.5, 0.1, "inconclusive"),
        (-1.7, 0.2, "weak"),
        (3.0, 0.4, "moderate"),
        (-8.0, 1.0, "strong"),
        (2.4, 0.3, "weak to moderate"),
        (0.2, 0.9, "inconclusive to weak"),
    ],
)
def test_words_of_jeffreys_scale(log_b, error, word):
    assert BayesFactor(log_b, error).jeffreys() == word


def test_the_command_prints_them(tmp_path):
    for name, log_evidence in (("a", -12.0), ("b", -9.0)):
        a_run(tmp_path / name, log_evidence)
    code, said, _ = command("compare", str(tmp_path / "a"), str(tmp_path / "b"))
    assert code == 0 and f"{tmp_path / 'b'}: ln B = +3.00 +- 0.42" in " ".join(said.split()) and "Trotta" not in said
    code, said, _ = command("compare", str(tmp_path / "a"), str(tmp_path / "b"), "--jeffreys")
    assert code == 0 and "weak" in said and "moderate evidence" in said and "arXiv:0803.4089" in said
