"""``astroemu fit --resume``: the same run goes on, another is refused."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
from helpers import command

from astroemu.samples import Samples

LIMITS = ["--set", "samplers.emcee.walkers=18", "--set", "samplers.emcee.checkpoint_seconds=0.05", "--no-report"]
SHORT = [*LIMITS, "--set", "samplers.emcee.max_steps=20"]


@pytest.fixture
def fit(examples):
    def run(out, *options):
        return command("fit", str(examples / "reionization.toml"), "--out", str(out), *options)

    return run


def unfinish(folder):
    """Leave what a killed run leaves before its first state."""
    for name in ("samples.h5", "summary.json"):
        (folder / name).unlink()


def test_killed_at_any_moment_it_ends_with_the_samples_of_one_that_was_not(fit, examples, tmp_path):
    length = ["--set", "samplers.emcee.max_steps=1500"]
    assert fit(tmp_path / "whole", *LIMITS, *length)[0] == 0
    out = tmp_path / "killed"
    arguments = ["fit", str(examples / "reionization.toml"), "--out", str(out), "--resume", *LIMITS, *length]
    for steps in (1, 500):
        job = subprocess.Popen(
            [sys.executable, "-m", "astroemu", *arguments],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        state, limit = out / "state" / "emcee-0.h5.previous", time.monotonic() + 60
        known = state.stat().st_mtime if state.exists() else 0.0
        while time.monotonic() < limit and job.poll() is None:
            time.sleep(0.01)
            if state.exists() and state.stat().st_mtime > known and state.stat().st_size > steps * 100:
                break
        os.killpg(job.pid, signal.SIGKILL)
        job.wait()
        assert state.exists() and not (out / "summary.json").exists()
    code, _, errors = command(*arguments)
    assert code == 0, errors
    whole, resumed = (Samples.load(folder / "samples.h5") for folder in (tmp_path / "whole", out))
    np.testing.assert_array_equal(resumed.theta, whole.theta)
    np.testing.assert_array_equal(resumed.log_likelihood, whole.log_likelihood)
    assert resumed.n_likelihood == whole.n_likelihood
    assert json.loads((out / "summary.json").read_text())["sessions"] == 3
    assert not (out / "state").exists()


def test_a_changed_problem_is_refused_field_by_field_and_nothing_is_touched(fit, tmp_path):
    out = tmp_path / "run"
    assert fit(out, *SHORT)[0] == 0
    for finished in (True, False):
        if not finished:
            unfinish(out)
        before = sorted(path.name for path in out.iterdir())
        code, _, errors = fit(out, *SHORT, "--resume", "--seed", "5", "--set", "parameters.t_star.high=0.9")
        assert code == 2 and "nothing was changed" in errors
        assert "seed: 1 in the run, 5 now" in errors and "prior of t_star: Uniform(low=0.01, high=1.0" in errors
        assert sorted(path.name for path in out.iterdir()) == before
    assert fit(out, *SHORT, "--resume")[0] == 0


def test_the_same_command_again_starts_then_goes_on_then_shows_the_result(fit, tmp_path):
    out = tmp_path / "run"
    code, first, _ = fit(out, *SHORT, "--resume")
    assert code == 0
    written = (out / "samples.h5").stat().st_mtime_ns
    code, again, _ = fit(out, *SHORT, "--resume")
    assert code == 0 and again == first and (out / "samples.h5").stat().st_mtime_ns == written


def test_without_out_the_latest_run_of_that_name_goes_on(examples, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    arguments = ["fit", str(examples / "reionization.toml"), *SHORT]
    for _ in range(2):
        assert command(*arguments)[0] == 0
    unfinish(tmp_path / "runs" / "reionization-2")
    assert command(*arguments, "--resume")[0] == 0
    assert sorted(path.name for path in (tmp_path / "runs").iterdir()) == ["reionization", "reionization-2"]
    assert (tmp_path / "runs" / "reionization-2" / "summary.json").is_file()


def test_without_resume_a_folder_is_never_written_into(fit, tmp_path):
    out = tmp_path / "run"
    assert fit(out, *SHORT)[0] == 0
    unfinish(out)
    code, _, errors = fit(out, *SHORT)
    assert code == 2 and "--resume" in errors


def test_a_folder_of_something_else_is_refused(fit, tmp_path):
    out = tmp_path / "other"
    out.mkdir()
    (out / "thesis.tex").write_text("mine")
    code, _, errors = fit(out, *SHORT, "--resume")
    assert code == 2 and "no identity.json" in errors and (out / "thesis.tex").read_text() == "mine"
