"""The abstract simulator: a function from parameters to observables.

Emulators are trained on its results. Everything that changes these results (version, settings, cosmology) is
declared, so that it can be stored with them.
"""

from __future__ import annotations

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
            Columns in the order and the units of :attr:`parameters`.

        Returns
        -------
        mapping of str to (n, ...) array
            On the grids and in the units of :attr:`provides`; NaN where a value is undefined.
        """


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
    def citation(self) -> str:
        return self.simulator.citation

    def evaluator(self, rows: Mapping[str, NDArray[np.intp]]) -> Evaluate:
        def evaluate(theta: Any, _: Mapping[str, Prediction], __: Namespace) -> dict[str, Prediction]:
            n = len(theta)
            chunks = np.array_split(theta, max(-(-n // self.simulator.batch), 1))
            parts = [self.simulator.simulate(chunk) for chunk in chunks]
            found = {name: np.concatenate([part[name] for part in parts], dtype=float) for name in rows}
            flat = {name: values.reshape(n, self.provides[name].size) for name, values in found.items()}
            return {name: Prediction(flat[name][:, wanted]) for name, wanted in rows.items()}

        return evaluate
