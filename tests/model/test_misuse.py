"""What a plugin author or a user can get wrong, beyond test_model.py: shapes, names, ranges."""

from __future__ import annotations

import re

import numpy as np
import pytest
from helpers import Stub, StubProbe, uniform

from astroemu.core.distributions import Fixed, LogUniform, Normal, Uniform
from astroemu.core.evaluation_counts import EvaluationCounts
from astroemu.core.observable import Axis, Observable
from astroemu.core.parameter import Parameter
from astroemu.core.prior import Prior
from astroemu.core.provider import Prediction
from astroemu.core.requirement import Requirement
from astroemu.errors import AstroemuError, ConfigurationError, ProbeError, ResolutionError, Terminated
from astroemu.model.model import Model

LINE = Observable("line", (Axis("x", np.arange(6.0)),), "mK")
NUMBER = Observable("number")
AT = Requirement("line", {"x": np.array([1.5, 4.0])}, "mK")


def line(theta):
    return theta[:, :1] + theta[:, 1:] * np.arange(6.0)


def stub(**options):
    return Stub(("a", "b"), {LINE: line, NUMBER: lambda theta: theta[:, 0]}, **options)


PRIOR = uniform(a=(-1.0, 1.0), b=(0.0, 2.0))
THETA = np.array([[0.5, 1.0], [-0.5, 0.3], [0.1, 1.9]])


# --- what a provider is given and gives back ---------------------------------------------------


def test_a_provider_gets_its_own_columns_in_its_own_order():
    """Names decide, never positions: the prior has another order, and a fixed parameter."""
    provider = stub()
    prior = Prior((Parameter("b", Uniform(0, 2)), Parameter("c", Fixed(7.0)), Parameter("a", Uniform(-1, 1))))
    other = Stub(("c",), {Observable("constant"): lambda theta: theta[:, 0]})
    probes = {"p": StubProbe(AT), "q": StubProbe(Requirement("constant"))}
    model = Model(prior, {"mine": provider, "other": other}, probes)
    assert model.names == ("b", "a")
    parts = model.log_likelihood_by_probe(THETA[:, ::-1])
    np.testing.assert_array_equal(provider.calls[-1], THETA)
    np.testing.assert_array_equal(other.calls[-1], np.full((3, 1), 7.0))
    np.testing.assert_allclose(parts["q"], -0.5 * 49)


def test_only_points_in_the_box_and_rows_that_count_reach_a_provider():
    provider = stub(bounds={"a": (-1.0, 1.0)})
    model = Model(PRIOR, {"mine": provider}, {"p": StubProbe(AT)})
    model.log_likelihood(np.array([[0.5, 1.0], [1.5, 1.0], [np.nan, 1.0]]))
    assert {name: rows.tolist() for name, rows in provider.asked.items()} == {"line": [1, 2, 4]}
    assert provider.calls[-1].shape == (1, 2)
    assert model.counts == EvaluationCounts(evaluated=3, outside=2, not_finite=0)


def test_permuted_rows_give_permuted_answers():
    model = Model(PRIOR, {"mine": stub(bounds={"a": (-0.2, 1.0)})}, {"p": StubProbe(AT)}, truncate_prior=True)
    order = np.array([2, 0, 1])
    values = model.log_likelihood(THETA)
    assert values.dtype == np.float64 and np.isneginf(values).tolist() == [False, True, False]
    np.testing.assert_array_equal(model.log_likelihood(THETA[order]), values[order])


@pytest.mark.parametrize(
    "answer",
    [
        lambda theta, rows: {"line": Prediction(line(theta))},
        lambda theta, rows: {"line": Prediction(line(theta)[:, rows["line"]].T)},
        lambda theta, rows: {"line": Prediction(line(theta)[0, rows["line"]])},
        lambda theta, rows: {"line": Prediction(line(theta)[:, rows["line"]], np.ones(6))},
        lambda theta, rows: {},
    ],
    ids=["the whole grid", "transposed", "one point", "an error of another shape", "nothing"],
)
def test_a_provider_that_returns_something_else_is_named(answer):
    """Above all one that ignores the rows asked for: its values would land in the wrong places."""
    provider = stub()
    provider.evaluator = lambda rows: lambda theta, observables, xp: answer(theta, rows)
    model = Model(PRIOR, {"mine": provider}, {"p": StubProbe(AT)})
    with pytest.raises(ProbeError, match=r"'mine'.*'?line"):
        model.log_likelihood(THETA[:2])


