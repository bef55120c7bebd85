"""nautilus: importance nested sampling with neural bounds (Lange 2023, arXiv:2306.16923).

Nested bounds cut the unit cube into shells. Each bound consists of a few ellipsoids and a small network that predicts
where the likelihood is high. Points are then drawn uniformly in the shells, in the numbers that bring the most
effective samples. Every point has a known volume, so all points have weights. All batches have the same size.

The points from which the bounds were learned are not used again. They lie preferentially inside the bounds, and would
shift the evidence by up to several of its errors.

**Walls.** If the likelihood ends at a wall, a bound leaves out a thin strip inside the wall. The strip lies in a large
shell, where few points are drawn and none may hit it. nautilus then never draws there again, and ln Z is too low. Each
shell therefore gets points until a strip that no point has hit would matter little, see :func:`_unseen`.

**Plateaus.** If all live points have the same likelihood, a smaller bound brings nothing. The bounds are then complete.

The error of ln Z is ``1 / sqrt(effective samples)``. The evidence is ``Z = sum_i V_i <L>_i`` over the shells. The
variance of a term is ``Z_i^2 (1 / n_eff,i - 1 / N_i)``, with ``N_i`` points drawn in the bound that contains the shell.
Without the second term the sum is ``Z^2 / n_eff``; this leaves room for the uncertain volume of the bound.
"""

from __future__ import annotations

import time
import warnings
from pathlib import Path
from typing import Any

import numpy as np

from astroemu.core.progress import Progress, ProgressCallback, silent
from astroemu.core.typing import FloatArray
from astroemu.errors import ConfigurationError, PluginError, SamplingError
from astroemu.sampling.sampler import PROCESS_STATE, Sampler, SamplerTraits, demand_live_points, seeds
from astroemu.sampling.samples import Samples
from astroemu.sampling.statistics import kish_ess
from astroemu.sampling.target import CountedTarget, Target

#: After this many prior draws per live point, at least one must have a finite likelihood.
_PATIENCE = 20
#: The first bound waits for half as many points with a likelihood as live points, for this many draws per live point.
_WAIT = 100
#: Live points whose log-likelihoods differ by less than this are on a plateau.
_FLAT = 1e-3
#: Largest part of the evidence that no point may have hit, in stated errors.
_UNSEEN = 0.5


