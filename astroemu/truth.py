"""A model whose predictions come from the truth: a simulator, or finished simulations, instead of an emulator.

What the truth does not give stays with the emulator. Mock data that are drawn from such a model and fitted
with the emulator show what the emulator's error does to a fit.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from astroemu.direct import Direct
from astroemu.emulator import Emulator
from astroemu.errors import AstroemuError, ConfigurationError, listing
from astroemu.model import Model
from astroemu.namespace import Namespace
from astroemu.observable import Observable
from astroemu.options import build
from astroemu.provider import Evaluate, Prediction, Provider
from astroemu.registry import SIMULATORS
from astroemu.selection import Selection
from astroemu.simulations import Recorded, load_simulations
from astroemu.simulator import Simulator

Array = NDArray[np.float64]
#: Name of the provider that is the truth.
_NAME = "truth"


class Pinned(Provider):
    """A provider with some of its parameters at constant values.

    Parameters
    ----------
    provider : Provider
    values : mapping of str to float
        By name; names that it does not take are refused.

    Raises
    ------
    ConfigurationError
        For such a name.
    """

    def __init__(self, provider: Provider, values: Mapping[str, float]) -> None:
        for name in values:
            if name not in provider.parameters:
                raise ConfigurationError(
                    f"{name!r} cannot be fixed: the simulator takes {listing(provider.parameters)}"
                )
        self.provider, self.values = provider, dict(values)
        self.parameters = tuple(name for name in provider.parameters if name not in values)
        self.host_only = provider.host_only

    @property
    def provides(self) -> Mapping[str, Observable]:
        return self.provider.provides

    @property
    def bounds(self) -> Mapping[str, tuple[float, float]]:
        return {name: box for name, box in self.provider.bounds.items() if name not in self.values}

    @property
    def citation(self) -> str:
        return self.provider.citation

    def evaluator(self, rows: Mapping[str, NDArray[np.intp]]) -> Evaluate:
        inner = self.provider.evaluator(rows)

        def evaluate(theta: Any, observables: Mapping[str, Prediction], xp: Namespace) -> Mapping[str, Prediction]:
            columns = [
                np.full(len(theta), self.values[name]) if name in self.values else theta[:, self.parameters.index(name)]
                for name in self.provider.parameters
            ]
            return inner(np.stack(columns, axis=1), observables, xp)

        return evaluate


@dataclass(frozen=True)
class Truth:
    """What predicts the truth, in plain values, so that it can be noted and sent to other processes.

    Attributes
    ----------
    simulator : str, optional
        Name of an installed one. Without it, and without simulations, the truth is the emulator.
    options : mapping
        Of the simulator.
    fixed : mapping of str to float
        Parameters of the simulator that the model does not have.
    simulations : str, optional
        File of finished simulations.
    """

    simulator: str | None = None
    options: Mapping[str, Any] = field(default_factory=dict)
    fixed: Mapping[str, float] = field(default_factory=dict)
    simulations: str | None = None

    def of(self, model: Model) -> tuple[Model, Array | None]:
        """Return the model that predicts the truth, and the points of the simulations where it is they."""
        if self.simulations is not None:
            return with_simulations(model, self.simulations)
        if self.simulator is not None:
            return with_truth(model, simulating(model, self)[1]), None
        return model, None


def with_truth(model: Model, truth: Provider) -> Model:
    """Return the model in which ``truth`` provides all that it can, without an error.

    Raises
    ------
    ConfigurationError
        If it provides nothing that the model has.
    """
    shared = set(truth.provides) & set(model.observables)
    if not shared:
        raise ConfigurationError(
            f"the simulator provides {listing(truth.provides)}; {model.name!r} uses {listing(model.observables)}"
        )
    kept = {
        key: Selection(provider, [name for name in provider.provides if name not in shared])
        if shared & set(provider.provides)
        else provider
        for key, provider in model.providers.items()
    }
    return Model(
        model.prior,
        {**kept, _NAME: Selection(truth, [name for name in truth.provides if name in shared])},
        model.probes,
        emulator_error=model.emulator_error,
        name=model.name,
        engine="numpy",
    )


def simulating(model: Model, truth: Truth) -> tuple[Simulator, Pinned]:
    """Return the simulator of a truth, and it as a provider of a model's parameters.

    Raises
    ------
    ConfigurationError
        If it takes a parameter that neither the model has nor the truth fixes.
    PluginError
        If there is no such simulator.
    """
    assert truth.simulator is not None
    where = f"options of the simulator {truth.simulator!r}"
    simulator = build(SIMULATORS.load(truth.simulator), truth.options, where)
    assert isinstance(simulator, Simulator)
    provider = Pinned(Direct(simulator), truth.fixed)
    known = {*model.names, *model.prior.fixed, *model.observables}
    missing = [parameter for parameter in provider.parameters if parameter not in known]
    if missing:
        raise ConfigurationError(
            f"the simulator {truth.simulator!r} takes {listing(missing)}, which {model.name!r} does not have: give "
            + " ".join(f"--fix {parameter}=VALUE" for parameter in missing)
        )
    return simulator, provider


def with_simulations(model: Model, path: str | Path) -> tuple[Model, Array]:
    """Return the model with finished simulations in the place of the emulator, and their points.

    Parameters
    ----------
    model : Model
    path : str or Path
        As for :func:`astroemu.simulations.load_simulations`.

    Returns
    -------
    Model
        It can be evaluated at these points only.
    (n, d) array
        In the order of ``model.names``; parameters that the simulations do not have (a probe's) are NaN.

    Raises
    ------
    DataError
        If the file does not fit any emulator of the model.
    ConfigurationError
        If the model has no emulator.
    """
    said: list[str] = []
    for provider in model.providers.values():
        emulator = provider.provider if isinstance(provider, Selection) else provider
        if not isinstance(emulator, Emulator):
            continue
        try:
            simulations = load_simulations(emulator, path)
        except AstroemuError as error:
            said.append(str(error))
            continue
        theta = np.full((len(simulations.theta), len(model.names)), np.nan)
        for column, name in enumerate(emulator.parameters):
            if name in model.names:
                theta[:, model.names.index(name)] = simulations.theta[:, column]
        return with_truth(model, Recorded(emulator, simulations)), theta
    raise ConfigurationError(said[0] if said else f"{model.name!r} has no emulator that simulations could replace")
