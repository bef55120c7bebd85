"""The recipe of an emulator: a typed TOML file that describes its simulations and its training.

One file holds both parts, so it documents completely how the emulator file is made.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from astroemu.core.parameter import parameter_from
from astroemu.core.prior import Prior
from astroemu.core.progress import ProgressCallback, silent
from astroemu.core.typing import FloatArray
from astroemu.emulation.cleaning import CleaningRules, clean
from astroemu.emulation.coverage import thin_points
from astroemu.emulation.design import DesignKind
from astroemu.emulation.emulator import Emulator
from astroemu.emulation.importing import ImportTable, import_arrays
from astroemu.emulation.shards import Shard
from astroemu.emulation.simulation import SimulationTask, simulate
from astroemu.emulation.training_set import TrainingSet
from astroemu.errors import ConfigurationError, DataError, located
from astroemu.io.claim import CODE, claim_folder
from astroemu.io.toml import read_toml
from astroemu.runtime.options import validate_options
from astroemu.runtime.plugin_identity import identity_of
from astroemu.runtime.plugins import CONFIGURATIONS, EMULATORS, locate
from astroemu.sampling.samples import Samples

_T = TypeVar("_T")
#: Name of the file in the folder of an unfinished training that says what it is of.
TRAINING_NOTE = "training_of.json"


class SimulationTable(BaseModel):
    """The table ``[simulation]``: see :class:`astroemu.emulation.simulation.SimulationTask`."""

    model_config = ConfigDict(extra="forbid")

    simulator: str
    options: dict[str, Any] = {}
    design: DesignKind = "sobol"
    core: dict[str, dict[str, Any]] = {}
    core_share: float = Field(default=0.5, gt=0, le=1)
    n: int = Field(ge=1)
    seed: int = Field(default=1, ge=0)


class RecipeDocument(BaseModel):
    """The complete file. The kind of emulator itself checks ``[training]``."""

    model_config = ConfigDict(extra="forbid")

    title: str = ""
    emulator: str = "neural"
    seed: int = Field(default=1, ge=0)
    parameters: dict[str, dict[str, Any]]
    simulation: SimulationTable | None = None
    imported: ImportTable | None = Field(default=None, alias="import")
    cleaning: CleaningRules = CleaningRules()
    training: dict[str, Any] | None = None
    gate: dict[str, dict[str, float]] | None = None


class Recipe:
    """A recipe that was read and checked.

    Parameters
    ----------
    name_or_path : str or Path
        Name of an installed recipe, or path of its file.

    Attributes
    ----------
    path : Path
    recipe : RecipeDocument

    Raises
    ------
    AstroemuError
        If the file is missing or not valid.
    """

    def __init__(self, name_or_path: str | Path) -> None:
        self.path = locate(CONFIGURATIONS, name_or_path)
        self.document: RecipeDocument = validate_options(RecipeDocument, read_toml(self.path), str(self.path))

    def prior(self) -> Prior:
        """Return the parameter box of ``[parameters]``."""
        return self._prior("parameters", self.document.parameters)

    def _prior(self, table: str, specs: dict[str, dict[str, Any]]) -> Prior:
        where = f"{self.path}, [{table}."
        return Prior(tuple(parameter_from(name, spec, f"{where}{name}]") for name, spec in specs.items()))

    def _table(self, name: str, table: _T | None) -> _T:
        if table is None:
            raise ConfigurationError(f"{self.path} has no table [{name}], which this command needs")
        return table

    def simulation(self) -> SimulationTask:
        """Return the simulator, its options and the design of ``[simulation]``."""
        table = self._table("simulation", self.document.simulation)
        core = self._prior("simulation.core", table.core) if table.core else None
        return SimulationTask(
            table.simulator, table.options, self.prior(), table.design, table.n, table.seed, core, table.core_share
        )

    def simulate(
        self,
        path: str | Path,
        *,
        points: FloatArray | None = None,
        workers: int = 1,
        part: Shard | None = None,
        report: ProgressCallback = silent,
        accept_changed_code: bool = False,
    ) -> Path:
        """Run the simulations and write their training set; see :func:`astroemu.emulation.simulation.simulate`."""
        task = self.simulation()
        with located(str(self.path)):
            return simulate(
                task,
                path,
                points=points,
                workers=workers,
                part=part,
                report=report,
                accept_changed_code=accept_changed_code,
            )

    def points_of(self, samples: Samples) -> FloatArray:
        """Return the recipe's number of points of a posterior, drawn with its seed.

        Parameters
        ----------
        samples : Samples
            They have all parameters of ``[parameters]``.

        Returns
        -------
        (n, d) array
            Equally weighted, with columns in the order of the free parameters.

        Raises
        ------
        ConfigurationError
            If a parameter is missing, or a point lies outside the box.
        """
        task = self.simulation()
        free = task.prior.free
        missing = [p.name for p in free if p.name not in samples.names]
        if missing:
            raise ConfigurationError(f"the samples have no {missing[0]!r}, which {self.path} varies")
        drawn = samples.equal_weight(task.n, np.random.default_rng(task.seed))
        points = drawn[:, [samples.names.index(p.name) for p in free]]
        for p, values in zip(free, points.T, strict=True):
            low, high = p.prior.support
            outside = values[(values < low) | (values > high)]
            if len(outside):
                raise ConfigurationError(
                    f"{self.path}, [parameters.{p.name}] covers {low:g} to {high:g}, but {len(outside)} of the "
                    f"{task.n} drawn samples lie outside, the first at {outside[0]:g}; widen the box"
                )
        return points

    def gate(self) -> Gate:
        """Return the largest accepted errors of the emulator, from ``[gate]``."""
        return self._table("gate", self.document.gate)

    def imported(self, arrays: str | Path) -> TrainingSet:
        """Return plain arrays as a training set, by ``[import]``.

        See :func:`astroemu.emulation.importing.import_arrays`.
        """
        box = {
            p.name: {"low": p.prior.support[0], "high": p.prior.support[1], "unit": p.unit, "latex": p.latex}
            for p in self.prior().free
        }
        with located(str(self.path)):
            return import_arrays(arrays, self._table("import", self.document.imported), box)

    def clean(self, data: Path, out: Path) -> dict[str, int]:
        """Write a training set cleaned by ``[cleaning]``; see :func:`astroemu.emulation.cleaning.clean`."""
        with located(str(self.path)):
            return clean(data, out, self.document.cleaning)

    def train(
        self,
        data: TrainingSet,
        log: Any = print,
        reuse: Emulator | None = None,
        folder: Path | None = None,
        logs: Path | None = None,
        accept_changed_code: bool = False,
    ) -> Emulator:
        """Return the emulator, trained by ``[training]``; see :meth:`astroemu.emulation.emulator.Emulator.train`.

        The caller holds the lock of ``folder``, which is bound to the data, the settings, the seed and the code.

        Raises
        ------
        DataError
            If the folder holds the unfinished training of something else.
        """
        with located(str(self.path)):
            kind: type[Emulator] = EMULATORS.load(self.document.emulator)
        settings = self._table("training", self.document.training)
        data.demand_trainable()
        with located(str(self.path)):
            if folder is not None:
                content = {
                    "emulator": self.document.emulator,
                    "seed": self.document.seed,
                    "training": kind.resolved(settings),
                    "data": data.digest,
                    "reuse": None if reuse is None else reuse.file_hash,
                    CODE: asdict(identity_of([kind])),
                }
                other = "other data, settings, seed or code"
                note = folder / TRAINING_NOTE
                claim_folder(note, content, "a training", other, accept_changed_code=accept_changed_code)
            emulator = kind.train(
                data,
                settings,
                seed=self.document.seed,
                log=log,
                reuse=reuse,
                folder=folder,
                logs=logs,
            )
        assert isinstance(emulator, Emulator)
        if set(emulator.parameters) <= set(data.names) and set(emulator.parameters) <= set(emulator.bounds):
            theta = data.theta[:, [data.names.index(name) for name in emulator.parameters]]
            emulator.training_points = thin_points(emulator.unit(theta), emulator.kept_points)
        return emulator

    def errors_of(self, emulator: Emulator, data: TrainingSet, log: Any = print) -> Emulator:
        """Return an emulator with errors fitted on other points, by the settings of ``[training]``.

        Raises
        ------
        DataError
            If it is of another kind than that of the recipe, or was trained on the data, or names or grids differ.
        """
        if emulator.kind != self.document.emulator:
            raise DataError(
                f"{self.path} is of the kind {self.document.emulator!r}, but the emulator of the kind {emulator.kind!r}"
            )
        with located(str(self.path)):
            settings = self._table("training", self.document.training)
            return emulator.with_errors(data, settings, seed=self.document.seed, log=log)


#: Limits by observable or probe, and by figure (``fractional_q95``, ``delta_log_likelihood_q95``).
Gate = Mapping[str, Mapping[str, float]]
