"""Calibration of a whole pipeline: emulator, likelihood and sampler, on data whose truth is known.

For each of ``n`` fits: a truth is drawn (:mod:`astroemu.validation.mock`), data are drawn at it, the configuration is
fitted to them by its own sampler, and the truth is ranked among independent draws of the posterior, in every parameter,
in the log-likelihood and in the log-posterior (ranks of such functions of parameters and data find errors that
those of the parameters miss: Modrak et al. 2023, arXiv:2211.02383).

    FOLDER/calibration_of.json   what is calibrated
    FOLDER/fits/000017.json      one fit, written whole or not at all
    FOLDER/calibration.json      the verdict
    FOLDER/*.png                 pictures

Killed at any moment, a calibration loses the fits in flight. Started again it makes those that are missing;
with a larger ``n`` it adds to them. Every fit has seeds of its own, so the number of processes does not matter.
"""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.stats import ks_2samp

from astroemu.core.progress import Progress, ProgressCallback, silent
from astroemu.core.typing import FloatArray
from astroemu.errors import ConfigurationError, DataError, SamplingError
from astroemu.inference.configuration import Configuration, configuration_from
from astroemu.inference.inputs import inputs, provenance_of
from astroemu.io.claim import claim_folder
from astroemu.io.files import make_folder, write_json
from astroemu.model.model import Model
from astroemu.runtime.mpi import processes
from astroemu.runtime.workers import run_jobs
from astroemu.sampling.sampler import Sampler
from astroemu.sampling.samples import Samples
from astroemu.sampling.statistics import kish_ess
from astroemu.validation.mock import (
    TruthSampler,
    log_normalisations,
    mock_probes,
    point,
    unlikely,
    usual_normalisations,
)
from astroemu.validation.ranks import CREDIBLE_LEVELS, highest, holm, judged
from astroemu.validation.truth import TruthModel

#: Quantities that are ranked beside the parameters.
LOG_LIKELIHOOD, LOG_POSTERIOR = "log_likelihood", "log_posterior"
#: Smallest corrected p-value with which a calibration passes.
LEAST_P = 0.01


@dataclass(frozen=True)
class SimulationBasedCalibration:
    """What to calibrate.

    Attributes
    ----------
    configuration : Configuration
    truth : TruthModel
        What predicts the data; by default the emulator itself.
    sampler : str, optional
        Instead of the configuration's.
    seed : int
    draws : int
        Posterior draws among which a truth is ranked. With 199 the intervals of 50, 68 and 95 % are exact.
    """

    configuration: Configuration
    truth: TruthModel = field(default_factory=TruthModel)
    sampler: str | None = None
    seed: int = 1
    draws: int = 199

    def run(self, folder: Path, n: int, *, workers: int = 1, report: ProgressCallback = silent) -> dict[str, Any]:
        """Make the fits that are missing, and judge all of them.

        Parameters
        ----------
        folder : Path
            New, or that of a calibration of the same.
        n : int
            Fits. With finished simulations at most as many as there are.
        workers : int
            Processes. Under ``mpiexec`` every process calls this and does its share.

        Returns
        -------
        dict
            As written to ``calibration.json``; see :func:`verdict`.

        Raises
        ------
        ConfigurationError
            If there are fewer simulations than fits, or fewer than ten fits.
        DataError
            If the folder holds something else.
        SamplingError
            If a sampler cannot start: no fit is left out in silence.
        """
        ranks = processes()
        if n < 10:
            raise ConfigurationError(f"n = {n} fits say nothing of calibration; at least 10 are needed")
        missing: list[int] = []
        if ranks.is_root:
            self._claim(folder, n)
            missing = [i for i in range(n) if not _file(folder, i).exists()]
        missing = ranks.broadcast(missing)
        key = self._key()
        jobs = [(key, str(folder), i) for i in missing[ranks.rank :: ranks.size]]
        started, n_likelihood = time.monotonic(), 0
        for finished, fit in enumerate(run_jobs(_fit, jobs, workers), start=1):
            share = min(finished * ranks.size, len(missing))
            left = (time.monotonic() - started) / share * (len(missing) - share)
            n_likelihood += fit["n_likelihood"]
            have = n - len(missing) + share
            report(Progress(have, n_likelihood, f"{have} of {n} fits, {left / 60:.0f} min left", have / n))
        ranks.barrier()
        found: dict[str, Any] = {}
        if ranks.is_root:
            fits = [read_fit(folder, i) for i in range(n)]
            given = None if self.truth.simulations is None else Given.of(fits, _setting(self._key()))
            block = provenance_of(_setting(self._key()).model, self.configuration)
            found = {**verdict(fits, self.draws, given), "of": self._note(), "provenance": block}
            write_json(folder / "calibration.json", found)
        return dict(ranks.broadcast(found))

    def _note(self) -> dict[str, Any]:
        """Everything that the fits depend on, but for the content of files."""
        content = {
            "configuration": dict(self.configuration.raw),
            "truth": {key: getattr(self.truth, key) for key in ("simulator", "options", "fixed", "simulations")},
            "sampler": self.sampler or self.configuration.document.sampler,
            "seed": self.seed,
            "draws": self.draws,
        }
        return dict(json.loads(json.dumps(content)))

    def _key(self) -> str:
        """The same as text, with the folder from which relative paths count."""
        return json.dumps({"path": str(self.configuration.path.resolve()), **self._note()})

    def _claim(self, folder: Path, n: int) -> None:
        """Note what this folder calibrates, or check that it is this."""
        setting = _setting(self._key())
        if setting.rows is not None and n > len(setting.rows):
            raise ConfigurationError(f"n = {n}, but {self.truth.simulations} holds {len(setting.rows)} simulations")
        claim_folder(
            folder / "calibration_of.json",
            {"calibration": self._note(), "inputs": inputs(setting.model, self.configuration)},
            "a calibration",
            "another configuration, truth, seed or emulator",
            beside=lambda: {"provenance": provenance_of(setting.model, self.configuration)},
        )
        make_folder(folder / "fits")


