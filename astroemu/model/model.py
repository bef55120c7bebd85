"""The joint model: one log-likelihood of several probes, for a batch of points.

A :class:`~astroemu.model.graph.ModelGraph` matches priors, providers and probes. A
:class:`~astroemu.model.pipeline.Pipeline` holds the arithmetic, and an engine evaluates it. The model checks the
points, rejects and counts those without a finite likelihood, and runs samplers.
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
from astroemu.core.points import Points, as_points
from astroemu.core.prior import Prior
from astroemu.core.probe import Probe
from astroemu.core.provider import Prediction, Provider
from astroemu.core.requirement import Requirement
from astroemu.core.typing import FloatArray
from astroemu.errors import ConfigurationError, DoubleCountingWarning
from astroemu.model.backends.base import backend_name
from astroemu.model.compiled_engine import CompiledEngine
from astroemu.model.engine import Engine
from astroemu.model.engines import EngineName, engine_name, gradient_engine, make_engine
from astroemu.model.graph import ModelGraph
from astroemu.model.pipeline import Pipeline
from astroemu.model.presented import PresentedModel
from astroemu.model.profile import Profile
from astroemu.model.resolution import ordered


class Model(PresentedModel):
    """A joint likelihood of several probes.

    Parameters
    ----------
    prior : Prior
        The parameters, in the order of the columns of ``theta``. Nuisance parameters of the probes that it does not
        name are added, with the default priors of the probes.
    providers : mapping of str to Provider
        Emulators and derived quantities. The names appear in messages.
    probes : mapping of str to Probe
    emulator_error : bool or float
        True if the emulators' own error enters the likelihoods, or a factor by which it is multiplied.
    truncate_prior : bool
        If true, a prior that is wider than a provider's range is truncated to it. Otherwise it is an error.
    name : str
    engine : {"auto", "numpy", "keras"}
        The engine, see :mod:`astroemu.model.engines`. It is set up at its first use.

    Raises
    ------
    ConfigurationError
        If the factor of the emulators' error is negative or not finite, or no engine has the name.
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
        emulator_error: bool | float = True,
        truncate_prior: bool = False,
        engine: EngineName = "auto",
        name: str = "model",
    ) -> None:
        if not 0 <= emulator_error < np.inf:
            raise ConfigurationError(f"emulator_error = {emulator_error} must be true, false or a number of at least 0")
        self.name = name
        self.emulator_error = float(emulator_error)
        #: Numbers of evaluated and of rejected points.
        self.counts = EvaluationCounts()
        #: The matched prior, providers and probes.
        self.graph = ModelGraph(prior, providers, probes, truncate_prior=truncate_prior)
        ordered(self.graph, self.graph.numbers())  # refuses numbers that depend on each other in a circle
        wanted = {key: probe.requires for key, probe in self.graph.probes.items()}
        #: The arithmetic of the likelihood, which the engine evaluates.
        self.pipeline = Pipeline(self.graph, wanted, self.emulator_error)
        self._engine_name = engine_name(engine)

    @property
    def prior(self) -> Prior:
        """Priors of all parameters, including the nuisance parameters of the probes."""
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
        """Times of the parts of the likelihood; assign a :class:`Profile` to measure them."""
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
        """Every provided observable, by name."""
        return self.graph.observables

    def prior_transform(self, u: FloatArray) -> FloatArray:
        """Map points of the unit cube ``(n, d)`` to parameters ``(n, d)``."""
        return self.prior.transform(self._checked(u))

    def prior_slope(self, u: FloatArray) -> FloatArray:
        """Return the derivative ``(n, d)`` of each parameter of :meth:`prior_transform` with respect to its ``u``."""
        return self.prior.slope(self._checked(u))

    def prior_pullback(self, u: FloatArray, gradient: FloatArray) -> FloatArray:
        """Return a gradient ``(n, d)`` with respect to ``u``, from that with respect to the parameters."""
        return self.prior.pullback(self._checked(u), np.asarray(gradient, dtype=float))

    def log_prior(self, theta: Points) -> FloatArray:
        """Return the natural logarithm of the prior density ``(n,)`` at ``theta (n, d)``."""
        return self.prior.log_density(self._checked(theta))

    def log_likelihood(self, theta: Points) -> FloatArray:
        """Return the joint log-likelihood: the sum over all probes.

        Parameters
        ----------
        theta : (n, d) array, or values by name
            Columns in the order of :attr:`names`, in the units of the parameters. Values by name are a mapping of
            arrays or numbers, a table, a DataFrame or samples, see :func:`astroemu.core.points.as_points`. All methods
            of a model take them.

        Returns
        -------
        (n,) float64 array
            Natural logarithm: finite or minus infinity. Points outside a provider's range, and points where a probe
            returns NaN or infinity, get minus infinity and are counted in :attr:`counts`.

        Raises
        ------
        ConfigurationError
            If ``theta`` has another shape, or a name is unknown or missing.
        ProbeError
            If a probe or provider raises an exception. The message names the plugin and the point.
        """
        with nullcontext() if self.profile is None else self.profile.whole():
            return np.asarray(sum(self.log_likelihood_by_probe(theta).values()))

    def log_posterior(self, theta: Points) -> FloatArray:
        """Return the sum of :meth:`log_prior` and :meth:`log_likelihood` ``(n,)``: the posterior without the evidence.

        It is minus infinity outside the prior. The likelihood is not evaluated there.
        """
        theta = self._checked(theta)
        found = self.log_prior(theta)
        inside = found > -np.inf
        found[inside] += self.log_likelihood(theta[inside])
        return found

    def log_likelihood_by_probe(self, theta: Points) -> dict[str, FloatArray]:
        """Return the log-likelihood ``(n,)`` of each probe by name; see :meth:`log_likelihood`."""
        theta = self._checked(theta)
        inside = self.pipeline.in_range(theta)
        self.counts.evaluated += len(theta)
        whole = bool(inside.all())
        if whole and len(theta):
            found, within = self.engine.log_likelihoods(theta)
            if within is None and np.isfinite(sum(found.values())).all():  # the usual case, kept fast
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
        if not all_finite:
            self.counts.not_finite += int(np.sum(~finite & within))
            self.counts.blame({key: int(np.sum(~np.isfinite(v) & within)) for key, v in found.items()})
        for key, values in found.items():
            clean = values if all_finite else np.where(np.isfinite(values), values, -np.inf)
            if whole:
                parts[key] = clean
            else:
                parts[key][inside] = clean
        return parts

    def value_and_grad(self, theta: Points, *, prior: bool = False) -> tuple[FloatArray, FloatArray]:
        """Return the joint log-likelihood, or the log-posterior, and its gradient.

        This is always compiled, also with the numpy engine, because NumPy has no gradients.

        Parameters
        ----------
        theta : (n, d) array
        prior : bool
            If true, the log prior density is added.

        Returns
        -------
        (n,) and (n, d) float64 array
            The value as in :meth:`log_likelihood`; the gradient is NaN where the value is minus infinity.

        Raises
        ------
        ConfigurationError
            If a part of the model is declared ``host_only``, or no backend that compiles is installed.
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
        """Raise an error if the model has no gradient.

        Raises
        ------
        ConfigurationError
            As :meth:`value_and_grad`.
        """
        self.pipeline.demand_gradient(backend_name())  # before a backend is loaded, which takes seconds
        _ = self._differentiable

    @cached_property
    def engine(self) -> Engine:
        """The engine that evaluates the likelihood."""
        return make_engine(self._engine_name, self.pipeline)

    @cached_property
    def _differentiable(self) -> CompiledEngine:
        return gradient_engine(self.pipeline, self.engine)

    def compile_report(self) -> list[str]:
        """Return lines of text on the engine: device, what has been compiled, for which shapes, in what time."""
        gradients = self.__dict__.get("_differentiable")
        return [*self.engine.report(), *(gradients.report() if gradients not in (None, self.engine) else [])]

    def predict(self, theta: Points, *, units: bool = False) -> dict[str, Any]:
        """Return every observable on its full grid.

        Parameters
        ----------
        theta : (n, d) array
        units : bool
            If true, return astropy quantities (logarithms as ``Dex``) instead of plain arrays.

        Returns
        -------
        dict of str to (n, ...) array
            By name, in the unit of each observable.

        Raises
        ------
        ConfigurationError
            If a point lies outside a provider's range.
        """
        theta = self._checked(theta)
        requirements = {name: Requirement.of_grid(observable) for name, observable in self.observables.items()}
        found = self.predict_for(requirements, theta)
        shaped = {name: found[name].reshape(len(theta), *o.shape) for name, o in self.observables.items()}
        return {name: self.observables[name].quantity(v) for name, v in shaped.items()} if units else shaped

    def predict_for(self, requirements: Mapping[str, Requirement], theta: Points) -> dict[str, FloatArray]:
        """Return the values ``(n, size)`` of any requirements at ``theta (n, d)``, by their names and in their units.

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

    def probe_inputs(self, theta: Points) -> dict[str, tuple[dict[str, Prediction], dict[str, Any]]]:
        """Return the input of each probe at the points ``theta (n, d)``.

        Returns
        -------
        dict of str to tuple
            By probe: its predictions (values and errors ``(n, size)``), and its nuisance parameters ``(n,)`` by name.

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

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle and copy a model by its parts: compiled functions and evaluators cannot be stored."""
        return _made, (self.prior, self.providers, self.probes, self.emulator_error, self._engine_name, self.name)

    def with_probes(self, probes: Mapping[str, Probe]) -> Model:
        """Return the same model with other probes, for example with mock data."""
        return _made(self.prior, self.providers, probes, self.emulator_error, self._engine_name, self.name)

    def in_range(self, theta: Points, *, check_derived: bool = True) -> NDArray[np.bool_]:
        """Return which points ``theta (n, d)`` lie in the range of every provider, ``(n,)``.

        If ``check_derived`` is true, the parameters that one provider computes for another are checked too.
        """
        theta = self._checked(theta)
        found = self.pipeline.in_range(theta)
        if check_derived and found.any() and any(step.derived for step in self.pipeline.steps):
            found[found] = self.pipeline.run_providers(theta[found]).inside
        return found

    # --- helpers ------------------------------------------------------------------------------

    def _checked(self, theta: Points) -> FloatArray:
        if type(theta) is np.ndarray and theta.dtype == float and theta.ndim == 2 and theta.shape[1] == len(self.names):
            return theta  # the usual case, kept fast
        return as_points(theta, self.names, fixed=self.prior.fixed, units={p.name: p.unit for p in self.prior.free})

    def _refuse_outside(self, theta: FloatArray, pipeline: Pipeline) -> None:
        self._refuse(theta, pipeline.in_range(theta))

    def _refuse(self, theta: FloatArray, inside: NDArray[np.bool_] | None) -> None:
        outside = np.flatnonzero(~inside) if inside is not None else np.array([])
        if outside.size:
            point = dict(zip(self.names, theta[outside[0]].tolist(), strict=True))
            raise ConfigurationError(
                f"{outside.size} point(s) lie outside an emulator's training box; the first is {point}"
            )


def _made(prior: Prior, providers: Any, probes: Any, emulator_error: float, engine: EngineName, name: str) -> Model:
    """Return a model from the parts of another one."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DoubleCountingWarning)  # already issued for the other one
        return Model(prior, providers, probes, emulator_error=emulator_error, engine=engine, name=name)
