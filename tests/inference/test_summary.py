"""The summary of a run: statistics of known samples."""

from __future__ import annotations

import json

import numpy as np
import pytest
from helpers import TAU, Stub, uniform

from astroemu.inference.summary import POSTERIOR_DRAWS, derived, summarise
from astroemu.model.model import Model
from astroemu.sampling.samples import Samples
from astroemu_probes.optical_depth import OpticalDepth


def samples(names, theta, log_likelihood):
    zeros = np.zeros(len(theta))
    log_weight = np.full(len(theta), -np.log(len(theta)))
    return Samples(names, theta, log_likelihood, zeros, log_weight, "made", 500.0, True, "made up", 7)


def test_derived_numbers_are_those_of_the_samples():
    stub = Stub(("a",), {TAU: lambda theta: 0.05 + 0.1 * theta[:, 0]})
    model = Model(uniform(a=(-1.0, 1.0)), {"stub": stub}, {"tau": OpticalDepth()})
    theta = np.random.default_rng(1).normal(0.1, 0.02, (5000, 1))
    found = derived(samples(("a",), theta, np.zeros(5000)), model, seed=1)
    assert set(found) == {"tau_e"} and len(stub.calls[-1]) == POSTERIOR_DRAWS
    assert found["tau_e"]["mean"] == pytest.approx(0.06, abs=4 * 0.002 / np.sqrt(POSTERIOR_DRAWS))
    assert found["tau_e"]["std"] == pytest.approx(0.002, rel=0.1)


def test_the_summary_states_the_result_and_its_origin(tau):
    model = tau.model()
    theta = np.random.default_rng(2).normal(0.0561, 0.0071, (1000, 1)).clip(0.0, 0.2)
    log_likelihood = model.log_likelihood(theta)
    model.log_likelihood(np.array([[0.05], [np.nan]]))
    made = samples(("tau_e",), theta, log_likelihood)
    found = summarise(made, model, tau, seed=5, wall_seconds=2.0)
    assert found["title"] == "tau alone" and found["seed"] == 5 and found["wall_seconds"] == 2.0
    assert found["parameters"] == made.table() and found["log_evidence"] is None
    best = float(theta[np.argmax(log_likelihood), 0])
    assert found["best_sample"] == {"tau_e": best}
    assert found["best_log_likelihood"] == {"optical_depth": pytest.approx(log_likelihood.max())}
    assert found["evaluations"]["evaluated"] == model.counts.evaluated
    assert found["converged_reason"] == "made up" and found["n_likelihood"] == 7
    assert found["inputs"] == found["provenance"]["inputs"] and any("configuration" in name for name in found["inputs"])
    json.dumps(found)
