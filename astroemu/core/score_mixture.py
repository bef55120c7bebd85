"""A mixture of normal distributions of normal scores, fitted without random numbers."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from scipy.special import logsumexp, ndtr, ndtri

from astroemu.core.typing import FloatArray

#: Most components that are tried.
MOST_COMPONENTS = 6
#: Steps of expectation-maximisation, the least weight of a component, and what is added to variances of scores.
_STEPS, _LEAST_WEIGHT, _FLOOR = 200, 0.01, 1e-4
#: Least gain of the mean log density in a step, and numbers of components without a gain after which the search ends.
_LEAST_GAIN, _WORSE = 1e-6, 2
#: Steps of the inversion of a distribution function.
_INVERSION = 60


@dataclass(frozen=True, eq=False)
class ScoreMixture:
    """Mixture of ``m`` normal distributions in ``k`` dimensions.

    Attributes
    ----------
    weight : (m,) array
    mean : (m, k) array
    covariance : (m, k, k) array
    """

    weight: FloatArray
    mean: FloatArray
    covariance: FloatArray

    @classmethod
    def fitted(cls, z: FloatArray, most: int = MOST_COMPONENTS) -> ScoreMixture:
        """Return the mixture with the lowest Bayesian information criterion for points ``(n, k)``."""
        best, lowest, last, k = None, math.inf, 0, z.shape[1]
        for m in range(1, most + 1):
            mixture = cls._of_slices(z, m)
            number = len(mixture.weight) * (1 + k + k * (k + 1) / 2) - 1
            criterion = number * math.log(len(z)) - 2.0 * float(np.sum(mixture.log_density(z)))
            if criterion < lowest:
                best, lowest, last = mixture, criterion, m
            elif m - last >= _WORSE:
                break
        assert best is not None
        return best

    @classmethod
    def _of_slices(cls, z: FloatArray, m: int) -> ScoreMixture:
        """Start from ``m`` slices along the longest axis of the points, and improve the likelihood step by step."""
        centred = z - z.mean(axis=0)
        axis = np.linalg.eigh(centred.T @ centred)[1][:, -1]
        axis = axis * np.sign(axis[np.argmax(np.abs(axis))])
        rank = np.argsort(np.argsort(centred @ axis, kind="stable"), kind="stable")
        share = (np.minimum(rank * m // len(z), m - 1)[:, None] == np.arange(m)).astype(float)
        mixture, before = cls._maximised(z, share), -np.inf
        for _ in range(_STEPS):
            terms = mixture._terms(z)
            total = logsumexp(terms, axis=1)
            now = float(np.mean(total))
            if now - before < _LEAST_GAIN:
                break
            mixture, before = cls._maximised(z, np.exp(terms - total[:, None])), now
        return mixture

    @classmethod
    def _maximised(cls, z: FloatArray, share: FloatArray) -> ScoreMixture:
        """Return the mixture of points ``(n, k)`` whose shares ``(n, m)`` of each component are known."""
        weight = share.mean(axis=0)
        kept = weight >= _LEAST_WEIGHT
        share, weight = share[:, kept], weight[kept] / weight[kept].sum()
        total = share.sum(axis=0)
        mean = share.T @ z / total[:, None]
        floor = _FLOOR * np.eye(z.shape[1])
        steps = [z - centre for centre in mean]
        covariance = [(step.T * share[:, j]) @ step / total[j] + floor for j, step in enumerate(steps)]
        return cls(weight, mean, np.array(covariance))

    @cached_property
    def root(self) -> FloatArray:
        """Cholesky factors ``(m, k, k)``."""
        return np.asarray(np.linalg.cholesky(self.covariance))

    def _terms(self, z: FloatArray) -> FloatArray:
        """Return the log of the weighted density ``(n, m)`` of each component."""
        steps = np.linalg.solve(self.root, np.swapaxes(z[None] - self.mean[:, None], 1, 2))  # (m, k, n)
        log_volume = np.sum(np.log(np.diagonal(self.root, axis1=1, axis2=2)), axis=1)
        norm = np.log(self.weight) - log_volume - 0.5 * z.shape[1] * math.log(2.0 * math.pi)
        return norm - 0.5 * np.sum(steps**2, axis=1).T

    def log_density(self, z: FloatArray) -> FloatArray:
        """Return the log density ``(n,)`` at points ``(n, k)``."""
        return np.asarray(logsumexp(self._terms(z), axis=1))

    def conditionals(self, z: FloatArray) -> Iterator[tuple[FloatArray, FloatArray]]:
        """Yield for each column the weights and centres ``(n, m)`` given the columns before it.

        The caller may fill a column when it has received its weights and centres.
        """
        steps = np.zeros((len(z), len(self.weight), z.shape[1]))
        log_weight = np.log(self.weight) + np.zeros((len(z), 1))
        for i in range(z.shape[1]):
            centre = self.mean[:, i] + np.sum(self.root[:, i, :i] * steps[:, :, :i], axis=2)
            weight = np.exp(log_weight - logsumexp(log_weight, axis=1, keepdims=True))
            yield weight, centre
            steps[:, :, i] = (z[:, i, None] - centre) / self.root[:, i, i]
            log_weight = log_weight - 0.5 * steps[:, :, i] ** 2 - np.log(self.root[:, i, i])

    def below(self, i: int, z: Any, weight: FloatArray, centre: FloatArray) -> FloatArray:
        """Return the probability ``(n,)`` below the score ``z (n,)`` of column i, from its conditional mixture."""
        return np.asarray(np.sum(weight * ndtr((np.reshape(z, (-1, 1)) - centre) / self.root[:, i, i]), axis=1))

    def quantiles(self, i: int, scores: Sequence[float]) -> tuple[float, ...]:
        """Return the values of column i below which the mixture has the same probability as below normal scores."""
        alone = ScoreMixture(self.weight, self.mean[:, [i]], self.covariance[:, [i]][:, :, [i]])
        rows = np.zeros((len(scores), 1))
        found = alone.quantile(0, ndtr(np.array(scores)), self.weight + rows, self.mean[:, i] + rows)
        return tuple(found.tolist())

    def quantile(self, i: int, p: FloatArray, weight: FloatArray, centre: FloatArray) -> FloatArray:
        """Return the score ``(n,)`` of column i below which the probability is ``p (n,)``.

        It lies between the quantiles of the components. Steps of Newton's method that leave this are halvings.
        """
        sigma = self.root[:, i, i]
        each = centre + sigma * ndtri(p)[:, None]
        low, high = each.min(axis=1), each.max(axis=1)
        z = np.sum(weight * each, axis=1)
        for _ in range(_INVERSION):
            excess = self.below(i, z, weight, centre) - p
            low, high = np.where(excess < 0, z, low), np.where(excess > 0, z, high)
            score = (z[:, None] - centre) / sigma
            density = np.sum(weight * np.exp(-0.5 * score**2) / sigma, axis=1) / math.sqrt(2.0 * math.pi)
            with np.errstate(divide="ignore", invalid="ignore"):
                step = z - excess / density
            new = np.where((step >= low) & (step <= high), step, 0.5 * (low + high))
            done = np.all(np.abs(new - z) <= 1e-13 * (1.0 + np.abs(z)))
            z = new
            if done:
                break
        return z
