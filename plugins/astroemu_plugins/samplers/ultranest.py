"""UltraNest: nested sampling with posterior samples and evidence (Buchner 2021, arXiv:2101.09604).

There are three methods:

* ``"region"``: robust ellipsoids with large batches, for a vectorised likelihood with one peak;
* ``"slice"``: a population of slice samplers, for curved or high-dimensional posteriors;
* ``"friends"``: ellipsoids around every point (UltraNest's own default), for several peaks in few dimensions.

UltraNest asserts finite likelihoods, so minus infinity is replaced by a finite floor. UltraNest's treatment of plateaus
keeps the evidence correct if part of the prior lies on the floor. A test checks this.
"""

from __future__ import annotations

import logging
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Literal
from unittest.mock import patch

import numpy as np

from astroemu.core.progress import Progress, ProgressCallback, silent
from astroemu.core.typing import FloatArray
from astroemu.errors import ConfigurationError, PluginError, SamplingError
from astroemu.sampling.sampler import PROCESS_STATE, Sampler, SamplerTraits, demand_live_points, seeds
from astroemu.sampling.samples import Samples
from astroemu.sampling.statistics import kish_ess
from astroemu.sampling.target import CountedTarget, Target

#: Below every likelihood that a probe can return for data of finite significance.
FLOOR = -1e30


class UltraNest(Sampler):
    """Nested sampler UltraNest.

    Parameters
    ----------
    live_points : int
        Least number of live points.
    method : {"region", "slice", "friends"}
        How new points are proposed; see the module.
    batch : int
        Least number of proposed points per likelihood call (not for ``slice``).
    steps : int
        Number of slices per parameter from a live point to its replacement (``slice`` only). With half as many,
        medians of the default fit deviate by up to 0.13 standard deviations.
    evidence_fraction : float
        The run ends when the live points can add at most this fraction of the evidence.
    max_calls : int
        Largest number of likelihood evaluations. A run that reaches it stops and counts as unconverged.
    """

    name = "ultranest"
    citation = "Buchner 2021, JOSS 6, 3001, arXiv:2101.09604"
    packages = ("ultranest",)
    traits = SamplerTraits(minus_infinity="floored", nested=True)
    stopping = frozenset({"max_calls"})

    def __init__(
        self,
        live_points: int = 400,
        method: Literal["region", "slice", "friends"] = "region",
        batch: int = 1024,
        steps: int = 4,
        evidence_fraction: float = 0.01,
        max_calls: int = 20_000_000,
    ) -> None:
        if live_points < 40:
            raise ConfigurationError(f"live_points = {live_points} must be at least 40")
        if batch < 1 or steps < 1 or max_calls < 1:
            raise ConfigurationError(f"batch = {batch}, steps = {steps} and max_calls = {max_calls} must be at least 1")
        if not 0 < evidence_fraction < 1:
            raise ConfigurationError(f"evidence_fraction = {evidence_fraction} must be in (0, 1)")
        self.live_points = live_points
        self.method = method
        self.batch = batch
        self.steps = steps
        self.evidence_fraction = evidence_fraction
        self.max_calls = max_calls

    def check(self, target: Target) -> None:
        demand_live_points(self.live_points, target)

    def run(
        self, target: Target, *, seed: int, folder: Path | None = None, report: ProgressCallback = silent
    ) -> Samples:
        self.check(target)
        try:
            import ultranest
        except ImportError:
            raise PluginError(
                "the sampler 'ultranest' needs UltraNest, which is compiled when it is installed: "
                "apt-get install gcc python3-dev, then pip install 'astroemu-inference[ultranest]'"
            ) from None

        counted = CountedTarget(target)
        with _reproducible(ultranest.integrator, int(seeds(seed, 1)[0].generate_state(1)[0])):
            sampler = ultranest.ReactiveNestedSampler(
                list(target.names),
                _floored(counted),
                transform=counted.prior_transform,
                vectorized=True,
                num_test_samples=0,
                comm=_Alone(),
                ndraw_min=self.batch,
                ndraw_max=max(self.batch, 65536),
            )
            sampler.logger.setLevel(logging.ERROR)
            result = sampler.run(**self._settings(sampler, len(target.names), report, counted))
        return self._samples(result, counted, sampler.root, sampler.pointpile)

    def _settings(self, sampler: Any, n_dim: int, report: ProgressCallback, counted: CountedTarget) -> dict[str, Any]:
        from ultranest.mlfriends import MLFriends, RobustEllipsoidRegion

        settings: dict[str, Any] = {
            "min_num_live_points": self.live_points,
            "frac_remain": self.evidence_fraction,
            "max_ncalls": self.max_calls,
            "min_ess": self.live_points,
            "max_num_improvement_loops": 0,
            "show_status": False,
            "viz_callback": _reporter(report, counted),
            "region_class": MLFriends if self.method == "friends" else RobustEllipsoidRegion,
        }
        if self.method == "slice":
            from ultranest.popstepsampler import PopulationSimpleSliceSampler, generate_mixture_random_direction

            sampler.stepsampler = PopulationSimpleSliceSampler(
                popsize=self.live_points,
                nsteps=self.steps * n_dim,
                generate_direction=generate_mixture_random_direction,
            )
        return settings

    def _samples(self, result: dict[str, Any], counted: CountedTarget, root: Any, pile: Any) -> Samples:
        points = result["weighted_samples"]
        theta = np.asarray(points["points"], dtype=float)
        log_likelihood = np.asarray(points["logl"], dtype=float)
        log_weight = np.asarray(points["logw"], dtype=float) + log_likelihood
        births = _births(root, pile)
        log_birth = np.array([births[u.tobytes()] for u in points["upoints"]])
        # Points on the floor have no finite likelihood: they carry no weight and are dropped.
        keep = log_likelihood > FLOOR
        if not keep.any():
            raise SamplingError(
                f"none of {counted.n} prior draws has a finite likelihood. Narrow the prior, raise live_points or "
                "check the data"
            )
        counted.demand_resolved(log_likelihood)
        theta, log_likelihood, log_weight, log_birth = (
            values[keep] for values in (theta, log_likelihood, log_weight, log_birth)
        )
        log_weight = log_weight - np.logaddexp.reduce(log_weight)
        insertion = result.get("insertion_order_MWW_test", {})
        ended = counted.n < self.max_calls
        uniform = bool(insertion.get("converged", True))
        return Samples(
            names=counted.names,
            theta=theta,
            log_likelihood=log_likelihood,
            log_prior=counted.log_prior(theta),
            log_weight=log_weight,
            sampler=self.name,
            ess=kish_ess(log_weight),
            converged=ended and uniform,
            reason=(
                f"live points hold less than {self.evidence_fraction:g} of the evidence"
                if ended
                else f"stopped at max_calls = {self.max_calls}"
            )
            + (" and the insertion orders are uniform" if uniform else " but the insertion orders are not uniform"),
            n_likelihood=counted.n,
            log_evidence=float(result["logz"]),
            log_evidence_err=float(result["logzerr"]),
            diagnostics={
                "iterations": int(result["niter"]),
                "efficiency": int(result["niter"]) / max(counted.n, 1),
                "live_points": self.live_points,
                "method": self.method,
                "information": float(result.get("H", np.nan)),
                "insertion_order_converged": uniform,
            },
            log_birth=np.where(log_birth > FLOOR, log_birth, -np.inf),
            log_volume=float(np.log(np.mean([node.value > FLOOR for node in root.children]))),
        )


