"""One fit from a configuration to its folder."""

from __future__ import annotations

import hashlib
import json
import warnings

import numpy as np
import pytest
from outside_plugin import OutsidePlugin

from astroemu.errors import ConfigurationError, DoubleCountingWarning, RunFolderError, RunWarning
from astroemu.inference import fitting
from astroemu.inference.configuration import load_configuration
from astroemu.inference.fingerprint import RunFingerprint
from astroemu.inference.fitting import fit
from astroemu.inference.run_folder import RunFolder
from astroemu.runtime.plugin_identity import identity_of
from astroemu.runtime.plugins import PROBES


@pytest.fixture
def finished(tau, tmp_path):
    return fit(tau, out=tmp_path / "run")


def test_a_fit_finds_the_known_posterior(finished):
    folder, model = finished
    samples, summary = folder.samples(), folder.summary()
    assert samples.converged and model.names == samples.names == ("tau_e",)
    (probe,) = model.probes.values()
    error = samples.std()[0] / np.sqrt(samples.ess)
    assert abs(samples.mean()[0] - probe.tau) < 5 * error
    assert summary["evaluations"]["recalled"] == 0 and "profile" not in summary
    assert not folder.record_file.exists()


def test_a_finished_run_is_left_as_it_is(finished, tau):
    folder, _ = finished
    before = folder.summary_file.stat().st_mtime_ns
    again, _ = fit(tau, out=folder.path, resume=True)
    assert again.path == folder.path and folder.summary_file.stat().st_mtime_ns == before
    with pytest.raises(RunFolderError, match="already holds a run"):
        fit(tau, out=folder.path)
    with pytest.raises(RunFolderError, match="seed: 1 in the folder, 2 now"):
        fit(tau, out=folder.path, resume=True, seed=2)


def test_an_interrupted_run_recalls_its_likelihoods(finished, tau, tmp_path):
    """A run that is killed by its progress report, then resumed, gives the samples of one that was not."""
    with pytest.raises(Killed):
        fit(tau, out=tmp_path / "killed", report=kill)
    assert (tmp_path / "killed" / "likelihoods.record").is_file()
    folder, _ = fit(tau, out=tmp_path / "killed", resume=True)
    np.testing.assert_array_equal(folder.samples().theta, finished[0].samples().theta)
    assert folder.summary()["evaluations"]["recalled"] > 0


def test_the_folder_without_a_name_is_numbered(tau, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "runs" / "tau").mkdir(parents=True)
    (tmp_path / "runs" / "tau" / "mine").write_text("")
    folder, _ = fit(tau, profile=True)
    assert folder.path.name == "tau-2"
    profile = folder.summary()["profile"]
    assert profile["likelihood_seconds"] > 0 and "optical_depth" in " ".join(profile["components"])
    assert fit(tau, resume=True)[0].path == folder.path


def test_a_run_that_has_changed_is_not_repeated(finished, tau, tmp_path):
    folder, _ = finished
    changed = tau.overridden(["parameters.tau_e.high=0.3"])
    with pytest.raises(RunFolderError, match="cannot be repeated, because its inputs have changed"):
        fit(changed, out=tmp_path / "again", repeated=folder)
    assert not (tmp_path / "again").exists()


def test_a_sampler_that_does_not_fit_the_model_is_refused_before_anything_is_written(tau, tmp_path):
    pytest.importorskip("nautilus")
    with pytest.raises(ConfigurationError, match=r"\[samplers.nautilus\].*at least two parameters"):
        fit(tau, out=tmp_path / "run", sampler="nautilus")
    assert not (tmp_path / "run").exists()


class Killed(Exception):
    """Raised by a progress report, in place of a signal."""


def kill(progress=None):
    """Raise during the sampling. The stages before it are reported before there is a folder."""
    if progress is None or not progress.is_stage:
        raise Killed


@pytest.fixture
def outside(tmp_path, monkeypatch):
    return OutsidePlugin(tmp_path, monkeypatch)


@pytest.fixture
def killed(outside, tmp_path):
    """The folder of a fit of the outside probe that was killed."""
    with pytest.raises(Killed):
        fit(load_configuration(outside.configuration), out=tmp_path / "run", report=kill)
    return tmp_path / "run"


def resumed(outside, folder, *overrides, **options):
    return fit(load_configuration(outside.configuration, overrides), out=folder, resume=True, **options)[0]


