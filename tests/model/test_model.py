"""The joint model on stub providers and probes: resolution, matrices, counting, errors."""

from __future__ import annotations

import numpy as np
import pytest
from helpers import Stub

from astroemu.core.distributions import Fixed, Normal, Uniform
from astroemu.core.observable import Axis, Observable
from astroemu.core.parameter import Parameter
from astroemu.core.prior import Prior
from astroemu.core.probe import Probe
from astroemu.core.provider import Prediction, Provider
from astroemu.core.requirement import Requirement
from astroemu.errors import ConfigurationError, DoubleCountingWarning, ProbeError, ResolutionError
from astroemu.model.model import Model

GRID = np.linspace(0.0, 9.0, 10)


class Line(Provider):
    """y(x) = slope x + offset on ten nodes, with an error of 0.1 everywhere."""

    parameters = ("slope", "offset")

    def __init__(self, name="y", unit="", bounds=(-1.0, 1.0)):
        self._provides = {name: Observable(name, (Axis("x", GRID),), unit)}
        self._bounds = {"slope": bounds}
        self.asked = []

    @property
    def provides(self):
        return self._provides

    @property
    def bounds(self):
        return self._bounds

    def evaluator(self, rows):
        self.asked.append({name: r.tolist() for name, r in rows.items()})

        def evaluate(theta, observables, xp):
            return {
                name: Prediction(theta[:, :1] * GRID[r] + theta[:, 1:], np.full((len(theta), len(r)), 0.1))
                for name, r in rows.items()
            }

        return evaluate


class Double(Provider):
    """z(x) = 2 y(x) at x = 2.5, built on another provider."""

    parameters = ()
    requires = (Requirement("y", {"x": np.array([2.5])}),)

    def __init__(self, gives="z"):
        self._provides = {gives: Observable(gives)}

    @property
    def provides(self):
        return self._provides

    def evaluator(self, rows):
        return lambda theta, observables, xp: {n: Prediction(2 * observables["y"].value) for n in rows}


class At(Probe):
    """Gaussian datum of unit width at one place."""

    def __init__(self, observable="y", at=2.5, datum=0.0, parameters=(), action=None, **options):
        coordinates = {"x": np.array([at])} if observable == "y" else {}
        self._requires = {"it": Requirement(observable, coordinates, **options)}
        self.datum, self.parameters, self.action = datum, parameters, action

    @property
    def requires(self):
        return self._requires

    def log_likelihood(self, predictions, parameters, xp):
        self.seen = predictions["it"]
        if self.action:
            return self.action(self.seen.value[:, 0])
        shift = sum(parameters.values()) if parameters else 0.0
        return -0.5 * (self.seen.value[:, 0] + shift - self.datum) ** 2


def prior(**distributions):
    given = {"slope": Uniform(-1, 1), "offset": Uniform(-5, 5)} | distributions
    return Prior(tuple(Parameter(n, d) for n, d in given.items() if d is not None))


def test_the_likelihood_is_the_sum_and_asks_for_the_needed_rows_only():
    line = Line()
    model = Model(prior(), {"line": line}, {"a": At(at=2.5), "b": At(at=7.0, datum=1.0)})
    theta = np.array([[0.5, 1.0], [-0.3, 2.0]])
    y = theta[:, :1] * np.array([2.5, 7.0]) + theta[:, 1:]
    parts = model.log_likelihood_by_probe(theta)
    np.testing.assert_allclose(parts["a"], -0.5 * y[:, 0] ** 2)
    np.testing.assert_allclose(parts["b"], -0.5 * (y[:, 1] - 1) ** 2)
    np.testing.assert_allclose(model.log_likelihood(theta), parts["a"] + parts["b"])
    np.testing.assert_allclose(model.log_likelihood(theta[::-1]), model.log_likelihood(theta)[::-1])
    assert line.asked == [{"y": [2, 3, 7]}]
    assert model.log_likelihood(np.zeros((0, 2))).shape == (0,)


def test_the_error_is_carried_as_fully_correlated_and_can_be_scaled_or_switched_off():
    for on, expected in ((True, 0.1), (2.5, 0.25), (False, None), (0.0, None)):
        probe = At(at=2.5)
        model = Model(prior(), {"line": Line()}, {"a": probe}, emulator_error=on)
        model.log_likelihood(np.zeros((3, 2)))
        if on:
            np.testing.assert_allclose(probe.seen.error, expected)
        else:
            assert probe.seen.error is None
    with pytest.raises(ConfigurationError, match="emulator_error = -1"):
        Model(prior(), {"line": Line()}, {"a": At(at=2.5)}, emulator_error=-1)


def test_nothing_asked_for_is_nothing_predicted():
    assert Model(prior(), {"line": Line()}, {"a": At(at=2.5)}).predict_for({}, np.zeros((3, 2))) == {}


def test_a_provider_can_build_on_another_even_under_a_probes_name():
    model = Model(prior(), {"double": Double(), "line": Line()}, {"double": At("z", datum=1.0)})
    theta = np.array([[0.4, 1.0]])
    assert model.log_likelihood(theta)[0] == pytest.approx(-0.5 * (2 * (0.4 * 2.5 + 1) - 1) ** 2)
    assert model.predict(theta)["z"].shape == (1,) and model.predict(theta)["y"].shape == (1, 10)


def test_a_circle_of_providers_is_refused():
    itself = Double("y")
    itself.parameters = ("slope", "offset")
    itself._provides = {"y": Observable("y", (Axis("x", GRID),))}
    with pytest.raises(ResolutionError, match="circle: a -> a"):
        Model(prior(), {"a": itself}, {"p": At()})


