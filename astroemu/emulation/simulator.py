"""The abstract simulator: a function from parameters to observables.

Emulators are trained on its results. Everything that changes these results (version, settings, cosmology) is
declared, so that it can be stored with them.
"""

from __future__ import annotations

import errno
from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from astroemu.core.array_namespace import Namespace
from astroemu.core.observable import Observable
from astroemu.core.parameter import Parameter
from astroemu.core.provider import Evaluate, Prediction, Provider
from astroemu.core.typing import FloatArray
from astroemu.errors import AstroemuError, ProbeError, Terminated, WorkerError

#: Errors of the machine. They say nothing about the point at which they happen.
_OF_THE_MACHINE = {errno.ENOSPC, errno.EDQUOT, errno.ENOMEM, errno.EMFILE, errno.ENFILE, errno.EROFS}


class Simulator(ABC):
    """A forward model.

    The keyword arguments of the constructor are its options, and must have type annotations.
    """

    #: Its parameters, with the widest priors that it allows.
    parameters: tuple[Parameter, ...]

    #: Version of the simulation code.
    version: str

    #: Preferred number of points per call.
    batch: int = 1

    @property
    @abstractmethod
    def settings(self) -> Mapping[str, Any]:
        """Everything else that changes its results, as JSON values."""

    @property
    @abstractmethod
    def provides(self) -> Mapping[str, Observable]:
        """The observables that it computes, by name."""

    @property
    def licence(self) -> str:
        """Licence under which its results may be distributed."""
        return ""

    @property
    def citation(self) -> str:
        """The paper to cite."""
        return ""

    @abstractmethod
    def simulate(self, theta: FloatArray) -> Mapping[str, FloatArray]:
        """Return the observables at some points.

        Parameters
        ----------
        theta : (n, d) array
            Columns in the order and the units of :attr:`parameters`. It is a copy, into which may be written.

        Returns
        -------
        mapping of str to (n, ...) array
            On the grids and in the units of :attr:`provides`; NaN where a value is undefined. The arrays are copied.
            Integers and booleans become float64, and masked values NaN.
        """


def run_simulator(simulator: Simulator, theta: FloatArray) -> dict[str, FloatArray]:
    """Return the results of a simulator at points ``(n, d)``, checked and copied.

    Raises
    ------
    ProbeError
        If it ends the process, or does not return what it declares.
    WorkerError
        If the memory or a disk is full. This says nothing about the points.
    """
    name = f"the simulator {type(simulator).__module__}.{type(simulator).__name__}"
    try:
        found = simulator.simulate(np.array(theta, dtype=float))
    except (AstroemuError, ProbeError, Terminated):
        raise
    except SystemExit as error:
        raise ProbeError(
            f"{name} called sys.exit({error.code!r}) at {len(theta)} point(s), the first {theta[0].tolist()}; it must "
            "raise an exception instead"
        ) from error
    except OSError as error:
        if error.errno in _OF_THE_MACHINE:
            raise WorkerError(f"{name} cannot go on: {error}. Nothing is wrong with its points") from error
        raise
    except MemoryError as error:
        raise WorkerError(f"{name} has no memory left; use fewer workers or a machine with more memory") from error
    if not isinstance(found, Mapping):
        raise ProbeError(f"{name} returned {type(found).__name__}; a mapping of observables to arrays is needed")
    return {key: _result(found, key, observable, len(theta), name) for key, observable in simulator.provides.items()}


def _result(found: Mapping[str, Any], key: str, observable: Observable, n: int, name: str) -> FloatArray:
    """Return a copy of the values of one observable, as floating-point numbers."""
    if key not in found:
        raise ProbeError(f"{name} did not return {key!r}, which it provides")
    if hasattr(found[key], "unit"):
        raise ProbeError(f"{name}: {key!r} has a unit of its own; return plain numbers in {observable.unit!r}")
    try:
        values = np.ma.asanyarray(found[key])
    except ValueError as error:  # rows of different lengths
        raise ProbeError(f"{name}: {key!r} is no array: {error}") from None
    if values.dtype.kind not in "fiub":
        raise ProbeError(f"{name}: {key!r} has the type {values.dtype}; real numbers are needed")
    if values.shape != (n, *observable.shape):
        raise ProbeError(f"{name}: {key!r} has the shape {values.shape}, not {(n, *observable.shape)}")
    kept = values.dtype if values.dtype in (np.float32, np.float64) else np.dtype(float)
    return np.ma.filled(np.ma.array(values, dtype=kept, copy=True), np.nan)


class SimulatorProvider(Provider):
    """A simulator as a provider of a model. Its predictions have no error.

    Parameters
    ----------
    simulator : Simulator
    """

    host_only = True

    def __init__(self, simulator: Simulator) -> None:
        self.simulator = simulator
        self.parameters = tuple(p.name for p in simulator.parameters)

    @property
    def provides(self) -> Mapping[str, Observable]:
        return self.simulator.provides

    @property
    def bounds(self) -> Mapping[str, tuple[float, float]]:
        return {p.name: p.prior.support for p in self.simulator.parameters}

    @property
    def labels(self) -> Mapping[str, tuple[str, str]]:
        return {p.name: (p.latex, p.unit) for p in self.simulator.parameters}

    @property
    def citation(self) -> str:
        return self.simulator.citation

    def evaluator(self, rows: Mapping[str, NDArray[np.intp]]) -> Evaluate:
        def evaluate(theta: Any, _: Mapping[str, Prediction], __: Namespace) -> dict[str, Prediction]:
            n = len(theta)
            chunks = np.array_split(theta, max(-(-n // self.simulator.batch), 1))
            parts = [run_simulator(self.simulator, chunk) for chunk in chunks]
            found = {name: np.concatenate([part[name] for part in parts], dtype=float) for name in rows}
            flat = {name: values.reshape(n, self.provides[name].size) for name, values in found.items()}
            return {name: Prediction(flat[name][:, wanted]) for name, wanted in rows.items()}

        return evaluate