class Nautilus(Sampler):
    """Importance nested sampler nautilus.

    Parameters
    ----------
    live_points : int
        Number of points of highest likelihood around which a bound is drawn.
    networks : int
        Number of networks per bound, whose mean is used. Their training is most of the sampler's own work. With 0, the
        bounds are ellipsoids.
    batch : int
        Number of points per likelihood call.
    effective_samples : float
        Least number of effective samples. The error of ln Z is at most one over its square root.
    evidence_fraction : float
        Bounds are added until the live points contain at most this fraction of the evidence.
    max_calls : int
        Largest number of likelihood evaluations. A run that reaches it stops and counts as unconverged.
    """

    name = "nautilus"
    citation = "Lange 2023, MNRAS 525, 3181, arXiv:2306.16923"
    packages = ("nautilus-sampler", "scikit-learn")
    traits = SamplerTraits(batch="fixed")
    stopping = frozenset({"effective_samples", "max_calls"})

    def __init__(
        self,
        live_points: int = 1000,
        networks: int = 1,
        batch: int = 256,
        effective_samples: float = 5000.0,
        evidence_fraction: float = 0.01,
        max_calls: int = 20_000_000,
    ) -> None:
        if live_points < 100:
            raise ConfigurationError(f"live_points = {live_points} must be at least 100")
        if networks < 0:
            raise ConfigurationError(f"networks = {networks} must not be negative")
        if batch < 1 or max_calls < 1:
            raise ConfigurationError(f"batch = {batch} and max_calls = {max_calls} must be at least 1")
        if not 100 <= effective_samples < np.inf:
            raise ConfigurationError(f"effective_samples = {effective_samples} must be at least 100, and finite")
        if not 0 < evidence_fraction < 1:
            raise ConfigurationError(f"evidence_fraction = {evidence_fraction} must be in (0, 1)")
        self.live_points = live_points
        self.networks = networks
        self.batch = batch
        self.effective_samples = effective_samples
        self.evidence_fraction = evidence_fraction
        self.max_calls = max_calls

    def check(self, target: Target) -> None:
        if len(target.names) < 2:
            raise ConfigurationError("nautilus needs at least two parameters; use emcee or ultranest for one")
        demand_live_points(self.live_points, target)

    def run(
        self, target: Target, *, seed: int, folder: Path | None = None, report: ProgressCallback = silent
    ) -> Samples:
        self.check(target)
        try:
            import nautilus
        except ImportError:
            raise PluginError(
                "the sampler 'nautilus' needs nautilus: pip install 'astroemu-inference[nautilus]'"
            ) from None
        from threadpoolctl import threadpool_limits

        counted = CountedTarget(target)
        # With one thread of linear algebra, the samples do not depend on the number of cores.
        with PROCESS_STATE, warnings.catch_warnings(), threadpool_limits(limits=1, user_api="blas"):
            warnings.simplefilter("ignore", RuntimeWarning)  # nautilus expects differences of minus infinities
            warnings.filterwarnings("ignore", module="sklearn")
            sampler = nautilus.Sampler(
                counted.prior_transform,
                counted.log_likelihood,
                n_dim=len(target.names),
                n_live=self.live_points,
                n_networks=self.networks,
                n_batch=self.batch,
                vectorized=True,
                seed=seeds(seed, 1)[0],
            )
            ended = self._advance(sampler, report)
            report(self._progress(sampler))
            return self._samples(sampler, counted, ended)

    def _advance(self, sampler: Any, report: ProgressCallback) -> bool:
        """Run batch after batch. Return True if the sampler converged, and False if it reached ``max_calls``."""
        last = time.monotonic()
        while sampler.n_like < self.max_calls:
            if self._explored(sampler):
                unseen, score = _unseen(sampler)
                if sampler.n_eff >= self.effective_samples and unseen <= _UNSEEN * self.effective_samples**-0.5:
                    return True
                sampler.add_samples(int(np.argmax(score)))
            if sampler.n_like >= _PATIENCE * self.live_points and not _finite(sampler):
                raise SamplingError(
                    f"none of {sampler.n_like} prior draws has a finite likelihood. Narrow the prior or check the data"
                )
            if time.monotonic() - last > 0.2:
                last = time.monotonic()
                report(self._progress(sampler))
        return False

    def _explored(self, sampler: Any) -> bool:
        """Run one batch of the exploration. Return True, without a batch, if all bounds are known and have points."""
        begun = len(sampler.bounds) > 1 or sampler.n_like >= _WAIT * self.live_points
        # The first bound waits. nautilus draws it around some fifty points if most of the prior has no likelihood. It
        # then leaves out a large part of what the wall encloses.
        wait = not begun and _finite(sampler) < self.live_points
        sampler.n_points_min = self.live_points // 2 if wait else sampler.n_dim + 50
        return bool(
            sampler.run(
                f_live=1.0 if _flat(sampler, self.live_points) else self.evidence_fraction,
                n_eff=0,
                n_like_max=min(sampler.n_like + self.batch, self.max_calls),
                discard_exploration=True,
            )
        )

    def _progress(self, sampler: Any) -> Progress:
        bounds = len(sampler.bounds)
        if not sampler.explored:
            status = f"{bounds} bounds, {100 * sampler.f_live:.1f} % of the evidence in the live points"
            return Progress(bounds, sampler.n_like, status)
        status = f"{bounds} bounds, {sampler.n_eff:.0f} of {self.effective_samples:g} effective samples"
        return Progress(bounds, sampler.n_like, status, float(min(sampler.n_eff / self.effective_samples, 1.0)))

    def _end(self, sampler: Any) -> str:
        if _flat(sampler, self.live_points):
            return "all live points had the same likelihood (a plateau)"
        return f"the live points held at most {self.evidence_fraction:g} of the evidence"

    def _samples(self, sampler: Any, counted: CountedTarget, ended: bool) -> Samples:
        if not ended and sampler.explored:
            sampler.discard_exploration = False  # the points drawn since then may not fill the shells
        theta, log_weight, log_likelihood = sampler.posterior()
        counted.demand_resolved(log_likelihood)
        keep = np.isfinite(log_likelihood) & (log_weight > -600.0)
        theta, log_weight, log_likelihood = theta[keep], log_weight[keep], log_likelihood[keep]
        log_weight = log_weight - np.log(np.sum(np.exp(log_weight)))
        ess = kish_ess(log_weight)
        return Samples(
            names=counted.names,
            theta=theta,
            log_likelihood=log_likelihood,
            log_prior=counted.log_prior(theta),
            log_weight=log_weight,
            sampler=self.name,
            ess=ess,
            converged=ended,
            reason=(
                f"bounds until {self._end(sampler)}, then {ess:.0f} effective samples ({self.effective_samples:g} "
                "asked for)"
                if ended
                else f"stopped at max_calls = {self.max_calls}"
            ),
            n_likelihood=counted.n,
            log_evidence=float(sampler.log_z),
            log_evidence_err=float(ess**-0.5),
            diagnostics={
                "bounds": len(sampler.bounds),
                "exploration_calls": int(np.sum(sampler.shell_end_exp)),
                "efficiency": float(sampler.eta) if ended else None,
                "live_points": self.live_points,
                "networks": self.networks,
            },
        )


def _finite(sampler: Any) -> int:
    """Return the number of points with a finite likelihood, of those from which bounds were learned too."""
    return sum(int(np.isfinite(log_l).sum()) for log_l in sampler.log_l)


def _flat(sampler: Any, live_points: int) -> bool:
    """Return True if all live points are on one plateau."""
    log_l = np.concatenate([*sampler.log_l, []])
    return len(log_l) >= live_points and bool(np.ptp(np.partition(log_l, -live_points)[-live_points:]) < _FLAT)


def _unseen(sampler: Any) -> tuple[float, FloatArray]:
    """Return the part of the evidence that no point may have hit, and the value ``(shells,)`` of a point in each shell.

    A part of a shell that no point has hit may hold as much evidence as one more point there would show. This is the
    volume per point times the highest likelihood expected there: that of the best point of the shell, or the threshold
    of the next bound if that is higher. The value of a point is nautilus's own, the decrease of the variance of Z. A
    shell whose points have no likelihood has no variance, and its possible evidence is taken instead.
    """
    with np.errstate(divide="ignore"):
        best = np.array([np.max(log_l, initial=-np.inf) for log_l in sampler.log_l])
        highest = np.maximum(best, np.append(sampler.shell_log_l_min[1:], -np.inf))
        possible = highest + sampler.shell_log_v - np.log(sampler.shell_n)
        known = sampler.shell_log_l + sampler.shell_log_v - 0.5 * np.log(sampler.shell_n_eff)
        unseen = 0.5 * np.logaddexp.reduce(2.0 * possible) - sampler.log_z
        return float(np.exp(unseen)), np.maximum(known, possible) - 0.5 * np.log(sampler.shell_n)