def test_points_outside_the_box_are_rejected_and_counted():
    model = Model(prior(), {"line": Line()}, {"a": At()})
    found = model.log_likelihood(np.array([[0.5, 0.0], [1.5, 0.0], [-0.5, 0.0]]))
    assert np.isneginf(found[1]) and np.all(np.isfinite(found[[0, 2]]))
    assert (model.counts.evaluated, model.counts.outside, model.counts.not_finite) == (3, 1, 0)
    with pytest.raises(ConfigurationError, match="training box"):
        model.predict(np.array([[1.5, 0.0]]))


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_what_is_not_finite_becomes_minus_infinity_and_is_counted(value):
    model = Model(prior(), {"line": Line()}, {"a": At(action=lambda y: np.where(y > 0, value, 0.0))})
    found = model.log_likelihood(np.array([[0.0, 1.0], [0.0, -1.0]]))
    assert np.isneginf(found[0]) and found[1] == 0 and model.counts.not_finite == 1


def test_a_defect_in_a_probe_stops_the_run_with_its_name_and_the_point():
    model = Model(prior(), {"line": Line()}, {"mine": At(action=lambda y: 1 / 0)})
    with pytest.raises(ProbeError, match=r"'mine'.*ZeroDivisionError.*slope = 0\.25"):
        model.log_likelihood(np.array([[0.25, 1.0]]))
    model = Model(prior(), {"line": Line()}, {"mine": At(action=lambda y: y[:, None])})
    with pytest.raises(ProbeError, match=r"shape \(1, 1\)"):
        model.log_likelihood(np.array([[0.25, 1.0]]))


def test_theta_of_another_shape_is_refused():
    model = Model(prior(), {"line": Line()}, {"a": At()})
    for theta in (np.zeros(2), np.zeros((3, 3))):
        with pytest.raises(ConfigurationError, match=r"slope, offset"):
            model.log_likelihood(theta)


def test_fixed_and_nuisance_parameters():
    extra = (Parameter("nuisance", Normal(0, 1)),)
    model = Model(prior(offset=Fixed(2.0)), {"line": Line()}, {"a": At(parameters=extra)})
    assert model.names == ("slope", "nuisance")
    found = model.log_likelihood(np.array([[0.4, 0.5]]))[0]
    assert found == pytest.approx(-0.5 * (0.4 * 2.5 + 2.0 + 0.5) ** 2)


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: Model(prior(), {"line": Line("yy")}, {"mine": At()}), r"'mine'.*'y'.*Did you mean 'yy'.*'line'"),
        (lambda: Model(prior(), {"one": Line(), "two": Line()}, {"a": At()}), r"'one'.*'two'"),
        (lambda: Model(prior(ofset=Uniform(0, 1)), {"line": Line()}, {"a": At()}), r"nothing uses.*'ofset'"),
        (lambda: Model(prior(offset=None), {"line": Line()}, {"a": At()}), r"'line'.*'offset'.*no prior"),
        (lambda: Model(prior(slope=Uniform(-2, 1)), {"line": Line()}, {"a": At()}), r"\[-2, 1\].*'line'.*\[-1, 1\]"),
        (lambda: Model(prior(), {"line": Line()}, {"a": At(unit="K")}), r"'a'.*'K'"),
        (lambda: Model(prior(), {"line": Line()}, {"a": At(at=11.0)}), r"'a'.*axis 'x': 11"),
        (lambda: Model(prior(), {"line": Line()}, {}), "at least one probe"),
    ],
)
def test_what_does_not_fit_together_is_refused(build, message):
    with pytest.raises(ResolutionError, match=message):
        build()


def test_a_wide_prior_is_truncated_when_told():
    model = Model(prior(slope=Uniform(-2, 1)), {"line": Line()}, {"a": At()}, truncate_prior=True)
    assert model.prior["slope"].prior == Uniform(-1, 1)


def test_two_probes_of_one_topic_warn():
    first, second = At(), At()
    first.contains = second.contains = frozenset({"the same galaxies"})
    with pytest.warns(DoubleCountingWarning, match="'a' and 'b'.*the same galaxies"):
        Model(prior(), {"line": Line()}, {"a": first, "b": second})


def chain(**options):
    """``double`` computes the offset that ``line`` takes: offset = 3 slope."""
    triple = Stub(("slope",), {Observable("offset"): lambda t: 3 * t[:, 0]})
    line = Stub(
        ("offset", "slope"),
        {Observable("y", (Axis("x", GRID),)): lambda t: t[:, 1:] * GRID + t[:, :1]},
        bounds={"offset": (-1.5, 1.5)},
    )
    providers = {"line": line, "triple": triple}
    return Model(prior(offset=None, **options), providers, {"a": At(at=2.5)}), line


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


def test_a_parameter_that_is_sampled_and_computed_is_refused():
    line, triple = Line(), Stub(("slope",), {Observable("offset"): lambda t: 3 * t[:, 0]})
    message = r"'offset', which 'line' takes, has a prior and is computed by 'triple' too. Remove \[parameters.offset\]"
    with pytest.raises(ResolutionError, match=message):
        Model(prior(), {"line": line, "triple": triple}, {"a": At()})


def test_a_parameter_can_be_measured_directly():
    model = Model(prior(), {"line": Line()}, {"a": At(at=2.5), "b": At("offset", datum=1.0)})
    theta = np.array([[0.2, 1.5], [-0.4, 0.0]])
    np.testing.assert_allclose(model.log_likelihood_by_probe(theta)["b"], -0.5 * (theta[:, 1] - 1) ** 2)
    assert set(model.observables) == {"y"}
