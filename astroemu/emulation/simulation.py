"""Simulations at the points of a design, resumable at any time.

The design is divided into blocks. Each finished block is one file in a folder next to the training set, written
completely or not at all. When all blocks exist, they are joined into the training set and the folder is removed. A
run that is killed loses only the unfinished blocks; started again, it simulates the missing ones. Workers only compute:
the process that holds the lock of the training set writes the blocks.
"""

from __future__ import annotations

import hashlib
import json
import math
import time
from collections.abc import Iterator, Mapping
from contextlib import nullcontext
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
from astroemu.emulation.simulator import Simulator, run_simulator
from astroemu.emulation.training_set import TrainingSet
from astroemu.errors import ConfigurationError, DataError, PluginError, ProbeError, WorkerError, listing
from astroemu.io.claim import CODE, claim_folder, release_folder
from astroemu.io.files import new_file
from astroemu.io.lock import alone
from astroemu.runtime.mpi import abort_on_uncaught, processes
from astroemu.runtime.options import build, with_defaults
from astroemu.runtime.plugin_identity import identity_of
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
        simulator, _ = _simulator(self.simulator, json.dumps(dict(self.options)))
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
    accept_changed_code: bool = False,
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
    accept_changed_code : bool
        Go on although the code of the simulator has changed. The metadata list the changes under ``accepted``.

    Returns
    -------
    Path
        The file that was written.

    Raises
    ------
    DataError
        If the file exists already, its unfinished blocks belong to another design or simulator, or every point failed.
    RunFolderError
        If another process makes the same file.
    ProbeError
        If the simulator does not return what it declares, or ends its process.
    WorkerError
        If a worker was killed, or the memory or a disk is full.

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
    metadata["sha256_of_theta"] = hashlib.sha256(
        points.tobytes()
    ).hexdigest()  # of the complete design, also for a part
    rows = range(len(points))
    if part is not None:
        rows = part.rows(len(points))
        metadata["part"] = part.described(rows)
        points = points[rows.start : rows.stop]
    blocks = _Blocks(path.with_name(path.name + ".parts"), points, list(_slices(len(points), simulator.batch)))
    with alone(path, "simulation") if ranks.is_root else nullcontext():
        missing: list[int] = []
        if ranks.is_root:
            new_file(path)
            claimed = {**metadata, "options": with_defaults(type(simulator), task.options)}
            other = "another design, simulator, version or setting"
            accepted = claim_folder(blocks.note, claimed, "blocks", other, accept_changed_code=accept_changed_code)
            metadata |= {"accepted": accepted} if accepted else {}
            missing = blocks.missing()
        missing = ranks.broadcast(missing)
        mine = missing[ranks.rank :: ranks.size]
        jobs = [(task.simulator, dict(task.options), metadata[CODE], i, points[blocks.slices[i]]) for i in mine]
        progress = _Rate(len(points), len(blocks.slices), len(missing), simulator.batch, ranks.size)
        for finished, (number, values, failed) in enumerate(run_jobs(_block, jobs, workers, _named), start=1):
            blocks.save(number, simulator, values, failed)
            report(progress(finished))
        ranks.barrier()
        if ranks.is_root:
            names = tuple(p.name for p in simulator.parameters if p.name in task.prior.names)
            blocks.joined(names, metadata, rows.start).save(path)
            release_folder(blocks.note)
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
        CODE: _code(simulator),
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


def _slices(n: int, size: int) -> Iterator[slice]:
    for start in range(0, n, size):
        yield slice(start, min(start + size, n))


