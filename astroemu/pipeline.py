"""From a batch of points to the probes' log-likelihoods, in a straight line.

Every requirement becomes a constant matrix, stripped of the grid points that it does not use:

    theta -> providers (only the rows needed) -> matrices -> probes
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from astroemu.errors import AstroemuError, ProbeError, ResolutionError, Terminated
from astroemu.namespace import NUMPY, Namespace
from astroemu.observable import Observable
from astroemu.provider import Evaluate, Prediction
from astroemu.requirement import Requirement

if TYPE_CHECKING:
    from astroemu.model import Model

Array = NDArray[np.float64]


@dataclass(frozen=True)
class _Term:
    """One requirement, resolved: which provider's rows it takes, and its matrix."""

    observable: str
    rows: NDArray[np.intp] | None  # its grid points among the rows asked of the provider; None if all
    matrix: Array | None  # (used rows, size); None if it only selects


@dataclass(frozen=True)
class _Step:
    """One provider, with the columns of the extended theta that it takes and the sizes it must give."""

    key: str
    evaluate: Evaluate
    sizes: Mapping[str, int]
    columns: NDArray[np.intp] | None  # None if it takes them all in order
    derived: tuple[_DerivedColumn, ...]  # by increasing position


@dataclass(frozen=True)
class _DerivedColumn:
    """A parameter of a provider that another provider computes."""

    name: str
    position: int  # among the provider's parameters
    low: float
    high: float

    @property
    def stand_in(self) -> float:
        """A value that the provider takes, for a point that is rejected."""
        return 0.5 * (self.low + self.high) if np.isfinite(self.low) and np.isfinite(self.high) else 0.0


@dataclass(frozen=True)
class Provided:
    """What providers gave for a batch.

    Attributes
    ----------
    found : mapping of str to Prediction
        The rows asked of them, by observable.
    inside : (n,) bool array or None
        Which points kept to the range of every provider in the parameters that other providers
        compute; None if there are no such parameters.
    """

    found: Mapping[str, Prediction]
    inside: Any = None


NOTHING = Provided({})
_TRACED = (
    " while its function was traced for the keras engine. Write it against `xp` alone, or declare "
    '`host_only = True` in its class, or choose engine = "numpy"'
)


