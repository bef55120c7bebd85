"""A finished run against the true simulator: what would the posterior be without the emulator?

The simulator is run at draws of the posterior. The likelihood of the truth over that of the emulator gives each
draw an importance weight; the weighted means against the plain ones say by how much the emulator moved the
result. Beside it stands how far the draws lie from the training points (:mod:`astroemu.neighbourhood`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from astroemu.direct import Direct
from astroemu.distribution import Fixed
from astroemu.errors import ConfigurationError, DataError
from astroemu.files import make_folder, new_file, strict_json, write_atomically
from astroemu.model import Model
from astroemu.neighbourhood import far
from astroemu.parallel import world
from astroemu.parameter import Parameter
from astroemu.prior import Prior
from astroemu.provenance import provenance_of
from astroemu.run import RunFolder
from astroemu.sampler import Report, silent
from astroemu.samples import Samples, kish_ess
from astroemu.simulation import Simulation, simulate
from astroemu.simulations import Recorded, Simulations
from astroemu.training_set import TrainingSet
from astroemu.truth import Pinned, Truth, simulating, with_truth

Array = NDArray[np.float64]
LEVELS = {"median": 0.5, "q95": 0.95, "max": 1.0}


@dataclass(frozen=True)
class PosteriorCheck:
    """A run, and the truth that it is compared with.

    Attributes
    ----------
    run : RunFolder
    truth : Truth
        A simulator, or finished simulations at draws of this run (see :func:`write_points`).
    n : int
        Draws. For finished simulations all that there are.
    seed, workers : int
    """

    run: RunFolder
    truth: Truth
    n: int = 50
    seed: int = 1
    workers: int = 1

    def check(self, folder: Path, report: Report = silent) -> dict[str, Any]:
        """Simulate, compare, and write ``check.json`` into a folder. Started again with it, it goes on.

        Returns
        -------
        dict
            See :func:`compared`.

        Raises
        ------
        ConfigurationError
            If the simulator does not fit the model, or there is none.
        DataError
            If the folder holds a check of something else, or simulations were not made at draws of this run.
        """
        configuration = self.run.configuration()
        model = configuration.model()
        samples = self.run.samples()
        theta = draws(samples, self.n, self.seed)
        if self.truth.simulations is not None:
            predicting, rows = self.truth.of(model)
            assert rows is not None
            theta = _matched(samples, rows, self.truth.simulations)
        elif self.truth.simulator is not None:
            predicting, theta = self._simulated(model, theta, folder, report)
        else:
            raise ConfigurationError("name the truth: a simulator, or finished simulations")
        found: dict[str, Any] = {}
        if world().first:
            found = compared(model, predicting, samples, theta)
            found["of"] = {"run": str(self.run.path.resolve()), "simulator": self.truth.simulator, "seed": self.seed}
            found["provenance"] = provenance_of(model, configuration)
            make_folder(folder)
            write_atomically(folder / "check.json", lambda path: path.write_text(strict_json(found)))
        return dict(world().from_first(found))

    def _simulated(self, model: Model, theta: Array, folder: Path, report: Report) -> tuple[Model, Array]:
        """The model with the simulator's answers at the draws, and the draws at which it gave one."""
        assert self.truth.simulator is not None
        simulator, provider = simulating(model, self.truth)
        with_truth(model, provider)  # all that can be wrong is said before anything runs
        constant = {**model.prior.fixed, **self.truth.fixed}
        taken = [p for p in simulator.parameters if p.name in model.names]
        fixed = [Parameter(p.name, Fixed(constant[p.name])) for p in simulator.parameters if p.name in constant]
        if len(taken) + len(fixed) < len(simulator.parameters):
            raise ConfigurationError(
                f"{self.truth.simulator!r} takes a parameter that another provider computes in {model.name!r}; run it "
                "elsewhere, at the points of --points, and give --simulations"
            )
        task = Simulation(self.truth.simulator, self.truth.options, Prior((*taken, *fixed)), "sobol", len(theta), 0)
        path = folder / "simulations.h5"
        columns = theta[:, [model.names.index(p.name) for p in taken]]
        if not path.exists():
            simulate(task, path, points=columns, workers=self.workers, report=report)
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
        recorded = Recorded(Direct(simulator), Simulations(whole, data.values))
        return with_truth(model, Pinned(recorded, self.truth.fixed)), chosen


