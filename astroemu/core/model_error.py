"""The difference between a model and the truth, as an error that all values of an observable share.

An emulator states how far it is from its teacher. It cannot state how far the teacher is from a better simulation. A
configuration states this as ``model_error``, for each observable. Every part has one amplitude of unit variance, which
moves all values together (see :class:`astroemu.core.provider.Prediction`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from astroemu.core.adapters import ProviderAdapter
from astroemu.core.array_namespace import Namespace
from astroemu.core.observable import Observable
from astroemu.core.provider import Evaluate, Prediction, Provider
from astroemu.core.typing import FloatArray
from astroemu.errors import ConfigurationError, closest, listing


@dataclass(frozen=True)
class ModelError:
    """The common 1-sigma error of an observable. The parts are independent of each other.

    Attributes
    ----------
    absolute : float
        In the unit of the observable: dex for a logarithm.
    fraction : float
        As a fraction of the value.
    shift : mapping of str to float
        Displacement along an axis, in its unit: ``{"z": 0.3}`` for a reionization that is earlier or later by 0.3.
    """

    absolute: float = 0.0
    fraction: float = 0.0
    shift: Mapping[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        parts = {
            "absolute": self.absolute,
            "fraction": self.fraction,
            **{f"shift.{k}": v for k, v in self.shift.items()},
        }
        for name, size in parts.items():
            if not 0 <= size < np.inf:
                raise ConfigurationError(f"{name} = {size} must be a finite number, 0 or more")
        if not any(parts.values()):
            raise ConfigurationError("it states no error; give absolute, fraction or shift above 0, or leave it out")

    def __str__(self) -> str:
        parts = {"absolute": self.absolute, "fraction": self.fraction, **{f"{k} +-": v for k, v in self.shift.items()}}
        return ", ".join(f"{name} {size:g}" for name, size in parts.items() if size > 0)


class WithModelError(ProviderAdapter):
    """A provider whose predictions also have the error of its model.

    Parameters
    ----------
    provider : Provider
    errors : mapping of str to ModelError
        By observable.

    Raises
    ------
    ConfigurationError
        If the provider has no such observable, or the observable no such axis.
    """

    def __init__(self, provider: Provider, errors: Mapping[str, ModelError]) -> None:
        super().__init__(provider)
        for name, error in errors.items():
            if name not in provider.provides:
                raise ConfigurationError(
                    f"model_error: it does not provide {name!r}.{closest(name, provider.provides)} "
                    f"It provides {listing(provider.provides)}"
                )
            axes = {axis.name: axis for axis in provider.provides[name].axes}
            for key in error.shift:
                if key not in axes or len(axes[key].values) < 2:
                    raise ConfigurationError(
                        f"model_error.{name}.shift: {name!r} has no axis {key!r}.{closest(key, axes)} "
                        f"Its axes: {listing(axes)}"
                    )
        self.errors = dict(errors)

    def evaluator(self, rows: Mapping[str, NDArray[np.intp]]) -> Evaluate:
        parts = {
            name: _Parts(error, self.provides[name], rows[name]) for name, error in self.errors.items() if name in rows
        }
        inner = self.provider.evaluator({**rows, **{name: part.rows for name, part in parts.items()}})

        def evaluate(theta: Any, observables: Mapping[str, Prediction], xp: Namespace) -> Mapping[str, Prediction]:
            found = inner(theta, observables, xp)
            return {name: parts[name](p, xp) if name in parts else p for name, p in found.items()}

        return evaluate


def model_errors(provider: Provider) -> Mapping[str, ModelError]:
    """Return the model errors of a provider by observable, also of one inside adapters."""
    while isinstance(provider, ProviderAdapter):
        if isinstance(provider, WithModelError):
            return provider.errors
        provider = provider.provider
    return {}


class _Parts:
    """The model error of one observable, at some rows of its flattened grid.

    Attributes
    ----------
    rows : (m,) int array
        Rows that the provider must compute: with the neighbours that a shift needs.
    """

    def __init__(self, error: ModelError, observable: Observable, rows: NDArray[np.intp]) -> None:
        self.error = error
        slopes = [size * _derivative(observable, axis, rows) for axis, size in error.shift.items() if size > 0]
        needed = [rows, *(np.flatnonzero(np.any(slope != 0, axis=0)) for slope in slopes)]
        self.rows = np.unique(np.concatenate(needed))
        self.kept = np.searchsorted(self.rows, rows)
        self.slopes = [np.ascontiguousarray(slope[:, self.rows].T) for slope in slopes]

    def __call__(self, p: Prediction, xp: Namespace) -> Prediction:
        """Return the predictions at the wanted rows, with one more mode for each part of the error."""
        value = xp.take(p.value, self.kept)
        modes = [xp.matmul(p.value, slope) for slope in self.slopes]
        if self.error.absolute > 0:
            modes.append(self.error.absolute + 0.0 * value)
        if self.error.fraction > 0:
            modes.append(self.error.fraction * value)
        added = xp.stack(modes, axis=1)
        variance = xp.sum(added**2, axis=1)
        if p.error is None:
            return Prediction(value, xp.sqrt(variance), added)
        error = xp.take(p.error, self.kept)
        shared = error[:, None, :] if p.modes is None else self._at_rows(p.modes, xp)
        return Prediction(value, xp.sqrt(error**2 + variance), xp.concatenate([shared, added], axis=1))

    def _at_rows(self, modes: Any, xp: Namespace) -> Any:
        _, r, m = modes.shape
        return xp.reshape(xp.take(xp.reshape(modes, (-1, m)), self.kept), (-1, r, len(self.kept)))


def _derivative(observable: Observable, axis: str, rows: NDArray[np.intp]) -> FloatArray:
    """Return the matrix ``(m, grid)`` of differences between the neighbours along an axis."""
    number = [a.name for a in observable.axes].index(axis)
    x = observable.axes[number].values
    place = list(np.unravel_index(rows, observable.shape))
    low, high = np.maximum(place[number] - 1, 0), np.minimum(place[number] + 1, len(x) - 1)
    matrix = np.zeros((len(rows), observable.size))
    for end, sign in ((low, -1.0), (high, 1.0)):
        place[number] = end
        matrix[np.arange(len(rows)), np.ravel_multi_index(tuple(place), observable.shape)] = sign / (x[high] - x[low])
    return matrix
