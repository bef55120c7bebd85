"""Simulate, then fit: does a probe recover what its data were made with?

Truths are drawn from a flat range, data are drawn at each truth by the probe's own ``simulate``, and
the posterior of the same range is computed on a grid. If, and only if, the likelihood is the density
from which the data come, up to what ``log_normalisation`` says, the share of the posterior below the
truth is uniform (Talts et al. 2018, arXiv:1804.06788).
"""

from __future__ import annotations

import numpy as np

from astroemu.core.probe import Probe
from astroemu.core.provider import Prediction
from astroemu.core.typing import FloatArray
from astroemu.testing.findings import Skipped, ensure
from astroemu.testing.synthetic import fiducial, likelihood, nuisance_at, spread

_TRUTHS = 200
_NODES = 201
_BATCH = 4_000_000
_LEAST_P = 1e-3


def recovers(probe: Probe) -> str:
    """Examine the ranks of the truths; ``Skipped`` if the probe cannot simulate its data."""
    from scipy.stats import kstest

    if type(probe).simulate is Probe.simulate:
        raise Skipped("the probe has no `simulate`")
    centre = fiducial(probe)
    step = spread(probe, centre)
    rng = np.random.default_rng(3)
    try:
        shares = np.array([_share_below(probe, centre, 3.0 * step, rng) for _ in range(_TRUTHS)])
    except NotImplementedError as reason:
        raise Skipped(str(reason)) from None
    p = float(kstest(shares, "uniform").pvalue)
    ensure(p > _LEAST_P, f"the truth's ranks in {_TRUTHS} posteriors are not uniform: p = {p:.1e}")
    return f"ranks of {_TRUTHS} truths uniform, p = {p:.2f}"


def _truth(
    probe: Probe, centre: dict[str, FloatArray], nuisance: dict[str, FloatArray], reach: float, rng: np.random.Generator
) -> float:
    """Draw a truth from the flat range times the likelihood's integral over the data that can be drawn."""
    levels = np.linspace(-reach, reach, _NODES)
    predictions = {key: Prediction(value + levels[:, None]) for key, value in centre.items()}
    repeated = {name: np.repeat(value, _NODES) for name, value in nuisance.items()}
    log_norm = np.broadcast_to(probe.log_normalisation(predictions, repeated), _NODES)
    density = np.exp(log_norm - log_norm.max())
    cumulative = np.concatenate([[0.0], np.cumsum(0.5 * (density[1:] + density[:-1]))])
    return float(np.interp(rng.random() * cumulative[-1], cumulative, levels))


def _share_below(probe: Probe, centre: dict[str, FloatArray], reach: float, rng: np.random.Generator) -> float:
    nuisance = nuisance_at(probe, rng.random((1, len(probe.parameters))))
    truth = _truth(probe, centre, nuisance, reach, rng)
    at_truth = {key: Prediction(value[None] + truth) for key, value in centre.items()}
    mock = probe.simulate(at_truth, nuisance, rng)
    ensure(mock is not probe and type(mock) is type(probe), "`simulate` must return a new probe of its own class")
    levels = np.linspace(-reach, reach, _NODES)
    rows = max(1, _BATCH // max(1, sum(v.size for v in centre.values())))
    parts = [
        likelihood(
            mock,
            {key: value + level[:, None] for key, value in centre.items()},
            {name: np.repeat(value, len(level)) for name, value in nuisance.items()},
        )
        for level in np.array_split(levels, -(-_NODES // rows))
    ]
    log_l = np.concatenate(parts)
    density = np.exp(log_l - np.nanmax(log_l))
    cumulative = np.concatenate([[0.0], np.cumsum(0.5 * (density[1:] + density[:-1]))])
    return float(np.interp(truth, levels, cumulative / cumulative[-1]))
