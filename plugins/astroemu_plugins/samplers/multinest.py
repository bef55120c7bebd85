"""MultiNest: nested sampling in ellipsoids (Feroz, Hobson & Bridges 2009, arXiv:0809.3437), by pymultinest.

The library is Fortran that no package registry carries, under a licence of its own (academic use). It is looked for
where ``ASTROEMU_MULTINEST`` says, else by the dynamic loader.

It runs in a process of its own, which asks this one for every likelihood. In one process with us it would swallow
any exception of a likelihood and go on with garbage, end the interpreter on a missing folder, and hang on
infinities; here an exception passes as usual and the process is ended. Its files lie in a temporary folder; a run
that was killed is resumed from the engine's record of likelihoods, not from MultiNest's own, which a kill leaves
damaged more often than not.

Points without a likelihood must not be handed on as minus infinity: MultiNest would draw others in their place,
as if the prior ended there. A constant is no better, since the shrinkage of the volume assumes that no two points
are equal. They get values below every likelihood in an order of their own, as good as random.

Its plain evidence is too high by one to three, several times its stated error, on curved or nine-dimensional
problems; that of importance nested sampling (Feroz et al. 2019, arXiv:1306.2144) is not, and is what is
reported. Its own error is too small, by far where a likelihood ends at a wall, so that the difference of the two is
stated, and at least the plain one's error. It also counts the volume of ellipsoids where they stick out of the unit
cube, and is too low by up to one where a posterior is as wide as the prior. So MultiNest gets the cumulative
probability of a normal twice as wide as that of the prior's normal scores, and the ratio of the two densities as a
factor of the likelihood: prior and evidence are the same, and no posterior comes near the cube's walls.
"""

from __future__ import annotations

import ctypes.util
import json
import math
import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from importlib.util import find_spec
from io import StringIO
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from scipy.special import ndtr, ndtri

from astroemu.core.progress import Progress, ProgressCallback, silent
from astroemu.core.typing import FloatArray
from astroemu.errors import ConfigurationError, PluginError, SamplingError
from astroemu.sampling.sampler import Sampler, SamplerTraits, SystemLibrary, seeds
from astroemu.sampling.samples import Samples
from astroemu.sampling.statistics import kish_ess
from astroemu.sampling.target import CountedTarget, Target

#: Below every likelihood that a probe can return for data of finite significance, far above what MultiNest takes
#: for a point to be drawn again.
FLOOR = -1e30
#: Width of the normal whose quantiles are the normal scores in MultiNest's cube.
_WIDER = 2.0
#: Points of which one must have a likelihood.
_PATIENCE = 20_000
#: Seeds that its generator takes.
_SEEDS = 30_000
_REMEDY = (
    "build it from its source (https://github.com/JohannesBuchner/MultiNest) or take conda-forge's multinest, and set "
    "ASTROEMU_MULTINEST to libmultinest.so unless the dynamic loader finds it"
)
_EVIDENCE = re.compile(r"(Nested|Importance) Sampling Global Log-Evidence\s*:\s*(\S+)\s*\+/-\s*(\S+)")


class MultiNest(Sampler):
    """Nested sampler.

    Parameters
    ----------
    live_points : int
    efficiency : float
        The ellipsoids are enlarged to so small an acceptance; above 0.5 some runs miss part of the evidence.
    tolerance : float
        The run ends when the live points can add no more than this to ln Z.
    max_iterations : int
        The run ends here, unconverged, if it did not end before.
    batch : int
        Most points of one call. More than one are guessed ahead (:mod:`.multinest_process`), which gives the same
        samples and pays where a likelihood takes milliseconds, or processes share it.
    """

    name = "multinest"
    citation = (
        "Feroz, Hobson & Bridges 2009, arXiv:0809.3437; Feroz et al. 2019, arXiv:1306.2144; "
        "pymultinest: Buchner et al. 2014, arXiv:1402.0004"
    )
    traits = SamplerTraits(batch="scalar", minus_infinity="floored")
    packages = ("pymultinest",)

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
        stated = os.environ.get("ASTROEMU_MULTINEST")
        if stated is None:
            return SystemLibrary("libmultinest", ctypes.util.find_library("multinest"), _REMEDY)
        path = Path(stated) / "libmultinest.so" if Path(stated).is_dir() else Path(stated)
        remedy = f"ASTROEMU_MULTINEST = {stated}, where there is none; {_REMEDY}"
        return SystemLibrary("libmultinest", str(path) if path.is_file() else None, remedy)

    def check(self, target: Target) -> None:
        self._library()

    def _library(self) -> str:
        component = self.component()
        if component.found is None:
            raise PluginError(f"the sampler 'multinest' needs {component.name}: {component.remedy}")
        if find_spec("pymultinest") is None:
            raise PluginError("the sampler 'multinest' needs pymultinest: pip install pymultinest")
        return component.found

    def run(
        self, target: Target, *, seed: int, folder: Path | None = None, report: ProgressCallback = silent
    ) -> Samples:
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
        with tempfile.TemporaryDirectory(prefix="astroemu_") as place, _asking(settings, Path(place)) as points:
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
        rows = _numbers(files[".txt"])
        log_evidence = {
            kind: (float(value), float(error)) for kind, value, error in _EVIDENCE.findall(files["stats.dat"])
        }
        iterations = len(files["ev.dat"].splitlines())
        ended = iterations < self.max_iterations
        if len(log_evidence) < 2 or (ended and not all(math.isfinite(value) for value, _ in log_evidence.values())):
            raise SamplingError(
                f"MultiNest ended without an evidence; its stats.dat reads {files['stats.dat'][:200]!r}"
            )
        (importance, error), (plain, plain_error) = log_evidence["Importance"], log_evidence["Nested"]
        keep = (-0.5 * rows[:, 1] > 0.5 * FLOOR) & (rows[:, 0] > 0)  # the rest lies outside the model
        weight, u = rows[keep, 0], rows[keep, 2:]
        log_likelihood = -0.5 * rows[keep, 1] - _log_density(u)
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
    """Parameters ``(n, d)`` of points ``(n, d)`` of MultiNest's cube."""
    return target.prior_transform(ndtr(_WIDER * ndtri(u)))