def test_a_provider_that_ignores_the_rows_never_gives_wrong_numbers_silently():
    provider = stub()
    provider.evaluator = lambda rows: lambda theta, observables, xp: {"line": Prediction(line(theta))}
    probes = {x: StubProbe(Requirement("line", {"x": np.array([float(x)])}, "mK"), lambda v: v[:, 0]) for x in "35"}
    model = Model(PRIOR, {"mine": provider}, probes)
    try:
        found = model.log_likelihood_by_probe(THETA)
    except ProbeError:
        return
    for x in "35":
        np.testing.assert_allclose(found[x], line(THETA)[:, int(x)])


def test_a_provider_that_raises_is_named_with_the_point():
    provider = stub()
    provider.functions["line"] = lambda theta: np.linalg.inv(np.zeros((2, 2)))
    model = Model(PRIOR, {"mine": provider}, {"p": StubProbe(AT)})
    with pytest.raises(ProbeError, match=r"'mine'.*Stub.*LinAlgError.*3 point\(s\).*a = 0\.5, b = 1"):
        model.log_likelihood(THETA)


@pytest.mark.parametrize("code", [None, 0, 7])
def test_a_probe_that_ends_the_interpreter_is_an_error_not_a_success(code):
    def end(_):
        raise SystemExit(code)

    model = Model(PRIOR, {"mine": stub()}, {"p": StubProbe(AT, end)})
    with pytest.raises(ProbeError, match=rf"'p'.*StubProbe.*raised SystemExit: {code}"):
        model.log_likelihood(THETA)


@pytest.mark.parametrize("end", [Terminated(143), KeyboardInterrupt()])
def test_a_signal_while_a_probe_works_is_no_defect_of_it(end):
    def signalled(_):
        raise end

    model = Model(PRIOR, {"mine": stub()}, {"p": StubProbe(AT, signalled)})
    with pytest.raises(type(end)):
        model.log_likelihood(THETA)


@pytest.mark.parametrize("values", [0.0, np.zeros((3, 1)), np.zeros(2), np.zeros((1, 3))])
def test_a_probe_of_another_shape_is_named(values):
    model = Model(PRIOR, {"mine": stub()}, {"p": StubProbe(AT, lambda _: values)})
    with pytest.raises(ProbeError, match=r"'p' \(StubProbe\) returned the shape .* \(3,\) is needed"):
        model.log_likelihood(THETA)


def test_float32_of_a_probe_becomes_float64():
    model = Model(PRIOR, {"mine": stub()}, {"p": StubProbe(AT, lambda v: v[:, 0].astype(np.float32))})
    assert model.log_likelihood(THETA).dtype == np.float64


def test_one_probe_of_two_that_fails_takes_the_point_but_not_the_others():
    bad = StubProbe(Requirement("number"), lambda v: np.where(v[:, 0] > 0.4, np.nan, -1.0))
    model = Model(PRIOR, {"mine": stub()}, {"good": StubProbe(AT), "bad": bad})
    parts, total = model.log_likelihood_by_probe(THETA), model.log_likelihood(THETA)
    assert np.all(np.isfinite(parts["good"])) and np.isneginf(parts["bad"]).tolist() == [True, False, False]
    assert np.isneginf(total).tolist() == [True, False, False]
    assert model.counts == EvaluationCounts(evaluated=6, outside=0, not_finite=2)


# --- providers on providers ----------------------------------------------------------------------


def doubled(gives="twice", needs="number", parameters=()):
    requirement = Requirement(needs)
    return Stub(
        parameters, {Observable(gives): lambda theta, inner: 2 * inner[needs].value[:, 0]}, requires=(requirement,)
    )


def test_a_chain_of_three_in_any_order():
    providers = {"third": doubled("four", "twice"), "first": stub(), "second": doubled()}
    model = Model(PRIOR, providers, {"p": StubProbe(Requirement("four"), lambda v: v[:, 0])})
    np.testing.assert_allclose(model.log_likelihood(THETA), 4 * THETA[:, 0])
    assert providers["first"].asked.keys() == {"number"}
    found = model.predict(THETA)
    assert {name: values.shape for name, values in found.items()} == {
        "line": (3, 6),
        "number": (3,),
        "twice": (3,),
        "four": (3,),
    }
    np.testing.assert_allclose(found["four"], 4 * THETA[:, 0])
    assert list(model.graph.describe()) == ["p <- four (1 values) <- third"]


