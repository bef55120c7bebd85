"""The graph of a model: which provider meets which requirement, and which parts use which parameter.

Everything is matched by name, once, at construction. If two parts do not fit together, the error names both. The
graph evaluates nothing: a :class:`~astroemu.model.pipeline.Pipeline` is built from it.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping
from dataclasses import replace

import numpy as np

from astroemu.core.adapters import SampledParameter
from astroemu.core.expression import Expression
from astroemu.core.observable import Observable
from astroemu.core.parameter import Parameter
from astroemu.core.prior import Prior
from astroemu.core.probe import Probe
from astroemu.core.provider import Provider
from astroemu.core.requirement import Requirement
from astroemu.errors import ConfigurationError, DoubleCountingWarning, ResolutionError, closest, listing


class ModelGraph:
    """Prior, providers and probes that fit together.

    Parameters
    ----------
    prior : Prior
        Nuisance parameters of the probes that it does not name are added, with the default priors of the probes.
    providers : mapping of str to Provider
        Emulators and derived quantities. The names appear in messages.
    probes : mapping of str to Probe
    truncate_prior : bool
        If true, a prior that is wider than a provider's range is truncated to it. Otherwise it is an error.

    Attributes
    ----------
    prior : Prior
        With the nuisance parameters, and truncated if requested.
    providers : dict of str to Provider
        With one :class:`~astroemu.core.adapters.SampledParameter` for each parameter that a probe measures directly.
    probes : dict of str to Probe

    Raises
    ------
    ResolutionError
        If an observable is not provided or provided twice, or if a parameter is missing, unused or given twice. If a
        prior is wider than a provider's range.
    """

    def __init__(
        self,
        prior: Prior,
        providers: Mapping[str, Provider],
        probes: Mapping[str, Probe],
        *,
        truncate_prior: bool = False,
    ) -> None:
        if not probes:
            raise ResolutionError("a model needs at least one probe")
        self.providers = dict(providers)
        self.probes = dict(probes)
        self.prior = self._fit_to_ranges(self._add_nuisance(prior), truncate_prior)
        self.prior = replace(self.prior, parameters=tuple(self._labelled(p) for p in self.prior.parameters))
        self.providers |= self._sampled_observables()
        self._source = self._providers_by_observable()
        self._check_expressions()
        self._check_parameters()
        self._warn_double_counting()

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the sampled parameters: the columns of ``theta``."""
        return self.prior.names

    @property
    def observables(self) -> dict[str, Observable]:
        """Every provided observable, by name, without sampled parameters."""
        return {name: observable for name, (_, observable) in self._source.items() if name not in self.names}

    def source(self, requirement: Requirement, user: str) -> tuple[str, Observable]:
        """Return the name of the provider and the observable that meet a requirement.

        Parameters
        ----------
        requirement : Requirement
        user : str
            The part of the model that has the requirement, for the error message.

        Raises
        ------
        ResolutionError
            If no provider has the observable.
        """
        name = requirement.observable
        if name not in self._source:
            hint = closest(name, self._source)
            if not requirement.at:
                hint += f" If it is a number to sample, give it a prior, [parameters.{name}]."
            raise ResolutionError(
                f"{user!r} requires the observable {name!r}, which nobody provides.{hint} "
                f"Providers: {listing(self.providers)}; they provide {listing(self._source)}"
            )
        return self._source[name]

    def derived_inputs(self, key: str) -> tuple[Requirement, ...]:
        """Return the parameters of the provider ``key`` that another provider computes, as requirements.

        A scalar observable with the name of a parameter is the value of that parameter.
        """
        return tuple(
            Requirement(name, unit=self._source[name][1].unit)
            for name in self.providers[key].parameters
            if name in self._source
            and self._source[name][0] != key
            and not self._source[name][1].axes
            and not isinstance(self.providers[self._source[name][0]], SampledParameter)
        )

    def describe(self) -> Iterator[str]:
        """Yield one line of text per connection: probe, observable, provider."""
        for key, probe in self.probes.items():
            for requirement in probe.requires.values():
                provider, _ = self.source(requirement, key)
                yield f"{key} <- {requirement.observable} ({requirement.size} values) <- {provider}"

    def numbers(self) -> dict[str, dict[str, Requirement]]:
        """Return the requirements of all observables that are single numbers, as those of one user."""
        return {"derived": {name: Requirement(name) for name, o in self.observables.items() if not o.axes}}

    def _add_nuisance(self, prior: Prior) -> Prior:
        known = {p.name for p in prior.parameters}
        extra = {p.name: p for probe in self.probes.values() for p in probe.parameters if p.name not in known}
        for key, probe in self.probes.items():
            for p in probe.parameters:
                if p.name in extra and p.prior != extra[p.name].prior:
                    raise ResolutionError(
                        f"two probes (one is {key!r}) have different default priors for {p.name!r}; "
                        f"state one under [parameters.{p.name}]"
                    )
        return prior.merged(extra.values())

    def _labelled(self, parameter: Parameter) -> Parameter:
        """Return a parameter with the LaTeX symbol and the unit that a provider states, where it has none itself."""
        labels = [provider.labels for provider in self.providers.values()]
        known = [each[parameter.name] for each in labels if parameter.name in each]
        latex = parameter.latex or next((latex for latex, _ in known if latex), "")
        unit = parameter.unit or next((unit for _, unit in known if unit), "")
        return replace(parameter, latex=latex, unit=unit)

    def _fit_to_ranges(self, prior: Prior, truncate: bool) -> Prior:
        """Return the prior, compared with the range of every provider and truncated if requested."""
        box: dict[str, tuple[float, float]] = {}
        given = {p.name: p for p in prior.parameters}
        for key, provider in self.providers.items():
            for name, (low, high) in provider.bounds.items():
                if name not in given:
                    continue
                ours = given[name].prior.support
                if (ours[0] < low or ours[1] > high) and not (truncate and not given[name].is_fixed):
                    raise ResolutionError(_beyond_range(given[name], key, low, high))
                known = box.get(name, (-np.inf, np.inf))
                box[name] = (max(known[0], low), min(known[1], high))
        try:
            return prior.truncated(box) if truncate else prior
        except ConfigurationError as error:
            raise ResolutionError(f"cannot truncate the prior: {error}") from None

    def _sampled_observables(self) -> dict[str, Provider]:
        """Return a provider for each parameter that is required as an observable and has no other provider."""
        provided = {name for provider in self.providers.values() for name in provider.provides}
        requirements = [r for probe in self.probes.values() for r in probe.requires.values()]
        requirements += [r for provider in self.providers.values() for r in provider.requires]
        wanted = {r.observable for r in requirements if not r.at} - provided
        return {p.name: SampledParameter(p) for p in self.prior.parameters if p.name in wanted}

    def _providers_by_observable(self) -> dict[str, tuple[str, Observable]]:
        found: dict[str, tuple[str, Observable]] = {}
        for key, provider in self.providers.items():
            for name, observable in provider.provides.items():
                if name in found:
                    raise ResolutionError(
                        f"{name!r} is provided by {found[name][0]!r} and by {key!r}; "
                        "leave it out of the `provides` list of one of them"
                    )
                found[name] = (key, observable)
        return found

    def _check_expressions(self) -> None:
        """Raise an error if an expression names what is neither a parameter nor a single number."""
        known = {p.name for p in self.prior.parameters} | {n for n, (_, o) in self._source.items() if not o.axes}
        for key, provider in self.providers.items():
            wrong = [name for name in provider.parameters if name not in known]
            if wrong and isinstance(provider, Expression):
                name = wrong[0]
                why = "has axes, and an expression takes single numbers" if name in self._source else (
                    f"is no parameter and no single number that is computed.{closest(name, known - {key})}"
                )  # fmt: skip
                raise ResolutionError(f"[derived.{key}]: {name!r} in {provider.text!r} {why} Known: {listing(known)}")

    def _check_parameters(self) -> None:
        known = {p.name for p in self.prior.parameters}
        users: dict[str, str] = {}
        for key, provider in self.providers.items():
            self._refuse_sampled_and_computed(key, known)
            derived = {requirement.observable for requirement in self.derived_inputs(key)}
            users |= dict.fromkeys([name for name in provider.parameters if name not in derived], key)
        for key, probe in self.probes.items():
            users |= {p.name: key for p in probe.parameters}
        for name, key in users.items():
            if name not in known:
                raise ResolutionError(
                    f"{key!r} takes the parameter {name!r}, which has no prior.{closest(name, known - set(users))} "
                    f"Add [parameters.{name}]"
                )
        unused = known - set(users)
        if unused:
            hint = closest(next(iter(unused)), set(users) - known)
            raise ResolutionError(f"nothing uses the parameter(s) {listing(unused)}; remove them.{hint}")

    def _refuse_sampled_and_computed(self, key: str, known: set[str]) -> None:
        """Raise an error if a parameter of a provider has a prior and is computed as well."""
        for requirement in self.derived_inputs(key):
            name = requirement.observable
            if name in known:
                source, _ = self._source[name]
                raise ResolutionError(
                    f"{name!r}, which {key!r} takes, has a prior and is computed by {source!r} too. Remove "
                    f"[parameters.{name}] to use the computed value, or leave {name!r} out of the `provides` list of "
                    f"{source!r} to sample it"
                )

    def _warn_double_counting(self) -> None:
        probes = list(self.probes.items())
        for i, (key, probe) in enumerate(probes):
            for other_key, other in probes[i + 1 :]:
                shared = probe.contains & other.contains
                if shared:
                    warnings.warn(
                        f"probes {key!r} and {other_key!r} both use {listing(shared)}: the joint likelihood "
                        "counts these data twice. Choose another data set for one of them",
                        DoubleCountingWarning,
                        stacklevel=4,  # the caller that builds the model
                    )


def _beyond_range(parameter: Parameter, key: str, low: float, high: float) -> str:
    """Return the message for a prior that is wider than the range of the provider ``key``."""
    name, (least, most) = parameter.name, parameter.prior.support
    if parameter.is_fixed:
        return (
            f"{name!r} is fixed at {least:g}, but {key!r} is valid on [{low:g}, {high:g}] only. "
            f"Choose a value in this range in [parameters.{name}], or another provider"
        )
    return (
        f"the prior of {name!r} covers [{least:g}, {most:g}] but {key!r} is valid on [{low:g}, {high:g}] only. "
        f"Narrow [parameters.{name}], or set truncate_prior = true"
    )
