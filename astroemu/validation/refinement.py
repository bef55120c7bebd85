"""Refinement of an emulator: more simulations near the posterior, and their effect on it.

1. Sample the posterior with the present emulator.
2. Run the true simulator at some of these samples. The ratio of the true likelihood to that of the emulator is the
   importance weight of each sample. The effective sample size of the weights measures the emulator.
3. Sample a tempered posterior: its likelihood has the power 1/T, so that it is wider and covers the edges too. Run the
   simulator there, add the points to the training set, and train again.
4. Repeat steps 1 and 2 with the new emulator.

Every step writes a file into one folder. A step whose file exists is not repeated, so an interrupted refinement is
resumed. The scheme is that of CONNECT (Nygaard et al. 2023, arXiv:2205.15726), with a check against the true simulator.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from astroemu.core.typing import FloatArray
from astroemu.emulation.emulator import Emulator
from astroemu.emulation.loading import load_emulator
from astroemu.emulation.recipe import Recipe
from astroemu.emulation.reference import TabulatedProvider, load_simulations
from astroemu.emulation.simulation import SimulationTask, simulate
from astroemu.emulation.training_set import TrainingSet
from astroemu.errors import ConfigurationError
from astroemu.inference.configuration import Configuration
from astroemu.io.claim import claim_folder
from astroemu.io.files import write_json
from astroemu.io.lock import locked
from astroemu.model.model import Model
from astroemu.model.replacement import replace_provider
from astroemu.runtime.mpi import abort_on_uncaught, processes
from astroemu.runtime.plugins import EMULATORS
from astroemu.runtime.provenance import provenance
from astroemu.sampling.samples import Samples
from astroemu.sampling.statistics import kish_ess
from astroemu.sampling.target import Target, TargetWrapper, evaluate
from astroemu.validation.work_inputs import code_of, inputs_of_fit, inputs_of_simulation, together

Log = Callable[[str], Any]


class Tempered(TargetWrapper):
    """A target whose likelihood is raised to the power ``1 / temperature``."""

    def __init__(self, target: Target, temperature: float) -> None:
        super().__init__(target)
        self.temperature = temperature

    def evaluate(self, theta: FloatArray, *, gradient: bool) -> FloatArray:
        return evaluate(self.target, theta, gradient=gradient) / self.temperature


@dataclass(frozen=True)
class Refinement:
    """The refinement of one emulator for one fit.

    Attributes
    ----------
    recipe : Recipe
        The recipe of the emulator: its simulator and its training.
    data : Path
        The training set that the emulator was trained on.
    emulator : Emulator
    configuration : Configuration
        The fit. Its emulators of the same observables are replaced.
    n : int
        Number of points to add.
    check : int
        Number of posterior samples at which the true simulator is run, before and after. Zero skips the check.
    temperature : float
        The likelihood of the tempered posterior has the power ``1 / temperature``.
    seed : int
    workers : int
        Number of processes for the simulations.
    accept_changed_code : bool
        Go on although the code of plugins has changed since the start, or since the training set was made.
    """

    recipe: Recipe
    data: Path
    emulator: Emulator
    configuration: Configuration
    n: int = 1000
    check: int = 200
    temperature: float = 2.0
    seed: int = 1
    workers: int = 1
    accept_changed_code: bool = False

    def run(self, folder: Path, log: Log = print) -> dict[str, Any]:
        """Refine the emulator in a folder and return the result.

        Parameters
        ----------
        folder : Path
            New, or that of an interrupted refinement with the same settings.
        log : callable
            Called with each line of progress.

        Returns
        -------
        dict
            As written to ``refinement.json``. ``parameters``: by name, mean and standard deviation ``before`` and
            ``after``, and the ``shift`` of the mean in units of the first standard deviation. ``efficiency``: effective
            sample size of the importance weights over the number of checked samples, ``before`` and ``after``.
            ``points``: numbers of points ``added`` and of ``all``.

        Raises
        ------
        ConfigurationError
            If simulator, emulator and fit do not have the same parameters, or the emulator was trained on other data.
        DataError
            If the folder holds another refinement.
        RunFolderError
            If another process works in the folder.
        """
        if self.temperature < 1:
            raise ConfigurationError(f"temperature = {self.temperature} must be at least 1")
        job = processes()
        abort_on_uncaught(job)
        with locked(folder, "refinement") if job.is_root else nullcontext():
            data = TrainingSet.load(self.data)
            if job.is_root:
                self._claim(folder, data)
            job.barrier()
            return self._run(folder, data, log if job.is_root else lambda _: None)

    def _run(self, folder: Path, data: TrainingSet, log: Log) -> dict[str, Any]:
        task = self.recipe.simulation()
        before = self._sampled(self._model(self.emulator), folder / "samples_before.h5", log)
        efficiency = {"before": self._checked(self.emulator, before, task, folder / "check_before.h5", log)}
        tempered = self._sampled(
            Tempered(self._model(self.emulator), self.temperature), folder / "samples_tempered.h5", log
        )
        added = self._simulated(task, tempered, self.n, folder / "added.h5", log)
        refined = self._trained(data, TrainingSet.load(added), folder, log)
        after = self._sampled(self._model(refined), folder / "samples_after.h5", log)
        efficiency["after"] = self._checked(refined, after, task, folder / "check_after.h5", log)
        found = {
            "parameters": _moved(before, after),
            "efficiency": efficiency,
            "points": self._points(refined, len(data), len(TrainingSet.load(added))),
            "provenance": provenance(inputs={**self.emulator.sources, "refined": refined.file_hash}),
        }
        if processes().is_root:
            write_json(folder / "refinement.json", found)
        return found

    def _points(self, refined: Emulator, before: int, added: int) -> dict[str, int]:
        """Return the number of added points and of all points of the training."""
        known = refined.provenance.get("points")  # not every kind of emulator stores the number
        return {"added": added, "all": before + added if known is None else int(known)}

    def _claim(self, folder: Path, data: TrainingSet) -> None:
        """Store all inputs of this refinement in the folder, or check that they are the same."""
        trained_on = self.emulator.provenance.get("data")
        if trained_on is not None and trained_on != data.digest:
            raise ConfigurationError(
                f"{self.data} is not the training set of the emulator: its content has the hash {data.digest[:8]}..., "
                f"but the emulator was trained on {str(trained_on)[:8]}..."
            )
        document = self.recipe.document
        kind: type[Emulator] = EMULATORS.load(document.emulator)
        content = {
            **together(
                inputs_of_fit(self.configuration, self.configuration.model(), self._sampler_name, self.seed),
                inputs_of_simulation(self.recipe.simulation()),
                {"code": code_of(kind)},
            ),
            "training": {
                "kind": document.emulator,
                "seed": document.seed,
                "settings": kind.resolved(document.training or {}),
            },
            "data": data.digest,
            "emulator": dict(self.emulator.sources),
            "n": self.n,
            "check": self.check,
            "temperature": self.temperature,
            "seed": self.seed,
        }
        accept = self.accept_changed_code
        claim_folder(
            folder / "refinement_of.json", content, "a refinement", "something else", accept_changed_code=accept
        )

    @property
    def _sampler_name(self) -> str:
        return self.configuration.document.sampler

    def _model(self, emulator: Emulator) -> Model:
        model = self.configuration.model()
        return replace_provider(model, emulator, emulator.provides)

    def _sampled(self, target: Target, path: Path, log: Log) -> Samples:
        """Sample on the first process, unless the file is there; return the samples on all."""
        if processes().is_root and not path.exists():
            log(f"samples {path.stem.removeprefix('samples_')} ...")
            samples = self.configuration.sampler().run(target, seed=self.seed)
            if not samples.converged:
                log(f"{path.stem} did not converge: {samples.reason}")
            samples.save(path)
        processes().barrier()
        return Samples.load(path)

    def _simulated(self, task: SimulationTask, samples: Samples, n: int, path: Path, log: Log) -> Path:
        if not path.exists():
            log(f"simulates {n} points for {path.name} ...")
            points = samples.equal_weight(n, np.random.default_rng(self.seed))
            columns = self._columns(task, samples.names, points)
            simulate(task, path, points=columns, workers=self.workers, accept_changed_code=self.accept_changed_code)
        return path

    def _columns(self, task: SimulationTask, names: tuple[str, ...], points: FloatArray) -> FloatArray:
        """Return the samples ``(n, d)`` in the order of the simulation's parameters."""
        missing = [name for name in task.prior.names if name not in names]
        if missing:
            raise ConfigurationError(
                f"{self.configuration.path} does not vary {missing[0]!r}, which the simulator takes; "
                "refine with a fit of all its parameters"
            )
        return points[:, [names.index(name) for name in task.prior.names]]

    def _checked(
        self, emulator: Emulator, samples: Samples, task: SimulationTask, path: Path, log: Log
    ) -> float | None:
        """Return the effective fraction of the samples with the true likelihood over that of the emulator as weight."""
        if not self.check:
            return None
        simulations = load_simulations(emulator, self._simulated(task, samples, self.check, path, log))
        model = self._model(emulator)
        if set(model.names) != set(emulator.parameters):
            raise ConfigurationError(
                f"{self.configuration.path} varies parameters that {path.name} does not hold; check = 0 skips this"
            )
        theta = simulations.theta[:, [emulator.parameters.index(name) for name in model.names]]
        tabulated = TabulatedProvider(emulator, simulations)
        truth = replace_provider(model, tabulated, emulator.provides, emulator_error=False)
        difference = truth.log_likelihood(theta) - model.log_likelihood(theta)
        efficiency = kish_ess(difference) / len(theta)
        log(f"{path.stem}: effective fraction of {len(theta)} samples under the true simulator {efficiency:.1%}")
        return efficiency

    def _trained(self, data: TrainingSet, added: TrainingSet, folder: Path, log: Log) -> Emulator:
        """Train on the first process, unless the file is there; return the emulator on all."""
        path, accept = folder / "emulator.h5", self.accept_changed_code
        if processes().is_root and not path.exists():
            whole = data.joined(added, accept_changed_code=accept)
            if not (folder / "set.h5").exists():
                whole.save(folder / "set.h5")
            unfinished = folder / "emulator.training"
            self.recipe.train(whole, log, folder=unfinished, accept_changed_code=accept).save(path)
        processes().barrier()
        return load_emulator(path)


def _moved(before: Samples, after: Samples) -> dict[str, Any]:
    found = {}
    for j, name in enumerate(before.names):
        (a, b), (sa, sb) = ((float(v[j]) for v in pair) for pair in _moments(before, after))
        found[name] = {
            "before": {"mean": a, "std": sa},
            "after": {"mean": b, "std": sb},
            "shift": (b - a) / sa,
        }
    return found


def _moments(before: Samples, after: Samples) -> tuple[tuple[FloatArray, FloatArray], tuple[FloatArray, FloatArray]]:
    return (before.mean(), after.mean()), (before.std(), after.std())