@dataclass(frozen=True, eq=False)
class _Blocks:
    """The blocks of a design, in a folder.

    Attributes
    ----------
    folder : Path
    points : (n, d) array
        All points, with the parameters of the simulator as columns.
    slices : list of slice
        Rows of each block.
    """

    folder: Path
    points: FloatArray
    slices: list[slice]

    @property
    def note(self) -> Path:
        return self.folder / "design.json"

    def file(self, number: int) -> Path:
        return self.folder / f"{number:06d}.h5"

    def missing(self) -> list[int]:
        return [i for i in range(len(self.slices)) if not self.file(i).exists()]

    def save(self, number: int, simulator: Simulator, values: Mapping[str, FloatArray], failed: dict[str, str]) -> None:
        names = tuple(p.name for p in simulator.parameters)
        points = self.points[self.slices[number]]
        TrainingSet(names, points, simulator.provides, values, {"failed": failed}).save(self.file(number))

    def load(self, number: int) -> TrainingSet:
        found = TrainingSet.load(self.file(number))
        if not np.array_equal(found.theta, self.points[self.slices[number]]):
            raise DataError(f"{self.file(number)} holds other points than this design; remove it, and it is made again")
        return found

    def joined(self, names: tuple[str, ...], metadata: Mapping[str, Any], first: int) -> TrainingSet:
        """Return all blocks as one training set, with free parameters only and without failed points.

        ``first`` is the row of the first point in the design.
        """
        parts = [self.load(i) for i in range(len(self.slices))]
        observables = parts[0].observables
        values = {name: np.concatenate([part.values[name] for part in parts]) for name in observables}
        failed = [
            {"row": first + rows.start + int(row), "theta": part.theta[int(row)].tolist(), "error": error}
            for rows, part in zip(self.slices, parts, strict=True)
            for row, error in part.metadata["failed"].items()
        ]
        if len(failed) == len(self.points) and "part" not in metadata:
            raise DataError(
                f"every point failed; the first with {failed[0]['error']}. The blocks stay in {self.folder}"
            )
        free = [parts[0].names.index(name) for name in names]
        whole = TrainingSet(names, self.points[:, free], observables, values, {**metadata, "failed": failed})
        good = np.setdiff1d(np.arange(len(self.points)), [point["row"] - first for point in failed])
        return whole.subset(good.astype(int))


_Job = tuple[str, dict[str, Any], dict[str, Any], int, FloatArray]


def _named(job: _Job) -> str:
    name, _, _, number, points = job
    first = ", ".join(f"{value:.10g}" for value in points[0])
    return f"the simulator {name!r}, block {number} of {len(points)} point(s), the first at ({first})"


def _block(job: _Job) -> tuple[int, dict[str, FloatArray], dict[str, str]]:
    """Simulate one block of points. This runs in a worker process."""
    name, options, code, number, points = job
    simulator, loaded = _simulator(name, json.dumps(options))
    if loaded != code:
        raise DataError(f"the code of the simulator {name!r} was changed after the start; start again")
    return number, *_attempt(simulator, points)


def _code(simulator: Simulator) -> dict[str, Any]:
    """Return the identity of a simulator. The engine is left out: it only hands over the points, which have a hash."""
    found = identity_of([simulator])
    source = {name: digest for name, digest in found.source.items() if name != "astroemu"}
    return {"plugins": dict(found.plugins), "source": source}


def _attempt(simulator: Simulator, points: FloatArray) -> tuple[dict[str, FloatArray], dict[str, str]]:
    """Return the values of all observables, NaN in rows that failed, and the error of each of these rows."""
    try:
        return run_simulator(simulator, points), {}
    except (ConfigurationError, PluginError, ProbeError, WorkerError):
        raise
    except Exception as error:
        if len(points) == 1:
            empty = {name: np.full((1, *o.shape), np.nan) for name, o in simulator.provides.items()}
            return empty, {"0": f"{type(error).__name__}: {error}"}
    parts = [_attempt(simulator, point[None]) for point in points]
    values = {name: np.concatenate([part[name] for part, _ in parts]) for name in simulator.provides}
    return values, {str(row): failed["0"] for row, (_, failed) in enumerate(parts) if failed}


@lru_cache(maxsize=1)
def _simulator(name: str, options: str) -> tuple[Simulator, dict[str, Any]]:
    """Return the simulator and its code; each process keeps one, because it may take seconds to load."""
    simulator = build(SIMULATORS.load(name), json.loads(options), f"options of the simulator {name!r}")
    assert isinstance(simulator, Simulator)
    return simulator, _code(simulator)
