"""UltraNest: nested sampling with posterior samples and evidence (Buchner 2021, arXiv:2101.09604).

Region sampling with robust ellipsoids and raised batch sizes suits a vectorised likelihood of one
peak; ``method = "slice"`` (a population of slice samplers) suits curved or high-dimensional ones.

Under MPI UltraNest splits its work itself: every process draws and evaluates points of its own and all see
all of them, so each returns the same samples. In a run folder it keeps every point; a resumed run reads them
again and goes on, with fresh random numbers (the old ones would repeat points that are there).

Minus infinity is handed on as a finite floor: UltraNest asserts finite values, and its treatment of
plateaus makes the evidence right when part of the prior lies on the floor (tests/ has the check).
"""

from __future__ import annotations

import json
import logging
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal

import h5py
import numpy as np
from numpy.typing import NDArray

from astroemu.errors import AstroemuError, ConfigurationError, PluginError, ProbeError, SamplingError
from astroemu.files import strict_json, write_atomically
from astroemu.parallel import world
from astroemu.sampler import Counted, Progress, Report, Sampler, Target, Traits, seeds, silent
from astroemu.samples import Samples, kish_ess

Array = NDArray[np.float64]
#: Below every likelihood that a probe can return for data of finite significance.
FLOOR = -1e30


class UltraNest(Sampler):
    """Nested sampler.

    Parameters
    ----------
    live_points : int
    method : {"region", "slice"}
    batch : int
        Least number of points proposed a call (region sampling).
    evidence_fraction : float
        The run ends when the live points can add no more than this share of the evidence.
    max_calls : int
        The run ends here, unconverged, if it did not end before.
    """

    name = "ultranest"
    citation = "Buchner 2021, JOSS 6, 3001, arXiv:2101.09604"
    traits = Traits(
        minus_infinity="floored", processes="all", resumes=True, may_change=("max_calls",), packages=("ultranest",)
    )

    def __init__(
        self,
        live_points: int = 400,
        method: Literal["region", "slice"] = "region",
        batch: int = 1024,
        evidence_fraction: float = 0.01,
        max_calls: int = 20_000_000,
    ) -> None:
        if live_points < 40:
            raise ConfigurationError(f"live_points = {live_points} must be at least 40")
        if batch < 1 or max_calls < 1:
            raise ConfigurationError(f"batch = {batch} and max_calls = {max_calls} must be at least 1")
        if not 0 < evidence_fraction < 1:
            raise ConfigurationError(f"evidence_fraction = {evidence_fraction} must be in (0, 1)")
        self.live_points = live_points
        self.method = method
        self.batch = batch
        self.evidence_fraction = evidence_fraction
        self.max_calls = max_calls

    def run(self, target: Target, *, seed: int, folder: Path | None = None, report: Report = silent) -> Samples:
        try:
            import ultranest
        except ImportError:
            raise PluginError(
                "the sampler 'ultranest' needs UltraNest, which is compiled when it is installed: "
                "apt-get install gcc python3-dev, then pip install 'astroemu-inference[ultranest]'"
            ) from None

        counted = Counted(target)
        session = self._session(target, seed, folder)
        # UltraNest draws from NumPy's global generator, which is put back afterwards.
        before = np.random.get_state()
        np.random.seed(int(seeds(seed, session)[-1].generate_state(1)[0]))
        try:
            with warnings.catch_warnings(), _told(session):
                warnings.simplefilter("ignore")
                sampler = ultranest.ReactiveNestedSampler(
                    list(target.names),
                    _floored(counted),
                    transform=target.prior_transform,
                    vectorized=True,
                    num_test_samples=int(session > 1),  # of a resumed run: the last point is evaluated again
                    ndraw_min=self.batch,
                    ndraw_max=max(self.batch, 65536),
                    log_dir=None if folder is None else str(folder / "ultranest"),
                    resume="resume",
                )
                with _quiet(sampler):
                    result = sampler.run(**self._settings(sampler, len(target.names), report, counted))
        finally:
            np.random.set_state(before)
        return self._samples(result, counted)

    def _session(self, target: Target, seed: int, folder: Path | None) -> int:
        """Number this start of the run, from one, and refuse another run's points.

        Raises
        ------
        SamplingError
            If the folder holds the points of a run with other parameters, options or seed.
        """
        if folder is None:
            return 1
        asked = {"names": list(target.names), "seed": seed, "live_points": self.live_points, "method": self.method}
        file, session = folder / "ultranest.json", 1
        everyone = world()
        if everyone.first:
            if file.is_file():
                known = json.loads(file.read_text(encoding="utf-8"))
                session = known.pop("sessions") + 1
                for what, value in asked.items():
                    if known[what] != value:
                        raise SamplingError(
                            f"{folder} holds the points of a run with {what} = {known[what]}, not {value}; "
                            "start afresh in another folder"
                        )
                _set_aside_damaged(folder / "ultranest" / "results" / "points.hdf5")
            content = strict_json({**asked, "sessions": session})
            write_atomically(file, lambda temporary: temporary.write_text(content, encoding="utf-8"))
        return int(everyone.from_first(session))

    def _settings(self, sampler: Any, n_dim: int, report: Report, counted: Counted) -> dict[str, Any]:
        from ultranest.mlfriends import RobustEllipsoidRegion

        settings: dict[str, Any] = {
            "min_num_live_points": self.live_points,
            "frac_remain": self.evidence_fraction,
            "max_ncalls": self.max_calls,
            "min_ess": self.live_points,
            "max_num_improvement_loops": 0,
            "show_status": False,
            "viz_callback": _reporter(report, counted),
            "region_class": RobustEllipsoidRegion,
        }
        if self.method == "slice":
            from ultranest.popstepsampler import PopulationSimpleSliceSampler, generate_mixture_random_direction

            sampler.stepsampler = PopulationSimpleSliceSampler(
                popsize=self.live_points, nsteps=2 * n_dim, generate_direction=generate_mixture_random_direction
            )
        return settings

    def _samples(self, result: dict[str, Any], counted: Counted) -> Samples:
        points = result["weighted_samples"]
        theta = np.asarray(points["points"], dtype=float)
        log_weight = np.log(np.maximum(np.asarray(points["weights"], dtype=float), 1e-300))
        log_likelihood = np.asarray(points["logl"], dtype=float)
        # Points on the floor lie outside the model: they carry no weight and are dropped.
        keep = (log_likelihood > FLOOR) & (log_weight > -600.0)
        theta, log_likelihood, log_weight = theta[keep], log_likelihood[keep], log_weight[keep]
        log_weight = log_weight - np.log(np.sum(np.exp(log_weight)))
        insertion = result.get("insertion_order_MWW_test", {})
        calls = int(result["ncall"])
        ended = calls < self.max_calls
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
            n_likelihood=calls,
            log_evidence=float(result["logz"]),
            log_evidence_err=float(result["logzerr"]),
            diagnostics={
                "iterations": int(result["niter"]),
                "efficiency": int(result["niter"]) / max(calls, 1),
                "live_points": self.live_points,
                "method": self.method,
                "information": float(result.get("H", np.nan)),
                "insertion_order_converged": uniform,
                "insertion_order_iterations": float(insertion.get("independent_iterations", np.nan)),
            },
        )


