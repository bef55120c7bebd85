"""The joint model on stub providers and probes: sums, counts, predictions, shapes of theta."""

from __future__ import annotations

import copy
import pickle  # noqa: TID251 - the user's tools use it, between processes of one user
import re

import numpy as np
import pytest
from helpers import (
    RAMP_AT,
    RAMP_POINTS,
    RAMP_PRIOR,
    Stub,
    StubProbe,
    datum_probe,
    line_model,
    line_prior,
    line_provider,
    ramp,
    ramp_provider,
    uniform,
)

from astroemu.core.distributions import Fixed, Normal
from astroemu.core.evaluation_counts import EvaluationCounts
from astroemu.core.observable import Observable
from astroemu.core.parameter import Parameter
from astroemu.core.requirement import Requirement
from astroemu.errors import AstroemuError, ConfigurationError, ResolutionError
from astroemu.model.model import Model
from astroemu_plugins.samplers.emcee import Emcee

# --- the likelihood -------------------------------------------------------------------------------


def test_the_likelihood_is_the_sum_of_the_probes():
    model = Model(
        line_prior(), {"line": line_provider()}, {"a": datum_probe(at=2.5), "b": datum_probe(at=7.0, datum=1.0)}
    )
    theta = np.array([[0.5, 1.0], [-0.3, 2.0]])
    y = theta[:, :1] * np.array([2.5, 7.0]) + theta[:, 1:]
    parts = model.log_likelihood_by_probe(theta)
    np.testing.assert_allclose(parts["a"], -0.5 * y[:, 0] ** 2)
    np.testing.assert_allclose(parts["b"], -0.5 * (y[:, 1] - 1) ** 2)
    np.testing.assert_allclose(model.log_likelihood(theta), parts["a"] + parts["b"])
    np.testing.assert_allclose(model.log_likelihood(theta[::-1]), model.log_likelihood(theta)[::-1])
    assert model.log_likelihood(np.zeros((0, 2))).shape == (0,)


def test_points_outside_the_box_are_rejected_and_counted():
    model = line_model()
    found = model.log_likelihood(np.array([[0.5, 0.0], [1.5, 0.0], [-0.5, 0.0]]))
    assert np.isneginf(found[1]) and np.all(np.isfinite(found[[0, 2]]))
    assert (model.counts.evaluated, model.counts.outside, model.counts.not_finite) == (3, 1, 0)
    with pytest.raises(ConfigurationError, match="training box"):
        model.predict(np.array([[1.5, 0.0]]))


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_what_is_not_finite_becomes_minus_infinity_and_is_counted(value):
    model = Model(
        line_prior(), {"line": line_provider()}, {"a": datum_probe(function=lambda y: np.where(y > 0, value, 0.0))}
    )
    found = model.log_likelihood(np.array([[0.0, 1.0], [0.0, -1.0]]))
    assert np.isneginf(found[0]) and found[1] == 0 and model.counts.not_finite == 1


def test_one_probe_of_two_that_fails_takes_the_point_but_not_the_others():
    bad = StubProbe(Requirement("number"), lambda v: np.where(v[:, 0] > 0.4, np.nan, -1.0))
    model = Model(RAMP_PRIOR, {"mine": ramp_provider()}, {"good": StubProbe(RAMP_AT), "bad": bad})
    parts, total = model.log_likelihood_by_probe(RAMP_POINTS), model.log_likelihood(RAMP_POINTS)
    assert np.all(np.isfinite(parts["good"])) and np.isneginf(parts["bad"]).tolist() == [True, False, False]
    assert np.isneginf(total).tolist() == [True, False, False]
    assert model.counts == EvaluationCounts(evaluated=6, outside=0, not_finite=2, by_probe={"bad": 2})


def test_the_edges_of_the_range_belong_to_it():
    model = Model(RAMP_PRIOR, {"mine": ramp_provider(bounds={"a": (-1, 1), "b": (0, 2)})}, {"p": StubProbe(RAMP_AT)})
    corners = model.prior_transform(np.array([[0.0, 0.0], [1.0, 1.0], [0.0, 1.0]]))
    assert np.all(np.isfinite(model.log_likelihood(corners))) and model.counts.outside == 0


class Shifted(StubProbe):
    """A datum of unit width, shifted by the nuisance parameter."""

    def log_likelihood(self, predictions, parameters, xp):
        return -0.5 * (predictions["it"].value[:, 0] + parameters["nuisance"]) ** 2


def test_fixed_and_nuisance_parameters():
    probe = Shifted(Requirement("y", {"x": np.array([2.5])}), parameters=(Parameter("nuisance", Normal(0, 1)),))
    model = line_model({"a": probe}, prior=line_prior(offset=Fixed(2.0)))
    assert model.names == ("slope", "nuisance")
    found = model.log_likelihood(np.array([[0.4, 0.5]]))[0]
    assert found == pytest.approx(-0.5 * (0.4 * 2.5 + 2.0 + 0.5) ** 2)


