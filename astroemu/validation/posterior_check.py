"""Posterior check: how much the emulator has moved the posterior of a finished run.

The simulator is run at draws of the posterior. The ratio of the true likelihood to that of the emulator is the
importance weight of each draw. The differences between weighted and unweighted means show how much the emulator has
moved the result. The check also states how far the draws lie from the training points
(:mod:`astroemu.emulation.coverage`).
"""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from astroemu.core.adapters import FixedParameters
from astroemu.core.distributions import Fixed
from astroemu.core.parameter import Parameter
from astroemu.core.prior import Prior
from astroemu.core.progress import ProgressCallback, silent
from astroemu.core.typing import FloatArray
from astroemu.emulation.reference import ReferenceSimulations, TabulatedProvider
from astroemu.emulation.simulation import SimulationTask, simulate
from astroemu.emulation.simulator import Simulator, SimulatorProvider
from astroemu.emulation.training_set import TrainingSet
from astroemu.errors import ConfigurationError, DataError
from astroemu.inference.configuration import Configuration
from astroemu.inference.inputs import provenance_of
from astroemu.inference.reuse import demand_current
from astroemu.inference.run_folder import RunFolder
from astroemu.inference.training_distance import distance_from_training
from astroemu.io.claim import claim_folder
from astroemu.io.files import new_file, sha256, write_json
from astroemu.io.hdf5 import write_hdf5
from astroemu.io.lock import locked
from astroemu.model.model import Model
from astroemu.runtime.mpi import abort_on_uncaught, processes
from astroemu.sampling.samples import Samples
from astroemu.sampling.statistics import kish_ess
from astroemu.validation.truth import TruthModel, simulating, with_truth
from astroemu.validation.work_inputs import inputs_of_likelihood, inputs_of_truth, together

DIFFERENCE_QUANTILES = {"median": 0.5, "q95": 0.95, "max": 1.0}


