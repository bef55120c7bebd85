"""The abstract simulator: parameters in, observables out, at any cost.

A simulator is what an emulator learns from. Everything that moves its answers (version,
settings, cosmology) is declared, so that it can be stored with what it made.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from astroemu.observable import Observable
from astroemu.parameter import Parameter

Array = NDArray[np.float64]


class Simulator(ABC):
    """A forward model.

    The keyword arguments of the constructor are its options; annotate them.
    """

    #: Its parameters, with the widest priors on which it may be run.
    parameters: tuple[Parameter, ...]

    #: Version of the code that computes.
    version: str

    #: Preferred number of points a call.
    batch: int = 1

    @property
    @abstractmethod
    def settings(self) -> Mapping[str, Any]:
        """Everything else that moves its answers, as JSON."""

    @property
    @abstractmethod
    def provides(self) -> Mapping[str, Observable]:
        """What it computes, by name."""

    @property
    def licence(self) -> str:
        """Terms under which its results may be passed on."""
        return ""

    @property
    def citation(self) -> str:
        """What to cite."""
        return ""

    @abstractmethod
    def simulate(self, theta: Array) -> Mapping[str, Array]:
        """Run at points ``(n, d)`` (columns as :attr:`parameters`).

        Returns
        -------
        mapping of str to (n, ...) array
            On the grids of :attr:`provides`. NaN where a value is undefined.
        """
