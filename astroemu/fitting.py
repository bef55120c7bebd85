"""One fit from start to finish: configuration in, run folder out."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

from astroemu.configuration import Configuration
from astroemu.errors import located
from astroemu.model import Model
from astroemu.neighbourhood import warn_if_far
from astroemu.run import RunFolder, summarise
from astroemu.sampler import Report, silent


def fit(
    configuration: Configuration,
    *,
    out: str | Path | None = None,
    sampler: str | None = None,
    seed: int | None = None,
    report: Report = silent,
) -> tuple[RunFolder, Model]:
    """Sample the posterior of a configuration and write its run folder.

    Parameters
    ----------
    configuration : Configuration
    out : str or Path, optional
        Run folder; by default the first free one of ``runs/NAME``, ``runs/NAME-2``, ...
    sampler : str, optional
        Instead of the configuration's.
    seed : int, optional
        Instead of the configuration's.
    report : callable
        Told of the progress.

    Raises
    ------
    AstroemuError
        For anything that a user can mend; nothing is written before the model is whole.
    """
    seed = configuration.document.seed if seed is None else seed
    algorithm = configuration.sampler(sampler)
    model = configuration.model()
    with located(configuration.where("samplers", sampler or configuration.document.sampler)):
        algorithm.check(model)
    folder = RunFolder.fresh(Path("runs"), configuration.name) if out is None else RunFolder.create(out)
    folder.start(configuration, _resolved(configuration, sampler or configuration.document.sampler, seed))
    started = time.perf_counter()
    samples = algorithm.run(model, seed=seed, folder=folder.path, report=report)
    wall = time.perf_counter() - started
    warn_if_far(model, samples)
    folder.finish(samples, summarise(samples, model, configuration, seed=seed, wall_seconds=wall))
    return folder, model


def _resolved(configuration: Configuration, sampler: str, seed: int) -> dict[str, Any]:
    raw = dict(configuration.raw)
    return {"path": str(configuration.path.resolve()), "configuration": {**raw, "sampler": sampler, "seed": seed}}
