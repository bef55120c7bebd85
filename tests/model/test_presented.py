"""What is made of a model in a script: points by name, the posterior, samples, their progress, other processes."""

from __future__ import annotations

import multiprocessing

import numpy as np
import pytest
from helpers import RAMP_AT, RAMP_POINTS, RAMP_PRIOR, StubProbe, line_model, line_prior, ramp_provider

from astroemu.core.distributions import Fixed, Normal
from astroemu.core.progress import Progress
from astroemu.errors import ConfigurationError
from astroemu.model.model import Model

BY_NAME = {"offset": np.array([1.0, 2.0]), "slope": np.array([0.5, -0.3])}
THETA = np.array([[0.5, 1.0], [-0.3, 2.0]])
SHORT = {"walkers": 8, "max_steps": 10, "starting_draws": 64}


@pytest.mark.parametrize(
    "method",
    ["log_likelihood", "log_prior", "log_posterior", "in_range", "predict", "log_likelihood_by_probe", "probe_inputs"],
)
def test_every_method_takes_points_by_name(method):
    model = line_model()
    expected, found = (getattr(model, method)(points) for points in (THETA, BY_NAME))
    if isinstance(expected, dict):
        expected, found = (next(iter(result.values())) for result in (expected, found))
    if method == "probe_inputs":
        expected, found = (predictions["it"].value for predictions, _ in (expected, found))
    np.testing.assert_array_equal(found, expected)
    one = getattr(model, method)({"slope": 0.5, "offset": 1})
    assert len(next(iter(one.values())) if isinstance(one, dict) else one) in (1, 2)  # a pair for probe_inputs


def test_requirements_are_predicted_at_points_by_name():
    model = Model(RAMP_PRIOR, {"mine": ramp_provider()}, {"p": StubProbe(RAMP_AT)})
    expected = model.predict_for({"it": RAMP_AT}, RAMP_POINTS)["it"]
    found = model.predict_for({"it": RAMP_AT}, {"b": RAMP_POINTS[:, 1], "a": RAMP_POINTS[:, 0]})["it"]
    np.testing.assert_array_equal(found, expected)


def test_a_name_that_is_not_a_parameter_is_refused():
    model = line_model(prior=line_prior(offset=Fixed(2.0)))
    with pytest.raises(ConfigurationError, match=r"'slop'\. Did you mean 'slope'"):
        model.log_likelihood({"slop": 0.1})
    with pytest.raises(ConfigurationError, match="'offset' is fixed at 2 in this model"):
        model.log_likelihood({"slope": 0.1, "offset": 2.0})


def test_the_posterior_is_prior_and_likelihood_and_ends_with_the_prior():
    model = line_model(prior=line_prior(offset=Normal(0.0, 2.0)))
    np.testing.assert_allclose(model.log_posterior(THETA), model.log_prior(THETA) + model.log_likelihood(THETA))
    before = model.counts.evaluated
    assert model.log_posterior(np.array([[3.0, 0.0]])) == [-np.inf] and model.counts.evaluated == before


def test_samples_of_a_model_know_its_prior():
    model = line_model()
    assert model.sample("emcee", **SHORT).prior is model.prior


def test_the_progress_of_a_run_goes_to_a_callable(capsys):
    seen = []
    line_model().sample("emcee", progress=seen.append, **SHORT)
    assert seen and all(isinstance(state, Progress) for state in seen)
    line_model().sample("emcee", progress=False, **SHORT)
    line_model().sample("emcee", **SHORT)  # neither a terminal nor a notebook
    assert capsys.readouterr() == ("", "")


def test_a_model_names_itself_its_parameters_and_its_probes():
    assert repr(line_model(name="mine")) == "<Model 'mine': 2 free parameters; probes a>"


@pytest.mark.slow
def test_a_model_reaches_a_process_that_starts_anew(reionization):
    """Under `spawn` nothing is inherited: the model is sent whole."""
    theta = reionization.prior.sample(4, np.random.default_rng(1))
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        found = pool.apply(reionization.log_posterior, (theta,))
    np.testing.assert_allclose(found, reionization.log_posterior(theta), rtol=1e-12)
