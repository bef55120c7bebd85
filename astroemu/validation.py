"""An emulator against simulations that it never saw: error quantiles by observable."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from astroemu.emulator import Emulator
from astroemu.errors import DataError, listing
from astroemu.observable import Observable
from astroemu.training_set import TrainingSet

Array = NDArray[np.float64]
LEVELS = {"median": 0.5, "q68": 0.6827, "q95": 0.95, "max": 1.0}


@dataclass(frozen=True, eq=False)
class Simulations:
    """Finished simulations: parameters ``(n, d)`` in the emulator's order, and values by observable."""

    theta: Array
    values: Mapping[str, NDArray[np.floating[Any]]]


def load_simulations(emulator: Emulator, path: str | Path) -> Simulations:
    """Read simulations from a training set, or from an HDF5 file of plain arrays.

    Plain arrays: ``theta (n, d)`` with an attribute ``names``, and one ``(n, ...)`` array an
    observable, on the emulator's grid or on one that contains it (``m_uv``, ``z``, ``k`` give the
    grids, or ``z_SUFFIX`` where an observable has its own).

    Raises
    ------
    DataError
        If names or grids do not fit.
    """
    path = Path(path)
    try:
        with h5py.File(path, "r") as file:
            if "observables" in file:
                data = TrainingSet.load(path)
                for name, observable in emulator.provides.items():
                    if name in data.observables and not observable.same_grid(data.observables[name]):
                        raise DataError(f"{path}: {name!r} has another grid or unit than the emulator's")
                return Simulations(_ordered(emulator, data.theta, data.names), data.values)
            names = [n.decode() if isinstance(n, bytes) else str(n) for n in file["theta"].attrs["names"]]
            theta = _ordered(emulator, file["theta"][()], tuple(names))
            values = {
                name: _on_grid(file, observable) for name, observable in emulator.provides.items() if name in file
            }
    except (OSError, KeyError) as error:
        raise DataError(f"{path} does not hold simulations ({error})") from None
    return Simulations(theta, values)


def _ordered(emulator: Emulator, theta: Array, names: tuple[str, ...]) -> Array:
    if set(names) != set(emulator.parameters):
        raise DataError(f"the simulations have {listing(names)}; the emulator takes {listing(emulator.parameters)}")
    return np.asarray(theta[:, [names.index(name) for name in emulator.parameters]], dtype=float)


def _on_grid(file: Any, observable: Observable) -> Array:
    """Take the emulator's grid points out of a larger grid."""
    values = np.asarray(file[observable.name][()], dtype=float)
    for number, axis in enumerate(observable.axes, start=1):
        grids = [file[key][()] for key in file if key == axis.name or key.startswith(f"{axis.name}_")]
        grid = next((g for g in grids if len(g) == values.shape[number]), None)
        if grid is None:
            raise DataError(f"{observable.name!r}: no array gives the {axis.name!r} of its axis {number}")
        where = np.array([int(np.argmin(np.abs(grid - v))) for v in axis.values])
        if not np.allclose(grid[where], axis.values, rtol=1e-3):
            raise DataError(f"{observable.name!r}: the {axis.name!r} of the simulations lacks the emulator's nodes")
        values = np.take(values, where, axis=number)
    return values


def errors(emulator: Emulator, simulations: Simulations) -> dict[str, dict[str, float]]:
    """Absolute and fractional error quantiles of each observable, over all points and outputs.

    Undefined values (NaN) are left out. Fractional errors are in the linear observable.
    """
    predicted = emulator.predict(simulations.theta)
    found = {}
    for name, truth in simulations.values.items():
        if name not in predicted:
            continue
        residual = np.abs(predicted[name] - truth)
        found[name] = {f"absolute_{k}": float(np.nanquantile(residual, q)) for k, q in LEVELS.items()}
        with np.errstate(divide="ignore", invalid="ignore"):
            fraction = residual / np.abs(truth)
        fraction[~np.isfinite(fraction)] = np.nan
        found[name] |= {f"fractional_{k}": float(np.nanquantile(fraction, q)) for k, q in LEVELS.items()}
    return found


def error_table(found: Mapping[str, Mapping[str, float]]) -> str:
    """Return the quantiles as text."""
    lines = [f"{'observable':<14} {'error':<11}" + "".join(f"{k:>12}" for k in LEVELS)]
    for name, row in found.items():
        lines.extend(
            f"{name:<14} {kind:<11}" + "".join(f"{row[f'{kind}_{k}']:12.3e}" for k in LEVELS)
            for kind in ("absolute", "fractional")
        )
    return "\n".join(lines)
