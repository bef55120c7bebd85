"""A sampled parameter that a probe measures directly, tau_e without a model behind it, say."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from astroemu.namespace import Namespace
from astroemu.observable import Observable
from astroemu.parameter import Parameter
from astroemu.provider import Evaluate, Prediction, Provider


class Sampled(Provider):
    """Provides a parameter under its own name, as a single number."""

    def __init__(self, parameter: Parameter) -> None:
        self.parameters = (parameter.name,)
        self._provides = {parameter.name: Observable(parameter.name, (), parameter.unit, "Sampled", parameter.latex)}

    @property
    def provides(self) -> Mapping[str, Observable]:
        return self._provides

    def evaluator(self, rows: Mapping[str, NDArray[np.intp]]) -> Evaluate:
        names = tuple(rows)

        def evaluate(theta: Any, observables: Mapping[str, Prediction], xp: Namespace) -> dict[str, Prediction]:  # noqa: ARG001
            return {name: Prediction(theta) for name in names}

        return evaluate