def test_a_factor_of_the_emulator_error_below_zero_is_refused():
    with pytest.raises(ConfigurationError, match="emulator_error = -1"):
        line_model(emulator_error=-1)


# --- predictions ----------------------------------------------------------------------------------


def test_nothing_asked_for_is_nothing_predicted():
    assert line_model({"a": datum_probe(at=2.5)}).predict_for({}, np.zeros((3, 2))) == {}


def test_predict_refuses_points_outside_any_providers_range():
    """Also of one that no probe uses: nothing is extrapolated silently."""
    side = Stub(("c",), {Observable("side"): lambda theta: theta[:, 0]}, bounds={"c": (0.0, 1.0)})
    model = Model(
        uniform(a=(-1, 1), b=(0, 2), c=(0, 1)), {"mine": ramp_provider(), "side": side}, {"p": StubProbe(RAMP_AT)}
    )
    assert np.isfinite(model.log_likelihood(np.array([[0.0, 1.0, 0.5]]))[0])
    with pytest.raises(AstroemuError, match=r"'c': 3"):
        model.predict(np.array([[0.0, 1.0, 3.0]]))


def test_predictions_at_any_coordinates():
    model = Model(RAMP_PRIOR, {"mine": ramp_provider()}, {"p": StubProbe(RAMP_AT)})
    found = model.predict_for(
        {"mean": Requirement("line", {"x": np.arange(6.0)}, "mK", weights=np.ones((1, 6)) / 6)}, RAMP_POINTS
    )
    np.testing.assert_allclose(found["mean"][:, 0], ramp(RAMP_POINTS).mean(axis=1))
    with pytest.raises(ResolutionError, match=r"lies outside the grid \[0, 5\]"):
        model.predict_for({"it": Requirement("line", {"x": np.array([7.0])}, "mK")}, RAMP_POINTS)
    assert model.predict(np.zeros((0, 2)))["line"].shape == (0, 6)


def test_the_input_of_a_probe_can_be_seen():
    probe = StubProbe(RAMP_AT, parameters=(Parameter("calibration", Normal(1.0, 0.1)),))
    model = Model(RAMP_PRIOR, {"mine": ramp_provider(bounds={"a": (-1, 1)})}, {"p": probe})
    predictions, nuisance = model.probe_inputs(np.array([[0.5, 1.0, 0.9]]))["p"]
    np.testing.assert_allclose(predictions["it"].value, [[2.0, 4.5]])
    assert nuisance["calibration"].tolist() == [0.9]
    with pytest.raises(ConfigurationError, match="outside an emulator's training box"):
        model.probe_inputs(np.array([[1.5, 1.0, 0.9]]))


# --- shapes ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("method", ["log_likelihood", "log_prior", "prior_transform", "predict"])
@pytest.mark.parametrize("shape", [(2,), (3, 1), (3, 3), (1, 3, 2), ()])
def test_theta_of_another_shape_is_refused(method, shape):
    model = Model(RAMP_PRIOR, {"mine": ramp_provider()}, {"p": StubProbe(RAMP_AT)})
    with pytest.raises(ConfigurationError, match=rf"{re.escape(str(shape))}; \(n, 2\) is needed.*a, b.*theta\[None\]"):
        getattr(model, method)(np.zeros(shape))


# --- samplers -------------------------------------------------------------------------------------


def test_a_sampler_is_given_by_name_with_options_or_as_an_instance():
    model = line_model()
    options = {"walkers": 8, "max_steps": 10, "starting_draws": 64}
    named = model.sample("emcee", seed=3, **options)
    given = model.sample(Emcee(**options), seed=3)
    assert named.names == ("slope", "offset") and named.sampler == "emcee"
    np.testing.assert_array_equal(named.theta, given.theta)
    with pytest.raises(ConfigurationError, match="not with an instance"):
        model.sample(Emcee(), walkers=8)
    with pytest.raises(ConfigurationError, match=r"options of the sampler 'emcee'.*walker"):
        model.sample("emcee", walker=8)


def test_other_probes_keep_the_prior_and_the_providers():
    model = line_model(emulator_error=0.5)
    other = model.with_probes({"b": datum_probe(datum=1.0)})
    assert list(other.probes) == ["b"] and other.prior == model.prior and other.emulator_error == 0.5
    np.testing.assert_allclose(other.log_likelihood(np.array([[0.0, 1.0]])), [0.0])


# --- copies ---------------------------------------------------------------------------------------


@pytest.mark.case(22)
@pytest.mark.parametrize("copied", [copy.deepcopy, copy.copy, lambda model: pickle.loads(pickle.dumps(model))])
def test_a_model_can_be_copied_and_pickled(copied, reionization):
    """Pools of processes need it; evaluators and compiled functions are made again."""
    theta = reionization.prior.sample(3, np.random.default_rng(5))
    twin = copied(reionization)
    assert twin.names == reionization.names and twin.engine.name == reionization.engine.name
    np.testing.assert_array_equal(twin.log_likelihood(theta), reionization.log_likelihood(theta))
