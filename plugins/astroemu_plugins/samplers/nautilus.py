"""nautilus: importance nested sampling with neural bounds (Lange 2023, arXiv:2306.16923).

Nested bounds cut the unit cube into shells. Each bound consists of a few ellipsoids and a small network that predicts
where the likelihood is high. Points are then drawn uniformly in the shells, in the numbers that bring the most
effective samples. Every point has a known volume, so all points have weights. All batches have the same size.

The points from which the bounds were learned are not used again. They lie preferentially inside the bounds, and would
shift the evidence by up to several of its errors.

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
from astroemu.errors import ConfigurationError, PluginError, SamplingError
from astroemu.sampling.sampler import Sampler, SamplerTraits, seeds
from astroemu.sampling.samples import Samples
from astroemu.sampling.statistics import kish_ess
from astroemu.sampling.target import CountedTarget, Target

#: After this many prior draws per live point, at least one must have a finite likelihood.
_PATIENCE = 20


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
        with warnings.catch_warnings(), threadpool_limits(limits=1, user_api="blas"):
            warnings.simplefilter("ignore", RuntimeWarning)  # nautilus expects differences of minus infinities
            warnings.filterwarnings("ignore", module="sklearn")
            sampler = nautilus.Sampler(
                target.prior_transform,
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
            if sampler.run(
                f_live=self.evidence_fraction,
                n_eff=self.effective_samples,
                n_like_max=min(sampler.n_like + self.batch, self.max_calls),
                discard_exploration=True,
            ):
                return True
            if sampler.n_like >= _PATIENCE * self.live_points and sampler.log_z == -np.inf:
                raise SamplingError(
                    f"none of {sampler.n_like} prior draws has a finite likelihood. Narrow the prior or check the data"
                )
            if time.monotonic() - last > 0.2:
                last = time.monotonic()
                report(self._progress(sampler))
        return False

    def _progress(self, sampler: Any) -> Progress:
        bounds = len(sampler.bounds)
        if not sampler.explored:
            status = f"{bounds} bounds, {100 * sampler.f_live:.1f} % of the evidence in the live points"
            return Progress(bounds, sampler.n_like, status)
        status = f"{bounds} bounds, {sampler.n_eff:.0f} of {self.effective_samples:g} effective samples"
        return Progress(bounds, sampler.n_like, status, float(min(sampler.n_eff / self.effective_samples, 1.0)))

    def _samples(self, sampler: Any, counted: CountedTarget, ended: bool) -> Samples:
        if not ended and sampler.explored:
            sampler.discard_exploration = False  # the points drawn since then may not fill the shells
        theta, log_weight, log_likelihood = sampler.posterior()
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
                f"bounds until the live points held at most {self.evidence_fraction:g} of the evidence, then {ess:.0f} "
                f"effective samples ({self.effective_samples:g} asked for)"
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
