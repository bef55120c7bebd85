"""The abstract provider, which computes observables from parameters and from other observables.

Emulators, derived quantities and fast simulators are providers. A provider declares the names of its inputs and
outputs. The model connects providers and probes by these names.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from astroemu.core.array_namespace import Namespace
from astroemu.core.observable import Observable
from astroemu.core.requirement import Requirement


@dataclass(frozen=True)
class Prediction:
    """Values of an observable at n points, and their error.

    Attributes
    ----------
    value : (n, m) array
        In the unit of the observable. The array belongs to the namespace of the engine that computed it.
    error : (n, m) array, optional
        Total 1-sigma error in the same unit. None if it is unknown.
    modes : (n, r, m) array, optional
        The part of the error that the values share: r independent amplitudes of unit variance move all values together.
        The covariance of the errors is ``sum_r u_r u_r^T``, and a diagonal rest that adds up to ``error^2``. None if
        the correlation is unknown.
    """

    value: Any
    error: Any = None
    modes: Any = None

    def shared_modes(self) -> Any:
        """Return the modes ``(n, r, m)`` of the error. If the correlation is unknown, all values share the error."""
        return self.error[:, None, :] if self.modes is None else self.modes

    def independent_variance(self, xp: Namespace) -> Any:
        """Return the variance ``(n, m)`` of the error that the modes do not contain; None if there is none."""
        if self.modes is None:
            return None
        shared = self.modes[:, 0] ** 2 if self.modes.shape[1] == 1 else xp.sum(self.modes**2, axis=1)
        return xp.maximum(self.error**2 - shared, 0.0)

    def times(self, factor: Any) -> Prediction:
        """Return the prediction, with all values and errors multiplied by one factor ``(n,)`` per point, at least 0."""
        modes = None if self.modes is None else factor[:, None, None] * self.modes
        error = None if self.error is None else factor[:, None] * self.error
        return Prediction(factor[:, None] * self.value, error, modes)


#: ``evaluate(theta, observables, xp)``. The columns of ``theta (n, d)`` are in the order of the provider's parameters.
#: ``observables`` are the predictions for its requirements, by observable name.
Evaluate = Callable[[Any, Mapping[str, Prediction], Namespace], Mapping[str, Prediction]]


class Provider(ABC):
    """Computes observables from parameters and, if required, from other observables."""

    #: Names of its parameters, in the order of the columns of its ``theta``.
    parameters: tuple[str, ...]

    #: Observables of other providers that it uses.
    requires: tuple[Requirement, ...] = ()

    #: True if it must run on the host with NumPy, for example because it calls a C code. A compiled engine then
    #: calls it, and the providers that it uses, before the compiled function.
    host_only: bool = False

    @property
    @abstractmethod
    def provides(self) -> Mapping[str, Observable]:
        """Provided observables, by name."""

    @property
    def bounds(self) -> Mapping[str, tuple[float, float]]:
        """Valid range of each parameter, by name. Empty if there is no limit."""
        return {}

    @property
    def labels(self) -> Mapping[str, tuple[str, str]]:
        """LaTeX symbol and unit of its parameters, by name: those that a configuration leaves out. Empty if unknown."""
        return {}

    @property
    def sources(self) -> Mapping[str, str]:
        """SHA-256 of every file that its predictions depend on, by name."""
        return {}

    @property
    def citation(self) -> str:
        """Reference to cite when its predictions are used."""
        return ""

    @abstractmethod
    def evaluator(self, rows: Mapping[str, NDArray[np.intp]]) -> Evaluate:
        """Return a function that computes selected grid points of selected observables.

        Parameters
        ----------
        rows : mapping of str to (m,) int array
            Indices into the flattened grid of each observable.

        Returns
        -------
        callable
            A pure function, see :data:`Evaluate`. Its predictions have the shape ``(n, m)``.
        """
