"""The verdict on a calibration: are the ranks of its truths uniform?."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy
from numpy.typing import NDArray

from astroemu.core.typing import FloatArray
from astroemu.model.model import Model
from astroemu.sampling.statistics import kish_ess
from astroemu.validation.mock import log_normalisations
from astroemu.validation.ranks import CREDIBLE_LEVELS, correct_p_values, highest_density_coverage, judge_ranks

#: Quantities that are ranked in addition to the parameters.
LOG_LIKELIHOOD, LOG_POSTERIOR = "log_likelihood", "log_posterior"
#: Smallest corrected p-value with which a calibration passes.
LEAST_P = 0.01
#: Fewest fits of a calibration, fewest that can tell that it passes, and a number for a useful verdict.
LEAST_FITS, TELLING_FITS, ENOUGH_FITS = 10, 50, 100


def ranks_by_quantity(fits: list[dict[str, Any]]) -> dict[str, NDArray[np.intp]]:
    """Return the ranks ``(n,)`` of all fits, by quantity."""
    return {name: np.array([fit["rank"][name] for fit in fits], dtype=np.intp) for name in fits[0]["rank"]}


def tested_ranks(ranks: dict[str, NDArray[np.intp]]) -> dict[str, NDArray[np.intp]]:
    """Return the ranks that decide the result.

    They are all but that of the log-posterior, which repeats the log-likelihood if the priors are flat.
    """
    return {name: values for name, values in ranks.items() if name != LOG_POSTERIOR}


@dataclass(frozen=True, eq=False)
class Given:
    """Truths that were given as finished simulations, not drawn.

    Attributes
    ----------
    p_value : float
        Of the hypothesis that they are draws from the prior (Kolmogorov-Smirnov, corrected for the number of
        parameters).
    weight : (n,) array
        Normalisation of the likelihoods at each truth. The density of drawn truths contains this factor.
    """

    p_value: float
    weight: FloatArray

    @classmethod
    def of(cls, fits: list[dict[str, Any]], model: Model, predicting: Model) -> Given:
        """Return the properties of the truths of these fits, of a model and of the one that predicted the data."""
        names = model.names
        theta = np.array([[fit["theta"][name] for name in names] for fit in fits])
        drawn = model.prior.sample(20_000, np.random.default_rng(0))
        p_values = [float(scipy.stats.ks_2samp(theta[:, j], drawn[:, j]).pvalue) for j in range(len(names))]
        log_weight = sum(log_normalisations(predicting, theta).values(), np.zeros(len(theta)))
        return cls(min(correct_p_values(p_values)), np.exp(log_weight - log_weight.max()))

    def joint(self, ranks: NDArray[np.intp], draws: int, level: float) -> dict[str, float]:
        """Return the weighted fraction of truths in the densest region of a level, with its error."""
        nominal = highest_density_coverage(ranks, draws, level)["nominal"]
        inside = ranks >= round((1 - nominal) * (draws + 1))
        share = float(self.weight @ inside / self.weight.sum())
        effective = kish_ess(np.log(np.maximum(self.weight, 1e-300)))
        error = float(np.sqrt(nominal * (1 - nominal) / effective))
        return {"nominal": nominal, "found": share, "error": error, "effective": effective}


def verdict(fits: list[dict[str, Any]], draws: int, given: Given | None = None) -> dict[str, Any]:
    """Return the result of the fits: statistics of the ranks, and whether the calibration has passed.

    Parameters
    ----------
    fits : list of dict
        As from :func:`astroemu.validation.sbc.read_fit`.
    draws : int
        Number of posterior draws among which a truth was ranked.
    given : Given, optional
        For truths that were not drawn. If they are not draws from the prior, their ranks need not be uniform. The
        calibration then passes if the densest 95 % of the posteriors hold at least 95 % of the weighted truths, minus
        two standard errors.

    Returns
    -------
    dict
        The items of :func:`astroemu.validation.ranks.judge_ranks`, and ``passed``: False if the test fails, None if
        it does not but there are too few fits to tell (fewer than :data:`TELLING_FITS`), else True.

        ``coverage``: mean over the parameters, by level. ``joint``: coverage of the region of highest posterior
        density, by level. For given truths also ``truths_from_prior`` (a p-value) and ``weighted_joint``, see
        :class:`Given`.

        The number of ``fits``, of ``unconverged`` ones, of those with ``fewer_effective_samples`` than draws, and of
        those with ``unlikely_truths`` by probe, see :func:`astroemu.validation.mock.unlikely_probes`. Medians of the
        cost of a fit.
    """
    ranks = ranks_by_quantity(fits)
    found = judge_ranks(tested_ranks(ranks), draws)
    parameters = [found["quantities"][name]["coverage"] for name in fits[0]["theta"]]
    found["coverage"] = {
        f"{level:g}": float(np.mean([each[f"{level:g}"]["found"] for each in parameters])) for level in CREDIBLE_LEVELS
    }
    found["joint"] = {
        f"{level:g}": highest_density_coverage(ranks[LOG_POSTERIOR], draws, level) for level in CREDIBLE_LEVELS
    }
    found["passed"] = found["p_value"] > LEAST_P
    if given is not None:
        found["truths_from_prior"] = given.p_value
        found["weighted_joint"] = {
            f"{level:g}": given.joint(ranks[LOG_POSTERIOR], draws, level) for level in CREDIBLE_LEVELS
        }
        if given.p_value <= LEAST_P:
            densest = found["weighted_joint"]["0.95"]
            found["passed"] = densest["found"] >= densest["nominal"] - 2 * densest["error"]
    if found["passed"] and len(fits) < TELLING_FITS:
        found["passed"] = None
    found["fits"] = len(fits)
    found["draws"] = draws
    found["unconverged"] = sum(not fit["converged"] for fit in fits)
    found["fewer_effective_samples"] = sum(fit["ess"] < draws for fit in fits)
    found["unlikely_truths"] = {
        key: sum(key in fit["unlikely"] for fit in fits) for key in sorted({k for fit in fits for k in fit["unlikely"]})
    }
    for key in ("ess", "n_likelihood", "wall_seconds", "cpu_seconds"):
        found[f"median_{key}"] = float(np.median([fit[key] for fit in fits]))
    return found