@dataclass(frozen=True)
class PosteriorCheck:
    """The check of one run against the truth.

    Attributes
    ----------
    run : RunFolder
    truth : TruthModel
        A simulator, or finished simulations at draws of this run (see :func:`write_points`).
    n : int
        Number of draws. With finished simulations all of them are used.
    seed : int
        Seed of the draws.
    workers : int
        Number of processes for the simulations.
    accept_changed_code : bool
        Go on although the code of plugins has changed since the run, or since the start of the check.
    """

    run: RunFolder
    truth: TruthModel
    n: int = 50
    seed: int = 1
    workers: int = 1
    accept_changed_code: bool = False

    def check(self, folder: Path, report: ProgressCallback = silent) -> dict[str, Any]:
        """Simulate, compare, and write ``check.json`` into a folder. An interrupted check is resumed from its folder.

        Returns
        -------
        dict
            See :func:`compare_likelihoods`.

        Raises
        ------
        ConfigurationError
            If the simulator does not fit the model, or no truth is given.
        DataError
            If the folder holds another check, or the simulations were not made at draws of this run.
        RunFolderError
            If the run is not of the data and the code of now, or another process works in the folder.
        """
        if self.truth.simulations is None and self.truth.simulator is None:
            raise ConfigurationError("no truth is given: name a simulator, or finished simulations")
        job = processes()
        abort_on_uncaught(job)
        configuration = self.run.configuration()
        model = configuration.model()
        demand_current(self.run, model, accept_changed_code=self.accept_changed_code)
        if self.truth.simulator is not None:
            self._task(model)  # raises now, before anything is written, if they do not fit
        with locked(folder, "check") if job.is_root else nullcontext():
            if job.is_root:
                self._claim(folder, configuration, model)
            job.barrier()
            found = self._compared(model, folder, report) if job.is_root or self.truth.simulator is not None else {}
            if job.is_root:
                found["of"] = {
                    "run": str(self.run.path.resolve()),
                    "simulator": self.truth.simulator,
                    "seed": self.seed,
                }
                found["provenance"] = provenance_of(model, configuration)
                write_json(folder / "check.json", found)
        return dict(job.broadcast(found))

    def _claim(self, folder: Path, configuration: Configuration, model: Model) -> None:
        """Store all inputs of this check in the folder, or check that they are the same."""
        content = {
            **together(inputs_of_likelihood(configuration, model), inputs_of_truth(self.truth)),
            "samples": sha256(self.run.samples_file),
            "n": self.n,
            "seed": self.seed,
        }
        accept = self.accept_changed_code
        claim_folder(folder / "check_of.json", content, "a check", "another run or truth", accept_changed_code=accept)

    def _compared(self, model: Model, folder: Path, report: ProgressCallback) -> dict[str, Any]:
        """Simulate if need be, and return the comparison; on ranks other than 0 an empty one."""
        samples = self.run.samples()
        theta = draw_posterior(samples, self.n, self.seed)
        if self.truth.simulations is not None:
            predicting, rows = self.truth.of(model)
            assert rows is not None
            theta = _matched(samples, rows, self.truth.simulations)
        else:
            predicting, theta = self._simulated(model, theta, folder, report)
        return compare_likelihoods(model, predicting, samples, theta) if processes().is_root else {}

    def _simulated(
        self, model: Model, theta: FloatArray, folder: Path, report: ProgressCallback
    ) -> tuple[Model, FloatArray]:
        """Return the model with the simulator's results at the draws, and the draws ``(m, d)`` that have a result."""
        task, simulator, taken = self._task(model)
        constant = {**model.prior.fixed, **self.truth.fixed}
        path = folder / "simulations.h5"
        columns = theta[:, [model.names.index(p.name) for p in taken]]
        if not path.exists():
            accept = self.accept_changed_code
            simulate(task, path, points=columns, workers=self.workers, report=report, accept_changed_code=accept)
        data = TrainingSet.load(path)
        wanted = {row.tobytes(): i for i, row in enumerate(np.ascontiguousarray(columns))}
        theirs = [row.tobytes() for row in np.ascontiguousarray(data.theta[:, _places(data, taken)])]
        known = (data.metadata.get("simulator"), data.metadata.get("options"), data.metadata.get("fixed"))
        if known != (task.simulator, dict(task.options), task.prior.fixed) or not set(theirs) <= set(wanted):
            raise DataError(f"{path} holds simulations of another check; choose another folder with --out")
        chosen = theta[[wanted[row] for row in theirs]]
        whole = np.stack(
            [
                data.theta[:, data.names.index(p.name)]
                if p.name in data.names
                else np.full(len(data), constant[p.name])
                for p in simulator.parameters
            ],
            axis=1,
        )
        recorded = TabulatedProvider(SimulatorProvider(simulator), ReferenceSimulations(whole, data.values))
        return with_truth(model, FixedParameters(recorded, self.truth.fixed)), chosen

    def _task(self, model: Model) -> tuple[SimulationTask, Simulator, list[Parameter]]:
        """Return the simulations to make, their simulator, and its parameters that the model samples."""
        assert self.truth.simulator is not None
        simulator, provider = simulating(model, self.truth)
        with_truth(model, provider)
        constant = {**model.prior.fixed, **self.truth.fixed}
        taken = [p for p in simulator.parameters if p.name in model.names]
        fixed = [Parameter(p.name, Fixed(constant[p.name])) for p in simulator.parameters if p.name in constant]
        if len(taken) + len(fixed) < len(simulator.parameters):
            raise ConfigurationError(
                f"{self.truth.simulator!r} takes a parameter that another provider computes in {model.name!r}; run it "
                "elsewhere, at the points of --points, and give --simulations"
            )
        prior = Prior((*taken, *fixed))
        return SimulationTask(self.truth.simulator, self.truth.options, prior, "sobol", self.n, 0), simulator, taken


def _places(data: TrainingSet, taken: list[Parameter]) -> list[int]:
    if set(data.names) != {p.name for p in taken}:
        raise DataError("the simulations there vary other parameters; choose another folder with --out")
    return [data.names.index(p.name) for p in taken]