def contents(folder):
    return {path: path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def assert_not_resumed(outside, folder, *words, overrides=(), **options):
    before = contents(folder)
    with pytest.raises(RunFolderError) as caught:
        resumed(outside, folder, *overrides, **options)
    assert all(word in str(caught.value) for word in words), caught.value
    assert contents(folder) == before


def test_an_edited_likelihood_is_another_run(outside, killed):
    """The gravest loss that there was: the first half of a fit from one likelihood, the second from another."""
    there = json.loads((killed / "identity.json").read_text())["must_match"]["source"]["outside_toy"]
    outside.edit("** 2", "** 4")
    now = identity_of([PROBES.load("toy")]).source["outside_toy"]
    words = f'source.outside_toy: "{there}" in the folder, "{now}" now', "add --accept-changed-code"
    assert_not_resumed(outside, killed, *words)
    outside.install(helper="def width():\n    return 0.6\n")
    assert_not_resumed(outside, killed, "source.outside_helper: ")
    with pytest.warns(RunWarning, match="changed code was accepted"):  # but it matters: the numbers say so
        assert_not_resumed_after_acceptance(outside, killed)


def assert_not_resumed_after_acceptance(outside, folder):
    with pytest.raises(RunFolderError, match=r"holds ln L = .* for a point at which the model gives .* now"):
        resumed(outside, folder, accept_changed_code=True)


def test_another_version_is_another_run(outside, killed):
    outside.install(version="1.1")
    field = "plugins.outside_toy.probe:Toy"
    assert_not_resumed(outside, killed, f'{field}: "outside-toy 1.0" in the folder, "outside-toy 1.1" now')


@pytest.mark.parametrize(
    ("old", "new", "field"),
    [
        ("Normal(0.0, 0.1)", "Normal(0.0, 0.2)", "configuration.parameters.shift.std: 0.1 in the folder, 0.2 now"),
        ("centre: float = 1", "centre: float = 2", "configuration.probes.toy.centre: 1 in the folder, 2 now"),
    ],
)
def test_a_changed_nuisance_prior_or_default_is_another_run_that_cannot_be_accepted(outside, killed, old, new, field):
    outside.edit(old, new)
    assert_not_resumed(outside, killed, field, accept_changed_code=True)


def test_a_changed_comment_can_be_accepted_and_is_recorded(outside, killed):
    outside.edit("** 2", "** 2  # a comment", version="1.1")
    assert_not_resumed(outside, killed, "source.outside_toy: ", "add --accept-changed-code")
    with pytest.warns(RunWarning, match="changed code was accepted:\n.*outside-toy 1.1"):
        folder = resumed(outside, killed, accept_changed_code=True)
    (accepted,) = folder.summary()["accepted"]
    fields = {change.partition(":")[0] for change in accepted["changes"]}
    assert fields == {"plugins.outside_toy.probe", "source.outside_toy"}
    assert json.loads(folder.identity_file.read_text())["accepted"] == [accepted]
    assert folder.summary()["evaluations"]["recalled"] > 0
    with pytest.warns(RunWarning, match="ended unconverged"):
        resumed(outside, killed)  # it was accepted
    outside.install()
    assert_not_resumed(outside, killed, "source.outside_toy: ")


def test_changed_code_is_accepted_for_a_resumed_run_only(tau, tmp_path):
    with pytest.raises(ConfigurationError, match="add --resume"):
        fit(tau, out=tmp_path / "run", accept_changed_code=True)


@pytest.mark.case(26)
@pytest.mark.parametrize(
    "overrides",
    [
        ("samplers.emcee.move=mixture", "samplers.emcee.walkers=8"),
        ("title=another", "parameters.a.latex=A", "probes.toy.plugin=toy"),
        ("probes.toy.centre=1.0",),
        ('parameters.shift={distribution="normal", std=0.1, mean=0}',),
        ("emulator_error=1.0", "truncate_prior=true"),
    ],
)
def test_the_same_meaning_is_the_same_run(outside, killed, overrides):
    folder = resumed(outside, killed, *overrides)
    assert folder.summary()["evaluations"]["recalled"] > 0


def test_the_order_of_tables_does_not_matter(tau, tmp_path):
    head = tau.text.replace("[probes.optical_depth]\n", "")
    plugin = 'plugin = "optical_depth"\n'
    tables = [f"[probes.b]\n{plugin}", f'[probes.a]\n{plugin}reference = "Pagano+2020"\n']
    (tmp_path / "first.toml").write_text(head + "".join(tables))
    (tmp_path / "second.toml").write_text(head + "".join(reversed(tables)))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DoubleCountingWarning)
        with pytest.raises(Killed):
            fit(load_configuration(tmp_path / "first.toml"), out=tmp_path / "run", report=kill)
        folder, model = fit(load_configuration(tmp_path / "second.toml"), out=tmp_path / "run", resume=True)
    assert list(model.probes) == ["b", "a"] and folder.summary()["evaluations"]["recalled"] > 0


