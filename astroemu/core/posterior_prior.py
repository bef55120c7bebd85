"""A prior that is the posterior of a former run, from its samples.

Each parameter is turned into its normal score by a smooth map (:mod:`astroemu.core.score_map`). The scores have a
mixture of normal distributions (:mod:`astroemu.core.score_mixture`). It is fitted by expectation-maximisation (Dempster
et al. 1977, J. R. Stat. Soc. B 39, 1), and the number of components has the lowest Bayesian information criterion
(Schwarz 1978, Ann. Stat. 6, 461). Nothing is random: the same samples give the same prior.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import numpy as np

from astroemu.core.distribution_base import Distribution
from astroemu.core.joint_prior import Box, JointPrior, demand_names, overlap
from astroemu.core.score_map import ScoreMap
from astroemu.core.score_mixture import ScoreMixture
from astroemu.core.typing import FloatArray
from astroemu.errors import ConfigurationError

#: Most samples that the mixture is fitted to, and the least effective number of samples.
_MOST_SAMPLES, _LEAST_SAMPLES = 4000, 200.0
#: A step in normal scores for derivatives, and the least distance of a probability from zero and one.
_STEP, _EDGE = 1e-5, 1e-16


@dataclass(frozen=True)
class PosteriorPrior(JointPrior):
    """The posterior of a former run as a prior, optionally between bounds.

    Between bounds, each parameter in turn is cut, given the parameters before it, as for a
    :class:`~astroemu.core.correlated_normal.CorrelatedNormal`.

    Attributes
    ----------
    names : tuple of str
    maps : tuple of ScoreMap
        From the scores of the mixture to each parameter, with its bounds. The knots are quantiles of the mixture, so
        that each parameter keeps its own distribution.
    margins : tuple of ScoreMap
        The distribution of each parameter alone.
    mixture : ScoreMixture
    source : str
        SHA-256 of the file of samples.
    """

    names: tuple[str, ...]
    maps: tuple[ScoreMap, ...]
    margins: tuple[ScoreMap, ...]
    mixture: ScoreMixture
    source: str = ""
    kind: ClassVar[str] = "posterior"

    @classmethod
    def of(
        cls, names: Sequence[str], theta: FloatArray, weight: FloatArray, effective: float, source: str = ""
    ) -> PosteriorPrior:
        """Return the prior of samples.

        Parameters
        ----------
        names : sequence of str
        theta : (n, k) array
        weight : (n,) array
        effective : float
            Effective number of samples.
        source : str
            SHA-256 of the file of samples.

        Raises
        ------
        ConfigurationError
            If there are too few samples, or those of a parameter hardly differ.
        """
        demand_names(names)
        if effective < _LEAST_SAMPLES:
            raise ConfigurationError(
                f"{effective:.0f} effective samples are too few for a prior; at least {_LEAST_SAMPLES:.0f} are needed"
            )
        maps = []
        for name, x in zip(names, theta.T, strict=True):
            try:
                maps.append(ScoreMap.of(x, weight, effective))
            except ConfigurationError as error:
                raise ConfigurationError(f"{name!r}: {error}") from None
        chosen = theta[_thinned(weight, int(min(effective, _MOST_SAMPLES)))]
        scores = np.stack([each.score(x) for each, x in zip(maps, chosen.T, strict=True)], axis=1)
        mixture = ScoreMixture.fitted(scores)
        exact = [replace(each, scores=mixture.quantiles(j, each.scores)) for j, each in enumerate(maps)]
        return cls(tuple(names), tuple(exact), tuple(maps), mixture, source)

    def __eq__(self, other: object) -> bool:
        """Compare names, distributions and source, which determine the mixture."""
        return isinstance(other, PosteriorPrior) and hash(self) == hash(other) and self.margins == other.margins

    def __hash__(self) -> int:
        return hash((self.names, self.margins, self.source))

    def marginal(self, name: str) -> Distribution:
        return self.margins[self.names.index(name)]

    def _limits(self, i: int, weight: FloatArray, centre: FloatArray) -> tuple[FloatArray | float, FloatArray | float]:
        """Return the probabilities ``(n,)`` below the bounds of column i."""
        low, high = self.maps[i].edges
        first = self.mixture.below(i, low, weight, centre) if math.isfinite(low) else 0.0
        last = self.mixture.below(i, high, weight, centre) if math.isfinite(high) else 1.0
        return first, last

    def _scores(self, x: FloatArray) -> FloatArray:
        return np.stack([each.score(x[:, j]) for j, each in enumerate(self.maps)], axis=1)

    def transform(self, u: FloatArray, given: FloatArray) -> FloatArray:
        z = np.zeros(u.shape)
        for i, (weight, centre) in enumerate(self.mixture.conditionals(z)):
            first, last = self._limits(i, weight, centre)
            p = np.clip(first + (last - first) * u[:, i], _EDGE, 1.0 - _EDGE)
            z[:, i] = np.clip(self.mixture.quantile(i, p, weight, centre), *self.maps[i].edges)
        x = np.stack([each.value(z[:, j]) for j, each in enumerate(self.maps)], axis=1)
        return np.clip(x, *np.transpose([each.support for each in self.maps]))

    def _probabilities(self, z: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Return ``u (n, k)`` of normal scores, and the log ``(n,)`` of the probabilities between the bounds."""
        u, log_mass = np.zeros(z.shape), np.zeros(len(z))
        for i, (weight, centre) in enumerate(self.mixture.conditionals(z)):
            first, last = self._limits(i, weight, centre)
            u[:, i] = (self.mixture.below(i, z[:, i], weight, centre) - first) / (last - first)
            log_mass = log_mass + np.log(last - first)
        return u, log_mass

    def log_density(self, x: FloatArray, given: FloatArray) -> FloatArray:
        low, high = np.transpose([each.support for each in self.maps])
        inside = np.all((x >= low) & (x <= high), axis=1)
        middle = np.array([float(each.value(np.array(0.0))) for each in self.maps])
        z = self._scores(np.where(inside[:, None], x, middle))
        return np.where(inside, self._log_density(z) - np.log(self._slopes(z)).sum(axis=1), -np.inf)

    def _log_density(self, z: FloatArray) -> FloatArray:
        """Return the log density ``(n,)`` of normal scores."""
        total = self.mixture.log_density(z)
        bounded = any(math.isfinite(edge) for each in self.maps for edge in each.support)
        return total - self._probabilities(z)[1] if bounded else total

    def _slopes(self, z: FloatArray) -> FloatArray:
        return np.stack([each.slope(z[:, j]) for j, each in enumerate(self.maps)], axis=1)

    def log_density_slope(self, x: FloatArray, given: FloatArray) -> tuple[FloatArray, FloatArray]:
        z = self._scores(x)
        slopes = self._slopes(z)
        bends = np.stack([each.bend(z[:, j]) for j, each in enumerate(self.maps)], axis=1)
        inner = [(self._log_density(z + step) - self._log_density(z - step)) / (2 * _STEP) for step in self._steps()]
        return (np.stack(inner, axis=1) - bends / slopes) / slopes, np.zeros_like(given)

    def _steps(self) -> FloatArray:
        return _STEP * np.eye(len(self.names))

    def pullback(
        self, u: FloatArray, x: FloatArray, given: FloatArray, gradient: FloatArray
    ) -> tuple[FloatArray, FloatArray]:
        z = self._scores(x)
        ahead, behind = (
            np.stack([self._probabilities(z + sign * step)[0] for step in self._steps()], axis=2) for sign in (1, -1)
        )
        changes = (ahead - behind) / (2 * _STEP)  # (n, k, k): of u by z, a lower triangle
        wanted = (gradient * self._slopes(z))[:, :, None]
        with np.errstate(all="ignore"):
            found = np.linalg.solve(np.transpose(changes, (0, 2, 1)) + 1e-300 * np.eye(len(self.names)), wanted)
        return np.asarray(found[:, :, 0], dtype=float), np.zeros_like(given)

    def truncated(self, box: Box) -> PosteriorPrior:
        edges = [overlap(name, each.support, box) for name, each in zip(self.names, self.maps, strict=True)]
        maps, margins = (
            tuple(each.truncated(*edge) for each, edge in zip(group, edges, strict=True))
            for group in (self.maps, self.margins)
        )
        return replace(self, maps=maps, margins=margins)

    def table(self) -> dict[str, Any]:
        bounds = [[edge if math.isfinite(edge) else None for edge in each.support] for each in self.maps]
        names = list(self.names)
        return {"distribution": self.kind, "parameters": names, "samples": {"sha256": self.source}, "bounds": bounds}


def _thinned(weight: FloatArray, n: int) -> Any:
    """Return the rows of ``n`` equally weighted samples, evenly along the weights."""
    rows = np.searchsorted(np.cumsum(weight) / weight.sum(), (np.arange(n) + 0.5) / n)
    return np.minimum(rows, len(weight) - 1)
