"""The joint model: one log-likelihood of several probes, for a batch of points.

A :class:`~astroemu.model.graph.ModelGraph` matches priors, providers and probes with each other. A
:class:`~astroemu.model.pipeline.Pipeline` holds the arithmetic, and an engine evaluates it. The model checks the
points, rejects and counts those without a likelihood, and samples.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from contextlib import nullcontext
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from astroemu.core.evaluation_counts import EvaluationCounts
from astroemu.core.observable import Observable
from astroemu.core.prior import Prior
from astroemu.core.probe import Probe
from astroemu.core.provider import Prediction, Provider
from astroemu.core.requirement import Requirement
from astroemu.core.typing import FloatArray
from astroemu.errors import ConfigurationError, DoubleCountingWarning
from astroemu.model.compiled_engine import CompiledEngine
from astroemu.model.engine import Engine
from astroemu.model.engines import EngineName, engine_name, make_engine, with_gradients
from astroemu.model.graph import ModelGraph
from astroemu.model.pipeline import Pipeline
from astroemu.model.profile import Profile
from astroemu.runtime.options import build
from astroemu.runtime.plugins import SAMPLERS
from astroemu.sampling.sampler import Sampler
from astroemu.sampling.samples import Samples


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
        What evaluates it, see :mod:`astroemu.model.engine`. It is set up when it is first used.

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
        self.name = name
        self.emulator_error = float(emulator_error)
        self.counts = EvaluationCounts()
        #: What is matched with what.
        self.graph = ModelGraph(prior, providers, probes, truncate_prior=truncate_prior)
        wanted = {key: probe.requires for key, probe in self.graph.probes.items()}
        #: The arithmetic of the likelihood, which the engine evaluates.
        self.pipeline = Pipeline(self.graph, wanted, self.emulator_error)
        self._engine_name = engine_name(engine)

    @property
    def prior(self) -> Prior:
        """Priors of all parameters, those of the probes included."""
        return self.graph.prior

    @property
    def providers(self) -> Mapping[str, Provider]:
        """Emulators and other providers, by name."""
        return self.graph.providers

    @property
    def probes(self) -> Mapping[str, Probe]:
        """Probes, by name."""
        return self.graph.probes

    @property
    def profile(self) -> Profile | None:
        """Set one to time the parts of the likelihood."""
        return self.pipeline.profile

    @profile.setter
    def profile(self, profile: Profile | None) -> None:
        self.pipeline.profile = profile

    # --- scripting contract -------------------------------------------------------------------

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the sampled parameters: the columns of ``theta``."""
        return self.prior.names

    @property
    def observables(self) -> dict[str, Observable]:
        """Every observable that is provided, by name."""
        return self.graph.observables

    def prior_transform(self, u: FloatArray) -> FloatArray:
        """Map points of the unit cube ``(n, d)`` to parameters ``(n, d)``."""
        return self.prior.transform(self._checked(u))

    def prior_slope(self, u: FloatArray) -> FloatArray:
        """Derivative ``(n, d)`` of each parameter of :meth:`prior_transform` with respect to its own ``u``."""
        return self.prior.slope(self._checked(u))

    def log_prior(self, theta: FloatArray) -> FloatArray:
        """Log prior density ``(n,)``."""
        return self.prior.log_density(self._checked(theta))

    def log_likelihood(self, theta: FloatArray) -> FloatArray:
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

    def log_likelihood_by_probe(self, theta: FloatArray) -> dict[str, FloatArray]:
        """Log-likelihood ``(n,)`` of each probe; see :meth:`log_likelihood`."""
        theta = self._checked(theta)
        inside = self.pipeline.in_range(theta)
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

    def value_and_grad(self, theta: FloatArray, *, prior: bool = False) -> tuple[FloatArray, FloatArray]:
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

    def _likelihood_and_grad(self, theta: FloatArray) -> tuple[FloatArray, FloatArray]:
        value, gradient = np.full(len(theta), -np.inf), np.full(theta.shape, np.nan)
        inside = np.flatnonzero(self.pipeline.in_range(theta))
        self.counts.evaluated += len(theta)
        self.counts.outside += len(theta) - len(inside)
        if not len(inside):
            return value, gradient
        found, slope = self._differentiable.value_and_grad(theta[inside])
        good = np.isfinite(found)
        value[inside[good]], gradient[inside[good]] = found[good], slope[good]
        if not good.all():
            bad = theta[inside[~good]]
            outside = int(np.sum(~self.in_range(bad)))
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
        return make_engine(self._engine_name, self.pipeline)

    @cached_property
    def _differentiable(self) -> CompiledEngine:
        return with_gradients(self.pipeline, self.engine)

    def compile_report(self) -> list[str]:
        """Say what evaluates the model: what was compiled so far, for which device and shapes, in how long."""
        gradients = self.__dict__.get("_differentiable")
        return [*self.engine.report(), *(gradients.report() if gradients not in (None, self.engine) else [])]

    def predict(self, theta: FloatArray, *, units: bool = False) -> dict[str, Any]:
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

    def predict_for(self, requirements: Mapping[str, Requirement], theta: FloatArray) -> dict[str, FloatArray]:
        """Values ``(n, size)`` of any requirements, under the names given to them.

        Raises
        ------
        ConfigurationError
            If a point lies outside a provider's range.
        """
        theta = self._checked(theta)
        pipeline = Pipeline(self.graph, {"predict": requirements}, 0.0)
        self._refuse_outside(theta, pipeline)
        found, within = pipeline.predictions(theta, "predict")
        self._refuse(theta, within)
        return {name: np.asarray(prediction.value) for name, prediction in found.items()}

    def probe_inputs(self, theta: FloatArray) -> dict[str, tuple[dict[str, Prediction], dict[str, Any]]]:
        """What each probe is handed at some points: its predictions and its nuisance parameters.

        Raises
        ------
        ConfigurationError
            If a point lies outside a provider's range.
        """
        theta = self._checked(theta)
        self._refuse_outside(theta, self.pipeline)
        provided = self.pipeline.run_providers(theta)
        self._refuse(theta, provided.inside)
        return {
            key: (self.pipeline.predictions_for(key, provided), self.pipeline.nuisance_parameters(key, theta))
            for key in self.probes
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

    def sample(self, sampler: str | Sampler = "emcee", *, seed: int = 1, **options: Any) -> Samples:
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
        if isinstance(sampler, str):
            sampler = build(SAMPLERS.load(sampler), options, f"options of the sampler {sampler!r}")
        elif options:
            raise ConfigurationError("options go with the name of a sampler, not with an instance")
        assert isinstance(sampler, Sampler)
        return sampler.run(self, seed=seed)

    def in_range(self, theta: FloatArray, *, check_derived: bool = True) -> NDArray[np.bool_]:
        """Return which points lie in the range of every provider: ``(n,)``.

        Parameters
        ----------
        theta : (n, d) array
        check_derived : bool
            Whether to compute the parameters that one provider computes for another, and check these too.
        """
        theta = self._checked(theta)
        found = self.pipeline.in_range(theta)
        if check_derived and found.any() and any(step.derived for step in self.pipeline.steps):
            found[found] = self.pipeline.run_providers(theta[found]).inside
        return found

    # --- helpers ------------------------------------------------------------------------------

    def _checked(self, theta: FloatArray) -> FloatArray:
        theta = np.asarray(theta, dtype=float)
        if theta.ndim != 2 or theta.shape[1] != len(self.names):
            raise ConfigurationError(
                f"theta has the shape {theta.shape}; (n, {len(self.names)}) is needed, with the columns "
                f"{', '.join(self.names)}. One point is theta[None]"
            )
        return theta

    def _refuse_outside(self, theta: FloatArray, pipeline: Pipeline) -> None:
        self._refuse(theta, pipeline.in_range(theta))

    def _refuse(self, theta: FloatArray, inside: NDArray[np.bool_] | None) -> None:
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
