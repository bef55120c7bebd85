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

from astroemu.core.adapters import FixedParameters, unwrapped
from astroemu.core.provider import Provider
from astroemu.core.typing import FloatArray
from astroemu.emulation.emulator import Emulator
from astroemu.emulation.reference import TabulatedProvider, load_simulations
from astroemu.emulation.simulator import Simulator, SimulatorProvider
from astroemu.errors import AstroemuError, ConfigurationError, listing
from astroemu.model.model import Model
from astroemu.model.replacement import replace_provider
from astroemu.runtime.options import build
from astroemu.runtime.plugins import SIMULATORS


@dataclass(frozen=True)
class TruthModel:
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

    def of(self, model: Model) -> tuple[Model, FloatArray | None]:
        """Return the model that predicts the truth, and the points of the simulations where it is they."""
        if self.simulations is not None:
            return with_simulations(model, self.simulations)
        if self.simulator is not None:
            return with_truth(model, simulating(model, self)[1]), None
        return model, None


def with_truth(model: Model, truth: Provider) -> Model:
    """Return the model in which ``truth`` provides all that it can; the emulators keep the rest.

    Raises
    ------
    ConfigurationError
        If it provides nothing that the model has.
    """
    return replace_provider(model, truth, keep_others=True, engine="numpy")


def simulating(model: Model, truth: TruthModel) -> tuple[Simulator, FixedParameters]:
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
    provider = FixedParameters(SimulatorProvider(simulator), truth.fixed)
    known = {*model.names, *model.prior.fixed, *model.observables}
    missing = [parameter for parameter in provider.parameters if parameter not in known]
    if missing:
        raise ConfigurationError(
            f"the simulator {truth.simulator!r} takes {listing(missing)}, which {model.name!r} does not have: give "
            + " ".join(f"--fix {parameter}=VALUE" for parameter in missing)
        )
    return simulator, provider


def with_simulations(model: Model, path: str | Path) -> tuple[Model, FloatArray]:
    """Return the model with finished simulations in the place of the emulator, and their points.

    Parameters
    ----------
    model : Model
    path : str or Path
        As for :func:`astroemu.emulation.reference.load_simulations`.

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
        emulator = unwrapped(provider)
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
        return with_truth(model, TabulatedProvider(emulator, simulations)), theta
    raise ConfigurationError(said[0] if said else f"{model.name!r} has no emulator that simulations could replace")
