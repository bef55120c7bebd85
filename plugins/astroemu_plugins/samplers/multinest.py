"""MultiNest: nested sampling in ellipsoids (Feroz, Hobson & Bridges 2009, arXiv:0809.3437), by pymultinest.

The library is written in Fortran and has its own licence (academic use). :mod:`.multinest_library` finds it, and
:mod:`.multinest_install` builds it from its source.

**Process.** MultiNest runs in its own process, which requests every likelihood from this one. In the same process it
would ignore exceptions of the likelihood and continue with wrong values. It would also end the interpreter if a folder
is missing, and hang on infinities. Here an exception propagates as usual, and the process is ended. The files of
MultiNest are in a temporary folder. A killed run is resumed from the engine's record of likelihoods, because a kill
usually damages MultiNest's own files.

**Points without a finite likelihood.** MultiNest must not get minus infinity: it would draw other points instead, as if
the prior ended there. A constant is also wrong, because the shrinkage of the volume assumes that no two points are
equal. Such points get distinct values below every likelihood, in a pseudo-random order.

**Evidence.** On curved or nine-dimensional problems the plain ln Z is too high by one to three, several times its
stated error. The ln Z of importance nested sampling (Feroz et al. 2019, arXiv:1306.2144) does not have this bias, and
is reported. Its own error is too small, and far too small if the likelihood ends at a wall. The reported error is
therefore the difference of the two values, and at least the error of the plain one.

**Volumes.** MultiNest divides the points drawn in its ellipsoids, also outside the unit cube, by the volume inside it.
:func:`.multinest_process.count_consistently` prevents that.

**Coordinates.** ln Z of importance nested sampling is then still too high, by up to 0.1, if the posterior fills a
corner of the cube. A coordinate of MultiNest's cube is therefore the cumulative probability of a normal, 1.5 times as
wide as that of the prior's normal scores. The ratio of the two densities is a factor of the likelihood. Prior and
evidence stay the same, and no posterior comes near the walls of the cube.
"""

from __future__ import annotations

import json
import math
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from scipy.special import ndtr, ndtri

from astroemu.core.progress import Progress, ProgressCallback, silent
from astroemu.core.typing import FloatArray
from astroemu.errors import ConfigurationError, PluginError, SamplingError
from astroemu.io.lock import temporary_folder
from astroemu.sampling.sampler import Sampler, SamplerTraits, SystemLibrary, demand_live_points, seeds
from astroemu.sampling.samples import Samples
from astroemu.sampling.statistics import kish_ess
from astroemu.sampling.target import CountedTarget, Target
from astroemu_plugins.samplers.multinest_files import evidences, numbers
from astroemu_plugins.samplers.multinest_install import MultiNestInstaller
from astroemu_plugins.samplers.multinest_library import located

#: Below every log-likelihood that a probe can return for data of finite significance, and far above the value at which
#: MultiNest draws a point again.
FLOOR = -1e30
#: Standard deviation of the normal that maps MultiNest's cube to normal scores of the prior.
_WIDER = 1.5
#: After this many points, at least one must have a finite likelihood.
_PATIENCE = 20_000
#: Number of seeds that MultiNest's generator accepts.
_SEEDS = 30_000