class Pipeline:
    """The resolved graph for one set of requirements."""

    def __init__(self, model: Model, wanted: Mapping[str, Mapping[str, Requirement]], error_scale: float) -> None:
        self.model = model
        self.error_scale = error_scale
        chain = self._ordered(model, wanted)
        # A probe and a provider may have one name: users are told apart by their side.
        everything = [(("probe", user), key, req) for user, reqs in wanted.items() for key, req in reqs.items()]
        everything += [(("provider", p), r.observable, r) for p in chain for r in model.providers[p].requires]
        everything += [(("parameter", p), r.observable, r) for p in chain for r in model.derived_inputs(p)]
        matrices = {(user, key): _matrix(req, model.source(req, user[1])[1], user[1]) for user, key, req in everything}
        used: dict[str, NDArray[np.intp]] = {}
        for user, key, req in everything:
            columns = np.flatnonzero(np.any(matrices[user, key] != 0, axis=0))
            used[req.observable] = np.union1d(used.get(req.observable, np.array([], dtype=np.intp)), columns)
        self.terms: dict[tuple[str, str], dict[str, _Term]] = {}
        for user, key, req in everything:
            self.terms.setdefault(user, {})[key] = _term(req.observable, matrices[user, key], used[req.observable])
        self.steps: list[_Step] = []
        for key in chain:
            provider = model.providers[key]
            rows = {name: used[name] for name in provider.provides if name in used}
            sizes = {name: len(wanted_rows) for name, wanted_rows in rows.items()}
            derived = self._derived(key)
            computed = {column.name for column in derived}
            given = tuple(name for name in provider.parameters if name not in computed)
            self.steps.append(_Step(key, provider.evaluator(rows), sizes, self._columns(given), derived))
        self.nuisance = {
            key: tuple(p.name for p in probe.parameters) for key, probe in model.probes.items() if key in wanted
        }
        #: Providers that a compiled engine runs outside, in NumPy.
        self.host = self._on_host()
        self.low, self.high = self._box()

    def inside(self, theta: Array) -> NDArray[np.bool_]:
        """Which points lie in the range of every provider that is used: ``(n,)``.

        Parameters that a provider computes are checked on the way.
        """
        return np.asarray(np.logical_and.reduce((theta >= self.low) & (theta <= self.high), axis=1))

    @staticmethod
    def _ordered(model: Model, wanted: Mapping[str, Mapping[str, Requirement]]) -> list[str]:
        """Providers that are needed, each after those that it builds on."""
        order: list[str] = []

        def visit(requirement: Requirement, user: str, above: tuple[str, ...]) -> None:
            key, _ = model.source(requirement, user)
            if key in above:
                raise ResolutionError(f"providers go in a circle: {' -> '.join((*above, key))}")
            if key not in order:
                for inner in (*model.providers[key].requires, *model.derived_inputs(key)):
                    visit(inner, key, (*above, key))
                order.append(key)

        for user, requirements in wanted.items():
            for requirement in requirements.values():
                visit(requirement, user, ())
        return order

    def _derived(self, key: str) -> tuple[_DerivedColumn, ...]:
        provider = self.model.providers[key]
        names = [requirement.observable for requirement in self.model.derived_inputs(key)]
        return tuple(
            _DerivedColumn(name, position, *provider.bounds.get(name, (-np.inf, np.inf)))
            for position, name in enumerate(provider.parameters)
            if name in names
        )

    def _columns(self, parameters: tuple[str, ...]) -> NDArray[np.intp] | None:
        """Columns of the extended theta (sampled, then fixed); None if they are all in order."""
        names = (*self.model.names, *self.model.prior.fixed)
        columns = np.array([names.index(name) for name in parameters], dtype=np.intp)
        return None if np.array_equal(columns, np.arange(len(names))) else columns

    def _box(self) -> tuple[Array, Array]:
        names = self.model.names
        low, high = np.full(len(names), -np.inf), np.full(len(names), np.inf)
        for step in self.steps:
            for name, (a, b) in self.model.providers[step.key].bounds.items():
                if name in names:
                    j = names.index(name)
                    low[j], high[j] = max(low[j], a), min(high[j], b)
        return low, high

    def _on_host(self) -> frozenset[str]:
        """Providers that are declared to need the host, and those that they build on."""
        makers = {name: step.key for step in self.steps for name in step.sizes}
        host: set[str] = set()
        for step in reversed(self.steps):  # after whoever builds on it
            provider = self.model.providers[step.key]
            if provider.host_only or step.key in host:
                inputs = (*provider.requires, *self.model.derived_inputs(step.key))
                host |= {step.key, *(makers[requirement.observable] for requirement in inputs)}
        return frozenset(host)

    def _extended(self, theta: Any, xp: Namespace) -> Any:
        fixed = self.model.prior.fixed
        if not fixed:
            return theta
        constant = np.broadcast_to(list(fixed.values()), (theta.shape[0], len(fixed)))
        return xp.concatenate([theta, constant], axis=1)

    def on_host(self, theta: Array) -> Provided:
        """What the providers of :attr:`host` give, in NumPy."""
        with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
            return self._run([step for step in self.steps if step.key in self.host], theta, NUMPY, NOTHING)

    def provided(self, theta: Any, xp: Namespace = NUMPY, given: Provided = NOTHING) -> Provided:
        """Run the providers, except those whose answers are in ``given``."""
        missing = [step for step in self.steps if not (step.sizes and step.sizes.keys() <= given.found.keys())]
        return self._run(missing, theta, xp, given)

    def _run(self, steps: Sequence[_Step], theta: Any, xp: Namespace, given: Provided) -> Provided:
        theta = self._extended(theta, xp)
        found, inside = dict(given.found), given.inside
        for step in steps:
            terms = self.terms.get(("provider", step.key), {})
            inner = {name: self._apply(term, found, xp) for name, term in terms.items()}
            points = theta if step.columns is None else xp.take(theta, step.columns)
            if step.derived:
                points, within = self._completed(step, points, found, xp)
                inside = within if inside is None else inside & within
            answer = self._guarded(
                self.model.providers[step.key], step.key, theta, lambda s=step, p=points, i=inner: s.evaluate(p, i, xp)
            )
            _check_answer(step, answer, theta.shape[0])
            found |= answer
        return Provided(found, inside)

    def _completed(self, step: _Step, points: Any, found: Mapping[str, Prediction], xp: Namespace) -> tuple[Any, Any]:
        """Insert the computed parameters of a provider, and say which points lie in its range.

        The others get a value in the range instead, since a provider may fail beyond it; what it
        answers there is thrown away.
        """
        terms = self.terms["parameter", step.key]
        values = {column: self._apply(terms[column.name], found, xp).value for column in step.derived}
        within = [(value >= column.low) & (value <= column.high) for column, value in values.items()]
        inside = xp.all(xp.concatenate(within, axis=1), axis=1)
        columns = [points[:, j : j + 1] for j in range(points.shape[1])]
        for column, value in values.items():
            columns.insert(column.position, xp.where(inside[:, None], value, column.stand_in))
        return xp.concatenate(columns, axis=1), inside

    def _apply(self, term: _Term, found: Mapping[str, Prediction], xp: Namespace) -> Prediction:
        whole = found[term.observable]
        value, error = whole.value, whole.error if self.error_scale else None
        if term.rows is not None:
            value, error = xp.take(value, term.rows), None if error is None else xp.take(error, term.rows)
        if term.matrix is not None:
            value = xp.matmul(value, term.matrix)
            # Errors are taken as fully correlated, as the grid points of one emulator nearly are.
            error = None if error is None else xp.abs(xp.matmul(error, term.matrix))
        return Prediction(value, error if error is None or self.error_scale == 1 else self.error_scale * error)

    def predictions(self, theta: Array, user: str, xp: Namespace = NUMPY) -> tuple[dict[str, Prediction], Any]:
        """What one user asked for, and what :meth:`log_likelihoods` says about ranges."""
        provided = self.provided(theta, xp)
        return self.asked_by(user, provided, xp), provided.inside

    def asked_by(self, user: str, provided: Provided, xp: Namespace = NUMPY) -> dict[str, Prediction]:
        """What one probe asked for."""
        return {key: self._apply(term, provided.found, xp) for key, term in self.terms.get(("probe", user), {}).items()}

    def log_likelihoods(self, theta: Array, xp: Namespace = NUMPY) -> tuple[dict[str, Array], Any]:
        """Log-likelihood ``(n,)`` of each probe, as the probe returns it.

        Returns
        -------
        dict of str to (n,) array
        (n,) bool array or None
            Which points kept to the range of every provider in the parameters that other providers
            compute; None if there are no such parameters. Elsewhere the likelihoods mean nothing.
        """
        # What overflows becomes infinite, which the model counts: no warning is needed.
        with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
            provided = self.provided(theta, xp)
            found = {key: self.judged(key, theta, self.asked_by(key, provided, xp), xp) for key in self.nuisance}
        return found, provided.inside

    def judged(self, key: str, theta: Any, asked: Mapping[str, Prediction], xp: Namespace = NUMPY) -> Any:
        """Log-likelihood ``(n,)`` of one probe, float64.

        Raises
        ------
        ProbeError
            If the probe raises, or returns another shape.
        """
        probe, n = self.model.probes[key], theta.shape[0]
        nuisance = self.taken_by(key, theta)
        values = self._guarded(
            probe, key, theta, lambda: xp.astype(probe.log_likelihood(asked, nuisance, xp), "float64")
        )
        if tuple(values.shape) != (n,):
            raise ProbeError(
                f"the probe {key!r} ({type(probe).__name__}) returned the shape {tuple(values.shape)} "
                f"for {n} point(s); ({n},) is needed"
            )
        return values

    def taken_by(self, key: str, theta: Any) -> dict[str, Any]:
        """Nuisance parameters ``(n,)`` of one probe, by name."""
        names, fixed = self.model.names, self.model.prior.fixed
        return {
            name: np.full(theta.shape[0], fixed[name]) if name in fixed else theta[:, names.index(name)]
            for name in self.nuisance[key]
        }

    def _guarded(self, plugin: Any, key: str, theta: Any, call: Any) -> Any:
        profile = self.model.profile
        try:
            if profile is None or not isinstance(theta, np.ndarray):  # what is traced is not run here
                return call()
            kind = "probe" if self.model.probes.get(key) is plugin else "provider"
            with profile.part(f"{kind} {key}"):
                return call()
        except (AstroemuError, ProbeError, Terminated):
            raise
        except (Exception, SystemExit) as error:  # some wrappers of compiled code end the interpreter
            names = self.model.names
            rows = theta[:1] if isinstance(theta, np.ndarray) else ()
            first = [", ".join(f"{n} = {v:.10g}" for n, v in zip(names, row, strict=False)) for row in rows]
            raise ProbeError(
                f"{key!r} ({type(plugin).__module__}.{type(plugin).__name__}) raised {type(error).__name__}: "
                f"{error}. It was given a batch of {theta.shape[0]} point(s)"
                + "".join(f", the first at {point}" for point in first)
                + ("" if isinstance(theta, np.ndarray) else _TRACED)
            ) from error