@contextmanager
def _reproducible(integrator: Any, seed: int) -> Iterator[None]:
    """Give UltraNest a seed and a standing clock, and set back everything that belongs to the user's process.

    UltraNest draws from NumPy's global generator. It also adapts the number of proposals ten times per second: with a
    real clock no run is reproducible.
    """
    from threadpoolctl import threadpool_limits

    logger = logging.getLogger("ultranest")
    # Sums of its regions must not depend on the number of cores.
    with PROCESS_STATE, warnings.catch_warnings(), threadpool_limits(limits=1, user_api="blas"):
        warnings.simplefilter("ignore")
        generator, level, handlers = np.random.get_state(), logger.level, list(logger.handlers)
        np.random.seed(seed)
        try:
            with patch.object(integrator, "time", SimpleNamespace(time=lambda: 0.0)):
                yield
        finally:
            np.random.set_state(generator)
            logger.setLevel(level)
            logger.handlers[:] = handlers


class _Alone:
    """MPI communicator of one process: astroemu distributes the likelihood, UltraNest would distribute the run."""

    def Get_size(self) -> int:  # noqa: N802 - mpi4py's names
        return 1

    def Get_rank(self) -> int:  # noqa: N802
        return 0


def _births(root: Any, pile: Any) -> dict[bytes, float]:
    """Return the log-likelihood above which each point was drawn, by the bytes of the point in the unit cube.

    This is the log-likelihood of the point's parent in UltraNest's tree of replacements. The first points have the root
    as their parent, and minus infinity as this value.
    """
    found: dict[bytes, float] = {}
    open_ = [(node, -np.inf) for node in root.children]
    while open_:
        node, birth = open_.pop()
        found[pile.getu(node.id).tobytes()] = birth
        open_.extend((child, node.value) for child in node.children)
    return found


def _floored(target: CountedTarget) -> Any:
    """Return the log-likelihood function with minus infinity replaced by :data:`FLOOR`."""

    def log_likelihood(theta: FloatArray) -> FloatArray:
        values = target.log_likelihood(theta)
        if np.any(low := np.isfinite(values) & (values <= FLOOR)):
            raise SamplingError(
                f"a log-likelihood is {values[low][0]:g}; no data are of such significance. Check the data"
            )
        return np.where(np.isfinite(values), values, FLOOR)

    return log_likelihood


def _reporter(report: ProgressCallback, counted: CountedTarget) -> Any:
    last = [0.0]

    def callback(info: dict[str, Any], **_: Any) -> None:
        if time.monotonic() - last[0] > 0.2:
            last[0] = time.monotonic()
            remaining = info["logz_remain"] - np.logaddexp(info["logz"], info["logz_remain"])
            status = f"ln Z = {info['logz']:.2f}, {100 * np.exp(remaining):.1f} % of the evidence left"
            report(Progress(int(info["it"]), counted.n, status))

    return callback