def _log_density(u: FloatArray) -> FloatArray:
    """Log prior density ``(n,)`` of points ``(n, d)`` of MultiNest's cube, over that of the cube."""
    z = _WIDER * ndtri(u)
    return np.asarray(np.sum(math.log(_WIDER) - 0.5 * (1.0 - _WIDER**-2) * z * z, axis=1))


def _ranked(log_likelihood: FloatArray, u: FloatArray) -> FloatArray:
    """Log-likelihoods ``(n,)`` as MultiNest can take them: finite, and different at every point without one."""
    nowhere = log_likelihood == -np.inf
    unheard = log_likelihood[~nowhere & ~(np.abs(log_likelihood) < -FLOOR)]
    if unheard.size:
        raise SamplingError(f"a log-likelihood of {unheard[0]}; no data are of such significance")
    rank = np.modf(1e6 * (u @ np.sqrt(2.0 + np.arange(u.shape[1]))))[0]
    return np.where(nowhere, FLOOR * (1.0 + rank), log_likelihood)


class _Points:
    """Batches of points ``(n, d)`` of the unit cube for which MultiNest asks, to be answered one after the other."""

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
        """Say what was asked for: ``(n,)``."""
        self._answer.write(np.ascontiguousarray(log_likelihood, dtype=float).tobytes())
        self._answer.flush()

    def result(self) -> dict[str, str]:
        """What it wrote, by the ends of the files' names, once it asks no more."""
        code = self._process.wait()
        names = [".txt", "stats.dat", "ev.dat"]
        if code or not all((self._place / name).is_file() for name in names):
            said = (self._place / "log").read_text(errors="replace").strip()[-500:]
            raise SamplingError(f"MultiNest ended with exit code {code} and no result. It said: {said or 'nothing'}")
        return {name: (self._place / name).read_text() for name in names}


@contextmanager
def _asking(settings: dict[str, Any], place: Path) -> Iterator[_Points]:
    """Start MultiNest in a folder, and make sure that it is ended."""
    (ask, theirs_ask), (theirs_answer, answer) = os.pipe(), os.pipe()
    command = [sys.executable, "-m", "astroemu_plugins.samplers.multinest_process"]
    with (place / "log").open("wb") as log:
        process = subprocess.Popen(  # noqa: S603 - our own interpreter
            [*command, str(theirs_ask), str(theirs_answer), json.dumps(settings)],
            stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=place, pass_fds=(theirs_ask, theirs_answer),
            start_new_session=True, env={**os.environ, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"},
        )  # fmt: skip
    os.close(theirs_ask)
    os.close(theirs_answer)
    try:
        with os.fdopen(ask, "rb") as asked, os.fdopen(answer, "wb") as answered:
            yield _Points(process, place, settings["n_dims"], asked, answered)
    except BrokenPipeError:
        raise SamplingError(f"MultiNest ended with exit code {process.wait()} while it was being answered") from None
    finally:
        process.kill()
        process.wait()


def _numbers(text: str) -> FloatArray:
    """Rows of numbers; Fortran leaves out the E of an exponent of three digits."""
    return np.loadtxt(StringIO(re.sub(r"(\d)([+-]\d{3})\b", r"\1E\2", text)), ndmin=2)
