"""The joint model: priors, providers and probes, resolved into one log-likelihood.

At construction every requirement of every probe is matched with the one provider of that
observable, every parameter with its users, and every prior with the range of the providers; what
does not fit is refused with both names. The arithmetic is the pipeline's.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Mapping
from contextlib import nullcontext
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from astroemu.counts import Counts
from astroemu.engine import Engine, EngineName, engine_name, make_engine
from astroemu.errors import ConfigurationError, ResolutionError, closest, listing
from astroemu.observable import Observable
from astroemu.pipeline import Pipeline
from astroemu.prior import Prior
from astroemu.probe import Probe
from astroemu.profile import Profile
from astroemu.provider import Prediction, Provider
from astroemu.requirement import Requirement
from astroemu.sampled import Sampled

if TYPE_CHECKING:
    from astroemu.compiled import CompiledEngine

Array = NDArray[np.float64]


class DoubleCountingWarning(UserWarning):
    """Two probes use the same measurements."""


class Model:
    """A joint likelihood of several probes.

    Parameters
    ----------
    prior : Prior
        The parameters in the order of the columns of ``theta``. Nuisance parameters of the
        probes that it does not name are added with the probe's own default priors.
    providers : mapping of str to Provider
        Emulators and derived quantities, by a name for messages.
    probes : mapping of str to Probe
    emulator_error : bool or float
        Whether the emulators' own error enters the likelihoods, or what it is multiplied by.
    truncate_prior : bool
        Whether a prior that is wider than a provider's range is cut to it. If not, such a prior
        is refused.
    name : str
    engine : {"auto", "numpy", "keras"}
        What evaluates it, see :mod:`astroemu.engine`. It is set up when it is first used.

    Raises
    ------
    ConfigurationError
        If the factor of the emulators' error is negative or not finite, or there is no such engine.
    ResolutionError
        If an observable is not provided or provided twice, if a parameter is missing, unused or
        given twice, or if a prior is wider than a provider's range.
    """

    def __init__(
        self,
        prior: Prior,
        providers: Mapping[str, Provider],
        probes: Mapping[str, Probe],
        *,
        emulator_error: bool | float = True,
        truncate_prior: bool = False,
        engine: EngineName = "auto",
        name: str = "model",
    ) -> None:
        if not 0 <= emulator_error < np.inf:
            raise ConfigurationError(f"emulator_error = {emulator_error} must be true, false or a number of at least 0")
        if not probes:
            raise ResolutionError("a model needs at least one probe")
        self.name = name
        self.providers = dict(providers)
        self.probes = dict(probes)
        self.emulator_error = float(emulator_error)
        self.prior = self._fitted(self._with_nuisance(prior), truncate_prior)
        self.counts = Counts()
        #: Set one to have the parts timed.
        self.profile: Profile | None = None
        self.providers |= self._measured_parameters()
        self._source = self._providers_by_observable()
        self._check_parameters()
        self._warn_double_counting()
        self._pipeline = Pipeline(
            self, {key: probe.requires for key, probe in self.probes.items()}, self.emulator_error
        )
        self._engine_name = engine_name(engine)

    # --- construction -------------------------------------------------------------------------

    def _with_nuisance(self, prior: Prior) -> Prior:
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

    def _fitted(self, prior: Prior, truncate: bool) -> Prior:
        """Compare the prior with the range of every provider."""
        box: dict[str, tuple[float, float]] = {}
        given = {p.name: p for p in prior.parameters}
        for key, provider in self.providers.items():
            for name, (low, high) in provider.bounds.items():
                if name not in given:
                    continue
                ours = given[name].prior.support
                if (ours[0] < low or ours[1] > high) and not (truncate and not given[name].is_fixed):
                    raise ResolutionError(
                        f"the prior of {name!r} covers [{ours[0]:g}, {ours[1]:g}] but {key!r} holds on "
                        f"[{low:g}, {high:g}] only. Narrow [parameters.{name}], or set truncate_prior = true"
                    )
                known = box.get(name, (-np.inf, np.inf))
                box[name] = (max(known[0], low), min(known[1], high))
        try:
            return prior.truncated(box) if truncate else prior
        except ConfigurationError as error:
            raise ResolutionError(f"cannot truncate the prior: {error}") from None

    def _measured_parameters(self) -> dict[str, Provider]:
        """Providers of parameters that are required as observables and that no one else provides."""
        provided = {name for provider in self.providers.values() for name in provider.provides}
        requirements = [r for probe in self.probes.values() for r in probe.requires.values()]
        requirements += [r for provider in self.providers.values() for r in provider.requires]
        wanted = {r.observable for r in requirements if not r.at} - provided
        return {p.name: Sampled(p) for p in self.prior.parameters if p.name in wanted}

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

    def _check_parameters(self) -> None:
        known = {p.name for p in self.prior.parameters}
        users: dict[str, str] = {}
        for key, provider in self.providers.items():
            self._refuse_double(key, known)
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

    def _refuse_double(self, key: str, known: set[str]) -> None:
        """Refuse a parameter that has a prior and is computed as well."""
        for requirement in self.derived_inputs(key):
            name = requirement.observable
            if name in known:
                source, _ = self._source[name]
                raise ResolutionError(
                    f"{name!r}, which {key!r} takes, has a prior and is computed by {source!r} too. Remove "
                    f"[parameters.{name}] to use what is computed, or leave {name!r} out of the `provides` list of "
                    f"{source!r} to sample it"
                )

    def derived_inputs(self, key: str) -> tuple[Requirement, ...]:
        """Parameters of a provider that another provider computes, as what is required of that one.

        A single number that is provided under the name of a parameter is that parameter.
        """
        return tuple(
            Requirement(name, unit=self._source[name][1].unit)
            for name in self.providers[key].parameters
            if name in self._source
            and self._source[name][0] != key
            and not self._source[name][1].axes
            and not isinstance(self.providers[self._source[name][0]], Sampled)
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
                        stacklevel=3,
                    )

    def source(self, requirement: Requirement, user: str) -> tuple[str, Observable]:
        """Return the provider's name and the observable that meet a requirement.

        Raises
        ------
        ResolutionError
            If nobody provides it.
        """
        name = requirement.observable
        if name not in self._source:
            raise ResolutionError(
                f"{user!r} requires the observable {name!r}, which nobody provides.{closest(name, self._source)} "
                f"Providers: {listing(self.providers)}; they provide {listing(self._source)}"
            )
        return self._source[name]

    # --- scripting contract -------------------------------------------------------------------

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the sampled parameters: the columns of ``theta``."""
        return self.prior.names

    @property
    def observables(self) -> dict[str, Observable]:
        """Everything that is provided, by name."""
        return {name: observable for name, (_, observable) in self._source.items() if name not in self.names}

    def prior_transform(self, u: Array) -> Array:
        """Map points of the unit cube ``(n, d)`` to parameters ``(n, d)``."""
        return self.prior.transform(self._checked(u))

    def prior_slope(self, u: Array) -> Array:
        """Derivative ``(n, d)`` of each parameter of :meth:`prior_transform` with respect to its own ``u``."""
        return self.prior.slope(self._checked(u))

    def log_prior(self, theta: Array) -> Array:
        """Log prior density ``(n,)``."""
        return self.prior.log_density(self._checked(theta))

    def log_likelihood(self, theta: Array) -> Array:
        """Joint log-likelihood.

        Parameters
        ----------
        theta : (n, d) array
            Columns in the order of :attr:`names`.

        Returns
        -------
        (n,) float64 array
            Finite or minus infinity. Points outside a provider's range, and points where a probe
            returns NaN or infinity, get minus infinity and are counted in :attr:`counts`.

        Raises
        ------
        ProbeError
            If a probe or provider raises: it names the plugin and the point.
        """
        with nullcontext() if self.profile is None else self.profile.whole():
            return np.asarray(sum(self.log_likelihood_by_probe(theta).values()))

    def log_likelihood_by_probe(self, theta: Array) -> dict[str, Array]:
        """Log-likelihood ``(n,)`` of each probe; see :meth:`log_likelihood`."""
        theta = self._checked(theta)
        inside = self.inside(theta)
        self.counts.evaluated += len(theta)
        whole = bool(inside.all())
        if whole and len(theta):
            found, within = self.engine.log_likelihoods(theta)
            if within is None and np.isfinite(sum(found.values())).all():  # as nearly always: nothing to mend
                return found
        parts = {key: np.full(len(theta), -np.inf) for key in self.probes}
        self.counts.outside += 0 if whole else int(len(theta) - inside.sum())
        points = theta if whole else theta[inside]
        if not len(points):
            return parts
        if not whole:
            found, within = self.engine.log_likelihoods(points)
        finite = np.all([np.isfinite(values) for values in found.values()], axis=0)
        if within is not None:
            self.counts.outside += int(len(points) - within.sum())
            found = {key: np.where(within, values, -np.inf) for key, values in found.items()}
        else:
            within = True
        all_finite = bool(np.all(finite & within))
        self.counts.not_finite += 0 if all_finite else int(np.sum(~finite & within))
        for key, values in found.items():
            clean = values if all_finite else np.where(np.isfinite(values), values, -np.inf)
            if whole:
                parts[key] = clean
            else:
                parts[key][inside] = clean
        return parts

    def value_and_grad(self, theta: Array, *, prior: bool = False) -> tuple[Array, Array]:
        """Joint log-likelihood, or log-posterior, and its gradient.

        It is compiled whatever the engine: NumPy has no gradients.

        Parameters
        ----------
        theta : (n, d) array
        prior : bool
            Whether to add the log prior density.

        Returns
        -------
        (n,) and (n, d) float64 array
            Minus infinity where :meth:`log_likelihood` says so, and counted as there; the gradient is NaN.

        Raises
        ------
        ConfigurationError
            If a part of the model is declared ``host_only``, or nothing is installed that compiles.
        """
        theta = self._checked(theta)
        with nullcontext() if self.profile is None else self.profile.whole():
            value, gradient = self._likelihood_and_grad(theta)
        if prior:
            value, gradient = value + self.prior.log_density(theta), gradient + self.prior.log_density_slope(theta)
        return value, np.where(np.isfinite(value)[:, None], gradient, np.nan)

    def _likelihood_and_grad(self, theta: Array) -> tuple[Array, Array]:
        value, gradient = np.full(len(theta), -np.inf), np.full(theta.shape, np.nan)
        inside = np.flatnonzero(self.inside(theta))
        self.counts.evaluated += len(theta)
        self.counts.outside += len(theta) - len(inside)
        if not len(inside):
            return value, gradient
        found, slope = self._differentiable.value_and_grad(theta[inside])
        good = np.isfinite(found)
        value[inside[good]], gradient[inside[good]] = found[good], slope[good]
        if not good.all():
            bad = theta[inside[~good]]
            outside = int(np.sum(~self.within(bad)))
            self.counts.outside += outside
            self.counts.not_finite += len(bad) - outside
        return value, gradient

    def demand_gradient(self) -> None:
        """Refuse, as :meth:`value_and_grad` would, if the model has no gradient.

        Raises
        ------
        ConfigurationError
        """
        self._differentiable.demand_gradient()

    @cached_property
    def engine(self) -> Engine:
        """What evaluates the likelihood."""
        return make_engine(self._engine_name, self._pipeline)

    @cached_property
    def _differentiable(self) -> CompiledEngine:
        from astroemu.compiled import CompiledEngine

        engine = self.engine if isinstance(self.engine, CompiledEngine) else make_engine("keras", self._pipeline)
        assert isinstance(engine, CompiledEngine)
        return engine

    def compile_report(self) -> list[str]:
        """Say what evaluates the model: what was compiled so far, for which device and shapes, in how long."""
        gradients = self.__dict__.get("_differentiable")
        return [*self.engine.report(), *(gradients.report() if gradients not in (None, self.engine) else [])]

    def predict(self, theta: Array, *, units: bool = False) -> dict[str, Any]:
        """Every observable on its full grid, ``(n, ...)`` by name.

        Parameters
        ----------
        theta : (n, d) array
        units : bool
            Give astropy quantities (logarithms as ``Dex``) instead of plain arrays.

        Raises
        ------
        ConfigurationError
            If a point lies outside a provider's range.
        """
        requirements = {name: _whole(observable) for name, observable in self.observables.items()}
        found = self.predict_for(requirements, theta)
        shaped = {name: found[name].reshape(len(theta), *o.shape) for name, o in self.observables.items()}
        return {name: self.observables[name].quantity(v) for name, v in shaped.items()} if units else shaped

    def predict_for(self, requirements: Mapping[str, Requirement], theta: Array) -> dict[str, Array]:
        """Values ``(n, size)`` of any requirements, under the names given to them.

        Raises
        ------
        ConfigurationError
            If a point lies outside a provider's range.
        """
        theta = self._checked(theta)
        pipeline = Pipeline(self, {"predict": requirements}, 0.0)
        self._refuse_outside(theta, pipeline)
        found, within = pipeline.predictions(theta, "predict")
        self._refuse(theta, within)
        return {name: np.asarray(prediction.value) for name, prediction in found.items()}

    def handed(self, theta: Array) -> dict[str, tuple[dict[str, Prediction], dict[str, Any]]]:
        """What each probe is handed at some points: its predictions and its nuisance parameters.

        Raises
        ------
        ConfigurationError
            If a point lies outside a provider's range.
        """
        theta = self._checked(theta)
        self._refuse_outside(theta, self._pipeline)
        provided = self._pipeline.provided(theta)
        self._refuse(theta, provided.inside)
        return {
            key: (self._pipeline.asked_by(key, provided), self._pipeline.taken_by(key, theta)) for key in self.probes
        }

    def with_probes(self, probes: Mapping[str, Probe]) -> Model:
        """Return the same model with other probes, such as those that hold mock data."""
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DoubleCountingWarning)  # it was said of this model
            return Model(
                self.prior,
                self.providers,
                probes,
                emulator_error=self.emulator_error,
                engine=self._engine_name,
                name=self.name,
            )

    def sample(self, sampler: str | Any = "emcee", *, seed: int = 1, **options: Any) -> Any:
        """Sample the posterior.

        Parameters
        ----------
        sampler : str or Sampler
            Name of an installed sampler, whose options are the further keywords, or an instance.
        seed : int

        Returns
        -------
        Samples
        """
        from astroemu.options import build
        from astroemu.registry import SAMPLERS
        from astroemu.sampler import Sampler

        if isinstance(sampler, str):
            sampler = build(SAMPLERS.load(sampler), options, f"options of the sampler {sampler!r}")
        elif options:
            raise ConfigurationError("options go with the name of a sampler, not with an instance")
        assert isinstance(sampler, Sampler)
        return sampler.run(self, seed=seed)

    def inside(self, theta: Array) -> NDArray[np.bool_]:
        """Which points lie in the range of every provider: ``(n,)``."""
        return self._pipeline.inside(theta)

    def within(self, theta: Array) -> NDArray[np.bool_]:
        """Like :meth:`inside`, with the parameters that providers compute for others examined too: ``(n,)``."""
        theta = self._checked(theta)
        found = self.inside(theta)
        if found.any() and any(step.derived for step in self._pipeline.steps):
            found[found] = self._pipeline.provided(theta[found]).inside
        return found

    # --- helpers ------------------------------------------------------------------------------

    def _checked(self, theta: Array) -> Array:
        theta = np.asarray(theta, dtype=float)
        if theta.ndim != 2 or theta.shape[1] != len(self.names):
            raise ConfigurationError(
                f"theta has the shape {theta.shape}; (n, {len(self.names)}) is needed, with the columns "
                f"{', '.join(self.names)}. One point is theta[None]"
            )
        return theta

    def _refuse_outside(self, theta: Array, pipeline: Pipeline) -> None:
        self._refuse(theta, pipeline.inside(theta))

    def _refuse(self, theta: Array, inside: NDArray[np.bool_] | None) -> None:
        outside = np.flatnonzero(~inside) if inside is not None else np.array([])
        if outside.size:
            point = dict(zip(self.names, theta[outside[0]].tolist(), strict=True))
            raise ConfigurationError(
                f"{outside.size} point(s) lie outside an emulator's training box; the first is {point}"
            )


def _whole(observable: Observable) -> Requirement:
    """The requirement of every grid point of an observable."""
    mesh = np.meshgrid(*(axis.values for axis in observable.axes), indexing="ij")
    at = {axis.name: values.ravel() for axis, values in zip(observable.axes, mesh, strict=True)}
    return Requirement(observable.name, at, observable.unit)


def describe(model: Model) -> Iterable[str]:
    """Yield one line a connection: probe, observable, provider."""
    for key, probe in model.probes.items():
        for requirement in probe.requires.values():
            provider, _ = model.source(requirement, key)
            yield f"{key} <- {requirement.observable} ({requirement.size} values) <- {provider}"