def _set_aside_damaged(points: Path) -> None:
    """Rename stored points that cannot be read: those of a process killed while it made the file, say."""
    if not points.exists():
        return
    try:
        with h5py.File(points, "r") as file:
            _ = file["points"].shape
    except (OSError, KeyError) as error:
        aside = points.with_name(f"{points.name}.damaged")
        points.replace(aside)
        warnings.warn(f"{points} cannot be read ({error}); it is now {aside.name}, the run starts again", stacklevel=2)


@contextmanager
def _told(session: int) -> Iterator[None]:
    """Say what UltraNest's bare exceptions mean when it goes on from stored points."""
    try:
        yield
    except (AstroemuError, ProbeError):
        raise
    except Exception as error:
        if session > 1 and "resume" in str(error):
            raise SamplingError(
                f"the likelihood is not that of the run to be resumed: {error}. Start afresh in another folder"
            ) from None
        raise


@contextmanager
def _quiet(sampler: Any) -> Iterator[None]:
    """Keep its log to errors, and close its files afterwards. The first process alone has these."""
    logger = getattr(sampler, "logger", None)
    if logger is not None:
        logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        sampler.pointstore.close()
        if logger is not None:
            for handler in [each for each in logger.handlers if isinstance(each, logging.FileHandler)]:
                handler.close()
                logger.removeHandler(handler)


def _floored(target: Counted) -> Any:
    """Return the likelihood with minus infinity replaced by the floor."""

    def log_likelihood(theta: Array) -> Array:
        values = target.log_likelihood(theta)
        return np.where(np.isfinite(values), values, FLOOR)

    return log_likelihood


def _reporter(report: Report, counted: Counted) -> Any:
    last = [0.0]

    def callback(info: dict[str, Any], **_: Any) -> None:
        if time.monotonic() - last[0] > 0.2:
            last[0] = time.monotonic()
            remaining = info["logz_remain"] - np.logaddexp(info["logz"], info["logz_remain"])
            status = f"ln Z = {info['logz']:.2f}, {100 * np.exp(remaining):.1f} % of the evidence left"
            report(Progress(int(info["it"]), counted.n, status))

    return callback