def draw_posterior(samples: Samples, n: int, seed: int) -> FloatArray:
    """Return equally weighted draws ``(n, d)`` of a posterior; the same seed gives the same draws."""
    return samples.equal_weight(n, np.random.default_rng(seed))


def write_points(run: RunFolder, n: int, seed: int, path: Path) -> Path:
    """Write draws of a run to HDF5, for a simulator on another machine, and return the path.

    The file holds ``theta (n, d)`` with the attribute ``names``.
    """
    samples = run.samples()

    def write(file: h5py.File) -> None:
        file["theta"] = draw_posterior(samples, n, seed)
        file["theta"].attrs["names"] = list(samples.names)

    write_hdf5(new_file(path), write)
    return path


def _matched(samples: Samples, rows: FloatArray, where: str) -> FloatArray:
    """Return the samples ``(n, d)`` at which simulations were made, given their points, in which columns may be NaN."""
    own = np.isfinite(rows).all(axis=0)
    scale = samples.std()[own]
    chosen = []
    for row in rows[:, own]:
        distance = np.max(np.abs(samples.theta[:, own] - row) / scale, axis=1)
        nearest = int(np.argmin(distance))
        if distance[nearest] > 1e-6:
            raise DataError(
                f"{where}: {row.tolist()} is no sample of this run. Simulate at the points that --points writes"
            )
        chosen.append(np.where(np.isfinite(rows[0]), np.nan, samples.theta[nearest]))
    found = np.array(chosen)
    found[:, own] = rows[:, own]  # bit-identical: the simulations are looked up by their points
    return found


def compare_likelihoods(model: Model, truth: Model, samples: Samples, theta: FloatArray) -> dict[str, Any]:
    """Return a comparison of the likelihoods of emulator and truth at posterior draws.

    Parameters
    ----------
    model, truth : Model
        With the emulator, and with the truth.
    samples : Samples
        The run.
    theta : (n, d) array
        Equally weighted draws of it.

    Returns
    -------
    dict
        ``n``: number of draws. ``delta_log_likelihood``: quantiles of \\|truth - emulator\\| by probe and in
        ``total``, and of the ``scatter`` about the mean difference, which has no effect. ``impossible``: number of
        draws without a true likelihood. ``efficiency``: effective sample size of the importance weights over ``n``.
        ``parameters``: by name, the ``shift`` of the mean and its standard ``error`` in standard deviations. ``far``:
        see :func:`astroemu.inference.training_distance.distance_from_training`.

    Raises
    ------
    DataError
        If the true likelihood is zero at every draw.
    """
    ours, theirs = model.log_likelihood_by_probe(theta), truth.log_likelihood_by_probe(theta)
    difference = np.array(sum(theirs.values())) - np.array(sum(ours.values()))
    if not np.any(np.isfinite(difference)):
        raise DataError("the truth has no finite likelihood at any of these draws")
    weight = np.exp(difference - difference.max())
    weight /= weight.sum()
    mean, std = theta.mean(axis=0), samples.std()
    moved = weight @ theta
    # Error of the difference of both means, which use the same draws (delta method).
    error = np.sqrt(np.sum((weight[:, None] * (theta - moved) - (theta - mean) / len(theta)) ** 2, axis=0))
    finite = difference[np.isfinite(difference)]
    return {
        "n": len(theta),
        "delta_log_likelihood": {
            "total": _quantiles(difference),
            "scatter": _quantiles(finite - finite.mean()),
            **{key: _quantiles(theirs[key] - ours[key]) for key in ours},
        },
        "impossible": int(len(theta) - len(finite)),
        "efficiency": kish_ess(difference) / len(theta),
        "parameters": {
            name: {"shift": float((moved[j] - mean[j]) / std[j]), "error": float(error[j] / std[j])}
            for j, name in enumerate(samples.names)
        },
        "far": distance_from_training(model, theta),
    }


def _quantiles(difference: FloatArray) -> dict[str, float]:
    return {key: float(np.quantile(np.abs(difference), q)) for key, q in DIFFERENCE_QUANTILES.items()}
