"""One provider in the place of another."""

from __future__ import annotations

import numpy as np
import pytest
from helpers import Stub, StubProbe, uniform

from astroemu.core.distributions import Fixed
from astroemu.core.observable import Axis, Observable
from astroemu.core.parameter import Parameter
from astroemu.core.requirement import Requirement
from astroemu.errors import ConfigurationError, ResolutionError
from astroemu.model.model import Model
from astroemu.model.replacement import replace_provider

LINE = Observable("line", (Axis("x", np.arange(3.0)),))
LEVEL, MORE = Observable("level"), Observable("more")
AT = Requirement("line", {"x": np.array([1.0])})


def line(slope, parameters=("a",), **more):
    functions = {LINE: lambda theta: theta[:, :1] * slope * np.arange(3.0), **more}
    return Stub(parameters, functions)


def model(old, requirement=AT):
    level = Stub(("b",), {LEVEL: lambda theta: theta[:, 0]})
    prior = uniform(a=(0, 1), b=(0, 1)).merged([Parameter("h", Fixed(0.7))])
    probes = {"p": StubProbe(requirement), "q": StubProbe(Requirement("level"))}
    return Model(prior, {"old": old, "level": level}, probes)


def test_the_new_provider_answers_and_the_others_stay():
    theta = np.array([[0.5, 0.25]])
    old = model(line(1.0, ("a", "h")))
    new = replace_provider(old, line(3.0), ["line"], emulator_error=False)
    np.testing.assert_allclose(old.log_likelihood_by_probe(theta)["p"], -0.125)
    np.testing.assert_allclose(new.log_likelihood_by_probe(theta)["p"], -1.125)
    np.testing.assert_allclose(new.log_likelihood_by_probe(theta)["q"], -0.03125)
    assert new.names == ("a", "b") and "h" not in new.prior  # a fixed parameter that nothing takes any more


def test_what_the_old_one_gave_beside_is_lost():
    both = Stub(("a", "h"), {LINE: lambda t: t[:, :1] * np.arange(3.0), MORE: lambda t: t[:, 0]})
    assert replace_provider(model(both), line(2.0), ["line"], emulator_error=False).observables.keys() == {
        "line",
        "level",
    }
    with pytest.raises(ResolutionError, match="'more', which nobody provides"):
        replace_provider(model(both, Requirement("more")), line(2.0), ["line"], emulator_error=False)


def test_nothing_to_replace_is_an_error():
    with pytest.raises(ConfigurationError, match="gives any of 'other'"):
        replace_provider(model(line(1.0, ("a", "h"))), line(2.0), ["other"], emulator_error=False)