class _Setting:
    """What all fits of one process share."""

    def __init__(self, content: Mapping[str, Any]) -> None:
        configuration = configuration_from(content["configuration"], Path(content["path"]))
        self.seed, self.draws = int(content["seed"]), int(content["draws"])
        self.model: Model = configuration.model()
        self.sampler: Sampler = configuration.sampler(content["sampler"])
        self.sampler.check(self.model)
        self.predicting, self.rows = TruthModel(**content["truth"]).of(self.model)
        self.usual = usual_normalisations(self.model, self.seed)
        self.truths = (
            None if self.rows is not None and np.isfinite(self.rows).all() else TruthSampler(self.model, self.seed)
        )

    def theta(self, number: int, rng: np.random.Generator) -> FloatArray:
        drawn = None if self.truths is None else self.truths.draw(rng)
        if self.rows is None:
            assert drawn is not None
            return drawn
        row = zip(self.model.names, self.rows[number], strict=True)
        return point(self.model, {name: float(value) for name, value in row if np.isfinite(value)}, drawn)


@lru_cache(maxsize=1)
def _setting(key: str) -> _Setting:
    return _Setting(json.loads(key))


def _file(folder: Path, number: int) -> Path:
    return folder / "fits" / f"{number:06d}.json"


def _fit(job: tuple[str, str, int]) -> dict[str, Any]:
    """Make one fit and write its file. Runs in a worker."""
    key, folder, number = job
    setting = _setting(key)
    rng = np.random.default_rng([setting.seed, 1, number])
    theta = setting.theta(number, rng)
    model = setting.model.with_probes(mock_probes(setting.predicting, theta, rng))
    started, used = time.perf_counter(), time.process_time()
    try:
        samples = setting.sampler.run(model, seed=int(rng.integers(2**31)))
    except SamplingError as error:
        raise SamplingError(f"fit {number} of {folder}: {error}") from None
    found = {
        "number": number,
        "theta": dict(zip(model.names, theta.tolist(), strict=True)),
        "rank": ranked(samples, theta, model, setting.draws, rng),
        "mean": dict(zip(model.names, samples.mean().tolist(), strict=True)),
        "std": dict(zip(model.names, samples.std().tolist(), strict=True)),
        "unlikely": unlikely(setting.predicting, theta, setting.usual),
        "ess": samples.ess,
        "converged": samples.converged,
        "n_likelihood": samples.n_likelihood,
        "wall_seconds": time.perf_counter() - started,
        "cpu_seconds": time.process_time() - used,
    }
    write_json(_file(Path(folder), number), found)
    return found


def ranked(samples: Samples, theta: FloatArray, model: Model, draws: int, rng: np.random.Generator) -> dict[str, int]:
    """Rank of a truth ``(d,)`` among independent draws of the posterior, by quantity.

    The draws are taken at random from all samples by their weights: for two neighbours in a chain to be among
    them is as unlikely as the chain is longer than the number of draws.
    """
    chosen = rng.choice(len(samples), size=draws, p=samples.weight)
    log_likelihood = samples.log_likelihood[chosen]
    own = float(model.log_likelihood(theta[None])[0])
    own_posterior = own + float(model.log_prior(theta[None])[0])
    found = {name: int(np.sum(samples[name][chosen] < theta[j])) for j, name in enumerate(samples.names)}
    found[LOG_LIKELIHOOD] = int(np.sum(log_likelihood < own))
    found[LOG_POSTERIOR] = int(np.sum(log_likelihood + samples.log_prior[chosen] < own_posterior))
    return found


def read_fit(folder: Path, number: int) -> dict[str, Any]:
    """Read one fit.

    Raises
    ------
    DataError
        If its file is damaged or missing.
    """
    path = _file(folder, number)
    try:
        return dict(json.loads(path.read_text()))
    except (OSError, ValueError) as error:
        raise DataError(f"{path} is not a whole fit ({error}); remove it and start the calibration again") from None