def test_the_error_of_an_emulator_reaches_what_is_derived_from_it():
    provider, derived = stub(errors={"number": lambda theta: np.full(len(theta), 0.3)}), doubled()
    derived.errors["twice"] = lambda theta, inner: 2 * inner["number"].error[:, 0]
    probe = StubProbe(Requirement("twice"))
    Model(PRIOR, {"mine": provider, "derived": derived}, {"p": probe}).log_likelihood(THETA)
    np.testing.assert_allclose(probe.seen.error, 0.6)


def test_a_longer_circle_is_refused_with_its_way():
    providers = {"one": doubled("x", "y"), "two": doubled("y", "z"), "three": doubled("z", "x"), "mine": stub()}
    with pytest.raises(ResolutionError, match="circle: one -> two -> three -> one"):
        Model(PRIOR, providers, {"p": StubProbe(Requirement("x"))})


def test_what_a_derived_quantity_lacks_is_named_with_it():
    with pytest.raises(ResolutionError, match=r"'derived' requires.*'numbr'.*Did you mean 'number'"):
        Model(PRIOR, {"mine": stub(), "derived": doubled(needs="numbr")}, {"p": StubProbe(Requirement("twice"))})


# --- predictions ---------------------------------------------------------------------------------


def test_predict_refuses_points_outside_any_providers_range():
    """Also of one that no probe uses: nothing is extrapolated silently."""
    side = Stub(("c",), {Observable("side"): lambda theta: theta[:, 0]}, bounds={"c": (0.0, 1.0)})
    model = Model(uniform(a=(-1, 1), b=(0, 2), c=(0, 1)), {"mine": stub(), "side": side}, {"p": StubProbe(AT)})
    assert np.isfinite(model.log_likelihood(np.array([[0.0, 1.0, 0.5]]))[0])
    with pytest.raises(AstroemuError, match=r"'c': 3"):
        model.predict(np.array([[0.0, 1.0, 3.0]]))


def test_predictions_at_any_coordinates():
    model = Model(PRIOR, {"mine": stub()}, {"p": StubProbe(AT)})
    found = model.predict_for(
        {"mean": Requirement("line", {"x": np.arange(6.0)}, "mK", weights=np.ones((1, 6)) / 6)}, THETA
    )
    np.testing.assert_allclose(found["mean"][:, 0], line(THETA).mean(axis=1))
    with pytest.raises(ResolutionError, match=r"lies outside the grid \[0, 5\]"):
        model.predict_for({"it": Requirement("line", {"x": np.array([7.0])}, "mK")}, THETA)
    assert model.predict(np.zeros((0, 2)))["line"].shape == (0, 6)


@pytest.mark.parametrize("method", ["log_likelihood", "log_prior", "prior_transform", "predict"])
@pytest.mark.parametrize("shape", [(2,), (3, 1), (3, 3), (1, 3, 2), ()])
def test_theta_of_another_shape_is_refused(method, shape):
    model = Model(PRIOR, {"mine": stub()}, {"p": StubProbe(AT)})
    with pytest.raises(ConfigurationError, match=rf"{re.escape(str(shape))}; \(n, 2\) is needed.*a, b.*theta\[None\]"):
        getattr(model, method)(np.zeros(shape))


# --- parameters ----------------------------------------------------------------------------------


def test_a_parameter_given_twice_is_refused():
    with pytest.raises(ConfigurationError, match="'a' is given twice"):
        Prior((*PRIOR.parameters, Parameter("a", Uniform(0, 1))))


def test_a_probe_brings_its_nuisance_parameters():
    calibration = Parameter("calibration", Normal(1.0, 0.1))
    probe = StubProbe(AT, parameters=(calibration,))
    model = Model(PRIOR, {"mine": stub()}, {"p": probe})
    assert model.names == ("a", "b", "calibration") and model.prior["calibration"].prior == Normal(1.0, 0.1)
    theta = np.column_stack([THETA, [0.9, 1.0, 1.1]])
    model.log_likelihood(theta)
    assert list(probe.nuisance) == ["calibration"]
    np.testing.assert_array_equal(probe.nuisance["calibration"], theta[:, 2])
    assert model.log_prior(theta)[0] == pytest.approx(
        -np.log(4) - 0.5 - 0.5 * np.log(2 * np.pi * 0.01)
    )  # flat over an area of four, and one sigma off


