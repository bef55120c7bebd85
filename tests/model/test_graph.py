"""Matching of priors, providers and probes by name: every combination that does not fit is refused."""

from __future__ import annotations

import numpy as np
import pytest
from helpers import (
    RAMP,
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

from astroemu.core.distributions import Fixed, LogUniform, Normal, Uniform
from astroemu.core.observable import Observable
from astroemu.core.parameter import Parameter
from astroemu.core.prior import Prior
from astroemu.core.requirement import Requirement
from astroemu.errors import DoubleCountingWarning, ResolutionError
from astroemu.model.graph import ModelGraph
from astroemu.model.model import Model

# --- observables ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (
            lambda: line_model({"mine": datum_probe()}, line=line_provider("yy")),
            r"'mine'.*'y'.*Did you mean 'yy'.*'line'",
        ),
        (
            lambda: Model(line_prior(), {"one": line_provider(), "two": line_provider()}, {"a": datum_probe()}),
            r"'one'.*'two'",
        ),
        (
            lambda: line_model(prior=line_prior(ofset=Uniform(0, 1))),
            r"nothing uses.*'ofset'",
        ),
        (
            lambda: line_model(prior=line_prior(offset=None)),
            r"'line'.*'offset'.*no prior",
        ),
        (
            lambda: line_model(prior=line_prior(slope=Uniform(-2, 1))),
            r"\[-2, 1\].*'line'.*\[-1, 1\]",
        ),
        (lambda: line_model({}), "at least one probe"),
    ],
)
def test_what_does_not_fit_together_is_refused(build, message):
    with pytest.raises(ResolutionError, match=message):
        build()


def test_a_requirement_leads_to_its_provider():
    graph = ModelGraph(line_prior(), {"line": line_provider()}, {"a": datum_probe()})
    name, observable = graph.source(Requirement("y"), "a")
    assert name == "line" and observable.name == "y" and graph.names == ("slope", "offset")
    assert set(graph.observables) == {"y"} and list(graph.describe()) == ["a <- y (1 values) <- line"]


def test_what_a_derived_quantity_lacks_is_named_with_it():
    derived = Stub((), {Observable("twice"): lambda theta, inner: None}, requires=(Requirement("numbr"),))
    with pytest.raises(ResolutionError, match=r"'derived' requires.*'numbr'.*Did you mean 'number'"):
        Model(RAMP_PRIOR, {"mine": ramp_provider(), "derived": derived}, {"p": StubProbe(Requirement("twice"))})


def test_two_probes_of_one_topic_warn():
    first, second = datum_probe(), datum_probe()
    first.contains = second.contains = frozenset({"the same galaxies"})
    with pytest.warns(DoubleCountingWarning, match="'a' and 'b'.*the same galaxies"):
        line_model({"a": first, "b": second})


# --- parameters -----------------------------------------------------------------------------------


def test_a_probe_brings_its_nuisance_parameters():
    calibration = Parameter("calibration", Normal(1.0, 0.1))
    probe = StubProbe(RAMP_AT, parameters=(calibration,))
    model = Model(RAMP_PRIOR, {"mine": ramp_provider()}, {"p": probe})
    assert model.names == ("a", "b", "calibration") and model.prior["calibration"].prior == Normal(1.0, 0.1)
    theta = np.column_stack([RAMP_POINTS, [0.9, 1.0, 1.1]])
    model.log_likelihood(theta)
    assert list(probe.nuisance) == ["calibration"]
    np.testing.assert_array_equal(probe.nuisance["calibration"], theta[:, 2])
    assert model.log_prior(theta)[0] == pytest.approx(
        -np.log(4) - 0.5 - 0.5 * np.log(2 * np.pi * 0.01)
    )  # flat over an area of four, and one sigma off


def test_a_stated_prior_of_a_nuisance_parameter_comes_first():
    prior = Prior((Parameter("calibration", Fixed(1.2)), *RAMP_PRIOR.parameters))
    probe = StubProbe(RAMP_AT, parameters=(Parameter("calibration", Normal(1.0, 0.1)),))
    model = Model(prior, {"mine": ramp_provider()}, {"p": probe})
    assert model.names == ("a", "b")
    model.log_likelihood(RAMP_POINTS)
    np.testing.assert_array_equal(probe.nuisance["calibration"], np.full(3, 1.2))


def test_two_probes_share_a_nuisance_parameter_of_one_prior_only():
    def probes(*widths):
        return {
            str(i): StubProbe(RAMP_AT, parameters=(Parameter("calibration", Normal(1.0, w)),))
            for i, w in enumerate(widths)
        }

    assert Model(RAMP_PRIOR, {"mine": ramp_provider()}, probes(0.1, 0.1)).names == ("a", "b", "calibration")
    with pytest.raises(ResolutionError, match=r"different default priors.*\[parameters\.calibration\]"):
        Model(RAMP_PRIOR, {"mine": ramp_provider()}, probes(0.1, 0.2))
    stated = Prior((*RAMP_PRIOR.parameters, Parameter("calibration", Uniform(0.5, 1.5))))
    assert Model(stated, {"mine": ramp_provider()}, probes(0.1, 0.2)).prior["calibration"].prior == Uniform(0.5, 1.5)


