"""Population Monte Carlo: importance sampling from a mixture that is fitted to the posterior.

(Cappe et al. 2008, arXiv:0710.4242; in cosmology: Wraith et al. 2009, arXiv:0903.0837, Kilbinger et al. 2010,
arXiv:0912.1614.)

1. The search of emcee finds the posterior and a mixture (:mod:`astroemu_plugins.samplers.population`). In many
   dimensions that mixture comes from walkers.
2. The mixture is fitted to its own weighted draws, in rounds, while it becomes more efficient
   (:mod:`astroemu_plugins.samplers.importance`).
3. The final draws are from this mixture, which does not change any more. A small share is from a wider one, so that the
   weights stay bounded where the posterior has wider tails than the fit. The mean of the weights is the evidence.

Earlier draws are not part of the result: the mixture was fitted to them, which would bias the evidence.

The draws are independent, and come in batches of one size. There is no burn-in, and no autocorrelation. No draw shows a
mode that neither the search nor the mixture came near.
"""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np

from astroemu.core.progress import Progress, ProgressCallback, silent
from astroemu.core.typing import FloatArray
from astroemu.errors import ConfigurationError, SamplingError
from astroemu.sampling.sampler import Sampler, SamplerTraits, seeds
from astroemu.sampling.samples import Samples
from astroemu.sampling.target import CountedTarget, Target
from astroemu_plugins.samplers.emcee import Emcee
from astroemu_plugins.samplers.importance import Draws, Refined, Totals, pareto_k, refined
from astroemu_plugins.samplers.population import parameters_at

#: Least numbers of batches, and of draws per parameter, in a round of the refinement.
_BATCHES, _DRAWS = 4, 200
#: Acceptance from which the refinement does better than walkers.
_ENOUGH = 0.05
#: Highest shape of the tail of the weights.
_HEALTHY = 0.7
#: The shape is estimated again when there are more draws by this factor. A run whose weights stay unhealthy ends at
#: this multiple of the effective samples.
_CHECKS, _HOPELESS = 1.25, 4.0
#: Weights below this log share of the largest are left out of the samples.
_NEGLIGIBLE = -100.0


