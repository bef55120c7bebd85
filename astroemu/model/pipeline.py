"""The arithmetic of a model: from a batch of points to the log-likelihoods of the probes.

Every requirement becomes a constant matrix, without the grid points that it does not use:

    theta -> providers (only the rows needed) -> matrices -> probes
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from astroemu.core.array_namespace import NUMPY, Namespace
from astroemu.core.provider import Prediction
from astroemu.core.requirement import Requirement
from astroemu.core.typing import FloatArray
from astroemu.errors import AstroemuError, ConfigurationError, ProbeError, Terminated, listing
from astroemu.model.answers import check_answer, own, read_only
from astroemu.model.graph import ModelGraph
from astroemu.model.profile import Profile
from astroemu.model.resolution import DerivedColumn, Step, Term, ordered, resolved_matrix, resolved_term


@dataclass(frozen=True)
class ProviderOutput:
    """The predictions of providers for a batch.

    Attributes
    ----------
    found : mapping of str to Prediction
        Values and errors ``(n, rows)`` by observable, for the requested rows of its flattened grid.
    inside : (n,) bool array or None
        For parameters that one provider computes for another: which points lie in the range of every provider.
        None if there are no such parameters.
    """

    found: Mapping[str, Prediction]
    inside: Any = None


NOTHING = ProviderOutput({})
_TRACED = (
    " while its function was traced for the keras engine. Write it against `xp` alone, or declare "
    '`host_only = True` in its class, or choose engine = "numpy"'
)


class Pipeline:
    """The resolved graph for one set of requirements.

    Parameters
    ----------
    graph : ModelGraph
    wanted : mapping of str to mapping of str to Requirement
        The requirements of each user (usually a probe), by name.
    error_scale : float
        Factor of the emulators' errors; at zero, predictions have no error.

    Attributes
    ----------
    steps : list
        Providers in the order of evaluation.
    nuisance : dict of str to tuple of str
        Names of the nuisance parameters of each probe.
    host : frozenset of str
        Providers that a compiled engine runs outside the compiled function, in NumPy.
    low, high : (d,) array
        Range of the sampled parameters that all providers share.

    Raises
    ------
    ResolutionError
        If a requirement does not fit its observable, or providers depend on each other in a circle.
    """

    def __init__(self, graph: ModelGraph, wanted: Mapping[str, Mapping[str, Requirement]], error_scale: float) -> None:
        self.graph = graph
        self.error_scale = error_scale
        #: Assign one to measure the times of providers and probes.
        self.profile: Profile | None = None
        self._returned: list[FloatArray] | None = None
        chain = ordered(graph, wanted)
        # A probe and a provider may have the same name, so the key of a user starts with its kind.
        everything = [(("probe", user), key, req) for user, reqs in wanted.items() for key, req in reqs.items()]
        everything += [(("provider", p), r.observable, r) for p in chain for r in graph.providers[p].requires]
        everything += [(("parameter", p), r.observable, r) for p in chain for r in graph.derived_inputs(p)]
        matrices = {
            (user, key): resolved_matrix(req, graph.source(req, user[1])[1], user[1]) for user, key, req in everything
        }
        used: dict[str, NDArray[np.intp]] = {}
        for user, key, req in everything:
            columns = np.flatnonzero(np.any(matrices[user, key] != 0, axis=0))
            used[req.observable] = np.union1d(used.get(req.observable, np.array([], dtype=np.intp)), columns)
        #: Rows of the flattened grid of each observable that are used.
        self.rows: Mapping[str, NDArray[np.intp]] = used
        self.terms: dict[tuple[str, str], dict[str, Term]] = {}
        for user, key, req in everything:
            self.terms.setdefault(user, {})[key] = resolved_term(
                req.observable, matrices[user, key], used[req.observable]
            )
        self.steps: list[Step] = []
        for key in chain:
            provider = graph.providers[key]
            rows = {name: used[name] for name in provider.provides if name in used}
            sizes = {name: len(wanted_rows) for name, wanted_rows in rows.items()}
            derived = self._derived(key)
            computed = {column.name for column in derived}
            given = tuple(name for name in provider.parameters if name not in computed)
            self.steps.append(Step(key, provider.evaluator(rows), sizes, self._columns(given), derived))
        self.nuisance = {
            key: tuple(p.name for p in probe.parameters) for key, probe in graph.probes.items() if key in wanted
        }
        self.host = self._on_host()
        #: Probes that are declared ``host_only``, see :meth:`host_probes_of`.
        self.host_probes = tuple(key for key in self.nuisance if graph.probes[key].host_only)
        self.low, self.high = self._box()

    def in_range(self, theta: FloatArray) -> NDArray[np.bool_]:
        """Return which points ``theta (n, d)`` lie in the range of every provider that is used, ``(n,)``.

        Parameters that a provider computes are not checked here, but during the evaluation.
        """
        return np.asarray(np.logical_and.reduce((theta >= self.low) & (theta <= self.high), axis=1))

    def _derived(self, key: str) -> tuple[DerivedColumn, ...]:
        provider = self.graph.providers[key]
        names = [requirement.observable for requirement in self.graph.derived_inputs(key)]
        return tuple(
            DerivedColumn(name, position, *provider.bounds.get(name, (-np.inf, np.inf)))
            for position, name in enumerate(provider.parameters)
            if name in names
        )

    def _columns(self, parameters: tuple[str, ...]) -> NDArray[np.intp] | None:
        """Return columns of the extended theta (sampled, then fixed); None if they are all in order."""
        names = (*self.graph.names, *self.graph.prior.fixed)
        columns = np.array([names.index(name) for name in parameters], dtype=np.intp)
        return None if np.array_equal(columns, np.arange(len(names))) else columns

    def _box(self) -> tuple[FloatArray, FloatArray]:
        names = self.graph.names
        low, high = np.full(len(names), -np.inf), np.full(len(names), np.inf)
        for step in self.steps:
            for name, (a, b) in self.graph.providers[step.key].bounds.items():
                if name in names:
                    j = names.index(name)
                    low[j], high[j] = max(low[j], a), min(high[j], b)
        return low, high

    def host_probes_of(self, backend: str) -> tuple[str, ...]:
        """Return the probes that a compiled engine evaluates outside, in NumPy, by the name of its backend."""
        return tuple(key for key in self.host_probes if backend not in self.graph.probes[key].traced_by)

    def demand_gradient(self, backend: str) -> None:
        """Raise an error if a part runs on the host, where no gradients are available.

        Parameters
        ----------
        backend : str
            Name of the backend that is to compile.

        Raises
        ------
        ConfigurationError
        """
        host = (*self.host, *self.host_probes_of(backend))
        if host:
            others = sorted({name for key in self.host_probes for name in self.graph.probes[key].traced_by} - {backend})
            hint = f"; {listing(others)} can trace some of them (KERAS_BACKEND)" if others else ""
            raise ConfigurationError(
                f"no gradient goes through {listing(host)}, which run(s) on the host "
                f"(`host_only`); use an emulator instead of a simulator, or leave a probe out{hint}"
            )

    def _on_host(self) -> frozenset[str]:
        """Return the providers that are declared ``host_only``, and those that they depend on."""
        makers = {name: step.key for step in self.steps for name in step.sizes}
        host: set[str] = set()
        for step in reversed(self.steps):  # a provider comes after all that depend on it
            provider = self.graph.providers[step.key]
            if provider.host_only or step.key in host:
                inputs = (*provider.requires, *self.graph.derived_inputs(step.key))
                host |= {step.key, *(makers[requirement.observable] for requirement in inputs)}
        return frozenset(host)

    def _extended(self, theta: Any, xp: Namespace) -> Any:
        fixed = self.graph.prior.fixed
        if not fixed:
            return theta
        constant = np.broadcast_to(list(fixed.values()), (theta.shape[0], len(fixed)))
        return xp.concatenate([theta, constant], axis=1)

    def on_host(self, theta: FloatArray) -> ProviderOutput:
        """Return the predictions of the providers in :attr:`host` at ``theta (n, d)``, from NumPy."""
        with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
            return self._run([step for step in self.steps if step.key in self.host], theta, NUMPY, NOTHING)

    def run_providers(self, theta: Any, xp: Namespace = NUMPY, given: ProviderOutput = NOTHING) -> ProviderOutput:
        """Return the predictions of all providers at ``theta (n, d)``; those in ``given`` are not computed again."""
        missing = [step for step in self.steps if not (step.sizes and step.sizes.keys() <= given.found.keys())]
        return self._run(missing, theta, xp, given)

    def _run(self, steps: Sequence[Step], theta: Any, xp: Namespace, given: ProviderOutput) -> ProviderOutput:
        theta = read_only(self._extended(theta, xp))
        found, inside = dict(given.found), given.inside
        for step in steps:
            terms = self.terms.get(("provider", step.key), {})
            inner = {name: self._apply(term, found, xp) for name, term in terms.items()}
            points = theta if step.columns is None else xp.take(theta, step.columns)
            if step.derived:
                points, within = self._completed(step, points, found, xp)
                inside = within if inside is None else inside & within
            points = read_only(points)
            answer = self._guarded(
                self.graph.providers[step.key], step.key, theta, lambda s=step, p=points, i=inner: s.evaluate(p, i, xp)
            )
            check_answer(step, answer, theta.shape[0])
            for name in step.sizes:
                self._noted(answer[name].value, answer[name].error, answer[name].modes)
            found |= {
                name: Prediction(*(read_only(array) for array in (p.value, p.error, p.modes)))
                for name, p in answer.items()
            }
        return ProviderOutput(found, inside)

    def _completed(self, step: Step, points: Any, found: Mapping[str, Prediction], xp: Namespace) -> tuple[Any, Any]:
        """Return the points with the computed parameters of a provider inserted, and which of them lie in its range.

        The other points get a value inside the range, because a provider may fail outside it. Their predictions are
        discarded.
        """
        terms = self.terms["parameter", step.key]
        values = {column: self._apply(terms[column.name], found, xp).value for column in step.derived}
        within = [(value >= column.low) & (value <= column.high) for column, value in values.items()]
        inside = xp.all(xp.concatenate(within, axis=1), axis=1)
        columns = [points[:, j : j + 1] for j in range(points.shape[1])]
        for column, value in values.items():
            columns.insert(column.position, xp.where(inside[:, None], value, column.stand_in))
        return xp.concatenate(columns, axis=1), inside

    def _apply(self, term: Term, found: Mapping[str, Prediction], xp: Namespace) -> Prediction:
        whole = found[term.observable]
        value = _combined(whole.value, term, xp)
        if whole.error is None or not self.error_scale:
            return Prediction(read_only(value))
        if whole.modes is None:
            # Errors of unknown correlation are treated as fully correlated: those of one emulator nearly are.
            error, modes = xp.abs(_combined(whole.error, term, xp)), None
        else:
            error, modes = _combined_errors(whole, term, xp)
        if self.error_scale != 1:
            error, modes = self.error_scale * error, None if modes is None else self.error_scale * modes
        return Prediction(*(read_only(array) for array in (value, error, modes)))

    def predictions(self, theta: FloatArray, user: str, xp: Namespace = NUMPY) -> tuple[dict[str, Prediction], Any]:
        """Return the predictions of one user's requirements, and the range flags of :meth:`log_likelihoods`."""
        provided = self.run_providers(theta, xp)
        return self.predictions_for(user, provided, xp), provided.inside

    def predictions_for(self, user: str, provided: ProviderOutput, xp: Namespace = NUMPY) -> dict[str, Prediction]:
        """Return the predictions of one user's requirements, by name."""
        return {key: self._apply(term, provided.found, xp) for key, term in self.terms.get(("probe", user), {}).items()}

    def log_likelihoods(self, theta: FloatArray, xp: Namespace = NUMPY) -> tuple[dict[str, FloatArray], Any]:
        """Return the log-likelihood of each probe, as the probe returns it.

        Parameters
        ----------
        theta : (n, d) array
            Points in the range of every provider.
        xp : namespace
            Array functions.

        Returns
        -------
        values : dict of str to (n,) array
        inside : (n,) bool array or None
            For parameters that one provider computes for another: which points lie in the range of every provider.
            None if there are no such parameters. The likelihoods of the other points are meaningless.
        """
        # An overflow gives infinity, which the model counts, so a warning is not needed.
        with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
            provided = self.run_providers(theta, xp)
            found = {
                key: self.probe_log_likelihood(key, theta, self.predictions_for(key, provided, xp), xp)
                for key in self.nuisance
            }
        return found, provided.inside

    def probe_log_likelihood(
        self, key: str, theta: Any, predictions: Mapping[str, Prediction], xp: Namespace = NUMPY
    ) -> Any:
        """Return the log-likelihood ``(n,)`` of one probe, in float64.

        Raises
        ------
        ProbeError
            If the probe raises an exception, or returns another shape.
        """
        probe, n = self.graph.probes[key], theta.shape[0]
        nuisance = self.nuisance_parameters(key, read_only(theta))

        def call() -> Any:
            found = probe.log_likelihood(predictions, nuisance, xp)
            self._noted(found)
            return own(xp.astype(found, "float64"))

        values = self._guarded(probe, key, theta, call)
        if tuple(values.shape) != (n,):
            raise ProbeError(
                f"the probe {key!r} ({type(probe).__name__}) returned the shape {tuple(values.shape)} "
                f"for {n} point(s); ({n},) is needed"
            )
        return values

    def overwrites_results(self, theta: FloatArray) -> bool:
        """Return True if a plugin writes into arrays that it returned earlier, tried at ``theta (n, d)``, n > 1.

        Two threads that call such a plugin at the same time would overwrite each other's results.
        """
        half = len(theta) // 2
        self._returned = []
        try:
            self.log_likelihoods(theta[:half])
            returned, before = self._returned, [array.copy() for array in self._returned]
            self._returned = []
            self.log_likelihoods(theta[half : 2 * half])
        finally:
            self._returned = None
        return any(not np.array_equal(a, b, equal_nan=True) for a, b in zip(returned, before, strict=True))

    def _noted(self, *arrays: Any) -> None:
        """Keep the arrays that a plugin returned, for :meth:`overwrites_results`."""
        if self._returned is not None:
            self._returned += [array for array in arrays if isinstance(array, np.ndarray)]

    def nuisance_parameters(self, key: str, theta: Any) -> dict[str, Any]:
        """Return the nuisance parameters ``(n,)`` of one probe, by name."""
        names, fixed = self.graph.names, self.graph.prior.fixed
        return {
            name: np.full(theta.shape[0], fixed[name]) if name in fixed else theta[:, names.index(name)]
            for name in self.nuisance[key]
        }

    def _guarded(self, plugin: Any, key: str, theta: Any, call: Any) -> Any:
        profile = self.profile
        try:
            if profile is None or not isinstance(theta, np.ndarray):  # a trace takes no meaningful time
                return call()
            kind = "probe" if self.graph.probes.get(key) is plugin else "provider"
            with profile.part(f"{kind} {key}"):
                return call()
        except (AstroemuError, ProbeError, Terminated):
            raise
        except (Exception, SystemExit) as error:  # some wrappers of compiled code call sys.exit
            names = self.graph.names
            rows = theta[:1] if isinstance(theta, np.ndarray) else ()
            first = [", ".join(f"{n} = {v:.10g}" for n, v in zip(names, row, strict=False)) for row in rows]
            raise ProbeError(
                f"{key!r} ({type(plugin).__module__}.{type(plugin).__name__}) raised {type(error).__name__}: "
                f"{error}. It was given a batch of {theta.shape[0]} point(s)"
                + "".join(f", the first at {point}" for point in first)
                + ("" if isinstance(theta, np.ndarray) else _TRACED)
            ) from error


def _combined(values: Any, term: Term, xp: Namespace) -> Any:
    """Return what a requirement takes of the values ``(n, rows)`` of an observable."""
    if term.rows is not None:
        values = xp.take(values, term.rows)
    return values if term.matrix is None else xp.matmul(values, term.matrix)


def _combined_errors(whole: Prediction, term: Term, xp: Namespace) -> tuple[Any, Any]:
    """Return the total error and the modes after a requirement: modes are linear, as values, and the rest adds up."""
    _, r, m = whole.modes.shape
    modes = _combined(xp.reshape(whole.modes, (-1, m)), term, xp)
    modes = xp.reshape(modes, (-1, r, modes.shape[-1]))
    if term.matrix is None:
        return _combined(whole.error, term, xp), modes
    rest = whole.independent_variance(xp)
    return xp.sqrt(_combined(rest, term.of_variances, xp) + xp.sum(modes**2, axis=1)), modes