@pytest.mark.parametrize(
    ("names", "message"),
    [
        ({"a": (-1, 1), "amplitud": (0, 2)}, r"'amplitude', which has no prior.*Did you mean 'amplitud'"),
        ({"a": (-1, 1), "amplitude": (0, 2), "e": (0, 1)}, r"nothing uses the parameter\(s\) 'e'"),
        ({"a": (-1, 1)}, r"'mine' takes the parameter 'amplitude', which has no prior.*\[parameters\.amplitude\]"),
    ],
)
def test_missing_and_unused_parameters(names, message):
    provider = Stub(("a", "amplitude"), {RAMP: ramp})
    with pytest.raises(ResolutionError, match=message):
        Model(uniform(**names), {"mine": provider}, {"p": StubProbe(RAMP_AT)})


def test_a_parameter_that_is_sampled_and_computed_is_refused():
    line, triple = line_provider(), Stub(("slope",), {Observable("offset"): lambda t: 3 * t[:, 0]})
    message = r"'offset', which 'line' takes, has a prior and is computed by 'triple' too. Remove \[parameters.offset\]"
    with pytest.raises(ResolutionError, match=message):
        Model(line_prior(), {"line": line, "triple": triple}, {"a": datum_probe()})


def test_a_parameter_can_be_measured_directly():
    model = Model(
        line_prior(), {"line": line_provider()}, {"a": datum_probe(at=2.5), "b": datum_probe("offset", datum=1.0)}
    )
    theta = np.array([[0.2, 1.5], [-0.4, 0.0]])
    np.testing.assert_allclose(model.log_likelihood_by_probe(theta)["b"], -0.5 * (theta[:, 1] - 1) ** 2)
    assert set(model.observables) == {"y"}


# --- ranges ---------------------------------------------------------------------------------------


def test_symbols_and_units_that_a_prior_leaves_out_are_those_of_its_provider():
    provider = line_provider()
    stated = {"slope": ("m", "mK"), "offset": ("b", "")}
    provider.__class__ = type("Labelled", (type(provider),), {"labels": stated})
    prior = Prior((Parameter("slope", Uniform(-1, 1)), Parameter("offset", Uniform(-1, 1), "c", "K")))
    graph = ModelGraph(prior, {"line": provider}, {"p": datum_probe()})
    assert [(p.latex, p.unit) for p in graph.prior.parameters] == [("m", "mK"), ("c", "K")]
    assert ModelGraph(prior, {"line": line_provider()}, {"p": datum_probe()}).prior["slope"].latex == ""


def test_a_wide_prior_is_truncated_when_told():
    model = Model(
        line_prior(slope=Uniform(-2, 1)), {"line": line_provider()}, {"a": datum_probe()}, truncate_prior=True
    )
    assert model.prior["slope"].prior == Uniform(-1, 1)


@pytest.mark.case(36)
def test_a_fixed_value_outside_the_range_is_never_truncated():
    prior = Prior((Parameter("a", Fixed(3.0)), Parameter("b", Uniform(0, 2))))
    for truncate in (False, True):
        with pytest.raises(ResolutionError, match=r"'a' is fixed at 3, but 'mine' .* \[-1, 1\].*Choose a value"):
            Model(
                prior,
                {"mine": ramp_provider(bounds={"a": (-1, 1)})},
                {"p": StubProbe(RAMP_AT)},
                truncate_prior=truncate,
            )


def test_a_prior_is_truncated_to_what_all_providers_share():
    other = Stub(("b",), {Observable("other"): lambda theta: theta[:, 0]}, bounds={"b": (0.5, 9.0)})
    providers = {"mine": ramp_provider(bounds={"b": (0.1, 1.0)}), "other": other}
    prior = Prior((Parameter("a", Normal(0, 1)), Parameter("b", LogUniform(0.01, 100.0))))
    probes = {"p": StubProbe(RAMP_AT), "q": StubProbe(Requirement("other"))}
    model = Model(prior, providers, probes, truncate_prior=True)
    assert model.prior["b"].prior == LogUniform(0.5, 1.0)
    theta = model.prior_transform(np.random.default_rng(0).random((200, 2)))
    assert np.all(model.in_range(theta)) and np.all(np.isfinite(model.log_likelihood(theta)))


def test_a_prior_with_nothing_in_common_is_refused_even_when_told_to_truncate():
    with pytest.raises(ResolutionError, match="nothing in common"):
        Model(
            uniform(a=(5, 6), b=(0, 2)), {"mine": ramp_provider(bounds={"a": (-1, 1)})}, {"p": StubProbe(RAMP_AT)},
            truncate_prior=True,
        )  # fmt: skip
