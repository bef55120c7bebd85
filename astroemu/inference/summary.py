"""The numerical results of a run."""

from __future__ import annotations

from typing import Any

import numpy as np

from astroemu.core.requirement import Requirement
from astroemu.inference.configuration import Configuration
from astroemu.inference.inputs import citations, provenance_of
from astroemu.model.model import Model
from astroemu.sampling.samples import Samples
from astroemu.sampling.statistics import statistics

#: Number of posterior samples for the derived numbers and for the bands of the figures.
POSTERIOR_DRAWS = 1000


def summarise(
    samples: Samples,
    model: Model,
    configuration: Configuration,
    *,
    seed: int,
    wall_seconds: float,
) -> dict[str, Any]:
    """Return the summary of a run, as written to ``summary.json``.

    Parameters
    ----------
    samples : Samples
    model : Model
    configuration : Configuration
    seed : int
        Seed of the run; also of the draws behind the derived numbers.
    wall_seconds : float
        Wall-clock time of the run in seconds.

    Returns
    -------
    dict
        Plain values: statistics of parameters and derived numbers, evidence, convergence, counts of evaluations,
        provenance and citations.
    """
    best = samples.best()
    counts = model.counts
    block = provenance_of(model, configuration)
    return {
        "title": configuration.document.title,
        "sampler": samples.sampler,
        "seed": seed,
        "parameters": samples.table(),
        "derived": derived(samples, model, seed),
        "log_evidence": samples.log_evidence,
        "log_evidence_err": samples.log_evidence_err,
        "n_likelihood": samples.n_likelihood,
        "wall_seconds": wall_seconds,
        "ess": samples.ess,
        "converged": samples.converged,
        "converged_reason": samples.reason,
        "best_sample": dict(zip(samples.names, best.tolist(), strict=True)),
        "best_log_likelihood": {k: float(v[0]) for k, v in model.log_likelihood_by_probe(best[None]).items()},
        "evaluations": {
            "evaluated": counts.evaluated,
            "outside_emulator_range": counts.outside,
            "not_finite": counts.not_finite,
            "fraction_outside": counts.outside / max(counts.evaluated, 1),
        },
        "diagnostics": dict(samples.diagnostics),
        "versions": block["versions"],
        "inputs": block["inputs"],
        "provenance": block,
        "citations": citations(model),
    }


def derived(samples: Samples, model: Model, seed: int) -> dict[str, dict[str, float]]:
    """Return the posterior statistics of every observable that is one number, such as ``tau_e``.

    They come from :data:`POSTERIOR_DRAWS` equally weighted samples, and have the same keys as those of the parameters.
    """
    numbers = {name: observable for name, observable in model.observables.items() if not observable.axes}
    theta = samples.equal_weight(POSTERIOR_DRAWS, np.random.default_rng(seed))
    found = model.predict_for({name: Requirement(name, {}, o.unit) for name, o in numbers.items()}, theta)
    return {name: statistics(values[:, 0], np.ones(len(theta))) for name, values in found.items()}