class MultiNest(Sampler):
    """Nested sampler MultiNest.

    Parameters
    ----------
    live_points : int
        Number of live points.
    efficiency : float
        Target acceptance: a smaller value enlarges the ellipsoids. Above 0.5 some runs miss part of the evidence.
    tolerance : float
        The run ends when the live points can add at most this to ln Z.
    max_iterations : int
        Largest number of iterations. A run that reaches it stops and counts as unconverged.
    batch : int
        Largest number of points per likelihood call. Above 1, later points are predicted
        (:mod:`.multinest_process`). The samples are the same. This is faster if a likelihood takes milliseconds, or
        several processes share it.
    """

    name = "multinest"
    citation = (
        "Feroz, Hobson & Bridges 2009, arXiv:0809.3437; Feroz et al. 2019, arXiv:1306.2144; "
        "pymultinest: Buchner et al. 2014, arXiv:1402.0004"
    )
    traits = SamplerTraits(batch="scalar", minus_infinity="floored")
    packages = ("pymultinest",)
    stopping = frozenset({"max_iterations", "tolerance"})

    def __init__(
        self,
        live_points: int = 400,
        efficiency: float = 0.3,
        tolerance: float = 0.5,
        max_iterations: int = 1_000_000,
        batch: int = 1,
    ) -> None:
        if live_points < 40:
            raise ConfigurationError(f"live_points = {live_points} must be at least 40")
        if not 0 < efficiency <= 1:
            raise ConfigurationError(f"efficiency = {efficiency} must be in (0, 1]")
        if not 0 < tolerance < math.inf:
            raise ConfigurationError(f"tolerance = {tolerance} must be above 0 and finite")
        if not live_points < max_iterations < 2**31:
            raise ConfigurationError(f"max_iterations = {max_iterations} must be above live_points and below 2^31")
        self.live_points = live_points
        self.efficiency = efficiency
        self.tolerance = tolerance
        if batch < 1:
            raise ConfigurationError(f"batch = {batch} must be at least 1")
        self.max_iterations = max_iterations
        self.batch = batch
        self.traits = replace(type(self).traits, batch="scalar" if batch == 1 else "variable")

    @classmethod
    def component(cls) -> SystemLibrary:
        return located()

    @classmethod
    def installer(cls) -> MultiNestInstaller:
        return MultiNestInstaller()

    def check(self, target: Target) -> None:
        demand_live_points(self.live_points, target)
        self._library()

    def _library(self) -> str:
        component = self.component()
        if component.found is None:
            raise PluginError(f"the sampler 'multinest' needs {component.name}: {component.remedy}")
        if component.fault:
            raise PluginError(
                f"the sampler 'multinest' cannot use {component.found} ({component.about}): {component.fault}. "
                f"To mend this, {component.remedy}"
            )
        if find_spec("pymultinest") is None:
            raise PluginError("the sampler 'multinest' needs pymultinest: pip install pymultinest")
        return component.found

    def run(
        self, target: Target, *, seed: int, folder: Path | None = None, report: ProgressCallback = silent
    ) -> Samples:
        demand_live_points(self.live_points, target)
        counted, last = CountedTarget(target), 0.0
        settings = {
            "library": self._library(),
            "n_dims": len(target.names),
            "n_live_points": self.live_points,
            "sampling_efficiency": self.efficiency,
            "evidence_tolerance": self.tolerance,
            "max_iter": self.max_iterations,
            "batch": self.batch,
            "seed": int(seeds(seed, 1)[0].generate_state(1)[0]) % _SEEDS,
        }
        with temporary_folder() as place, _asking(settings, place) as points:
            possible = False
            for u in points:
                log_likelihood = counted.log_likelihood(_theta(target, u))
                possible = possible or bool(np.isfinite(log_likelihood).any())
                if not possible and counted.n > _PATIENCE:
                    raise SamplingError(
                        f"none of {counted.n} prior draws has a finite likelihood; narrow the prior or check the data"
                    )
                points.answer(_ranked(log_likelihood + _log_density(u), u))
                if time.monotonic() - last > 0.2:
                    last = time.monotonic()
                    report(Progress(counted.n, counted.n, "sampling"))
            return self._samples(points.result(), counted)

    def _samples(self, files: dict[str, str], counted: CountedTarget) -> Samples:
        rows = numbers(files[".txt"])
        log_evidence = evidences(files["stats.dat"])
        iterations = len(files["ev.dat"].splitlines())
        ended = iterations < self.max_iterations
        if len(log_evidence) < 2 or (ended and not all(math.isfinite(value) for value, _ in log_evidence.values())):
            raise SamplingError(
                f"MultiNest ended without an evidence; its stats.dat reads {files['stats.dat'][:200]!r}"
            )
        (importance, error), (plain, plain_error) = log_evidence["Importance"], log_evidence["Nested"]
        keep = (-0.5 * rows[:, 1] > 0.5 * FLOOR) & (rows[:, 0] > 0)  # others: no likelihood or no weight
        weight, u = rows[keep, 0], rows[keep, 2:]
        log_likelihood = -0.5 * rows[keep, 1] - _log_density(u)
        counted.demand_resolved(log_likelihood)
        theta = _theta(counted, u)
        log_weight = np.log(weight / weight.sum())
        return Samples(
            names=counted.names,
            theta=theta,
            log_likelihood=log_likelihood,
            log_prior=counted.log_prior(theta),
            log_weight=log_weight,
            sampler=self.name,
            ess=kish_ess(log_weight),
            converged=ended,
            reason=(
                f"live points can add no more than {self.tolerance:g} to ln Z"
                if ended
                else f"stopped at max_iterations = {self.max_iterations}"
            ),
            n_likelihood=counted.n,
            log_evidence=importance if ended else None,
            log_evidence_err=max(abs(importance - plain), plain_error) if ended else None,
            diagnostics={
                "iterations": iterations,
                "efficiency": iterations / max(counted.n, 1),
                "live_points": self.live_points,
                "importance_log_evidence_err": error,
                "plain_log_evidence": plain,
                "plain_log_evidence_err": plain_error,
            },
        )


