"""The arithmetic of a model: columns, rows, matrices, errors, providers on providers, and faulty plugins."""

from __future__ import annotations

import numpy as np
import pytest
from helpers import (
    LINE_X,
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
)

from astroemu.core.distributions import Fixed, Uniform
from astroemu.core.evaluation_counts import EvaluationCounts
from astroemu.core.observable import Axis, Observable
from astroemu.core.parameter import Parameter
from astroemu.core.prior import Prior
from astroemu.core.provider import Prediction
from astroemu.core.requirement import Requirement
from astroemu.errors import ConfigurationError, ProbeError, ResolutionError, Terminated
from astroemu.model.model import Model

# --- input and output of a provider ---------------------------------------------------------------


def test_a_provider_gets_its_own_columns_in_its_own_order():
    """Names decide, never positions: the prior has another order, and a fixed parameter."""
    provider = ramp_provider()
    prior = Prior((Parameter("b", Uniform(0, 2)), Parameter("c", Fixed(7.0)), Parameter("a", Uniform(-1, 1))))
    other = Stub(("c",), {Observable("constant"): lambda theta: theta[:, 0]})
    probes = {"p": StubProbe(RAMP_AT), "q": StubProbe(Requirement("constant"))}
    model = Model(prior, {"mine": provider, "other": other}, probes)
    assert model.names == ("b", "a")
    parts = model.log_likelihood_by_probe(RAMP_POINTS[:, ::-1])
    np.testing.assert_array_equal(provider.calls[-1], RAMP_POINTS)
    np.testing.assert_array_equal(other.calls[-1], np.full((3, 1), 7.0))
    np.testing.assert_allclose(parts["q"], -0.5 * 49)


def test_only_points_in_the_box_and_rows_that_count_reach_a_provider():
    provider = ramp_provider(bounds={"a": (-1.0, 1.0)})
    model = Model(RAMP_PRIOR, {"mine": provider}, {"p": StubProbe(RAMP_AT)})
    model.log_likelihood(np.array([[0.5, 1.0], [1.5, 1.0], [np.nan, 1.0]]))
    assert {name: rows.tolist() for name, rows in provider.asked.items()} == {"line": [1, 2, 4]}
    assert provider.calls[-1].shape == (1, 2)
    assert model.counts == EvaluationCounts(evaluated=3, outside=2, not_finite=0)


def test_permuted_rows_give_permuted_answers():
    model = Model(
        RAMP_PRIOR, {"mine": ramp_provider(bounds={"a": (-0.2, 1.0)})}, {"p": StubProbe(RAMP_AT)}, truncate_prior=True
    )
    order = np.array([2, 0, 1])
    values = model.log_likelihood(RAMP_POINTS)
    assert values.dtype == np.float64 and np.isneginf(values).tolist() == [False, True, False]
    np.testing.assert_array_equal(model.log_likelihood(RAMP_POINTS[order]), values[order])


def test_the_rows_of_all_probes_are_requested_once():
    provider, requested = line_provider(), []
    evaluator = provider.evaluator
    provider.evaluator = lambda rows: requested.append(rows) or evaluator(rows)
    Model(line_prior(), {"line": provider}, {"a": datum_probe(at=2.5), "b": datum_probe(at=7.0)})
    assert [{name: rows.tolist() for name, rows in each.items()} for each in requested] == [{"y": [2, 3, 7]}]


