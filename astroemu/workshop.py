"""The typed configuration of an emulator: what to simulate, and what to train on it.

One TOML file holds both halves, so that it is the recipe of the emulator file that it makes.
"""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from astroemu.configuration import parameter_from
from astroemu.design import Kind
from astroemu.emulator import Emulator
from astroemu.errors import ConfigurationError, located
from astroemu.options import check
from astroemu.prior import Prior
from astroemu.registry import CONFIGURATIONS, EMULATORS, locate
from astroemu.sampler import Report, silent
from astroemu.simulation import Simulation, simulate
from astroemu.training_set import TrainingSet


class SimulationTable(BaseModel):
    """``[simulation]``."""

    model_config = ConfigDict(extra="forbid")

    simulator: str
    options: dict[str, Any] = {}
    design: Kind = "sobol"
    core: dict[str, dict[str, Any]] = {}
    n: int = Field(ge=1)
    seed: int = Field(default=1, ge=0)


class Recipe(BaseModel):
    """The whole file. The kind of emulator checks ``[training]`` itself."""

    model_config = ConfigDict(extra="forbid")

    title: str = ""
    emulator: str = "neural"
    seed: int = Field(default=1, ge=0)
    parameters: dict[str, dict[str, Any]]
    simulation: SimulationTable
    training: dict[str, Any]


class Workshop:
    """A recipe, read and checked.

    Parameters
    ----------
    name_or_path : str or Path

    Raises
    ------
    AstroemuError
        If the file is missing or not valid.
    """

    def __init__(self, name_or_path: str | Path) -> None:
        self.path = locate(CONFIGURATIONS, name_or_path)
        try:
            raw = tomllib.loads(self.path.read_text(encoding="utf-8"))
        except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
            raise ConfigurationError(f"{self.path} is not valid TOML: {error}") from None
        self.recipe: Recipe = check(Recipe, raw, str(self.path))

    def simulation(self) -> Simulation:
        """Return what to simulate."""
        table = self.recipe.simulation
        prior = self._prior("parameters", self.recipe.parameters)
        core = self._prior("simulation.core", table.core) if table.core else None
        return Simulation(table.simulator, table.options, prior, table.design, table.n, table.seed, core)

    def _prior(self, table: str, specs: dict[str, dict[str, Any]]) -> Prior:
        where = f"{self.path}, [{table}."
        return Prior(tuple(parameter_from(name, spec, f"{where}{name}]") for name, spec in specs.items()))

    def simulate(self, path: str | Path, *, workers: int = 1, report: Report = silent) -> Path:
        """Simulate the design into a training set; see :func:`astroemu.simulation.simulate`."""
        task = self.simulation()
        with located(str(self.path)):
            return simulate(task, path, workers=workers, report=report)

    def train(self, data: TrainingSet, log: Any = print, reuse: Emulator | None = None) -> Emulator:
        """Train the emulator on a training set; see :meth:`Emulator.train`."""
        with located(str(self.path)):
            emulator = EMULATORS.load(self.recipe.emulator).train(
                data, self.recipe.training, seed=self.recipe.seed, log=log, reuse=reuse
            )
        assert isinstance(emulator, Emulator)
        return emulator
