"""One run of a sampler on a model, without a run folder."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from typing import Any

from astroemu.core.prior import Prior
from astroemu.core.progress import ProgressCallback, silent
from astroemu.errors import ConfigurationError
from astroemu.runtime.options import build
from astroemu.runtime.plugins import SAMPLERS
from astroemu.sampling.progress_display import displayed
from astroemu.sampling.sampler import Sampler
from astroemu.sampling.samples import Samples
from astroemu.sampling.target import Target


def run_sampler(
    target: Target,
    prior: Prior,
    sampler: str | Sampler,
    options: Mapping[str, Any],
    *,
    seed: int,
    progress: bool | ProgressCallback,
) -> Samples:
    """Return samples of a target that know their prior; see :meth:`astroemu.Model.sample`."""
    if isinstance(sampler, str):
        sampler = build(SAMPLERS.load(sampler), options, f"options of the sampler {sampler!r}")
    elif options:
        raise ConfigurationError("options can be given with the name of a sampler only, not with an instance")
    assert isinstance(sampler, Sampler)
    with _shown(sampler.name, progress) as report:
        samples = sampler.run(target, seed=seed, report=report)
    return replace(samples, prior=prior)


def _shown(what: str, progress: bool | ProgressCallback) -> AbstractContextManager[ProgressCallback]:
    if isinstance(progress, bool):
        return displayed(what) if progress else nullcontext(silent)
    return nullcontext(progress)