@pytest.mark.parametrize(
    "answer",
    [
        lambda theta, rows: {"line": Prediction(ramp(theta))},
        lambda theta, rows: {"line": Prediction(ramp(theta)[:, rows["line"]].T)},
        lambda theta, rows: {"line": Prediction(ramp(theta)[0, rows["line"]])},
        lambda theta, rows: {"line": Prediction(ramp(theta)[:, rows["line"]], np.ones(6))},
        lambda theta, rows: {},
    ],
    ids=["the whole grid", "transposed", "one point", "an error of another shape", "nothing"],
)
def test_a_provider_that_returns_something_else_is_named(answer):
    """Above all one that ignores the rows asked for: its values would land in the wrong places."""
    provider = ramp_provider()
    provider.evaluator = lambda rows: lambda theta, observables, xp: answer(theta, rows)
    model = Model(RAMP_PRIOR, {"mine": provider}, {"p": StubProbe(RAMP_AT)})
    with pytest.raises(ProbeError, match=r"'mine'.*'?line"):
        model.log_likelihood(RAMP_POINTS[:2])


def test_a_provider_that_ignores_the_rows_never_gives_wrong_numbers_silently():
    provider = ramp_provider()
    provider.evaluator = lambda rows: lambda theta, observables, xp: {"line": Prediction(ramp(theta))}
    probes = {x: StubProbe(Requirement("line", {"x": np.array([float(x)])}, "mK"), lambda v: v[:, 0]) for x in "35"}
    model = Model(RAMP_PRIOR, {"mine": provider}, probes)
    try:
        found = model.log_likelihood_by_probe(RAMP_POINTS)
    except ProbeError:
        return
    for x in "35":
        np.testing.assert_allclose(found[x], ramp(RAMP_POINTS)[:, int(x)])


def test_a_provider_that_raises_is_named_with_the_point():
    provider = ramp_provider()
    provider.functions["line"] = lambda theta: np.linalg.inv(np.zeros((2, 2)))
    model = Model(RAMP_PRIOR, {"mine": provider}, {"p": StubProbe(RAMP_AT)})
    with pytest.raises(ProbeError, match=r"'mine'.*Stub.*LinAlgError.*3 point\(s\).*a = 0\.5, b = 1"):
        model.log_likelihood(RAMP_POINTS)


@pytest.mark.parametrize(("options", "message"), [({"unit": "K"}, r"'a'.*'K'"), ({"at": 11.0}, r"'a'.*axis 'x': 11")])
def test_a_requirement_that_does_not_fit_the_grid_or_unit_is_refused(options, message):
    with pytest.raises(ResolutionError, match=message):
        line_model({"a": datum_probe(**options)})


def test_the_error_is_carried_as_fully_correlated_and_can_be_scaled_or_switched_off():
    for on, expected in ((True, 0.1), (2.5, 0.25), (False, None), (0.0, None)):
        probe = datum_probe(at=2.5)
        model = line_model({"a": probe}, emulator_error=on)
        model.log_likelihood(np.zeros((3, 2)))
        if on:
            np.testing.assert_allclose(probe.seen.error, expected)
        else:
            assert probe.seen.error is None


# --- output of a probe ----------------------------------------------------------------------------


@pytest.mark.parametrize("code", [None, 0, 7])
def test_a_probe_that_ends_the_interpreter_is_an_error_not_a_success(code):
    def end(_):
        raise SystemExit(code)

    model = Model(RAMP_PRIOR, {"mine": ramp_provider()}, {"p": StubProbe(RAMP_AT, end)})
    with pytest.raises(ProbeError, match=rf"'p'.*StubProbe.*raised SystemExit: {code}"):
        model.log_likelihood(RAMP_POINTS)


@pytest.mark.parametrize("end", [Terminated(143), KeyboardInterrupt()])
def test_a_signal_while_a_probe_works_is_no_defect_of_it(end):
    def signalled(_):
        raise end

    model = Model(RAMP_PRIOR, {"mine": ramp_provider()}, {"p": StubProbe(RAMP_AT, signalled)})
    with pytest.raises(type(end)):
        model.log_likelihood(RAMP_POINTS)


