"""Simulations at the points of a design, resumable at any time.

The design is divided into blocks. Each finished block is one file in a folder next to the training set, written
completely or not at all. When all blocks exist, they are joined into the training set and the folder is removed. A
run that is killed loses only the unfinished blocks; started again, it simulates the missing ones.
"""

from __future__ import annotations

import hashlib
import json
import math
import shutil
import time
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from astroemu.core.prior import Prior
from astroemu.core.progress import Progress, ProgressCallback, silent
from astroemu.core.typing import FloatArray
from astroemu.emulation.design import DesignKind, design
from astroemu.emulation.shards import Shard
from astroemu.emulation.simulator import Simulator
from astroemu.emulation.training_set import TrainingSet
from astroemu.errors import ConfigurationError, DataError, PluginError, listing
from astroemu.io.claim import claim_folder
from astroemu.io.files import new_file
from astroemu.runtime.mpi import abort_on_uncaught, processes
from astroemu.runtime.options import build
from astroemu.runtime.plugins import SIMULATORS
from astroemu.runtime.workers import run_jobs


@dataclass(frozen=True)
class SimulationTask:
    """A simulator and the design of its points.

    Attributes
    ----------
    simulator : str
        Name of an installed simulator.
    options : mapping
        Its options.
    prior : Prior
        Box of the design, with exactly the parameters of the simulator.
    kind : {"sobol", "sobol_edges", "latin_hypercube"}
    n, seed : int
        Number of points, and seed of the design.
    core : Prior, optional
        Densities that a fraction ``core_share`` of the points follows; see
        :func:`astroemu.emulation.design.design`.
    core_share : float
    """

    simulator: str
    options: Mapping[str, Any]
    prior: Prior
    kind: DesignKind
    n: int
    seed: int
    core: Prior | None = None
    core_share: float = 0.5

    def build(self) -> Simulator:
        """Return the simulator, after a check that its parameters fit the prior.

        Raises
        ------
        ConfigurationError
            If the names differ, or the prior is wider than the simulator allows.
        """
        simulator = _simulator(self.simulator, json.dumps(dict(self.options)))
        known = {p.name: p for p in simulator.parameters}
        names = [p.name for p in self.prior.parameters]
        if set(names) != set(known):
            raise ConfigurationError(
                f"the simulator {self.simulator!r} takes {listing(known)}; the design has {listing(names)}"
            )
        for p in self.prior.parameters:
            ours, widest = p.prior.support, known[p.name].prior.support
            if ours[0] < widest[0] or ours[1] > widest[1]:
                raise ConfigurationError(
                    f"the design of {p.name!r} covers {ours}, but {self.simulator!r} may be run on {widest} only"
                )
        return simulator


def simulate(
    task: SimulationTask,
    path: str | Path,
    *,
    points: FloatArray | None = None,
    workers: int = 1,
    part: Shard | None = None,
    report: ProgressCallback = silent,
) -> Path:
    """Run a simulation and write its training set.

    Parameters
    ----------
    task : SimulationTask
    path : str or Path
        The training set to write. An existing file is never changed.
    points : (n, d) array, optional
        Points to simulate instead of the design; columns in the order of the prior's free parameters.
    workers : int
        Number of processes. They are spawned, never forked.
    part : Shard, optional
        Simulate only the rows of this part. They are written to a separate file next to ``path``; see
        :func:`astroemu.emulation.shards.merge`.
    report : callable
        Called with a :class:`~astroemu.core.progress.Progress` after each block.

    Returns
    -------
    Path
        The file that was written.

    Raises
    ------
    DataError
        If the file exists already, its unfinished blocks belong to another design, or every point failed.

    Notes
    -----
    A point at which the simulator raises an exception is left out. The metadata list its row in the design, its
    parameters and its error under ``failed``. Under ``mpiexec`` every process calls this function and simulates its
    share of the blocks. The first process joins them.
    """
    ranks = processes()
    abort_on_uncaught(ranks)
    path = Path(path) if part is None else part.path(Path(path))
    simulator = task.build()
    metadata = _metadata(task, simulator)
    if points is None:
        points = design(task.kind, task.prior, task.n, task.seed, task.core, task.core_share)
    else:
        digest = hashlib.sha256(np.ascontiguousarray(points).tobytes()).hexdigest()
        metadata["design"] = {"kind": "given", "n": len(points), "sha256": digest}
    columns = {**dict(zip(task.prior.names, points.T, strict=True)), **task.prior.fixed}
    points = np.stack([np.broadcast_to(columns[p.name], len(points)) for p in simulator.parameters], axis=1)
    digest = hashlib.sha256(points.tobytes()).hexdigest()  # of the complete design, also for a part
    rows = range(len(points))
    if part is not None:
        rows = part.rows(len(points))
        metadata["part"] = part.described(rows)
        points = points[rows.start : rows.stop]
    folder = path.with_name(path.name + ".parts")
    blocks = list(_blocks(len(points), simulator.batch))
    missing: list[int] = []
    if ranks.is_root:
        new_file(path)
        claim_folder(folder / "design.json", metadata, "blocks", "another design, simulator version or setting")
        missing = [i for i in range(len(blocks)) if not _block_file(folder, i).exists()]
    missing = ranks.broadcast(missing)
    mine = missing[ranks.rank :: ranks.size]
    jobs = [(task.simulator, dict(task.options), str(_block_file(folder, i)), points[blocks[i]]) for i in mine]
    progress = _Rate(len(points), len(blocks), len(missing), simulator.batch, ranks.size)
    for finished, _ in enumerate(run_jobs(_block, jobs, workers), start=1):
        report(progress(finished))
    ranks.barrier()
    if ranks.is_root:
        names = tuple(p.name for p in simulator.parameters if p.name in task.prior.names)
        stamp = {**metadata, "sha256_of_theta": digest}
        _join(folder, len(blocks), names, stamp, rows.start).save(path)
        shutil.rmtree(folder)
    ranks.barrier()
    return path