@pytest.mark.case(27)
def test_an_unconverged_run_goes_on_with_more_steps(outside, tmp_path):
    configuration = load_configuration(outside.configuration)
    folder, _ = fit(configuration, out=tmp_path / "run")
    first = folder.summary()
    assert not first["converged"] and folder.record_file.is_file()
    before = contents(folder.path)
    with pytest.warns(RunWarning, match="ended unconverged and was left as it is. .* change one of .*max_steps"):
        resumed(outside, folder.path)
    assert contents(folder.path) == before
    longer = "samplers.emcee.max_steps=90"
    with pytest.raises(Killed):
        resumed(outside, folder.path, longer, report=kill)
    assert folder.summary()["diagnostics"]["steps"] == 60  # as it was, until the longer run is finished
    resumed(outside, folder.path, longer)
    whole, _ = fit(load_configuration(outside.configuration, [longer]), out=tmp_path / "whole")
    np.testing.assert_array_equal(folder.samples().theta, whole.samples().theta)
    summary = folder.summary()
    assert summary["diagnostics"]["steps"] == 90
    assert summary["evaluations"]["recalled"] >= first["n_likelihood"]
    assert summary["n_likelihood"] == whole.summary()["n_likelihood"] > first["n_likelihood"]
    assert folder.configuration().document.samplers["emcee"]["max_steps"] == 90
    folder.record_file.unlink()
    assert_not_resumed(outside, folder.path, "likelihoods.record is missing", "max_steps: 90 in the folder, 60 now")
    assert_not_resumed(outside, folder.path, "sampler.walkers: 8", overrides=[longer, "samplers.emcee.walkers=10"])


def test_a_converged_run_is_not_sampled_again_for_other_stopping_criteria(finished, tau):
    folder, _ = finished
    before = contents(folder.path)
    words = r"holds a converged run(.|\n)*effective_samples: 100 in the folder, 5000 now"
    with pytest.raises(RunFolderError, match=words):
        fit(tau.overridden(["samplers.emcee.effective_samples=5000"]), out=folder.path, resume=True)
    assert contents(folder.path) == before


@pytest.mark.attack("run folder", "killed between the old summary and the new one of a run that went on")
def test_a_run_that_is_killed_while_its_results_are_replaced_is_made_again(outside, tmp_path, monkeypatch):
    folder, _ = fit(load_configuration(outside.configuration), out=tmp_path / "run")
    with monkeypatch.context() as patch:
        patch.setattr(RunFolder, "start", lambda *_: kill())
        with pytest.raises(Killed):
            resumed(outside, folder.path, "samplers.emcee.max_steps=90")
    assert not folder.finished and folder.record_file.is_file()
    (folder.path / ".next-samples.h5").write_bytes(b"half")
    again = resumed(outside, folder.path, "samplers.emcee.max_steps=90")
    assert again.summary()["diagnostics"]["steps"] == 90 and not (folder.path / ".next-samples.h5").exists()


def test_the_text_that_was_parsed_is_stored(tau, tmp_path):
    text = tau.path.read_text()

    def edit(progress):
        tau.path.write_text(text.replace("0.2", "0.3"))

    folder, _ = fit(tau, out=tmp_path / "run", report=edit)
    assert tau.path.read_text() != text == folder.configuration_file.read_text()
    stored = hashlib.sha256(text.encode()).hexdigest()
    assert folder.summary()["inputs"]["configuration tau.toml"] == stored


class Job:
    """Three processes, of which this is the first; ``digests`` is what they gather."""

    is_root, size = True, 3

    def __init__(self, digests=()):
        self.digests = digests

    def allgather(self, value):
        return [value, *self.digests]


def test_processes_that_disagree_do_not_start():
    identity = RunFingerprint({"seed": 1}, {})
    fitting._demand_agreement(identity, Job([(identity.digest, {})] * 2))
    with pytest.raises(ConfigurationError, match=r"processes \[2\] of this job have another configuration"):
        fitting._demand_agreement(identity, Job([(identity.digest, {}), "other"]))


def test_idle_processes_are_warned_of():
    with pytest.warns(UserWarning, match="evaluates one point at a time, so 2 of 3 processes have nothing to do"):
        fitting._warn_of_idle("slow", Job())
    other = Job()
    other.is_root = False
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        fitting._warn_of_idle("slow", other)


def test_the_resolved_configuration_states_sampler_and_seed(finished, tau):
    folder, _ = finished
    content = json.loads(folder.resolved_file.read_text())
    assert content["path"] == str(tau.path.resolve())
    assert content["configuration"]["sampler"] == "emcee" and content["configuration"]["seed"] == 1
