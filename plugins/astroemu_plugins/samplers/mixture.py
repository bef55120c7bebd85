"""Mixture of Student t distributions: a density that can be sampled and fitted to weighted points.

Its heavy tails keep importance weights bounded if the posterior falls off like a Gaussian. The fit is the
expectation-maximisation step of population Monte Carlo (Cappe et al. 2008, Stat. Comput. 18, 447, arXiv:0710.4242,
for mixtures of Gaussians and of Student t distributions). Wraith et al. (2009, arXiv:0903.0837) used it in cosmology.
Covariances of components with few points are shrunk towards the pooled covariance.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any, Self

import numpy as np
from scipy.special import gammaln, logsumexp

from astroemu.core.typing import FloatArray
from astroemu.errors import SamplingError

#: Degrees of freedom.
_NU = 8.0
#: Steps of expectation-maximisation per fit.
_STEPS = 3
#: Components below this weight, or below this number of effective points per dimension, are dropped.
_LEAST_WEIGHT, _LEAST_POINTS = 0.005, 2.0


@dataclass(frozen=True, eq=False)
class Mixture:
    """Mixture of ``k`` Student t distributions in ``d`` dimensions.

    Attributes
    ----------
    weight : (k,) array
        Weights of the components; their sum is one.
    mean : (k, d) array
    scale : (k, d, d) array
        Scale matrices. The covariance is the scale matrix times ``nu / (nu - 2)``, with ``nu = 8`` degrees of freedom.
    """

    weight: FloatArray
    mean: FloatArray
    scale: FloatArray

    @classmethod
    def around(cls, z: FloatArray, log_weight: FloatArray, k: int, rng: Any) -> Self:
        """Return ``k`` equal components, centred on points ``(n, d)`` drawn by their log weights ``(n,)``."""
        weight = probabilities(log_weight)
        chosen = rng.choice(len(z), size=k, p=weight)
        return cls(np.full(k, 1.0 / k), z[chosen], np.repeat(_covariance(z, weight)[None], k, axis=0))

    def log_density(self, z: FloatArray) -> FloatArray:
        """Return the log density ``(n,)`` at points ``(n, d)``."""
        return np.asarray(logsumexp(self._terms(z)[0], axis=1))

    def draw(self, n: int, rng: Any) -> FloatArray:
        """Return ``n`` draws ``(n, d)``. ``rng`` is a Generator or a RandomState of NumPy."""
        which = rng.choice(len(self.weight), size=n, p=self.weight)
        unit = rng.standard_normal((n, self.mean.shape[1])) / np.sqrt(rng.chisquare(_NU, n) / _NU)[:, None]
        return self.mean[which] + np.einsum("nij,nj->ni", self._root[which], unit)

    def defended(self, share: float) -> Self:
        """Return this mixture with a share of the draws from the same one, wider by ``1 + 1 / sqrt(d)``.

        The distance of posterior points from the centre scatters by about one over ``sqrt(d)`` of itself. A wider
        mixture covers that. A much wider one would have no density there in many dimensions.
        """
        wider = (1.0 + self.mean.shape[1] ** -0.5) ** 2
        return self.joined(type(self)(self.weight, self.mean, wider * self.scale), share)

    def joined(self, other: Self, share: float) -> Self:
        """Return this mixture with a share of the draws from another one."""
        return type(self)(
            np.concatenate([(1.0 - share) * self.weight, share * other.weight]),
            np.concatenate([self.mean, other.mean]),
            np.concatenate([self.scale, other.scale]),
        )

    def fitted(self, z: FloatArray, log_weight: FloatArray) -> Self:
        """Return the mixture fitted to points ``(n, d)`` with log weights ``(n,)``, starting from this one."""
        weight = np.exp(log_weight - logsumexp(log_weight))
        pooled, mixture = _covariance(z, weight), self
        for _ in range(_STEPS):
            mixture = mixture._step(z, weight, pooled)
        return mixture

    def _step(self, z: FloatArray, weight: FloatArray, pooled: FloatArray) -> Self:
        n_dim = z.shape[1]
        terms, distance = self._terms(z)
        share = np.exp(terms - logsumexp(terms, axis=1, keepdims=True)) * weight[:, None]
        total = share.sum(axis=0)
        points = total**2 / np.maximum(np.sum(share**2, axis=0), 1e-300)
        keep = np.flatnonzero((total >= _LEAST_WEIGHT) & (points >= _LEAST_POINTS * n_dim))
        if not keep.size:
            return type(self)(np.ones(1), (weight @ z)[None], pooled[None])
        near = share * ((_NU + n_dim) / (_NU + distance))  # distant points have less weight
        mean = (near.T @ z) / near.sum(axis=0)[:, None]
        prior, strength = pooled * len(keep) ** (-2.0 / n_dim), 2.0 * n_dim
        scale = []
        for k in keep:
            step = z - mean[k]
            own = (near[:, k, None] * step).T @ step / total[k]
            scale.append((points[k] * own + strength * prior) / (points[k] + strength))
        return type(self)(total[keep] / total[keep].sum(), mean[keep], np.array(scale))

    def _terms(self, z: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Return the log of each component's weighted density, and the squared distance from it: ``(n, k)`` each."""
        n_dim = z.shape[1]
        step = (z[None] - self.mean[:, None]) @ self._inverse.transpose(0, 2, 1)
        distance = np.sum(step * step, axis=2).T
        half = 0.5 * (_NU + n_dim)
        norm = gammaln(half) - gammaln(0.5 * _NU) - 0.5 * n_dim * np.log(_NU * np.pi) + self._log_volume
        return np.log(self.weight) + norm - half * np.log1p(distance / _NU), distance

    @cached_property
    def _root(self) -> FloatArray:
        return np.asarray(np.linalg.cholesky(self.scale))

    @cached_property
    def _inverse(self) -> FloatArray:
        return np.asarray(np.linalg.inv(self._root))

    @cached_property
    def _log_volume(self) -> FloatArray:
        """Minus half the log determinant of each scale matrix."""
        return -np.sum(np.log(np.diagonal(self._root, axis1=1, axis2=2)), axis=1)


def probabilities(log_weight: FloatArray) -> FloatArray:
    """Return probabilities ``(n,)`` from log weights.

    Raises
    ------
    SamplingError
        If the log weights are so large that rounding errors decide.
    """
    found = np.exp(log_weight - logsumexp(log_weight))
    if abs(found.sum() - 1.0) > 1e-8:
        raise SamplingError(
            f"log-likelihoods of {np.max(np.abs(log_weight)):g} differ by their rounding errors only. Check the data "
            "and their errors, or subtract a constant"
        )
    return np.asarray(found)


def _covariance(z: FloatArray, weight: FloatArray) -> FloatArray:
    """Return the weighted covariance ``(d, d)``, regularised so that it is never singular."""
    step = z - weight @ z
    return (weight[:, None] * step).T @ step + 1e-10 * np.eye(z.shape[1])
