"""A repetition of a run, and the comparison of its arrays."""

from __future__ import annotations

import json

import numpy as np
import pytest

from astroemu.analysis.rerun import compare_samples, rerun
from astroemu.errors import RunFolderError
from astroemu.inference.configuration import load_configuration
from astroemu.inference.fitting import fit
from astroemu.sampling.samples import ARRAYS, Samples

TAU = """
[probes.optical_depth]

[parameters.tau_e]
distribution = "uniform"
low = 0.0
high = 0.2

[samplers.emcee]
walkers = 8
max_steps = 60
starting_draws = 400
"""


def samples(n=5, **changed):
    zeros = np.zeros(n)
    content = {
        **{"names": ("a", "b"), "theta": np.arange(2.0 * n).reshape(n, 2), "log_likelihood": np.arange(float(n))},
        **{"log_prior": zeros, "log_weight": zeros, "sampler": "made", "ess": float(n), "converged": True},
        **{"reason": "", "n_likelihood": n},
    }
    return Samples(**content | changed)


def test_equal_arrays_are_identical():
    found = compare_samples(samples(), samples())
    assert set(found) == set(ARRAYS) and all(row == {"identical": True} for row in found.values())


def test_a_difference_of_one_bit_is_found():
    theta = samples().theta.copy()
    theta[3, 1] = np.nextafter(theta[3, 1], np.inf)
    found = compare_samples(samples(), samples(theta=theta))["theta"]
    assert found == {
        **{"identical": False, "number": 1, "values": 10, "first": 3},
        "largest": theta[3, 1] - samples().theta[3, 1],
    }


def test_the_sign_of_zero_is_a_difference_and_nan_is_none():
    changed = np.zeros(5)
    changed[2] = -0.0
    found = compare_samples(samples(), samples(log_prior=changed))["log_prior"]
    assert found["number"] == 1 and found["first"] == 2 and found["largest"] == 0.0
    holes = np.array([0.0, np.nan, 0.0, -np.inf, 0.0])
    assert compare_samples(samples(log_prior=holes), samples(log_prior=holes.copy()))["log_prior"]["identical"]
    found = compare_samples(samples(), samples(log_prior=holes))["log_prior"]
    assert found["number"] == 2 and found["largest"] == 0.0  # the values that are not finite have no difference


def test_arrays_of_other_lengths_state_both_shapes():
    assert compare_samples(samples(5), samples(4))["theta"] == {"identical": False, "shape": [[5, 2], [4, 2]]}


@pytest.fixture
def run(tmp_path):
    (tmp_path / "tau.toml").write_text(TAU)
    return fit(load_configuration(tmp_path / "tau.toml"), out=tmp_path / "run")[0]


def test_a_repetition_is_identical_and_says_so(run, tmp_path):
    new, found = rerun(run)
    assert new.path == tmp_path / "run-rerun" and found["identical"] is True and found["of"] == "run"
    written = json.loads((new.path / "rerun.json").read_text())
    assert written == json.loads(json.dumps(found)) and list(found["provenance"]["inputs"]) == ["samples.h5"]
    np.testing.assert_array_equal(new.samples().theta, run.samples().theta)


def test_a_run_without_a_fingerprint_is_not_repeated(run):
    run.identity_file.unlink()
    with pytest.raises(RunFolderError, match="holds no run that could be resumed or repeated"):
        rerun(run)
