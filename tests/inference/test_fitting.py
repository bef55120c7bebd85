"""One fit from a configuration to its folder."""

from __future__ import annotations

import json
import warnings

import numpy as np
import pytest

from astroemu.errors import ConfigurationError, RunFolderError
from astroemu.inference import fitting
from astroemu.inference.fingerprint import RunFingerprint
from astroemu.inference.fitting import fit


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

    class Killed(Exception):
        pass

    def kill(progress):
        raise Killed

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


class Job:
    """Three processes, of which this is the first; ``digests`` is what they gather."""

    is_root, size = True, 3

    def __init__(self, digests=()):
        self.digests = digests

    def allgather(self, value):
        return [value, *self.digests]


def test_processes_that_disagree_do_not_start():
    identity = RunFingerprint({"seed": 1}, {})
    fitting._demand_agreement(identity, Job([identity.digest] * 2))
    with pytest.raises(ConfigurationError, match=r"processes \[2\] of this job have another configuration"):
        fitting._demand_agreement(identity, Job([identity.digest, "other"]))


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