def _places(data: TrainingSet, taken: list[Parameter]) -> list[int]:
    if set(data.names) != {p.name for p in taken}:
        raise DataError("the simulations there vary other parameters; choose another folder with --out")
    return [data.names.index(p.name) for p in taken]


def draws(samples: Samples, n: int, seed: int) -> Array:
    """Equally weighted draws ``(n, d)`` of a posterior; the same for the same seed."""
    return samples.equal_weight(n, np.random.default_rng(seed))


def write_points(run: RunFolder, n: int, seed: int, path: Path) -> Path:
    """Write draws of a run for a simulator elsewhere: HDF5, ``theta (n, d)`` with the attribute ``names``."""
    samples = run.samples()

    def write(temporary: Path) -> None:
        with h5py.File(temporary, "w") as file:
            file["theta"] = draws(samples, n, seed)
            file["theta"].attrs["names"] = list(samples.names)

    write_atomically(new_file(path), write)
    return path


def _matched(samples: Samples, rows: Array, where: str) -> Array:
    """The samples at which simulations ``(n, d)`` were made; columns that these do not have are NaN."""
    own = np.isfinite(rows).all(axis=0)
    scale = samples.std()[own]
    chosen = []
    for row in rows[:, own]:
        distance = np.max(np.abs(samples.theta[:, own] - row) / scale, axis=1)
        nearest = int(np.argmin(distance))
        if distance[nearest] > 1e-6:
            raise DataError(
                f"{where}: {row.tolist()} is no sample of this run. Simulate the points that --points writes"
            )
        chosen.append(np.where(np.isfinite(rows[0]), np.nan, samples.theta[nearest]))
    found = np.array(chosen)
    found[:, own] = rows[:, own]  # to the last bit: the simulations are looked up by their points
    return found


def compared(model: Model, truth: Model, samples: Samples, theta: Array) -> dict[str, Any]:
    """Compare likelihoods at posterior draws ``(n, d)``.

    Returns
    -------
    dict
        ``n``; ``delta_log_likelihood``: quantiles of \\|truth - emulator\\|, in all (``total``, and ``scatter``
        about the mean difference, which alone matters) and by probe; ``efficiency``: effective share of the
        importance weights; ``parameters``: by name the ``shift`` of the mean in standard deviations and its
        standard ``error``; ``far``: see :func:`astroemu.neighbourhood.far`.

    Raises
    ------
    DataError
        If the truth is impossible at every draw.
    """
    ours, theirs = model.log_likelihood_by_probe(theta), truth.log_likelihood_by_probe(theta)
    difference = np.array(sum(theirs.values())) - np.array(sum(ours.values()))
    if not np.any(np.isfinite(difference)):
        raise DataError("the truth has no finite likelihood at any of these draws")
    weight = np.exp(difference - difference.max())
    weight /= weight.sum()
    mean, std = theta.mean(axis=0), samples.std()
    moved = weight @ theta
    # Of the two means, drawn from the same points (delta method).
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
        "far": far(model, theta),
    }


def _quantiles(difference: Array) -> dict[str, float]:
    return {key: float(np.quantile(np.abs(difference), q)) for key, q in LEVELS.items()}


def check_table(found: Mapping[str, Any]) -> str:
    """Return the comparison as text."""
    lines = [f"{'|ln L of the truth - ln L|':<34}" + "".join(f"{key:>10}" for key in LEVELS)]
    for name, row in found["delta_log_likelihood"].items():
        label = {"total": "all probes", "scatter": "all probes, about the mean"}.get(name, name)
        lines.append(f"{label:<34}" + "".join(f"{row[key]:>10.3g}" for key in LEVELS))
    lines.append(f"{'parameter':<34}{'shift of the mean':>24}")
    for name, row in found["parameters"].items():
        lines.append(f"{name:<34}{row['shift']:>13.2f} +- {row['error']:.2f} sigma")
    lines.append(f"effective share of the {found['n']} draws under the truth: {found['efficiency']:.0%}")
    if found["impossible"]:
        lines.append(f"{found['impossible']} of them have no finite likelihood under the truth")
    for name, row in found["far"].items():
        lines.append(
            f"distance to the training points of {name!r}, in that which 95 % of these have from each other: median "
            f"{row['median']:.2f}; beyond it {row['share']:.0%} of the draws"
        )
    return "\n".join(lines)
