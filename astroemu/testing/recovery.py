"""Mock data of one probe: do they favour their truth, and does a fit recover it?

True values are drawn among the nodes of a line of predictions, and the probe's own ``simulate`` draws data at each of
them. Two things are true if the likelihood is the density of these data, up to ``log_normalisation``:

* The mean of ln L(truth) - ln L(other) is not negative, for any other node (the inequality of Gibbs).
* The rank of the truth in the posterior over the nodes is uniform (Talts et al. 2018, arXiv:1804.06788).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from astroemu.core.probe import Probe
from astroemu.core.typing import FloatArray
from astroemu.testing.findings import Skipped, ensure
from astroemu.testing.truths import Line

TRUTHS = 200
_LEAST_P = 2e-4
#: Distances between truth and other node, in nodes.
_OFFSETS = (-20, -7, -3, 3, 7, 20)
_ERRORS = 5.0
#: Information of a posterior [nats], and differences in units of rounding, below which ranks mean nothing.
_LEAST_INFORMATION, _LITTLE = 1e-3, 0.1
_LEAST_PRECISION = 1e5


@dataclass(frozen=True, eq=False)
class MockFits:
    """Log-likelihoods of mock data at all nodes of their line.

    Attributes
    ----------
    log_l, log_norm : (m, n) array
        By data set and node: ln L, and the log integral of the likelihood over the data.
    truth : (m,) int array
        Nodes at which the data were drawn.
    levels : (m, n) array
        Positions of the nodes.
    near : int
        Number of leading nodes among which truths were drawn.
    """

    log_l: FloatArray
    log_norm: FloatArray
    truth: NDArray[np.intp]
    levels: FloatArray
    near: int

    @classmethod
    def of(cls, probe: Probe, lines: Iterable[Line], n: int = TRUTHS) -> MockFits:
        """Draw ``n`` truths among the nodes of some lines, data at each, and compute ln L at all nodes.

        Raises
        ------
        NonConformance
            If data have no likelihood at their truth.
        """
        rng = np.random.default_rng(3)
        every = list(lines)
        parts = [_drawn(probe, line, -(-n // len(every)), rng) for line in every]
        log_l, log_norm, truth, levels = (np.concatenate(column) for column in zip(*parts, strict=True))
        return cls(log_l, log_norm, truth, levels, every[0].near)

    @property
    def at_truth(self) -> FloatArray:
        """ln L at the truths, ``(m,)``."""
        return np.asarray(self.log_l[self._rows, self.truth])

    @property
    def _rows(self) -> NDArray[np.intp]:
        return np.arange(len(self.truth))

    def preference(self, other: NDArray[np.intp]) -> FloatArray:
        """Return ln of the data's density at the truth, less that at another node ``(m,)``."""
        rows = self._rows
        norm = self.log_norm[rows, self.truth] - self.log_norm[rows, other]
        return np.asarray(self.at_truth - self.log_l[rows, other] - norm)

    @property
    def posterior(self) -> FloatArray:
        """Posterior ``(m, near)`` over the near nodes, for a prior that is the density of the truths."""
        log_l = self.log_l[:, : self.near]
        density = np.exp(log_l - log_l.max(axis=1, keepdims=True))
        return np.asarray(density / density.sum(axis=1, keepdims=True))

    @property
    def prior(self) -> FloatArray:
        """Probability ``(m, near)`` with which each node is a truth."""
        return _probability(self.log_norm[:, : self.near])


def _probability(log_norm: FloatArray) -> FloatArray:
    density = np.exp(log_norm - log_norm.max(axis=-1, keepdims=True))
    return np.asarray(density / density.sum(axis=-1, keepdims=True))


def _drawn(probe: Probe, line: Line, n: int, rng: np.random.Generator) -> tuple[Any, ...]:
    """Return ln L, log-normalisation, truths and levels of ``n`` data sets drawn along one line."""
    log_norm = line.log_normalisation(probe)
    near = slice(line.near)
    bad = np.flatnonzero(~np.isfinite(log_norm[near]))
    ensure(
        not bad.size,
        f"`log_normalisation` is not finite in {bad.size} of {line.near} rows; the first is row {bad[:1]}",
    )
    truth = rng.choice(line.near, size=n, p=_probability(log_norm[near]))
    log_l = np.stack([line.log_likelihood(line.mock(probe, int(node), rng)) for node in truth])
    lost = ~np.isfinite(log_l[np.arange(n), truth])
    ensure(
        not lost.any(),
        f"{lost.sum()} of {n} data sets have no finite ln L at the truth they were drawn for; "
        f"the first truth is at {line.levels[truth[np.argmax(lost)]]:.6g} from the centre",
    )
    return log_l, np.tile(log_norm, (n, 1)), truth, np.tile(line.levels, (n, 1))


