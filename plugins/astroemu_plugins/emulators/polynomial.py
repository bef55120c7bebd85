"""Polynomials that emulate a smooth simulator from few simulations.

For a smooth and expensive simulator, a least-squares polynomial is better than a network. A few hundred points
determine it to a thousandth of their spread, and the fit takes seconds. The fit itself also gives the error at new
points. The emulator is

    u = scaled parameters in [-1, 1]
    c = sum_a  w_a prod_k P_(a_k)(u_k)      Legendre polynomials, sum_k cost_k a_k <= degree
    y = exp(sum_k p_k theta_k) (mean + scale * (components^T c))

A known prefactor, such as the amplitude of a power spectrum, is divided out before the fit. The components are the
principal components of the standardised outputs. All arrays are float64.

The stated error is the leave-one-out error (Allen 1974, Technometrics 16, 125): residuals over ``1 - h_ii``, with the
leverages ``h`` of the fit. It is the root mean square over the points, one number per output.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self

import h5py
import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field

from astroemu.core.array_namespace import NUMPY, Namespace
from astroemu.core.observable import Observable
from astroemu.core.provider import Evaluate, Prediction
from astroemu.core.typing import FloatArray
from astroemu.emulation.emulator import Emulator, check_bounds
from astroemu.emulation.inspection import stated_box
from astroemu.emulation.training_set import TrainingSet
from astroemu.errors import ConfigurationError, DataError, closest, listing
from astroemu.io.hdf5_fields import (
    read_floats,
    read_group,
    read_json_attribute,
    read_json_dataset,
    read_names,
)
from astroemu.runtime.options import validate_options

#: Largest number of terms; more indicate a wrong degree.
MAX_TERMS = 20_000
_ARRAYS = ("mean", "scale", "components", "weights", "error")


class Settings(BaseModel):
    """The table ``[training]`` of a polynomial emulator."""

    model_config = ConfigDict(extra="forbid")

    name: str = "polynomial"
    inputs: list[str] = []
    outputs: list[str] = []
    degree: float = Field(default=4, ge=1)
    costs: dict[str, float] = {}
    prefactor: dict[str, float] = {}
    components: int = Field(default=0, ge=0)
    train_points: int = Field(default=0, ge=0)
    state_error: bool = True


class PolynomialEmulator(Emulator):
    """Emulator made of one polynomial.

    Parameters
    ----------
    box : mapping of str to (low, high)
        Training range of each parameter, in the order of the parameters.
    observables : mapping of str to Observable
        In the order of the outputs.
    prefactor : mapping of str to float
        By parameter: the coefficient ``p_k`` of the prefactor ``exp(sum_k p_k theta_k)``.
    powers : (terms, d) int array
        Degrees ``a_k`` of the Legendre polynomials of each term.
    arrays : mapping of str to array
        ``mean``, ``scale``, ``error`` ``(outputs,)``, ``components (k, outputs)``, ``weights (terms, k)``.
    provenance : mapping
        JSON; see :class:`astroemu.emulation.emulator.Emulator`.

    Raises
    ------
    DataError
        If the shapes do not fit, or the provenance lacks ``training.state_error``.
    """

    kind = "polynomial"

    def __init__(
        self,
        box: Mapping[str, tuple[float, float]],
        observables: Mapping[str, Observable],
        prefactor: Mapping[str, float],
        powers: NDArray[np.intp],
        arrays: Mapping[str, FloatArray],
        provenance: Mapping[str, Any],
    ) -> None:
        self.parameters = tuple(box)
        self.provenance = dict(provenance)
        self._box, self._provides = dict(box), dict(observables)
        self._prefactor, self._powers = dict(prefactor), powers
        self._arrays = dict(arrays)
        outputs = sum(observable.size for observable in observables.values())
        k = self._arrays["components"].shape[0]
        shapes: dict[str, tuple[int, ...]] = {"mean": (outputs,), "scale": (outputs,), "error": (outputs,)}
        shapes |= {"components": (k, outputs), "weights": (len(powers), k)}
        for name, shape in shapes.items():
            if self._arrays[name].shape != shape:
                raise DataError(f"the array {name!r} has the shape {self._arrays[name].shape}, not {shape}")
        if np.any(self._arrays["error"] < 0):
            raise DataError("a stated error is negative")
        if powers.shape[1] != len(box) or powers.min() < 0 or not set(prefactor) <= set(box):
            raise DataError("the powers or the prefactor do not fit the parameters")
        training = self.provenance.get("training")
        if not isinstance(training, Mapping) or not isinstance(training.get("state_error"), bool):
            raise DataError("the provenance lacks training.state_error, which must be true or false")
        self._state_error = bool(training["state_error"])
        self._basis = _Basis(np.array(list(box.values())), powers)
        self._exponent = np.array([self._prefactor.get(name, 0.0) for name in box])

    @property
    def provides(self) -> Mapping[str, Observable]:
        return self._provides

    @property
    def bounds(self) -> Mapping[str, tuple[float, float]]:
        return self._box

    def evaluator(self, rows: Mapping[str, NDArray[np.intp]]) -> Evaluate:
        arrays, chosen, pieces = self._arrays, [np.zeros(0, dtype=np.intp)], []
        offset = width = 0
        for name, observable in self._provides.items():
            if name in rows:
                chosen.append(rows[name] + offset)
                pieces.append((name, slice(width, width := width + len(rows[name]))))
            offset += observable.size
        columns = np.concatenate(chosen)
        mean, scale = arrays["mean"][columns], arrays["scale"][columns]
        components = np.ascontiguousarray(arrays["components"][:, columns] * scale)
        error = arrays["error"][columns] if self._state_error else None
        proportional = bool(self._exponent.any())

        def evaluate(theta: Any, observables: Mapping[str, Prediction], xp: Namespace) -> dict[str, Prediction]:  # noqa: ARG001
            y = mean + xp.matmul(xp.matmul(self._basis(theta, xp), arrays["weights"]), components)
            factor = xp.exp(xp.matmul(theta, self._exponent))[:, None] if proportional else xp.ones_like(theta[:, :1])
            return {
                name: Prediction(y[:, part] * factor, None if error is None else error[part] * factor)
                for name, part in pieces
            }

        return evaluate

    @classmethod
    def train(
        cls,
        data: TrainingSet,
        settings: Mapping[str, Any],
        *,
        seed: int,  # noqa: ARG003 - the fit uses no random numbers
        log: Any = print,
        reuse: Emulator | None = None,  # noqa: ARG003 - a fit takes seconds
        folder: Path | None = None,  # noqa: ARG003
        logs: Path | None = None,  # noqa: ARG003
    ) -> Self:
        chosen: Settings = validate_options(Settings, dict(settings), "[training]")
        names = tuple(chosen.inputs) or data.names
        outputs = tuple(chosen.outputs) or tuple(data.observables)
        _known("inputs", names, data.names)
        _known("outputs", outputs, data.observables)
        for key in ("costs", "prefactor"):
            _known(key, getattr(chosen, key), names)
        box = _box(data, names)
        powers = _powers([chosen.costs.get(name, 1.0) for name in names], chosen.degree)
        theta, y = _points(data, names, outputs, chosen.train_points)
        if len(theta) < 1.2 * len(powers):
            raise ConfigurationError(
                f"[training] degree = {chosen.degree:g} has {len(powers)} terms, for which {len(theta)} points are too "
                f"few (at least {int(np.ceil(1.2 * len(powers)))}); lower the degree or simulate more points"
            )
        exponent = np.array([chosen.prefactor.get(name, 0.0) for name in names])
        arrays = _fit(
            _Basis(np.array(list(box.values())), powers)(theta, NUMPY), y / np.exp(theta @ exponent)[:, None], chosen
        )
        spread = float(np.median(arrays["error"] / arrays["scale"]))
        log(f"{chosen.name}: {len(theta)} points, {len(powers)} terms; leave-one-out error {spread:.2e} of the spread")
        provenance = {
            "name": chosen.name,
            "simulation": dict(data.metadata),
            "points": len(data),
            "training": chosen.model_dump(),
            "metrics": {"points": len(theta), "terms": len(powers), "median_error_over_spread": spread},
        }
        return cls(
            box, {name: data.observables[name] for name in outputs}, chosen.prefactor, powers, arrays, provenance
        )

    def write(self, group: h5py.Group) -> None:
        group.attrs["box"] = json.dumps(self._box)
        group.attrs["prefactor"] = json.dumps(self._prefactor)
        group.attrs["observables"] = json.dumps(list(self._provides))
        for name, observable in self._provides.items():
            group[f"observables/{name}"] = json.dumps(observable.to_json())
        group["powers"] = self._powers.astype(np.int16)
        for name in _ARRAYS:
            group[f"arrays/{name}"] = self._arrays[name]

    @classmethod
    def read(cls, group: h5py.Group, provenance: Mapping[str, Any]) -> Self:
        box = {name: _edges(name, edges) for name, edges in read_json_attribute(group, "box", dict).items()}
        check_bounds(box, finite=True)
        stored, described = read_group(group, "arrays"), read_group(group, "observables")
        observables = {name: _observable(described, name) for name in read_names(group, "observables")}
        powers = read_floats(group, "powers")
        if powers.ndim != 2 or not 1 <= len(powers) <= MAX_TERMS or not np.array_equal(powers, powers.astype(np.intp)):
            raise DataError(f"the powers must be 1 to {MAX_TERMS} rows of integers")
        arrays = {name: read_floats(stored, name) for name in _ARRAYS}
        prefactor = read_json_attribute(group, "prefactor", dict)
        if not all(isinstance(p, int | float) and math.isfinite(p) for p in prefactor.values()):
            raise DataError(f"the prefactor {prefactor!r} must hold finite numbers")
        return cls(box, observables, prefactor, powers.astype(np.intp), arrays, provenance)


def _edges(name: str, edges: Any) -> tuple[float, float]:
    if not isinstance(edges, list) or len(edges) != 2 or not all(type(edge) in (int, float) for edge in edges):
        raise DataError(f"the training range of {name!r} must be two numbers, not {edges!r:.40}")
    return float(edges[0]), float(edges[1])


def _observable(group: h5py.Group, name: str) -> Observable:
    observable = Observable.from_json(read_json_dataset(group, name, dict))
    if observable.name != name:
        raise DataError(f"the observable {name!r} states the name {observable.name!r}")
    return observable


class _Basis:
    """Products ``(n, terms)`` of Legendre polynomials of the scaled parameters.

    Parameters
    ----------
    box : (d, 2) array
    powers : (terms, d) int array
    """

    def __init__(self, box: FloatArray, powers: NDArray[np.intp]) -> None:
        low, high = box.T
        self.slope, self.shift = 2.0 / (high - low), (low + high) / (low - high)
        self.highest = int(powers.max())
        # Column of each factor of each term in the table of all degrees of all parameters.
        self.where = [powers[:, k] * powers.shape[1] + k for k in range(powers.shape[1])]

    def __call__(self, theta: Any, xp: Namespace) -> Any:
        u = theta * self.slope + self.shift
        degrees = [xp.ones_like(u), u]
        for m in range(1, self.highest):  # Bonnet's recurrence
            degrees.append(((2 * m + 1) * u * degrees[m] - m * degrees[m - 1]) / (m + 1))
        table = xp.concatenate(degrees, axis=1)
        product = xp.take(table, self.where[0])
        for where in self.where[1:]:
            product = product * xp.take(table, where)
        return product


def _powers(costs: list[float], degree: float) -> NDArray[np.intp]:
    """Return the degrees ``(terms, d)`` of every term whose total cost is at most ``degree``."""
    if min(costs) <= 0:
        raise ConfigurationError("[training] costs must be above 0")
    found: list[tuple[int, ...]] = [()]
    for cost in costs:
        grown = []
        for term in found:
            spent = sum(c * power for c, power in zip(costs, term, strict=False))
            highest = int((degree - spent) / cost + 1e-9)
            grown += [(*term, power) for power in range(highest + 1)]
        found = grown
        if len(found) > MAX_TERMS:
            raise ConfigurationError(f"[training] degree = {degree:g} has more than {MAX_TERMS} terms; lower it")
    return np.array(found, dtype=np.intp)


def _fit(basis: FloatArray, y: FloatArray, chosen: Settings) -> dict[str, FloatArray]:
    """Return the arrays of the emulator from the basis ``(n, terms)`` and the outputs ``(n, outputs)``."""
    with np.errstate(over="ignore"):
        mean, scale = y.mean(axis=0), y.std(axis=0)
    if not (np.isfinite(mean).all() and np.isfinite(scale).all()):
        raise DataError("the values are so large that their squares overflow; train on their logarithm")
    scale = np.where(scale > 0, scale, 1.0)  # a constant output is predicted by its mean
    standard = (y - mean) / scale
    _, strength, axes = np.linalg.svd(standard, full_matrices=False)
    k = chosen.components or int(np.sum(strength > 1e-7 * strength[0]))
    components = axes[:k]
    orthogonal, triangle = np.linalg.qr(basis)
    coefficients = standard @ components.T
    weights = np.linalg.solve(triangle, orthogonal.T @ coefficients)
    residual = standard - (basis @ weights) @ components
    leverage = np.sum(orthogonal**2, axis=1)
    left_out = residual / (1.0 - leverage)[:, None]
    error = scale * np.sqrt(np.mean(left_out**2, axis=0))
    return {"mean": mean, "scale": scale, "components": components, "weights": weights, "error": error}


def _points(
    data: TrainingSet, names: tuple[str, ...], outputs: tuple[str, ...], most: int
) -> tuple[FloatArray, FloatArray]:
    theta = data.theta[:, [data.names.index(name) for name in names]]
    y = np.concatenate([np.asarray(data.values[name], dtype=float).reshape(len(data), -1) for name in outputs], axis=1)
    bad = int(np.sum(~np.all(np.isfinite(y), axis=1)))
    if bad:
        raise DataError(f"{bad} of {len(data)} points hold values that are not finite; `astroemu clean` drops them")
    return (theta[:most], y[:most]) if most else (theta, y)


def _box(data: TrainingSet, names: tuple[str, ...]) -> dict[str, tuple[float, float]]:
    """Return the box of the design if the training set states it, else the range of the points."""
    box = {name: edges for name, edges in stated_box(data).items() if name in names}
    for name, (low, high) in box.items():
        if not low < high:
            raise DataError(f"the parameter {name!r} is {low:g} at every point; leave it out of `inputs`")
    return {name: box[name] for name in names}


def _known(key: str, names: Any, known: Any) -> None:
    for name in names:
        if name not in known:
            raise ConfigurationError(f"[training] {key}: no {name!r}.{closest(name, known)} There are {listing(known)}")