@pytest.mark.parametrize("values", [0.0, np.zeros((3, 1)), np.zeros(2), np.zeros((1, 3))])
def test_a_probe_of_another_shape_is_named(values):
    model = Model(RAMP_PRIOR, {"mine": ramp_provider()}, {"p": StubProbe(RAMP_AT, lambda _: values)})
    with pytest.raises(ProbeError, match=r"'p' \(StubProbe\) returned the shape .* \(3,\) is needed"):
        model.log_likelihood(RAMP_POINTS)


def test_float32_of_a_probe_becomes_float64():
    model = Model(
        RAMP_PRIOR, {"mine": ramp_provider()}, {"p": StubProbe(RAMP_AT, lambda v: v[:, 0].astype(np.float32))}
    )
    assert model.log_likelihood(RAMP_POINTS).dtype == np.float64


def test_a_defect_in_a_probe_stops_the_run_with_its_name_and_the_point():
    model = line_model({"mine": datum_probe(function=lambda y: 1 / 0)})
    with pytest.raises(ProbeError, match=r"'mine'.*ZeroDivisionError.*slope = 0\.25"):
        model.log_likelihood(np.array([[0.25, 1.0]]))
    model = line_model({"mine": datum_probe(function=lambda y: y[:, None])})
    with pytest.raises(ProbeError, match=r"shape \(1, 1\)"):
        model.log_likelihood(np.array([[0.25, 1.0]]))


# --- providers on providers -----------------------------------------------------------------------


def doubled(gives="twice", needs="number", parameters=()):
    requirement = Requirement(needs)
    return Stub(
        parameters, {Observable(gives): lambda theta, inner: 2 * inner[needs].value[:, 0]}, requires=(requirement,)
    )


def test_a_provider_can_build_on_another_even_under_a_probes_name():
    double = Stub(
        (),
        {Observable("z"): lambda theta, inner: 2 * inner["y"].value},
        requires=(Requirement("y", {"x": np.array([2.5])}),),
    )
    model = Model(line_prior(), {"double": double, "line": line_provider()}, {"double": datum_probe("z", datum=1.0)})
    theta = np.array([[0.4, 1.0]])
    assert model.log_likelihood(theta)[0] == pytest.approx(-0.5 * (2 * (0.4 * 2.5 + 1) - 1) ** 2)
    assert model.predict(theta)["z"].shape == (1,) and model.predict(theta)["y"].shape == (1, 10)


def test_a_chain_of_three_in_any_order():
    providers = {"third": doubled("four", "twice"), "first": ramp_provider(), "second": doubled()}
    model = Model(RAMP_PRIOR, providers, {"p": StubProbe(Requirement("four"), lambda v: v[:, 0])})
    np.testing.assert_allclose(model.log_likelihood(RAMP_POINTS), 4 * RAMP_POINTS[:, 0])
    assert providers["first"].asked.keys() == {"number"}
    found = model.predict(RAMP_POINTS)
    assert {name: values.shape for name, values in found.items()} == {
        "line": (3, 6),
        "number": (3,),
        "twice": (3,),
        "four": (3,),
    }
    np.testing.assert_allclose(found["four"], 4 * RAMP_POINTS[:, 0])
    assert list(model.graph.describe()) == ["p <- four (1 values) <- third"]


def test_the_error_of_an_emulator_reaches_what_is_derived_from_it():
    provider, derived = ramp_provider(errors={"number": lambda theta: np.full(len(theta), 0.3)}), doubled()
    derived.errors["twice"] = lambda theta, inner: 2 * inner["number"].error[:, 0]
    probe = StubProbe(Requirement("twice"))
    Model(RAMP_PRIOR, {"mine": provider, "derived": derived}, {"p": probe}).log_likelihood(RAMP_POINTS)
    np.testing.assert_allclose(probe.seen.error, 0.6)


def test_a_circle_of_providers_is_refused():
    itself = line_provider()
    itself.requires = (Requirement("y", {"x": np.array([2.5])}),)
    with pytest.raises(ResolutionError, match="circle: a -> a"):
        Model(line_prior(), {"a": itself}, {"p": datum_probe()})