def favours_truth(fits: MockFits) -> str:
    """Check that mock data favour their truth over other nodes, on average.

    Raises
    ------
    NonConformance
        If they favour another node by five standard errors.
    """
    nodes = fits.log_l.shape[1]
    others = [(fits.truth + k, f"{k:+d} nodes away") for k in _OFFSETS]
    others += [(np.full_like(fits.truth, j), "far away") for j in range(fits.near, nodes)]
    least = np.inf
    for other, where in others:
        valid = (other >= 0) & (other < (fits.near if where != "far away" else nodes))
        difference = fits.preference(np.where(valid, other, fits.truth))[valid]
        difference = difference[~np.isnan(difference)]
        if len(difference) < 10 or np.any(difference == np.inf):  # the other node is excluded
            continue
        rounding = 1e-9 * float(np.max(np.abs(fits.at_truth)))
        mean, error = float(difference.mean()), float(difference.std() / np.sqrt(len(difference)))
        shift = float(np.mean((fits.levels[fits._rows, np.where(valid, other, 0)] - _at(fits))[valid]))
        ensure(
            mean > -_ERRORS * error - rounding,
            f"{len(difference)} simulated data sets favour predictions {where} ({shift:+.4g}) over their truth: the "
            f"mean of ln L(truth) - ln L(other) is {mean:.4g} +- {error:.2g}, and must not be negative. "
            "Check the sign of ln L, which of data and model comes first, `simulate` and "
            "`log_normalisation`",
        )
        least = min(least, mean)
    return f"mean ln L(truth) - ln L(other) at least {least:.3g}"


def _at(fits: MockFits) -> FloatArray:
    return np.asarray(fits.levels[fits._rows, fits.truth])


def recovers(fits: MockFits) -> str:
    """Check that the ranks of the truths are uniform, and return the p-value as text.

    Raises
    ------
    Skipped
        If the posteriors are hardly narrower than the prior: uniform ranks then mean nothing.
    NonConformance
        If the ranks are not uniform, or if they are made of rounding.
    """
    from scipy.stats import kstest, norm

    m, log_l = len(fits.truth), fits.log_l[:, : fits.near]
    finite = np.where(np.isfinite(log_l), log_l, fits.at_truth[:, None])
    contrast, size = (
        np.where(np.isfinite(log_l).all(axis=1), np.ptp(finite, axis=1), np.inf),
        np.abs(finite).max(axis=1),
    )
    precision = float(np.median(contrast / np.maximum(np.finfo(float).eps * size, 1e-300)))
    posterior, prior = fits.posterior, fits.prior
    with np.errstate(divide="ignore", invalid="ignore"):
        nats = float(np.mean(np.nansum(posterior * np.log(posterior / prior), axis=1)))
    if nats < _LEAST_INFORMATION:
        raise Skipped(f"not informative: ln L changes by {np.median(contrast):.2g} only, where the truths are drawn")
    ensure(
        precision > _LEAST_PRECISION,
        f"the ranks are made of rounding: ln L = {np.median(finite):.4g} changes by {np.median(contrast):.3g} only. "
        "Leave out a constant, or subtract before squaring",
    )
    rows = np.arange(m)
    below = np.cumsum(posterior, axis=1)[rows, fits.truth] - posterior[rows, fits.truth]
    ranks = below + np.random.default_rng(6).random(m) * posterior[rows, fits.truth]
    width = float(np.mean((ranks - 0.5) ** 2) * 12.0)
    by_width = 2.0 * float(norm.sf(abs(width - 1.0) / np.sqrt(0.8 / m)))  # var (u - 1/2)^2 = 1/180
    p = min(1.0, 2.0 * min(float(kstest(ranks, "uniform").pvalue), by_width))
    hint = "data and ln L agree" if p > _LEAST_P else _hint(width, by_width)
    ensure(p > _LEAST_P, f"the truth's ranks in {m} posteriors are not uniform: p = {p:.1e}; {hint}")
    return f"ranks of {m} truths uniform, p = {p:.2f}; {_amount(nats)}"


def _amount(nats: float) -> str:
    return f"{nats:.1f} nats each" if nats > _LITTLE else f"hardly informative, {nats:.1g} nats each"


def _hint(width: float, by_width: float) -> str:
    """Return what ranks that are not uniform mean."""
    if by_width > _LEAST_P:
        return "the posteriors are shifted: check `simulate` and `log_normalisation`"
    what = "narrow" if width > 1 else "wide"
    return (
        f"the posteriors are too {what}. Check a factor such as 1/2, natural logarithms, the errors in `simulate`, "
        "and `log_normalisation`"
    )
