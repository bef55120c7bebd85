"""One fit from a configuration to a finished run folder."""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from astroemu.core.progress import Progress, ProgressCallback, silent
from astroemu.errors import ConfigurationError, RunFolderError, RunWarning, listing, located
from astroemu.inference.configuration import Configuration, configuration_from
from astroemu.inference.fingerprint import RunFingerprint, differences
from astroemu.inference.reuse import demand_same_likelihood
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

#: Folder of the runs for which no folder is given.
_RUNS = Path("runs")


def fit(
    configuration: Configuration,
    *,
    out: str | Path | None = None,
    sampler: str | None = None,
    seed: int | None = None,
    resume: bool = False,
    accept_changed_code: bool = False,
    repeated: RunFolder | None = None,
    profile: bool = False,
    report: ProgressCallback = silent,
    opened: Callable[[RunFolder], None] | None = None,
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
        Continue the run in ``out`` (by default the last of ``runs/NAME``, ...). Without such a run a new one starts. A
        run that ended unconverged goes on if other stopping criteria are given. A converged run is left unchanged.
    accept_changed_code : bool
        With ``resume`` or ``repeated``: accept that the code of plugins or their versions have changed. What was
        accepted is listed in a warning, and stored in ``identity.json`` and in the summary.
    repeated : RunFolder, optional
        A run that this one repeats. It is an error if anything that must match differs.
    profile : bool
        Measure the time of each part of the model on rank 0, and store the seconds in the summary.
    report : callable
        Called with the progress.
    opened : callable, optional
        Called with the folder before the sampling, when it is locked and the inputs are written. A finished run that is
        left as it is is not opened.

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
    if accept_changed_code and not resume and repeated is None:
        raise ConfigurationError("changed code can be accepted for a run that is resumed; add --resume")
    seed = configuration.document.seed if seed is None else seed
    name = sampler or configuration.document.sampler
    job = processes()
    abort_on_uncaught(job)
    if resume:
        configuration = _in_stored_order(configuration, out, job)
    report(Progress.stage("building the model"))
    algorithm = configuration.sampler(name)
    model = configuration.model()
    with located(configuration.where("samplers", name)):
        algorithm.check(model)
    identity = RunFingerprint.of(configuration, model, algorithm, sampler=name, seed=seed)
    _demand_agreement(identity, job)
    if repeated is not None:
        before = RunFingerprint.load(repeated.identity_file)
        identity = identity.demand_repeatable(before, repeated.path, accept_changed_code=accept_changed_code)
        if job.is_root:
            _tell_accepted(repeated, before, identity)
    if job.size > 1 and algorithm.traits.batch == "scalar":
        _warn_of_idle(name, job)
    pool = MPITarget(model, job)
    if not job.is_root:
        pool.serve()
        return RunFolder(job.broadcast(None)), model
    with pool.serving(), RunFolder.claimed(out, _RUNS, configuration.name, resume=resume) as folder:
        begun = _Begun.of(folder, identity, accept_changed_code) if resume else _Begun(identity)
        start = (configuration, _resolved(configuration, name, seed), begun.identity)
        if begun.complete:
            demand_same_likelihood(folder, model, folder.samples())
        else:
            if not folder.finished:
                folder.start(*start)
            if opened is not None:
                opened(folder)
            report(Progress.stage(f"{name}: first points"))
            model.profile = Profile() if profile else None
            _run(folder, start, model, pool, algorithm, seed, report)
    job.broadcast(str(folder.path))
    return folder, model


def _in_stored_order(configuration: Configuration, out: str | Path | None, job: Processes) -> Configuration:
    """Return a configuration with its tables in the order of the run to resume.

    The order of the parameters is that of the columns of the samples, and sums are rounded in the order of the probes.
    """
    stored = None
    if job.is_root:
        folder = RunFolder.last(_RUNS, configuration.name) if out is None else RunFolder(out)
        stored = folder.stored_order()
    stored = job.broadcast(stored)
    if stored is None:
        return configuration
    raw, consent = _ordered(configuration.raw, stored), configuration.run_plugin_files
    return configuration_from(raw, configuration.path, configuration.text, run_plugin_files=consent)


def _ordered(value: Any, like: Any) -> Any:
    """Return nested tables with their keys in the order of other tables; further keys come last."""
    if not isinstance(value, Mapping) or not isinstance(like, Mapping):
        return value
    keys = [key for key in like if key in value]
    return {key: _ordered(value[key], like.get(key)) for key in dict.fromkeys([*keys, *value])}


@dataclass(frozen=True)
class _Begun:
    """What is there of a run.

    Attributes
    ----------
    identity : RunFingerprint
        That of the run, with all changes of code that were accepted.
    complete : bool
        True if nothing is to be sampled.
    """

    identity: RunFingerprint
    complete: bool = False

    @classmethod
    def of(cls, folder: RunFolder, identity: RunFingerprint, accept: bool) -> _Begun:
        """Return what is there of a run in a folder that may hold it.

        Raises
        ------
        RunFolderError
            If the folder holds another run, or a finished one that cannot go on.
        """
        there = folder.fingerprint()
        if there is None:
            return cls(identity)
        same = identity.demand_same(there, folder.path, accept_changed_code=accept)
        _tell_accepted(folder, there, same)
        if not folder.finished:
            return cls(same)
        other = differences(there.stopping, same.stopping)
        summary = folder.summary()
        if other:
            _demand_record(folder, summary, other)
            return cls(same)
        if same.accepted != there.accepted:
            same.save(folder.identity_file)
        if not summary["converged"] and same.stopping:
            warnings.warn(
                f"{folder.path} has ended unconverged and was left as it is. To go on, change one of "
                f"{listing(same.stopping)} of the sampler: --set samplers.NAME.OPTION=VALUE",
                RunWarning,
                stacklevel=4,
            )
        return cls(same, complete=True)


def _tell_accepted(folder: RunFolder, before: RunFingerprint, now: RunFingerprint) -> None:
    """Warn if a fingerprint has accepted more than that of a folder."""
    if len(now.accepted) > len(before.accepted):
        changes = "\n".join(f"  {change}" for change in now.accepted[-1]["changes"])
        warnings.warn(f"{folder.path}: changed code was accepted:\n{changes}", RunWarning, stacklevel=4)


def _demand_record(folder: RunFolder, summary: Mapping[str, Any], other: Mapping[str, str]) -> None:
    """Raise unless a finished run can go on with other stopping criteria."""
    lines = "\n".join(other.values())
    if summary["converged"]:
        raise RunFolderError(
            f"{folder.path} holds a converged run, which was left as it is. Its likelihoods are no longer there, so "
            "with these stopping criteria all would be sampled again. To do so, choose another folder with --out:\n"
            + lines
        )
    if not folder.record_file.is_file():
        raise RunFolderError(
            f"{folder.path} holds a run that ended unconverged, but {folder.record_file.name} is missing, so it cannot "
            f"go on; nothing was changed. Choose another folder with --out:\n{lines}"
        )


def _run(
    folder: RunFolder,
    start: tuple[Configuration, dict[str, Any], RunFingerprint],
    model: Model,
    target: Target,
    algorithm: Sampler,
    seed: int,
    report: ProgressCallback,
) -> None:
    configuration, _, identity = start
    started = time.perf_counter()
    with LikelihoodReplay(target, folder.record_file, identity.digests) as record:
        samples = algorithm.run(record, seed=seed, folder=folder.path, report=report)
        wall = time.perf_counter() - started
        timed = {} if model.profile is None else {"profile": model.profile.summary(wall)}
        model.profile = None
        summary = summarise(samples, model, configuration, seed=seed, wall_seconds=wall)
        summary["evaluations"]["recalled"] = record.recalled
        summary |= timed
        if identity.accepted:
            summary["accepted"] = list(identity.accepted)
        if folder.finished:  # it went on with other stopping criteria
            folder.reopen(*start)
        folder.finish(samples, summary)
        if samples.converged:
            record.remove()
    warn_if_far(model, samples)  # after the results are on the disk


def _demand_agreement(identity: RunFingerprint, processes: Processes) -> None:
    """Raise if the processes of a job would not evaluate the same model."""
    digests = processes.allgather((identity.digest, dict(identity.stopping)))
    if any(digest != digests[0] for digest in digests):
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
    return {"path": str(configuration.path.absolute()), "configuration": {**raw, "sampler": sampler, "seed": seed}}
