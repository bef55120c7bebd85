"""A finished run is used with new numbers only if both come from the same likelihood."""

from __future__ import annotations

import pytest
from helpers import command
from outside_plugin import OutsidePlugin

from astroemu.errors import DataError, RunFolderError, RunWarning
from astroemu.inference.configuration import load_configuration
from astroemu.inference.fitting import fit
from astroemu.inference.reuse import changes, demand_current, model_of
from astroemu.inference.run_folder import RunFolder


@pytest.fixture
def outside(tmp_path, monkeypatch):
    return OutsidePlugin(tmp_path, monkeypatch)


@pytest.fixture
def run(outside, tmp_path):
    return fit(load_configuration(outside.configuration), out=tmp_path / "run")[0]


def test_a_run_whose_code_is_the_same_is_used(run):
    demand_current(run)
    model = model_of(run)
    demand_current(run, model)
    assert changes(run, model) == {} and model.counts.evaluated == 0


def test_a_run_whose_code_has_changed_is_refused_or_accepted_knowingly(outside, run):
    outside.edit("** 2", "** 2  # a comment", version="1.1")
    with pytest.raises(RunFolderError, match=r"source\.outside_toy: .* in the folder, .* now\nOnly code has changed"):
        demand_current(run)
    with pytest.warns(RunWarning, match=r"changed code was accepted:\n.*outside-toy 1\.1"):
        demand_current(run, accept_changed_code=True)
    outside.edit("** 2", "** 4")
    with (
        pytest.warns(RunWarning, match="changed code was accepted"),
        pytest.raises(DataError, match=r"ln L of a sample was .* and is .* now"),
    ):
        demand_current(run, accept_changed_code=True)


def test_a_changed_prior_or_default_is_never_accepted(outside, run):
    outside.edit("Normal(0.0, 0.1)", "Normal(0.0, 0.2)")
    with pytest.raises(RunFolderError, match=r"parameters\.shift\.std: 0\.1 in the folder, 0\.2 now(?!.*Only code)"):
        demand_current(run, accept_changed_code=True)


def test_a_changed_likelihood_is_found_without_a_fingerprint_too(outside, run):
    run.identity_file.unlink()
    demand_current(run)
    outside.edit("** 2", "** 4")
    with pytest.raises(DataError, match=r"ln L of a sample was"):
        demand_current(run)


def test_what_is_drawn_beside_the_samples_says_what_has_changed(outside, run):
    outside.edit("** 2", "** 2  # a comment")
    with pytest.warns(RunWarning, match=r"what is computed now .* does not come from .*\n.*source\.outside_toy"):
        model_of(run)


@pytest.mark.attack("run folder", "the order of the parameters is edited in resolved.json")
def test_columns_are_never_taken_for_those_of_other_parameters(outside, tmp_path):
    run = fit(load_configuration(outside.configuration), out=tmp_path / "two")[0]
    text = run.resolved_file.read_text()
    assert '"parameters": {\n' in text
    table = '"shift": {"distribution": "normal", "mean": 0.0, "std": 0.1},'
    run.resolved_file.write_text(text.replace('"parameters": {\n', f'"parameters": {{\n{table}'))
    with pytest.raises(RunFolderError, match="samples are of the parameters a, shift, but its configuration samples"):
        model_of(run)


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (("report", "RUN"), 0),
        (("cite", "RUN"), 0),
        (("export", "RUN", "--to", "csv"), 0),
        (("rerun", "RUN"), 2),
        (("reweight", "RUN", "--set", "probes.toy.centre=1.01", "--min-ess", "0"), 2),
        (("fit", "CONFIGURATION", "--out", "RUN", "--resume", "--no-report"), 2),
    ],
    ids=lambda words: words[0] if isinstance(words, tuple) else "",
)
def test_every_command_that_uses_a_run_says_that_its_code_has_changed(outside, run, tmp_path, words, code):
    given = [{"RUN": str(run.path), "CONFIGURATION": str(outside.configuration)}.get(word, word) for word in words]
    outside.edit("** 2", "** 2  # a comment")
    found, said, error = command(*given)
    assert found == code and "source.outside_toy: " in error, (said, error)
    if code:
        assert "--accept-changed-code" in error and {path.name for path in tmp_path.glob("run*")} == {"run"}
        found, _, error = command(*given, "--accept-changed-code")
        assert found == 0 and "changed code was accepted" in error, error


def test_a_reweighted_run_is_checked_too(outside, run, tmp_path):
    words = ("reweight", str(run.path), "--set", "probes.toy.centre=1.01", "--min-ess", "0", "--no-report")
    assert command(*words, "--out", str(tmp_path / "first"))[0] == 0
    first = RunFolder.open(tmp_path / "first")
    demand_current(first)
    code, _, error = command("rerun", str(first.path))
    assert code == 2 and "it was made by reweighting another run" in error
    outside.edit("** 2", "** 2  # a comment")
    with pytest.raises(RunFolderError, match=r"source\.outside_toy"):
        demand_current(first)