def test_a_stated_prior_of_a_nuisance_parameter_comes_first():
    prior = Prior((Parameter("calibration", Fixed(1.2)), *PRIOR.parameters))
    probe = StubProbe(AT, parameters=(Parameter("calibration", Normal(1.0, 0.1)),))
    model = Model(prior, {"mine": stub()}, {"p": probe})
    assert model.names == ("a", "b")
    model.log_likelihood(THETA)
    np.testing.assert_array_equal(probe.nuisance["calibration"], np.full(3, 1.2))


def test_two_probes_share_a_nuisance_parameter_of_one_prior_only():
    def probes(*widths):
        return {
            str(i): StubProbe(AT, parameters=(Parameter("calibration", Normal(1.0, w)),)) for i, w in enumerate(widths)
        }

    assert Model(PRIOR, {"mine": stub()}, probes(0.1, 0.1)).names == ("a", "b", "calibration")
    with pytest.raises(ResolutionError, match=r"different default priors.*\[parameters\.calibration\]"):
        Model(PRIOR, {"mine": stub()}, probes(0.1, 0.2))
    stated = Prior((*PRIOR.parameters, Parameter("calibration", Uniform(0.5, 1.5))))
    assert Model(stated, {"mine": stub()}, probes(0.1, 0.2)).prior["calibration"].prior == Uniform(0.5, 1.5)


@pytest.mark.parametrize(
    ("names", "message"),
    [
        ({"a": (-1, 1), "amplitud": (0, 2)}, r"'amplitude', which has no prior.*Did you mean 'amplitud'"),
        ({"a": (-1, 1), "amplitude": (0, 2), "e": (0, 1)}, r"nothing uses the parameter\(s\) 'e'"),
        ({"a": (-1, 1)}, r"'mine' takes the parameter 'amplitude', which has no prior.*\[parameters\.amplitude\]"),
    ],
)
def test_missing_and_unused_parameters(names, message):
    provider = Stub(("a", "amplitude"), {LINE: line})
    with pytest.raises(ResolutionError, match=message):
        Model(uniform(**names), {"mine": provider}, {"p": StubProbe(AT)})


# --- ranges --------------------------------------------------------------------------------------


def test_a_fixed_value_outside_the_range_is_never_truncated():
    prior = Prior((Parameter("a", Fixed(3.0)), Parameter("b", Uniform(0, 2))))
    for truncate in (False, True):
        with pytest.raises(ResolutionError, match=r"'a' covers \[3, 3\] but 'mine' holds on \[-1, 1\]"):
            Model(prior, {"mine": stub(bounds={"a": (-1, 1)})}, {"p": StubProbe(AT)}, truncate_prior=truncate)


def test_a_prior_is_truncated_to_what_all_providers_share():
    other = Stub(("b",), {Observable("other"): lambda theta: theta[:, 0]}, bounds={"b": (0.5, 9.0)})
    providers = {"mine": stub(bounds={"b": (0.1, 1.0)}), "other": other}
    prior = Prior((Parameter("a", Normal(0, 1)), Parameter("b", LogUniform(0.01, 100.0))))
    probes = {"p": StubProbe(AT), "q": StubProbe(Requirement("other"))}
    model = Model(prior, providers, probes, truncate_prior=True)
    assert model.prior["b"].prior == LogUniform(0.5, 1.0)
    theta = model.prior_transform(np.random.default_rng(0).random((200, 2)))
    assert np.all(model.inside(theta)) and np.all(np.isfinite(model.log_likelihood(theta)))


def test_a_prior_with_nothing_in_common_is_refused_even_when_told_to_truncate():
    with pytest.raises(ResolutionError, match="nothing in common"):
        Model(
            uniform(a=(5, 6), b=(0, 2)), {"mine": stub(bounds={"a": (-1, 1)})}, {"p": StubProbe(AT)},
            truncate_prior=True,
        )  # fmt: skip


def test_the_edges_of_the_range_belong_to_it():
    model = Model(PRIOR, {"mine": stub(bounds={"a": (-1, 1), "b": (0, 2)})}, {"p": StubProbe(AT)})
    corners = model.prior_transform(np.array([[0.0, 0.0], [1.0, 1.0], [0.0, 1.0]]))
    assert np.all(np.isfinite(model.log_likelihood(corners))) and model.counts.outside == 0
