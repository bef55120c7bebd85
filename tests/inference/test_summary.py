"""The summary of a run: statistics of known samples."""

from __future__ import annotations

import json

import numpy as np
import pytest
from helpers import TAU, Stub, StubProbe, uniform

from astroemu.core.distributions import Fixed, Uniform
from astroemu.core.observable import Observable
from astroemu.core.parameter import Parameter
from astroemu.core.prior import Prior
from astroemu.core.requirement import Requirement
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


@pytest.mark.case(31)
def test_a_number_that_fixed_inputs_fix_is_marked_as_a_constant():
    fixed, chained = Observable("h_fixed"), Observable("chained")
    background = Stub(("omega",), {fixed: lambda theta: 0.67 + 1e-8 * np.arange(len(theta)) + 0 * theta[:, 0]})
    further = Stub(("h_fixed",), {chained: lambda theta: 2.0 * theta[:, 0]})
    free = Stub(("a",), {TAU: lambda theta: theta[:, 0]})
    prior = Prior((Parameter("a", Uniform(0, 1)), Parameter("omega", Fixed(0.3))))
    model = Model(prior, {"b": background, "c": further, "f": free}, {"p": StubProbe(Requirement("tau_e"))})
    found = derived(samples(("a",), np.linspace(0.1, 0.9, 100)[:, None], np.zeros(100)), model, seed=1)
    assert found["h_fixed"]["constant"] is True and found["chained"]["constant"] is True
    assert "constant" not in found["tau_e"] and found["h_fixed"]["std"] > 0


@pytest.mark.case(20)
def test_derived_numbers_that_are_undefined_at_some_draws_are_counted():
    half = Observable("z_half")
    stub = Stub(
        ("a",), {TAU: lambda theta: theta[:, 0], half: lambda t: np.where(t[:, 0] > 0.05, 7.0 + t[:, 0], np.nan)}
    )
    model = Model(uniform(a=(0.0, 0.2)), {"stub": stub}, {"tau": OpticalDepth()})
    found = derived(samples(("a",), np.linspace(0.0, 0.2, 1000)[:, None], np.zeros(1000)), model, seed=1)["z_half"]
    assert found["undefined"] == pytest.approx(250, abs=2) and found["draws"] == POSTERIOR_DRAWS
    assert found["median"] == pytest.approx(7.125, abs=0.002) and found["q975"] < 7.2


@pytest.mark.attack("summary", "a plugin that fails when the derived numbers are computed, after the sampling")
def test_a_failure_after_the_sampling_is_a_remark(tau, monkeypatch):
    model = tau.model()
    theta = np.full((50, 1), 0.055)
    made = samples(("tau_e",), theta, model.log_likelihood(theta))

    def fail(*_):
        raise RuntimeError("the library is gone")

    monkeypatch.setattr(Model, "predict_for", fail)
    monkeypatch.setattr(Model, "log_likelihood_by_probe", fail)
    found = summarise(made, model, tau, seed=5, wall_seconds=2.0)
    assert found["derived"] == {} and found["best_log_likelihood"] == {} and found["parameters"] == made.table()
    assert found["remarks"] == [
        "derived numbers: not computed (RuntimeError: the library is gone)",
        "ln L of each probe at the best sample: not computed (RuntimeError: the library is gone)",
    ]