class _Rate:
    """Estimate of the progress of all processes, from that of this one."""

    def __init__(self, points: int, blocks: int, missing: int, batch: int, ranks: int) -> None:
        self.points, self.blocks, self.missing, self.batch, self.ranks = points, blocks, missing, batch, ranks
        self.started = time.monotonic()

    def __call__(self, done: int) -> Progress:
        done = min(done * self.ranks, self.missing)
        rate = done * self.batch / (time.monotonic() - self.started)
        left = (self.missing - done) * self.batch / rate
        finished = self.blocks - self.missing + done
        status = f"{rate:.3g} points/s, {left:.0f} s left"
        return Progress(finished, min(self.points, finished * self.batch), status, finished / self.blocks)


def _metadata(task: SimulationTask, simulator: Simulator) -> dict[str, Any]:
    box = {
        p.name: {
            "low": p.prior.support[0],
            "high": p.prior.support[1],
            "unit": next(q.unit for q in simulator.parameters if q.name == p.name),
            "latex": next(q.latex for q in simulator.parameters if q.name == p.name),
        }
        for p in task.prior.free
    }
    return {
        "simulator": task.simulator,
        "version": simulator.version,
        "options": dict(task.options),
        "settings": dict(simulator.settings),
        "licence": simulator.licence,
        "citation": simulator.citation,
        "design": {"kind": task.kind, "n": task.n, "seed": task.seed, **_described(task)},
        "parameters": box,
        "fixed": task.prior.fixed,
    }


def _described(task: SimulationTask) -> dict[str, Any]:
    """Return the core of the design for the metadata, if it has one."""
    if task.core is None:
        return {}
    core = {
        p.name: {"distribution": p.prior.kind, **{k: v for k, v in asdict(p.prior).items() if math.isfinite(v)}}
        for p in task.core.free
    }
    return {"core": core, "core_share": task.core_share}


def _blocks(n: int, size: int) -> Iterator[slice]:
    for start in range(0, n, size):
        yield slice(start, min(start + size, n))


def _block_file(folder: Path, number: int) -> Path:
    return folder / f"{number:06d}.h5"


def _block(job: tuple[str, dict[str, Any], str, FloatArray]) -> None:
    """Simulate one block of points and write its file. This runs in a worker process."""
    name, options, path, points = job
    simulator = _simulator(name, json.dumps(options))
    names = tuple(p.name for p in simulator.parameters)
    values, failed = _attempt(simulator, points)
    note = {"failed": failed}
    TrainingSet(names, points, simulator.provides, values, note).save(path)


def _attempt(simulator: Simulator, points: FloatArray) -> tuple[dict[str, FloatArray], dict[str, str]]:
    """Return the values of all observables, NaN in rows that failed, and the error of each of these rows."""
    try:
        found = simulator.simulate(points)
        return {name: np.asarray(found[name]) for name in simulator.provides}, {}
    except (ConfigurationError, PluginError):
        raise
    except Exception as error:
        if len(points) == 1:
            empty = {name: np.full((1, *o.shape), np.nan) for name, o in simulator.provides.items()}
            return empty, {"0": f"{type(error).__name__}: {error}"}
    parts = [_attempt(simulator, point[None]) for point in points]
    values = {name: np.concatenate([part[name] for part, _ in parts]) for name in simulator.provides}
    return values, {str(row): failed["0"] for row, (_, failed) in enumerate(parts) if failed}


@lru_cache(maxsize=1)
def _simulator(name: str, options: str) -> Simulator:
    """Return the simulator; each process keeps one, because it may take seconds to load."""
    simulator = build(SIMULATORS.load(name), json.loads(options), f"options of the simulator {name!r}")
    assert isinstance(simulator, Simulator)
    return simulator


def _join(folder: Path, n: int, names: tuple[str, ...], metadata: Mapping[str, Any], first: int) -> TrainingSet:
    """Return all blocks as one training set, with free parameters only and without failed points.

    ``first`` is the row of the first point in the design.
    """
    parts = [TrainingSet.load(_block_file(folder, i)) for i in range(n)]
    theta = np.concatenate([part.theta for part in parts])
    observables = parts[0].observables
    values = {name: np.concatenate([part.values[name] for part in parts]) for name in observables}
    starts = np.cumsum([0, *(len(part) for part in parts)])
    failed = [
        {"row": first + int(start) + int(row), "theta": part.theta[int(row)].tolist(), "error": error}
        for start, part in zip(starts, parts, strict=False)
        for row, error in part.metadata["failed"].items()
    ]
    if len(failed) == len(theta) and "part" not in metadata:
        raise DataError(f"every point failed; the first with {failed[0]['error']}. The blocks stay in {folder}")
    free = [parts[0].names.index(name) for name in names]
    whole = TrainingSet(names, theta[:, free], observables, values, {**metadata, "failed": failed})
    return whole.subset(np.setdiff1d(np.arange(len(theta)), [point["row"] - first for point in failed]).astype(int))