def _theta(target: Target, u: FloatArray) -> FloatArray:
    """Return the parameters ``(n, d)`` of points ``(n, d)`` of MultiNest's cube."""
    return target.prior_transform(ndtr(_WIDER * ndtri(u)))


def _log_density(u: FloatArray) -> FloatArray:
    """Return the log ratio ``(n,)`` of the prior's density to the cube's at points ``(n, d)`` of MultiNest's cube."""
    z = _WIDER * ndtri(u)
    return np.asarray(np.sum(math.log(_WIDER) - 0.5 * (1.0 - _WIDER**-2) * z * z, axis=1))


def _ranked(log_likelihood: FloatArray, u: FloatArray) -> FloatArray:
    """Return finite log-likelihoods ``(n,)``; points ``u`` ``(n, d)`` with minus infinity get distinct low values.

    Raises
    ------
    SamplingError
        If a value is NaN, or its absolute value is 1e30 or more.
    """
    nowhere = log_likelihood == -np.inf
    unheard = log_likelihood[~nowhere & ~(np.abs(log_likelihood) < -FLOOR)]
    if unheard.size:
        raise SamplingError(f"a log-likelihood is {unheard[0]}; no data are of such significance. Check the data")
    rank = np.modf(1e6 * (u @ np.sqrt(2.0 + np.arange(u.shape[1]))))[0]
    return np.where(nowhere, FLOOR * (1.0 + rank), log_likelihood)


class _Points:
    """Batches of points ``(n, d)`` of the unit cube that MultiNest requests. Each must be answered before the next."""

    def __init__(self, process: subprocess.Popen[bytes], place: Path, n_dim: int, ask: BinaryIO, answer: BinaryIO):
        self._process, self._place, self._n_dim = process, place, n_dim
        self._ask, self._answer = ask, answer

    def __iter__(self) -> Iterator[FloatArray]:
        while len(head := self._ask.read(8)) == 8:
            size = 8 * self._n_dim * int(np.frombuffer(head, np.int64)[0])
            asked = self._ask.read(size)
            if len(asked) < size:
                return
            yield np.frombuffer(asked).reshape(-1, self._n_dim)

    def answer(self, log_likelihood: FloatArray) -> None:
        """Send the log-likelihoods ``(n,)`` of the last batch."""
        self._answer.write(np.ascontiguousarray(log_likelihood, dtype=float).tobytes())
        self._answer.flush()

    def result(self) -> dict[str, str]:
        """Return the content of MultiNest's files by the ends of their names, after its end.

        Raises
        ------
        SamplingError
            If MultiNest failed.
        """
        code = self._process.wait()
        names = [".txt", "stats.dat", "ev.dat"]
        if code or not all((self._place / name).is_file() for name in names):
            said = (self._place / "log").read_text(errors="replace").strip()[-500:]
            raise SamplingError(f"MultiNest ended with exit code {code} and no result. It said: {said or 'nothing'}")
        return {name: (self._place / name).read_text() for name in names}


@contextmanager
def _asking(settings: dict[str, Any], place: Path) -> Iterator[_Points]:
    """Start MultiNest in the folder ``place``, and end it on exit."""
    (ask, theirs_ask), (theirs_answer, answer) = os.pipe(), os.pipe()
    command = [sys.executable, "-m", "astroemu_plugins.samplers.multinest_process"]
    with (place / "log").open("wb") as log:
        process = subprocess.Popen(  # noqa: S603 - our own interpreter
            [*command, str(theirs_ask), str(theirs_answer), json.dumps(settings)],
            stdin=subprocess.PIPE, stdout=log, stderr=log, cwd=place, pass_fds=(theirs_ask, theirs_answer),
            start_new_session=True, env={**os.environ, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"},
        )  # fmt: skip
    os.close(theirs_ask)
    os.close(theirs_answer)
    try:
        with os.fdopen(ask, "rb") as asked, os.fdopen(answer, "wb") as answered:
            yield _Points(process, place, settings["n_dims"], asked, answered)
    except BrokenPipeError:
        raise SamplingError(f"MultiNest ended with exit code {process.wait()} while it received likelihoods") from None
    finally:
        process.kill()
        process.communicate()
