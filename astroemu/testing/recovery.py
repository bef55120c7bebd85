"""Simulation-based calibration of one probe: simulate data, then fit them.

True values are drawn from a flat range. The probe's own ``simulate`` draws data at each of them. The posterior in the
same range is computed on a grid. The fraction of the posterior below the truth is uniform if the likelihood is the
density of the data, up to ``log_normalisation`` (Talts et al. 2018, arXiv:1804.06788).
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
    """Check that the ranks of the true values are uniform, and return the p-value as text.

    Raises
    ------
    Skipped
        If the probe cannot simulate its data.
    NonConformance
        If the ranks are not uniform.
    """
    from scipy.stats import kstest

    if type(probe).simulate is Probe.simulate:
        raise Skipped("the probe has no `simulate`")
    centre = fiducial(probe)
    reach = 3.0 * spread(probe, centre)
    rng = np.random.default_rng(3)
    # Without nuisance parameters the truths have one distribution; with them, one for each of their values.
    shared = None if probe.parameters else _cumulative_of_truths(probe, centre, {}, reach)
    try:
        shares = np.array([_share_below(probe, centre, reach, rng, shared) for _ in range(_TRUTHS)])
    except NotImplementedError as reason:
        raise Skipped(str(reason)) from None
    p = float(kstest(shares, "uniform").pvalue)
    ensure(p > _LEAST_P, f"the truth's ranks in {_TRUTHS} posteriors are not uniform: p = {p:.1e}")
    return f"ranks of {_TRUTHS} truths uniform, p = {p:.2f}"


def _cumulative_of_truths(
    probe: Probe, centre: dict[str, FloatArray], nuisance: dict[str, FloatArray], reach: float
) -> FloatArray:
    """Return the cumulative distribution ``(nodes,)`` of the truths, up to a factor.

    Their density is flat times the integral of the likelihood over all data.
    """
    levels = np.linspace(-reach, reach, _NODES)
    predictions = {key: Prediction(value + levels[:, None]) for key, value in centre.items()}
    repeated = {name: np.repeat(value, _NODES) for name, value in nuisance.items()}
    log_norm = np.broadcast_to(probe.log_normalisation(predictions, repeated), _NODES)
    density = np.exp(log_norm - log_norm.max())
    return np.concatenate([[0.0], np.cumsum(0.5 * (density[1:] + density[:-1]))])


def _share_below(
    probe: Probe, centre: dict[str, FloatArray], reach: float, rng: np.random.Generator, shared: FloatArray | None
) -> float:
    """Draw a truth and data, and return the fraction of the posterior below the truth.

    ``shared`` is the cumulative distribution of the truths, if it is the same for all of them.
    """
    nuisance = nuisance_at(probe, rng.random((1, len(probe.parameters))))
    of_truths = _cumulative_of_truths(probe, centre, nuisance, reach) if shared is None else shared
    truth = float(np.interp(rng.random() * of_truths[-1], of_truths, np.linspace(-reach, reach, _NODES)))
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