def all_ranks(fits: list[dict[str, Any]]) -> dict[str, NDArray[np.intp]]:
    """Ranks ``(n,)`` by quantity."""
    return {name: np.array([fit["rank"][name] for fit in fits], dtype=np.intp) for name in fits[0]["rank"]}


def tested(ranks: dict[str, NDArray[np.intp]]) -> dict[str, NDArray[np.intp]]:
    """The quantities on which the verdict rests: not the log-posterior, which a flat prior makes the likelihood."""
    return {name: values for name, values in ranks.items() if name != LOG_POSTERIOR}


@dataclass(frozen=True, eq=False)
class Given:
    """Truths that were not drawn but given.

    Attributes
    ----------
    p_value : float
        With which they are draws of the prior (Kolmogorov-Smirnov, corrected for the number of parameters).
    weight : (n,) array
        The likelihoods' normalisation at each truth, which a truth that is drawn has in its density.
    """

    p_value: float
    weight: FloatArray

    @classmethod
    def of(cls, fits: list[dict[str, Any]], setting: _Setting) -> Given:
        """Examine the truths of some fits."""
        names = setting.model.names
        theta = np.array([[fit["theta"][name] for name in names] for fit in fits])
        drawn = setting.model.prior.sample(20_000, np.random.default_rng(0))
        p_values = [float(ks_2samp(theta[:, j], drawn[:, j]).pvalue) for j in range(len(names))]
        log_weight = sum(log_normalisations(setting.predicting, theta).values(), np.zeros(len(theta)))
        return cls(min(holm(p_values)), np.exp(log_weight - log_weight.max()))

    def joint(self, ranks: NDArray[np.intp], draws: int, level: float) -> dict[str, float]:
        """Weighted share of the truths in the densest region of a level, with the error of the effective number."""
        nominal = highest(ranks, draws, level)["nominal"]
        inside = ranks >= round((1 - nominal) * (draws + 1))
        share = float(self.weight @ inside / self.weight.sum())
        effective = kish_ess(np.log(np.maximum(self.weight, 1e-300)))
        error = float(np.sqrt(nominal * (1 - nominal) / effective))
        return {"nominal": nominal, "found": share, "error": error, "effective": effective}


def verdict(fits: list[dict[str, Any]], draws: int, given: Given | None = None) -> dict[str, Any]:
    """Judge the fits.

    Parameters
    ----------
    fits : list of dict
    draws : int
    given : Given, optional
        Where the truths were not drawn but given. If they are no draws of the prior their ranks need not be
        uniform, and the verdict rests on the densest 95 % of the posteriors, which must not hold fewer of them
        than that by more than two standard errors, each with its weight.

    Returns
    -------
    dict
        That of :func:`astroemu.validation.ranks.judged`, and ``passed``; for truths that were given
        ``truths_from_prior`` and ``weighted_joint`` (see :class:`Given`); ``joint``: how often the
        region of highest posterior density holds the truth, by level; ``coverage``: the mean over the
        parameters, by level; ``fits``, how many are ``unconverged``, have ``fewer_effective_samples`` than draws,
        have ``unlikely_truths`` (see :func:`astroemu.validation.mock.unlikely`), and what one takes.
    """
    ranks = all_ranks(fits)
    found = judged(tested(ranks), draws)
    parameters = [found["quantities"][name]["coverage"] for name in fits[0]["theta"]]
    found["coverage"] = {
        f"{level:g}": float(np.mean([each[f"{level:g}"]["found"] for each in parameters])) for level in CREDIBLE_LEVELS
    }
    found["joint"] = {f"{level:g}": highest(ranks[LOG_POSTERIOR], draws, level) for level in CREDIBLE_LEVELS}
    found["passed"] = found["p_value"] > LEAST_P
    if given is not None:
        found["truths_from_prior"] = given.p_value
        found["weighted_joint"] = {
            f"{level:g}": given.joint(ranks[LOG_POSTERIOR], draws, level) for level in CREDIBLE_LEVELS
        }
        if given.p_value <= LEAST_P:
            densest = found["weighted_joint"]["0.95"]
            found["passed"] = densest["found"] >= densest["nominal"] - 2 * densest["error"]
    found["fits"] = len(fits)
    found["draws"] = draws
    found["unconverged"] = sum(not fit["converged"] for fit in fits)
    found["fewer_effective_samples"] = sum(fit["ess"] < draws for fit in fits)
    found["unlikely_truths"] = {
        key: sum(key in fit["unlikely"] for fit in fits) for key in sorted({k for fit in fits for k in fit["unlikely"]})
    }
    for key in ("ess", "n_likelihood", "wall_seconds", "cpu_seconds"):
        found[f"median_{key}"] = float(np.median([fit[key] for fit in fits]))
    return found
