"""Models whose predictions come from a simulator or from finished simulations instead of an emulator.

The emulator still provides the observables that the truth does not have. Mock data from such a model, fitted with the
emulator, show the effect of the emulator's error on a fit.
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
    """The source of the truth in plain values, which can be stored as JSON and sent to other processes.

    Attributes
    ----------
    simulator : str, optional
        Name of an installed simulator. Without it, and without simulations, the truth is the emulator.
    options : mapping
        Options of the simulator.
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
        """Return the model that predicts the truth, and the points of the simulations, if there are any.

        Returns
        -------
        Model
        (n, d) array or None
            Points at which finished simulations were made, see :func:`with_simulations`.
        """
        if self.simulations is not None:
            return with_simulations(model, self.simulations)
        if self.simulator is not None:
            return with_truth(model, simulating(model, self)[1]), None
        return model, None


def with_truth(model: Model, truth: Provider) -> Model:
    """Return the model in which ``truth`` provides its observables; the emulators keep the others.

    Raises
    ------
    ConfigurationError
        If it provides no observable of the model.
    """
    return replace_provider(model, truth, keep_others=True, engine="numpy")


def simulating(model: Model, truth: TruthModel) -> tuple[Simulator, FixedParameters]:
    """Return the simulator of a truth, and the same simulator as a provider for a model.

    Raises
    ------
    ConfigurationError
        If the simulator needs a parameter that the model does not have and the truth does not fix.
    PluginError
        If the simulator is not installed.
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
            f"the simulator {truth.simulator!r} needs {listing(missing)}, which {model.name!r} does not have: add "
            + " ".join(f"--fix {parameter}=VALUE" for parameter in missing)
        )
    return simulator, provider


def with_simulations(model: Model, path: str | Path) -> tuple[Model, FloatArray]:
    """Return the model with finished simulations instead of the emulator, and their points.

    Parameters
    ----------
    model : Model
    path : str or Path
        As for :func:`astroemu.emulation.reference.load_simulations`.

    Returns
    -------
    Model
        It can only be evaluated at these points.
    (n, d) array
        In the order of ``model.names``; parameters that the simulations do not have, such as those of a probe, are NaN.

    Raises
    ------
    DataError
        If the file does not fit any emulator of the model.
    ConfigurationError
        If the model has no emulator.
    """
    refusals: list[str] = []
    for provider in model.providers.values():
        emulator = unwrapped(provider)
        if not isinstance(emulator, Emulator):
            continue
        try:
            simulations = load_simulations(emulator, path)
        except AstroemuError as error:
            refusals.append(str(error))
            continue
        theta = np.full((len(simulations.theta), len(model.names)), np.nan)
        for column, name in enumerate(emulator.parameters):
            if name in model.names:
                theta[:, model.names.index(name)] = simulations.theta[:, column]
        return with_truth(model, TabulatedProvider(emulator, simulations)), theta
    raise ConfigurationError(
        refusals[0] if refusals else f"{model.name!r} has no emulator that simulations could replace"
    )