class PMC(Sampler):
    """Population Monte Carlo: importance sampling from a fitted mixture.

    Parameters
    ----------
    effective_samples : float
        Least number of effective samples (Kish). The error of ln Z is about one over its square root.
    batch : int
        Number of points per likelihood call.
    walkers : int
        Number of walkers of the search: even, and at least twice the number of parameters.
    starting_draws : int
        Number of prior draws in the search; each later population has half as many.
    max_calls : int
        Largest number of likelihood evaluations, which the search and the fits may exceed. A run that reaches it stops
        and counts as unconverged.
    """

    name = "pmc"
    citation = (
        "Cappe et al. 2008, arXiv:0710.4242; Kilbinger et al. 2010, arXiv:0912.1614; "
        "emcee: Foreman-Mackey et al. 2013, arXiv:1202.3665"
    )
    packages = ("emcee",)
    traits = SamplerTraits(batch="fixed")
    stopping = frozenset({"effective_samples", "max_calls"})

    def __init__(
        self,
        effective_samples: float = 5000.0,
        batch: int = 2048,
        walkers: int = 64,
        starting_draws: int = 20_000,
        max_calls: int = 20_000_000,
    ) -> None:
        if not 100 <= effective_samples < np.inf:
            raise ConfigurationError(f"effective_samples = {effective_samples} must be at least 100, and finite")
        if batch < 1 or max_calls < 1:
            raise ConfigurationError(f"batch = {batch} and max_calls = {max_calls} must be at least 1")
        self.effective_samples = effective_samples
        self.batch = batch
        self.max_calls = max_calls
        self.search = Emcee(walkers=walkers, starting_draws=starting_draws)

    def check(self, target: Target) -> None:
        self.search.check(target)

    def run(
        self, target: Target, *, seed: int, folder: Path | None = None, report: ProgressCallback = silent
    ) -> Samples:
        from threadpoolctl import threadpool_limits

        self.check(target)
        with threadpool_limits(limits=1, user_api="blas"):  # sums must not depend on the number of cores
            return self._run(CountedTarget(target), seed, report)

    def _run(self, counted: CountedTarget, seed: int, report: ProgressCallback) -> Samples:
        def log_likelihood(z: FloatArray) -> FloatArray:
            if time.monotonic() - last[0] > 0.2:
                last[0] = time.monotonic()
                report(self._progress(final, counted.n))
            return counted.log_likelihood(parameters_at(counted, z))

        last, final = [time.monotonic()], _Final(self.effective_samples)
        own = seeds(seed, 3)
        mixture = self.search.population(counted, own[0], report, _ENOUGH).mixture
        if mixture is None:
            raise SamplingError(
                "the search found no mixture that resembles the posterior, so pmc cannot draw from it. Use the sampler "
                "emcee, or ultranest for an evidence; or raise starting_draws"
            )
        batches = max(_BATCHES, -(-_DRAWS * len(counted.names) // self.batch))
        found = refined(mixture, log_likelihood, self.batch, batches, np.random.default_rng(own[1]))
        rng = np.random.default_rng(own[2])
        while not final.ends() and (counted.n < self.max_calls or not final.totals.n):
            final.add(Draws.of(found.proposal, self.batch, log_likelihood, rng))
        report(self._progress(final, counted.n))
        return self._samples(final, found, counted)

    def _progress(self, final: _Final, n: int) -> Progress:
        if not final.totals.n:
            return Progress(0, n, "fitting the mixture")
        ess = final.totals.ess
        status = f"{ess:.0f} of {self.effective_samples:g} effective samples"
        return Progress(final.totals.n, n, status, float(min(ess / self.effective_samples, 1.0)))

    def _samples(self, final: _Final, found: Refined, counted: CountedTarget) -> Samples:
        draws, totals, k = final.draws(), final.totals, final.pareto_k()
        counted.demand_resolved(draws.log_l)
        theta = parameters_at(counted, draws.z)
        return Samples(
            names=counted.names,
            theta=theta,
            log_likelihood=draws.log_l,
            log_prior=counted.log_prior(theta),
            log_weight=draws.log_weight - np.log(np.sum(np.exp(draws.log_weight - totals.largest))) - totals.largest,
            sampler=self.name,
            ess=totals.ess,
            converged=totals.ess >= self.effective_samples and k <= _HEALTHY,
            reason=(
                f"{totals.ess:.0f} effective samples ({self.effective_samples:g} asked for), and a shape of the tail "
                f"of the weights (Pareto k) of {k:.2f} (at most {_HEALTHY:g} asked for)"
                + (f"; stopped at max_calls = {self.max_calls}" if counted.n >= self.max_calls else "")
            ),
            n_likelihood=counted.n,
            log_evidence=totals.log_mean,
            log_evidence_err=totals.error,
            diagnostics={
                "draws": totals.n,
                "efficiency": totals.ess / totals.n,
                "pareto_k": k if np.isfinite(k) else None,
                "largest_weight": totals.largest_share,
                "components": len(found.proposal.weight),
                "rounds": found.rounds,
                "walkers": self.search.walkers,
            },
        )


class _Final:
    """The draws of the result.

    Parameters
    ----------
    wanted : float
        Number of effective samples.
    """

    def __init__(self, wanted: float) -> None:
        self.wanted = wanted
        self.totals = Totals()
        self._parts: list[Draws] = []
        self._check_at = 0.0

    def add(self, draws: Draws) -> None:
        """Count all draws, and keep those with a likelihood."""
        self.totals.add(draws.log_weight)
        self._parts.append(draws.at(draws.log_weight > self.totals.largest + _NEGLIGIBLE))

    def draws(self) -> Draws:
        """Return the draws that carry weight."""
        found = Draws.joined(self._parts)
        return found.at(found.log_weight > self.totals.largest + _NEGLIGIBLE)

    def pareto_k(self) -> float:
        """Return the shape of the tail of the weights."""
        return pareto_k(self.draws().log_weight, self.totals.n)

    def ends(self) -> bool:
        """Return True if there are enough effective samples and the weights are healthy, or will not become so."""
        ess = self.totals.ess
        if ess < self.wanted or self.totals.n < self._check_at:
            return False
        self._check_at = _CHECKS * self.totals.n
        return self.pareto_k() <= _HEALTHY or ess >= _HOPELESS * self.wanted
