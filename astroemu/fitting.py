"""One fit from start to finish: configuration in, run folder out."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

from astroemu.configuration import Configuration
from astroemu.errors import ConfigurationError, located
from astroemu.identity import Identity, identify
from astroemu.model import Counts, Model
from astroemu.parallel import World, world
from astroemu.profile import Profile
from astroemu.run import RunFolder, summarise
from astroemu.sampler import Report, Sampler, silent


def fit(
    configuration: Configuration,
    *,
    out: str | Path | None = None,
    sampler: str | None = None,
    seed: int | None = None,
    resume: bool = False,
    profile: bool = False,
    report: Report = silent,
) -> tuple[RunFolder, Model]:
    """Sample the posterior of a configuration and write its run folder.

    Under ``mpiexec`` all processes call this together, and the first one writes.

    Parameters
    ----------
    configuration : Configuration
    out : str or Path, optional
        Run folder; by default the first free one of ``runs/NAME``, ``runs/NAME-2``, ..., and to resume the one
        of the highest number.
    sampler : str, optional
        Instead of the configuration's.
    seed : int, optional
        Instead of the configuration's.
    resume : bool
        Go on with the run in the folder. Without a run there a new one is started, and a finished one is
        returned as it is, so that one command can be given again and again.
    profile : bool
        Time the parts of the model; the summary gets them, of the first process.
    report : callable
        Told of the progress.

    Raises
    ------
    AstroemuError
        For anything that a user can mend; nothing is written before the model is whole.
    RunFolderError
        If the run to be resumed is another one.
    """
    seed = configuration.document.seed if seed is None else seed
    name = sampler or configuration.document.sampler
    algorithm = configuration.sampler(sampler)
    model = configuration.model()
    everyone = world()
    with located(configuration.where("samplers", name)):
        algorithm.check(model)
        _check_processes(algorithm, name, everyone)
    identity = identify(configuration, model, algorithm, name, seed)
    _check_same(identity, everyone)
    folder, sessions = None, 0
    if everyone.first:
        folder = _folder(configuration, out, identity, resume=resume)
        if not folder.finished:
            sessions = folder.start(configuration, _resolved(configuration, name, seed), identity)
    folder, sessions = everyone.from_first((folder, sessions))
    if not sessions:
        return folder, model
    model.profile = Profile() if profile else None
    started = time.perf_counter()
    samples = algorithm.run(model, seed=seed, folder=folder.state, report=report)
    wall = time.perf_counter() - started
    model.counts = _together(model.counts, everyone)
    if everyone.first:
        facts = {"seed": seed, "wall_seconds": wall, "sessions": sessions, "processes": everyone.size}
        timed = {} if model.profile is None else {"profile": model.profile.summary(wall)}
        model.profile = None
        folder.finish(samples, {**summarise(samples, model, configuration, **facts), **timed})
    everyone.wait()
    return folder, model


def _folder(configuration: Configuration, out: str | Path | None, identity: Identity, *, resume: bool) -> RunFolder:
    runs = Path("runs")
    if resume:
        return RunFolder.resumable(RunFolder.latest(runs, configuration.name).path if out is None else out, identity)
    return RunFolder.fresh(runs, configuration.name) if out is None else RunFolder.create(out)


def _check_processes(sampler: Sampler, name: str, everyone: World) -> None:
    if everyone.size > 1 and sampler.traits.processes == "one":
        raise ConfigurationError(
            f"the sampler {name!r} runs in one process, and {everyone.size} were started; start it without mpiexec"
        )


def _check_same(identity: Identity, everyone: World) -> None:
    """Refuse processes that were given different problems: other files on another machine, say."""
    first = everyone.from_first(identity)
    differing = [rank for rank, digest in enumerate(everyone.from_all(identity.digest)) if digest != first.digest]
    if differing:
        lines = identity.differences(first, f"in process {everyone.rank}", "in process 0")
        raise ConfigurationError(
            f"the processes {', '.join(map(str, differing))} have another problem than process 0. What differs:\n  "
            + "\n  ".join(lines)
        )


def _together(counts: Counts, everyone: World) -> Counts:
    each = everyone.from_all(counts)
    return Counts(
        evaluated=sum(c.evaluated for c in each),
        outside=sum(c.outside for c in each),
        not_finite=sum(c.not_finite for c in each),
    )


def _resolved(configuration: Configuration, sampler: str, seed: int) -> dict[str, Any]:
    raw = dict(configuration.raw)
    return {"path": str(configuration.path.resolve()), "configuration": {**raw, "sampler": sampler, "seed": seed}}