def test_a_longer_circle_is_refused_with_its_way():
    providers = {
        "one": doubled("x", "y"),
        "two": doubled("y", "z"),
        "three": doubled("z", "x"),
        "mine": ramp_provider(),
    }
    with pytest.raises(ResolutionError, match="circle: one -> two -> three -> one"):
        Model(RAMP_PRIOR, providers, {"p": StubProbe(Requirement("x"))})


def chain(**options):
    """``triple`` computes the offset that ``line`` takes: offset = 3 slope."""
    triple = Stub(("slope",), {Observable("offset"): lambda t: 3 * t[:, 0]})
    line = Stub(
        ("offset", "slope"),
        {Observable("y", (Axis("x", LINE_X),)): lambda t: t[:, 1:] * LINE_X + t[:, :1]},
        bounds={"offset": (-1.5, 1.5)},
    )
    providers = {"line": line, "triple": triple}
    return Model(line_prior(offset=None, **options), providers, {"a": datum_probe(at=2.5)}), line


def test_a_parameter_can_be_what_another_provider_computes():
    model, line = chain()
    theta = np.array([[0.2], [-0.4]])
    np.testing.assert_allclose(model.log_likelihood(theta), -0.5 * (theta[:, 0] * 5.5) ** 2)
    np.testing.assert_allclose(line.calls[-1], np.hstack([3 * theta, theta]))
    assert model.names == ("slope",)


def test_a_computed_parameter_outside_the_range_is_rejected_and_counted():
    model, line = chain()
    values = model.log_likelihood(np.array([[0.2], [0.9], [-0.6]]))
    assert np.isfinite(values).tolist() == [True, False, False] and values[1] == -np.inf
    assert model.counts.outside == 2 and model.counts.not_finite == 0
    # The provider never sees a value beyond its range.
    assert np.abs(line.calls[-1][:, 0]).max() <= 1.5
    with pytest.raises(ConfigurationError, match=r"1 point\(s\) lie outside"):
        model.predict_for({"it": Requirement("y", {"x": np.array([1.0])})}, np.array([[0.9]]))


# --- plugins share nothing by accident ------------------------------------------------------------


def spoil(values):
    values[:] = 0.0
    return values[:, 0]


@pytest.mark.attack("model", "a probe that writes into its prediction")
def test_a_probe_cannot_spoil_the_prediction_of_another():
    model = Model(RAMP_PRIOR, {"mine": ramp_provider()}, {"bad": StubProbe(RAMP_AT, spoil), "p": StubProbe(RAMP_AT)})
    with pytest.raises(ProbeError, match=r"'bad'.*read-only"):
        model.log_likelihood(RAMP_POINTS)


@pytest.mark.attack("model", "a provider that writes into its theta")
def test_a_provider_cannot_spoil_the_points_of_another():
    provider, points = ramp_provider(), RAMP_POINTS.copy()
    provider.evaluator = lambda rows: lambda theta, observables, xp: spoil(theta)
    model = Model(RAMP_PRIOR, {"mine": provider}, {"p": StubProbe(RAMP_AT)})
    with pytest.raises(ProbeError, match=r"'mine'.*read-only"):
        model.log_likelihood(points)
    np.testing.assert_array_equal(points, RAMP_POINTS)
    assert points.flags.writeable  # the array of the user is as it was


@pytest.mark.attack("model", "a probe that keeps its result and changes it later")
def test_a_result_is_a_copy():
    kept = []
    model = Model(
        RAMP_PRIOR,
        {"mine": ramp_provider()},
        {"p": StubProbe(RAMP_AT, lambda v: kept.append(v[:, 0] * 1.0) or kept[-1])},
    )
    found = model.log_likelihood_by_probe(RAMP_POINTS)["p"]
    before = found.copy()
    kept[-1][:] = 7.0
    np.testing.assert_array_equal(found, before)
