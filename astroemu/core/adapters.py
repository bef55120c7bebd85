"""Providers made from other providers, and from a sampled parameter.

* :class:`ProviderSubset`: some of the observables of a provider. If two providers offer the same observable, a
  configuration chooses one by listing the observables of each.
* :class:`FixedParameters`: a provider with some of its parameters at constant values.
* :class:`SampledParameter`: a sampled parameter that a probe measures directly, such as tau_e without a model of it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from astroemu.core.array_namespace import Namespace
from astroemu.core.observable import Observable
from astroemu.core.parameter import Parameter
from astroemu.core.provider import Evaluate, Prediction, Provider
from astroemu.errors import ConfigurationError, closest, listing


class ProviderAdapter(Provider):
    """A provider that forwards everything to another one. Subclasses override what they change.

    Parameters
    ----------
    provider : Provider
    """

    def __init__(self, provider: Provider) -> None:
        self.provider = provider
        self.parameters = provider.parameters
        self.requires = provider.requires
        self.host_only = provider.host_only

    @property
    def provides(self) -> Mapping[str, Observable]:
        return self.provider.provides

    @property
    def bounds(self) -> Mapping[str, tuple[float, float]]:
        return self.provider.bounds

    @property
    def labels(self) -> Mapping[str, tuple[str, str]]:
        return self.provider.labels

    @property
    def sources(self) -> Mapping[str, str]:
        return self.provider.sources

    @property
    def citation(self) -> str:
        return self.provider.citation

    def evaluator(self, rows: Mapping[str, NDArray[np.intp]]) -> Evaluate:
        return self.provider.evaluator(rows)


def unwrapped(provider: Provider) -> Provider:
    """Return the innermost provider of nested adapters, or the provider itself."""
    while isinstance(provider, ProviderAdapter):
        provider = provider.provider
    return provider


class ProviderSubset(ProviderAdapter):
    """A provider restricted to some of its observables.

    Parameters
    ----------
    provider : Provider
    names : sequence of str
        Names of the observables to keep.

    Raises
    ------
    ConfigurationError
        If the provider does not provide one of them.
    """

    def __init__(self, provider: Provider, names: Sequence[str]) -> None:
        super().__init__(provider)
        for name in names:
            if name not in provider.provides:
                raise ConfigurationError(
                    f"it does not provide {name!r}.{closest(name, provider.provides)} "
                    f"It provides {listing(provider.provides)}"
                )
        self._provides = {name: provider.provides[name] for name in names}

    @property
    def provides(self) -> Mapping[str, Observable]:
        return self._provides


class FixedParameters(ProviderAdapter):
    """A provider with some of its parameters at constant values.

    Parameters
    ----------
    provider : Provider
    values : mapping of str to float
        Values of the fixed parameters by name, in the units of the provider.

    Raises
    ------
    ConfigurationError
        For a name that is not a parameter of the provider.
    """

    def __init__(self, provider: Provider, values: Mapping[str, float]) -> None:
        super().__init__(provider)
        for name in values:
            if name not in provider.parameters:
                raise ConfigurationError(
                    f"{name!r} cannot be fixed: the simulator takes {listing(provider.parameters)}"
                )
        self.values = dict(values)
        self.parameters = tuple(name for name in provider.parameters if name not in values)

    @property
    def bounds(self) -> Mapping[str, tuple[float, float]]:
        return {name: box for name, box in self.provider.bounds.items() if name not in self.values}

    def evaluator(self, rows: Mapping[str, NDArray[np.intp]]) -> Evaluate:
        inner = self.provider.evaluator(rows)

        def evaluate(theta: Any, observables: Mapping[str, Prediction], xp: Namespace) -> Mapping[str, Prediction]:
            columns = [
                np.full(len(theta), self.values[name]) if name in self.values else theta[:, self.parameters.index(name)]
                for name in self.provider.parameters
            ]
            return inner(np.stack(columns, axis=1), observables, xp)

        return evaluate


class SampledParameter(Provider):
    """A sampled parameter as an observable: a single number of the same name and unit.

    Parameters
    ----------
    parameter : Parameter
    """

    def __init__(self, parameter: Parameter) -> None:
        self.parameters = (parameter.name,)
        self._provides = {parameter.name: Observable(parameter.name, (), parameter.unit, "Sampled", parameter.latex)}

    @property
    def provides(self) -> Mapping[str, Observable]:
        return self._provides

    def evaluator(self, rows: Mapping[str, NDArray[np.intp]]) -> Evaluate:
        names = tuple(rows)

        def evaluate(theta: Any, observables: Mapping[str, Prediction], xp: Namespace) -> dict[str, Prediction]:  # noqa: ARG001
            return {name: Prediction(theta) for name in names}

        return evaluate
