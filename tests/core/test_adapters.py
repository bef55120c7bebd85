"""Adapters of providers: what they change, and that everything else is forwarded."""

from __future__ import annotations

import numpy as np
import pytest
from helpers import TAU, X_HI, Stub, Z

from astroemu.core.adapters import FixedParameters, ProviderAdapter, ProviderSubset, SampledParameter, unwrapped
from astroemu.core.array_namespace import NUMPY
from astroemu.core.distributions import Uniform
from astroemu.core.observable import Observable
from astroemu.core.parameter import Parameter
from astroemu.core.requirement import Requirement
from astroemu.errors import ConfigurationError

THETA = np.array([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]])


class Cited(Stub):
    """A provider that has everything that a provider may have."""

    host_only = True
    sources = {"file": "0" * 64}  # noqa: RUF012 - a constant of the stub
    citation = "Someone et al. 2026"


@pytest.fixture
def provider():
    functions = {X_HI: lambda theta: theta[:, :1] * Z, TAU: lambda theta: theta @ [100.0, 10.0, 1.0]}
    made = Cited(("a", "b", "c"), functions, bounds={"a": (0.0, 9.0), "c": (1.0, 7.0)})
    made.requires = (Requirement("other"),)
    made.functions = {name: lambda theta, _, f=f: f(theta) for name, f in made.functions.items()}
    return made


@pytest.mark.parametrize(
    "wrap", [ProviderAdapter, lambda p: ProviderSubset(p, ["tau_e"]), lambda p: FixedParameters(p, {"b": 2.0})]
)
def test_everything_else_is_forwarded(provider, wrap):
    adapter = wrap(provider)
    assert adapter.requires == provider.requires and adapter.host_only is True
    assert adapter.sources == provider.sources and adapter.citation == provider.citation
    if not isinstance(adapter, FixedParameters):
        assert adapter.parameters == provider.parameters and adapter.bounds == provider.bounds
    if not isinstance(adapter, ProviderSubset):
        assert adapter.provides == provider.provides


def test_the_innermost_provider_is_found(provider):
    adapter = FixedParameters(ProviderSubset(ProviderAdapter(provider), ["x_hi"]), {"a": 1.0})
    assert unwrapped(adapter) is provider
    assert unwrapped(provider) is provider


def test_a_subset_provides_its_observables_only(provider):
    subset = ProviderSubset(provider, ["tau_e"])
    assert dict(subset.provides) == {"tau_e": TAU}
    found = subset.evaluator({"tau_e": np.array([0])})(THETA, {}, NUMPY)
    np.testing.assert_array_equal(found["tau_e"].value, [[123.0], [456.0]])


def test_an_observable_that_is_not_provided_is_refused_with_the_closest(provider):
    with pytest.raises(
        ConfigurationError, match=r"does not provide 'tau'\. Did you mean 'tau_e'\? It provides 'tau_e'"
    ):
        ProviderSubset(provider, ["tau"])


def test_fixed_parameters_get_their_values_in_the_order_of_the_provider(provider):
    fixed = FixedParameters(provider, {"b": 7.0})
    assert fixed.parameters == ("a", "c")
    assert fixed.bounds == {"a": (0.0, 9.0), "c": (1.0, 7.0)}
    assert FixedParameters(provider, {"c": 3.0}).bounds == {"a": (0.0, 9.0)}
    found = fixed.evaluator({"tau_e": np.array([0])})(THETA[:, [0, 2]], {}, NUMPY)
    np.testing.assert_array_equal(found["tau_e"].value, [[173.0], [476.0]])


def test_all_parameters_can_be_fixed(provider):
    fixed = FixedParameters(provider, {"a": 1.0, "b": 2.0, "c": 3.0})
    assert fixed.parameters == ()
    found = fixed.evaluator({"tau_e": np.array([0])})(np.empty((2, 0)), {}, NUMPY)
    np.testing.assert_array_equal(found["tau_e"].value, [[123.0], [123.0]])


def test_a_parameter_that_the_provider_does_not_take_is_refused(provider):
    with pytest.raises(ConfigurationError, match="'d' cannot be fixed: the simulator takes 'a', 'b', 'c'"):
        FixedParameters(provider, {"d": 1.0})


def test_a_sampled_parameter_is_an_observable_of_its_own_name():
    parameter = Parameter("tau_e", Uniform(0.02, 0.1), r"\tau_e")
    provider = SampledParameter(parameter)
    assert provider.parameters == ("tau_e",)
    assert dict(provider.provides) == {"tau_e": Observable("tau_e", (), "", "Sampled", r"\tau_e")}
    theta = np.array([[0.05], [0.06]])
    found = provider.evaluator({"tau_e": np.array([0])})(theta, {}, NUMPY)
    np.testing.assert_array_equal(found["tau_e"].value, theta)
    assert found["tau_e"].error is None
    assert dict(provider.evaluator({})(theta, {}, NUMPY)) == {}
