"""A simulator that is fast enough to stand in a likelihood itself, without an emulator between."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from astroemu.namespace import Namespace
from astroemu.observable import Observable
from astroemu.provider import Evaluate, Prediction, Provider
from astroemu.simulator import Simulator


class Direct(Provider):
    """A simulator as a provider: its values carry no error.

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
