"""The model at one point: its likelihoods, its curves, and why there are none."""

from __future__ import annotations

import numpy as np
import pytest
from exploring import chained_model, explored_model, panel, probe_with
from helpers import LINE_X, TAU, Stub, line_model

from astroemu.core.observable import Observable
from astroemu.model.model import Model
from astroemu.model.panel_curves import panel_curves
from astroemu.report.explore.curves import Curves

POINT = np.array([0.5, 1.0, 0.1])


def test_a_state_has_the_likelihoods_of_the_model():
    model = explored_model()
    state = Curves(model).at(POINT)
    parts = model.log_likelihood_by_probe(POINT[None])
    assert state.by_probe == {key: value[0] for key, value in parts.items()}
    assert state.log_likelihood == model.log_likelihood(POINT[None])[0] and state.reason == ""
    assert state.log_prior == model.log_prior(POINT[None])[0]


def test_the_curves_are_those_of_the_report():
    model = explored_model()
    curves = Curves(model)
    theta = model.prior.sample(5, np.random.default_rng(1))
    expected = [
        each.transform(curve)
        for name, probe in model.probes.items()
        for each, curve in zip(probe.panels(), panel_curves(model, name, probe.panels(), theta), strict=True)
    ]
    assert [name for name, _ in curves.panels] == ["first", "first", "second"]
    for a, b in zip(curves.of(theta), expected, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-12)


def test_a_panel_may_draw_the_model_of_its_probe():
    def curve(predictions, parameters):
        return predictions["it"].value + np.zeros(len(LINE_X)) + parameters["noise"][:, None]

    model = explored_model()
    model.probes["second"].panels = lambda: (panel(curve=curve),)
    (_, _, values) = Curves(model).of(POINT[None])
    np.testing.assert_allclose(values[0], 0.5 * 2.5 + 1.0 + 0.1)


def test_a_point_outside_an_emulator_has_a_reason_and_no_curves():
    state = Curves(explored_model()).at(np.array([1.5, 0.0, 0.1]))
    assert state.reason == "slope = 1.5 is outside the range of the emulators, -1 to 1"
    assert state.log_likelihood == -np.inf and all(np.isnan(curve).all() for curve in state.curves)


def test_a_computed_parameter_outside_a_range_is_named():
    curves = Curves(chained_model())
    state = curves.at(np.array([0.15]))
    assert state.reason == "tau_e = 0.15 is outside the range of 'narrow', 0 to 0.1"
    assert np.isnan(state.curves[0]).all()
    several = curves.of(np.array([[0.05], [0.15], [0.08]]))[0]
    assert np.isfinite(several[[0, 2]]).all() and np.isnan(several[1]).all()


def test_a_likelihood_of_nan_has_a_reason():
    model = line_model({"it": probe_with(panel(), function=lambda values: values * np.nan)})
    state = Curves(model).at(np.array([0.5, 1.0]))
    assert state.reason == "a probe has no finite likelihood here" and np.isfinite(state.curves[0]).all()


@pytest.mark.parametrize("raised", [ValueError("of no use"), ZeroDivisionError("of no use")])
def test_an_exception_of_a_probe_is_a_reason(raised):
    def fail(values):
        raise raised

    state = Curves(line_model({"it": probe_with(panel(), function=fail)})).at(np.array([0.5, 1.0]))
    assert "'it'" in state.reason and "of no use" in state.reason and state.log_likelihood == -np.inf


def test_a_model_without_pictures_has_likelihoods():
    state = Curves(line_model()).at(np.array([0.5, 1.0]))
    assert state.curves == () and np.isfinite(state.log_likelihood)


def test_derived_numbers_are_those_of_the_model_and_nan_outside_a_range():
    model = chained_model()
    curves = Curves(model)
    theta = np.array([[0.05], [0.08]])
    expected = model.predict_for(model.graph.numbers()["derived"], theta)
    found = curves.derived(theta)
    assert {*found} == {*expected} == {"tau_e"}
    np.testing.assert_allclose(found["tau_e"], expected["tau_e"][:, 0])
    assert curves.at(theta[0]).derived == {"tau_e": pytest.approx(0.05)}
    assert Curves(explored_model()).at(POINT).derived == {}


def test_a_derived_number_with_a_narrower_range_leaves_the_curves():
    tau = Stub(("slope",), {TAU: lambda theta: theta[:, 0]})
    twice = Stub(("tau_e",), {Observable("twice", ()): lambda theta: 2 * theta[:, 0]}, bounds={"tau_e": (0.0, 0.2)})
    model = explored_model()
    curves = Curves(Model(model.prior, {**model.providers, "tau": tau, "narrow": twice}, model.probes))
    state = curves.at(POINT)
    assert np.isnan(state.derived["twice"]) and state.reason == "" and np.isfinite(state.curves[0]).all()
    assert curves.at(np.array([0.1, 1.0, 0.1])).derived == {"tau_e": 0.1, "twice": 0.2}
