"""The numerical results of a run."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import numpy as np

from astroemu.core.requirement import Requirement
from astroemu.inference.configuration import Configuration
from astroemu.inference.inputs import citations, provenance_of
from astroemu.model.model import Model
from astroemu.sampling.samples import Samples
from astroemu.sampling.statistics import statistics

_T = TypeVar("_T")
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
        provenance and citations. What a plugin failed to compute after the sampling is left out, and ``remarks``
        states why: the samples are not lost.
    """
    best = samples.best()
    counts = model.counts
    block = provenance_of(model, configuration)
    remarks: list[str] = []
    summary = {
        "title": configuration.document.title,
        "sampler": samples.sampler,
        "seed": seed,
        "parameters": samples.table(),
        "fixed": dict(model.prior.fixed),
        "derived": _tried("derived numbers", lambda: derived(samples, model, seed), dict, remarks),
        "log_evidence": samples.log_evidence,
        "log_evidence_err": samples.log_evidence_err,
        "n_likelihood": samples.n_likelihood,
        "wall_seconds": wall_seconds,
        "ess": samples.ess,
        "converged": samples.converged,
        "converged_reason": samples.reason,
        "best_sample": dict(zip(samples.names, best.tolist(), strict=True)),
        "best_log_likelihood": _tried(
            "ln L of each probe at the best sample",
            lambda: {k: float(v[0]) for k, v in model.log_likelihood_by_probe(best[None]).items()},
            dict,
            remarks,
        ),
        "evaluations": {
            "evaluated": counts.evaluated,
            "outside_emulator_range": counts.outside,
            "not_finite": counts.not_finite,
            "fraction_outside": counts.outside / max(counts.evaluated, 1),
            **({"not_finite_by_probe": dict(counts.by_probe)} if counts.by_probe else {}),
        },
        "diagnostics": dict(samples.diagnostics),
        "versions": block["versions"],
        "inputs": block["inputs"],
        "provenance": block,
        "citations": _tried("citations", lambda: citations(model), list, remarks),
    }
    return summary | ({"remarks": remarks} if remarks else {})


def _tried(what: str, compute: Callable[[], _T], nothing: Callable[[], _T], remarks: list[str]) -> _T:
    """Return what a function computes; if it fails, add the reason to the remarks and return nothing."""
    try:
        return compute()
    except Exception as error:  # of a plugin: it must not cost the run
        remarks.append(f"{what}: not computed ({type(error).__name__}: {error})")
        return nothing()


def derived(samples: Samples, model: Model, seed: int) -> dict[str, dict[str, float]]:
    """Return the posterior statistics of every observable that is one number, such as ``tau_e``.

    They come from :data:`POSTERIOR_DRAWS` equally weighted samples, and have the same keys as those of the parameters.
    A number that depends on no sampled parameter has the key ``constant``, with the value True: its spread is only
    rounding.
    """
    numbers = {name: observable for name, observable in model.observables.items() if not observable.axes}
    theta = samples.equal_weight(POSTERIOR_DRAWS, np.random.default_rng(seed))
    found = model.predict_for({name: Requirement(name, {}, o.unit) for name, o in numbers.items()}, theta)
    table = {name: statistics(values[:, 0], np.ones(len(theta))) for name, values in found.items()}
    return {name: row if _varies(model, name) else row | {"constant": True} for name, row in table.items()}


def _varies(model: Model, observable: str) -> bool:
    """Return True if an observable depends on a sampled parameter, directly or through other observables."""
    key, _ = model.graph.source(Requirement(observable), "summary")
    provider = model.graph.providers[key]
    inner = [*provider.requires, *model.graph.derived_inputs(key)]
    return any(name in model.names for name in provider.parameters) or any(
        _varies(model, requirement.observable) for requirement in inner
    )
