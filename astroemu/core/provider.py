"""A provider turns parameters (and other observables) into observables.

Emulators are providers; so are derived quantities and fast simulators. A provider declares what
it takes and what it gives; the model joins providers and probes by those names.
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
    """Values ``(n, m)`` of an observable and, where known, their 1-sigma error ``(n, m)``.

    Arrays belong to the namespace of the engine that made them.
    """

    value: Any
    error: Any = None


#: ``evaluate(theta, observables, xp)`` with ``theta (n, d)`` in the provider's own parameter
#: order, and the predictions of its own requirements by observable name.
Evaluate = Callable[[Any, Mapping[str, Prediction], Namespace], Mapping[str, Prediction]]


class Provider(ABC):
    """Something that provides observables."""

    #: Names of the parameters that it takes, in the order of the columns of its ``theta``.
    parameters: tuple[str, ...]

    #: Observables of other providers that it builds on.
    requires: tuple[Requirement, ...] = ()

    #: True if it must run on the host, in NumPy (it calls a C code, say). A compiled engine then
    #: calls it, and what it builds on, before the compiled function.
    host_only: bool = False

    @property
    @abstractmethod
    def provides(self) -> Mapping[str, Observable]:
        """What it provides, by name."""

    @property
    def bounds(self) -> Mapping[str, tuple[float, float]]:
        """Range of each parameter in which its answers can be trusted; empty if unlimited."""
        return {}

    @property
    def sources(self) -> Mapping[str, str]:
        """SHA-256 of every file that its answers depend on, by name."""
        return {}

    @property
    def citation(self) -> str:
        """What to cite when its answers are used."""
        return ""

    @abstractmethod
    def evaluator(self, rows: Mapping[str, NDArray[np.intp]]) -> Evaluate:
        """Return a function that computes stated rows of stated observables.

        Parameters
        ----------
        rows : mapping of str to (m,) int array
            Flat grid indices wanted of each observable.

        Returns
        -------
        callable
            A pure function, see :data:`Evaluate`.
        """
