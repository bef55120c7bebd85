"""One fit from a configuration to a finished run folder."""

from __future__ import annotations

import time
import warnings
from pathlib import Path
from typing import Any

from astroemu.core.progress import ProgressCallback, silent
from astroemu.errors import ConfigurationError, located
from astroemu.inference.configuration import Configuration
from astroemu.inference.fingerprint import RunFingerprint
from astroemu.inference.run_folder import RunFolder
from astroemu.inference.summary import summarise
from astroemu.inference.training_distance import warn_if_far
from astroemu.model.model import Model
from astroemu.model.profile import Profile
from astroemu.runtime.mpi import Processes, abort_on_uncaught, processes
from astroemu.sampling.mpi_target import MPITarget
from astroemu.sampling.replay import LikelihoodReplay
from astroemu.sampling.sampler import Sampler
from astroemu.sampling.target import Target


def fit(
    configuration: Configuration,
    *,
    out: str | Path | None = None,
    sampler: str | None = None,
    seed: int | None = None,
    resume: bool = False,
    repeated: RunFolder | None = None,
    profile: bool = False,
    report: ProgressCallback = silent,
) -> tuple[RunFolder, Model]:
    """Sample the posterior of a configuration and write its run folder.

    Under ``mpiexec`` all processes must call it. Rank 0 samples and writes; all ranks evaluate likelihoods.

    Parameters
    ----------
    configuration : Configuration
    out : str or Path, optional
        Run folder; by default the first free one of ``runs/NAME``, ``runs/NAME-2``, ...
    sampler : str, optional
        Name of the sampler; by default that of the configuration.
    seed : int, optional
        By default that of the configuration.
    resume : bool
        Continue an interrupted run in ``out`` (by default the last of ``runs/NAME``, ...). Without such a run a new one
        starts. A finished run is left unchanged.
    repeated : RunFolder, optional
        A run that this one repeats. It is an error if anything that must match differs.
    profile : bool
        Measure the time of each part of the model on rank 0, and store the seconds in the summary.
    report : callable
        Called with the progress.

    Returns
    -------
    RunFolder
        The folder of the run.
    Model
        The model that was fitted.

    Raises
    ------
    AstroemuError
        For any problem that a user can fix. Nothing is written before the model is complete. A resumed run must agree
        in everything that changes its numbers; the message lists every difference.
    """
    seed = configuration.document.seed if seed is None else seed
    name = sampler or configuration.document.sampler
    algorithm = configuration.sampler(name)
    model = configuration.model()
    with located(configuration.where("samplers", name)):
        algorithm.check(model)
    job = processes()
    abort_on_uncaught(job)
    identity = RunFingerprint.of(configuration, model, algorithm, sampler=name, seed=seed)
    _demand_agreement(identity, job)
    if repeated is not None:
        identity.demand_repeatable(RunFingerprint.load(repeated.identity_file), repeated.path)
    if job.size > 1 and algorithm.traits.batch == "scalar":
        _warn_of_idle(name, job)
    pool = MPITarget(model, job)
    if not job.is_root:
        pool.serve()
        return RunFolder(job.broadcast(None)), model
    with pool.serving():
        folder = _folder(configuration, out, identity if resume else None)
        if not folder.finished:
            if not folder.identity_file.is_file():
                folder.start(configuration, _resolved(configuration, name, seed), identity)
            model.profile = Profile() if profile else None
            _run(folder, configuration, model, pool, algorithm, seed, report)
    job.broadcast(str(folder.path))
    return folder, model


def _folder(configuration: Configuration, out: str | Path | None, same: RunFingerprint | None) -> RunFolder:
    """Return a new folder, or the folder of the run to resume."""
    if same is None:
        return RunFolder.fresh(Path("runs"), configuration.name) if out is None else RunFolder.create(out)
    folder = RunFolder.last(Path("runs"), configuration.name) if out is None else RunFolder(out)
    folder.resume(same)
    return folder


def _run(
    folder: RunFolder,
    configuration: Configuration,
    model: Model,
    target: Target,
    algorithm: Sampler,
    seed: int,
    report: ProgressCallback,
) -> None:
    started = time.perf_counter()
    with LikelihoodReplay(target, folder.record_file) as record:
        samples = algorithm.run(record, seed=seed, folder=folder.path, report=report)
        wall = time.perf_counter() - started
        timed = {} if model.profile is None else {"profile": model.profile.summary(wall)}
        model.profile = None
        warn_if_far(model, samples)
        summary = summarise(samples, model, configuration, seed=seed, wall_seconds=wall)
        summary["evaluations"]["recalled"] = record.recalled
        summary |= timed
        folder.finish(samples, summary)
        record.remove()


def _demand_agreement(identity: RunFingerprint, processes: Processes) -> None:
    """Raise if the processes of a job would not evaluate the same model."""
    digests = processes.allgather(identity.digest)
    if len(set(digests)) > 1:
        others = [rank for rank, digest in enumerate(digests) if digest != digests[0]]
        raise ConfigurationError(
            f"processes {others} of this job have another configuration, other data or other versions than process 0. "
            "Give all of them the same files and the same environment"
        )


def _warn_of_idle(sampler: str, processes: Processes) -> None:
    if processes.is_root:
        warnings.warn(
            f"with these options the sampler {sampler!r} evaluates one point at a time, so {processes.size - 1} of "
            f"{processes.size} processes have nothing to do; if it has an option for the batch size, increase it",
            stacklevel=3,
        )


def _resolved(configuration: Configuration, sampler: str, seed: int) -> dict[str, Any]:
    raw = dict(configuration.raw)
    return {"path": str(configuration.path.resolve()), "configuration": {**raw, "sampler": sampler, "seed": seed}}
