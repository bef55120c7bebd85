"""Samples of a run, extended by parameters that the run did not have, drawn from their priors.

A sample of the old posterior and a draw of the prior of the new parameters are together a draw of

    p(theta | old data) pi(phi),

so that the weight ``L_new(theta, phi) / L_old(theta)`` gives the new posterior exactly, as for any importance sampling.
Several draws for each sample lower the noise of the weights.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from astroemu.core.prior import Prior
from astroemu.core.typing import FloatArray
from astroemu.sampling.samples import Samples
from astroemu.sampling.statistics import kish_ess


@dataclass(frozen=True, eq=False)
class ExtendedSamples:
    """Points of a run, each repeated with draws of the new parameters.

    Attributes
    ----------
    samples : Samples
        Of the run, ``n`` of them.
    names : tuple of str
        Those of the samples, then the new parameters.
    theta : (n draws, d) array
        The repetitions of a sample are next to each other.
    draws : int
        Draws for each sample; 1 without new parameters.
    """

    samples: Samples
    names: tuple[str, ...]
    theta: FloatArray
    draws: int = 1

    @classmethod
    def of(cls, samples: Samples, prior: Prior, new: Sequence[str], draws: int, seed: int) -> ExtendedSamples:
        """Return the points of a run with draws of the parameters ``new`` of a prior; the seed decides the draws."""
        if not new:
            return cls(samples, samples.names, samples.theta)
        drawn = prior.sample(len(samples) * draws, np.random.default_rng([seed, 6]))
        columns = [prior.names.index(name) for name in new]
        theta = np.concatenate([np.repeat(samples.theta, draws, axis=0), drawn[:, columns]], axis=1)
        return cls(samples, (*samples.names, *new), theta, draws)

    def __len__(self) -> int:
        return len(self.theta)

    def columns(self, names: Sequence[str]) -> FloatArray:
        """Return the parameters of these names, ``(n draws, len(names))``."""
        return self.theta[:, [self.names.index(name) for name in names]]

    @property
    def log_weight(self) -> FloatArray:
        """Log weights ``(n draws,)`` in the run. The sum of the weights is one."""
        whole = self.samples.log_weight - np.logaddexp.reduce(self.samples.log_weight)
        return np.repeat(whole - np.log(self.draws), self.draws)

    @property
    def log_likelihood(self) -> FloatArray:
        """Log-likelihoods ``(n draws,)`` in the run."""
        return np.repeat(self.samples.log_likelihood, self.draws)

    def by_sample(self, log_weight: FloatArray, keep: NDArray[np.bool_]) -> FloatArray:
        """Return the sum of weights ``(n,)`` over the draws of each sample, from those of the points to keep."""
        whole = np.full(len(self), -np.inf)
        whole[keep] = log_weight
        return np.exp(np.logaddexp.reduce(whole.reshape(-1, self.draws), axis=1))

    def effective(self, log_weight: FloatArray, keep: NDArray[np.bool_]) -> tuple[float, float]:
        """Return Kish's effective number of points, and that of independent ones, for weights whose sum is one.

        Draws of one sample share its parameters, and samples of a chain are correlated. So the smaller number counts:
        that of the points, or that of the samples.
        """
        weight = self.by_sample(log_weight, keep)
        kish = min(kish_ess(log_weight), float(1.0 / np.sum(weight**2)))
        return kish, kish * self.independent

    @property
    def independent(self) -> float:
        """Independent samples of the run for each effective sample, at most one."""
        return self.samples.ess / kish_ess(self.samples.log_weight)