def _check_answer(step: _Step, answer: Mapping[str, Prediction], n: int) -> None:
    """Refuse values of another shape: above all those of a provider that ignores the rows asked for."""
    for name, size in step.sizes.items():
        if name not in answer:
            raise ProbeError(f"the provider {step.key!r} gave no {name!r}, which it says that it provides")
        prediction = answer[name]
        for what, values in (("values", prediction.value), ("errors", prediction.error)):
            if values is not None and tuple(values.shape) != (n, size):
                raise ProbeError(
                    f"the provider {step.key!r} gave {what} of {name!r} in the shape {tuple(values.shape)}; "
                    f"{(n, size)} is needed: {n} point(s) by the {size} row(s) asked for"
                )


def _matrix(requirement: Requirement, provided: Observable, user: str) -> Array:
    try:
        return requirement.matrix(provided)
    except AstroemuError as error:
        raise ResolutionError(f"{user!r}: {error}") from None


def _term(observable: str, matrix: Array, used: NDArray[np.intp]) -> _Term:
    columns = np.flatnonzero(np.any(matrix != 0, axis=0))
    rows = None if len(columns) == len(used) else np.searchsorted(used, columns)
    small = matrix[:, columns].T
    selects = small.shape[0] == small.shape[1] and np.array_equal(small, np.eye(len(small)))
    if selects:
        return _Term(observable, rows, None)
    return _Term(observable, rows, np.ascontiguousarray(small))
