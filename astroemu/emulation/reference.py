"""Finished simulations, with which an emulator is compared.

They come from a training set, or from plain HDF5 arrays of another program. :class:`TabulatedProvider` replaces the
emulator by them, so that a model can be evaluated with the true values.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from astroemu.core.array_namespace import Namespace
from astroemu.core.observable import Observable
from astroemu.core.provider import Evaluate, Prediction, Provider
from astroemu.core.typing import FloatArray
from astroemu.emulation.emulator import Emulator
from astroemu.emulation.foreign_arrays import ForeignArrays, read_arrays
from astroemu.emulation.training_set import TrainingSet
from astroemu.errors import DataError, listing
from astroemu.io.untrusted import open_hdf5


@dataclass(frozen=True, eq=False)
class ReferenceSimulations:
    """Finished simulations.

    Attributes
    ----------
    theta : (n, d) array
        Parameters, in the order and the units of the emulator.
    values : mapping of str to (n, ...) array
        By observable, on the grid of the emulator.
    """

    theta: FloatArray
    values: Mapping[str, NDArray[np.floating[Any]]]


def load_simulations(emulator: Emulator, path: str | Path) -> ReferenceSimulations:
    """Return simulations from a training set, or from an HDF5 file of plain arrays.

    A file of plain arrays holds ``theta (n, d)`` with an attribute ``names``, and one ``(n, ...)`` array per
    observable. An observable may be on the emulator's grid, or on one that contains it. Arrays with the names of the
    axes (``m_uv``, ``z``, ``k``) give the grids; ``z_SUFFIX`` gives a grid that only some observables have.

    Parameters
    ----------
    emulator : Emulator
        Its parameters and observables are read.
    path : str or Path

    Raises
    ------
    ConfigurationError
        If the file states another unit for an array.
    DataError
        If names, shapes or grids do not fit.
    """
    path = Path(path)
    with open_hdf5(path, "a file of simulations") as file:
        if "observables" in file:
            data = emulator.view(TrainingSet.load(path))
            for name, observable in emulator.provides.items():
                if name in data.observables and not observable.same_grid(data.observables[name]):
                    raise DataError(f"{path}: {name!r} has another grid or unit than the emulator's")
            return ReferenceSimulations(_ordered(emulator, data.theta, data.names), data.values)
        stated = file["theta"].attrs["names"]
        names = [n.decode() if isinstance(n, bytes) else str(n) for n in np.atleast_1d(stated)]
    arrays = read_arrays(path)
    theta = _ordered(emulator, arrays.get("theta"), tuple(names))
    if not len(theta) or not np.all(np.isfinite(theta)):
        raise DataError(f"{path}: theta {'holds numbers that are not finite' if len(theta) else 'has no rows'}")
    found = {o.name: _on_grid(arrays, o, len(theta)) for o in emulator.provides.values() if o.name in arrays.arrays}
    return ReferenceSimulations(theta, found)


def _ordered(emulator: Emulator, theta: FloatArray, names: tuple[str, ...]) -> FloatArray:
    if set(names) != set(emulator.parameters) or theta.ndim != 2 or theta.shape[1] != len(names):
        raise DataError(
            f"the simulations have {listing(names)} in an array of the shape {theta.shape}; the emulator takes "
            f"{listing(emulator.parameters)}"
        )
    return np.asarray(theta[:, [names.index(name) for name in emulator.parameters]], dtype=float)


def _on_grid(arrays: ForeignArrays, observable: Observable, n: int) -> FloatArray:
    """Return the values of an observable at the emulator's grid points, which may be part of a larger grid."""
    values = arrays.get(observable.name, observable.unit)
    if values.ndim != len(observable.axes) + 1 or len(values) != n:
        raise DataError(
            f"{arrays.path}: {observable.name!r} has the shape {values.shape}; {n} points with "
            f"{len(observable.axes)} axes are needed"
        )
    for number, axis in enumerate(observable.axes, start=1):
        keys = [key for key in arrays.arrays if key == axis.name or key.startswith(f"{axis.name}_")]
        grids = [grid for key in keys if (grid := arrays.get(key, axis.unit)).ndim == 1]
        fitting = [grid for grid in grids if len(grid) == values.shape[number]]
        if not fitting:
            raise DataError(f"{observable.name!r}: no array gives the {axis.name!r} of its axis {number}")
        grid = fitting[0]
        where = np.array([int(np.argmin(np.abs(grid - v))) for v in axis.values])
        if not np.allclose(grid[where], axis.values, rtol=1e-3):
            raise DataError(f"{observable.name!r}: the {axis.name!r} of the simulations lacks the emulator's nodes")
        values = np.take(values, where, axis=number)
    return values


class TabulatedProvider(Provider):
    """A provider that returns simulated values instead of an emulator's predictions.

    It can be evaluated at the simulated points only; any other point raises a ``DataError``.

    Parameters
    ----------
    emulator : Provider
        The provider to replace, with the same parameters and observables.
    simulations : ReferenceSimulations
    """

    host_only = True

    def __init__(self, emulator: Provider, simulations: ReferenceSimulations) -> None:
        self.parameters = emulator.parameters
        self._provides = {name: emulator.provides[name] for name in simulations.values if name in emulator.provides}
        self._values = {
            name: np.asarray(simulations.values[name], dtype=float).reshape(len(simulations.theta), -1)
            for name in self._provides
        }
        self._row = {point.tobytes(): row for row, point in enumerate(np.ascontiguousarray(simulations.theta))}

    @property
    def provides(self) -> Mapping[str, Observable]:
        return self._provides

    def evaluator(self, rows: Mapping[str, NDArray[np.intp]]) -> Evaluate:
        def evaluate(theta: Any, _: Mapping[str, Prediction], __: Namespace) -> dict[str, Prediction]:
            points = np.ascontiguousarray(theta, dtype=float)
            missing = [point for point in points if point.tobytes() not in self._row]
            if missing:
                raise DataError(
                    f"there is no simulation at {dict(zip(self.parameters, missing[0].tolist(), strict=True))}"
                )
            found = np.array([self._row[point.tobytes()] for point in points], dtype=int)
            return {name: Prediction(self._values[name][np.ix_(found, wanted)]) for name, wanted in rows.items()}

        return evaluate
