"""Simulation-based calibration of the complete pipeline: emulator, likelihood and sampler.

Each of ``n`` fits has four steps. True parameters are drawn (:mod:`astroemu.validation.mock`). Data are drawn at them.
The sampler of the configuration fits these data. The truth is then ranked among independent draws of the posterior: in
every parameter, in the log-likelihood and in the log-posterior. Ranks of such functions of parameters and data find
errors that the ranks of the parameters miss (Modrak et al. 2023, arXiv:2211.02383).

    FOLDER/calibration_of.json   the settings of the calibration
    FOLDER/fits/000017.json      one fit, written completely or not at all
    FOLDER/calibration.json      the result
    FOLDER/*.png                 figures

An interrupted calibration loses only the unfinished fits. A new start makes the missing ones; a larger ``n`` adds more.
Each fit has its own seeds, so the result does not depend on the number of processes.
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
import scipy
from numpy.typing import NDArray

from astroemu.core.progress import Progress, ProgressCallback, silent
from astroemu.core.typing import FloatArray
from astroemu.errors import ConfigurationError, DataError, SamplingError
from astroemu.inference.configuration import Configuration, configuration_from
from astroemu.inference.inputs import inputs, provenance_of
from astroemu.io.claim import claim_folder
from astroemu.io.files import make_folder, write_json
from astroemu.model.model import Model
from astroemu.runtime.mpi import abort_on_uncaught, processes
from astroemu.runtime.workers import run_jobs
from astroemu.sampling.sampler import Sampler
from astroemu.sampling.samples import Samples
from astroemu.sampling.statistics import kish_ess
from astroemu.validation.mock import (
    TruthSampler,
    complete_point,
    log_normalisations,
    mock_probes,
    unlikely_probes,
    usual_normalisations,
)
from astroemu.validation.ranks import CREDIBLE_LEVELS, correct_p_values, highest_density_coverage, judge_ranks
from astroemu.validation.truth import TruthModel

#: Quantities that are ranked in addition to the parameters.
LOG_LIKELIHOOD, LOG_POSTERIOR = "log_likelihood", "log_posterior"
#: Smallest corrected p-value with which a calibration passes.
LEAST_P = 0.01


@dataclass(frozen=True)
class SimulationBasedCalibration:
    """The calibration of one configuration.

    Attributes
    ----------
    configuration : Configuration
    truth : TruthModel
        The model that predicts the data; by default the emulator itself.
    sampler : str, optional
        Name of the sampler; by default that of the configuration.
    seed : int
    draws : int
        Number of posterior draws among which a truth is ranked. With 199 the intervals of 50, 68 and 95 % are exact.
    """

    configuration: Configuration
    truth: TruthModel = field(default_factory=TruthModel)
    sampler: str | None = None
    seed: int = 1
    draws: int = 199

    def run(self, folder: Path, n: int, *, workers: int = 1, report: ProgressCallback = silent) -> dict[str, Any]:
        """Make the missing fits and return the result of all fits.

        Parameters
        ----------
        folder : Path
            New, or that of a calibration with the same settings.
        n : int
            Number of fits. With finished simulations it may not exceed their number.
        workers : int
            Number of processes. Under ``mpiexec`` every process calls this function and makes a part of the fits.
        report : callable
            Called with the progress.

        Returns
        -------
        dict
            As written to ``calibration.json``; see :func:`verdict`.

        Raises
        ------
        ConfigurationError
            If there are fewer simulations than fits, or fewer than ten fits.
        DataError
            If the folder holds another calibration or other files.
        SamplingError
            If a sampler fails: no fit is left out silently.
        """
        ranks = processes()
        abort_on_uncaught(ranks)
        if n < 10:
            raise ConfigurationError(f"n = {n} fits are too few for a calibration; at least 10 are needed")
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
        """Return all settings that determine the fits, without the content of files."""
        content = {
            "configuration": dict(self.configuration.raw),
            "truth": {key: getattr(self.truth, key) for key in ("simulator", "options", "fixed", "simulations")},
            "sampler": self.sampler or self.configuration.document.sampler,
            "seed": self.seed,
            "draws": self.draws,
        }
        return dict(json.loads(json.dumps(content)))

    def _key(self) -> str:
        """Return the settings as text, with the path to which relative paths refer."""
        return json.dumps({"path": str(self.configuration.path.resolve()), **self._note()})

    def _claim(self, folder: Path, n: int) -> None:
        """Store the settings of this calibration in the folder, or check that they are the same."""
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
    """The objects that all fits of one process share."""

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
        return complete_point(self.model, {name: float(value) for name, value in row if np.isfinite(value)}, drawn)


@lru_cache(maxsize=1)
def _setting(key: str) -> _Setting:
    return _Setting(json.loads(key))


def _file(folder: Path, number: int) -> Path:
    return folder / "fits" / f"{number:06d}.json"


def _fit(job: tuple[str, str, int]) -> dict[str, Any]:
    """Make one fit, write its file and return its content. Runs in a worker."""
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
        "rank": rank_truth(samples, theta, model, setting.draws, rng),
        "mean": dict(zip(model.names, samples.mean().tolist(), strict=True)),
        "std": dict(zip(model.names, samples.std().tolist(), strict=True)),
        "unlikely": unlikely_probes(setting.predicting, theta, setting.usual),
        "ess": samples.ess,
        "converged": samples.converged,
        "n_likelihood": samples.n_likelihood,
        "wall_seconds": time.perf_counter() - started,
        "cpu_seconds": time.process_time() - used,
    }
    write_json(_file(Path(folder), number), found)
    return found


def rank_truth(
    samples: Samples, theta: FloatArray, model: Model, draws: int, rng: np.random.Generator
) -> dict[str, int]:
    """Return the rank of a truth among independent draws of the posterior, by quantity.

    The draws are taken at random from all samples, by weight. If a chain is much longer than ``draws``, neighbours are
    rarely drawn together.

    Parameters
    ----------
    samples : Samples
    theta : (d,) array
        The truth, in the order of ``samples.names``.
    model : Model
        Gives the log-likelihood and the log-prior of the truth.
    draws : int
    rng : Generator

    Returns
    -------
    dict of str to int
        Ranks from 0 to ``draws``.
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
    """Return the content of the file of one fit.

    Raises
    ------
    DataError
        If the file is damaged or missing.
    """
    path = _file(folder, number)
    try:
        return dict(json.loads(path.read_text()))
    except (OSError, ValueError) as error:
        raise DataError(f"{path} is not a complete fit ({error}); remove it and start the calibration again") from None


def ranks_by_quantity(fits: list[dict[str, Any]]) -> dict[str, NDArray[np.intp]]:
    """Return the ranks ``(n,)`` of all fits, by quantity."""
    return {name: np.array([fit["rank"][name] for fit in fits], dtype=np.intp) for name in fits[0]["rank"]}


def tested_ranks(ranks: dict[str, NDArray[np.intp]]) -> dict[str, NDArray[np.intp]]:
    """Return the ranks that decide the result.

    They are all but that of the log-posterior, which repeats the log-likelihood if the priors are flat.
    """
    return {name: values for name, values in ranks.items() if name != LOG_POSTERIOR}


@dataclass(frozen=True, eq=False)
class Given:
    """Truths that were given as finished simulations, not drawn.

    Attributes
    ----------
    p_value : float
        Of the hypothesis that they are draws from the prior (Kolmogorov-Smirnov, corrected for the number of
        parameters).
    weight : (n,) array
        Normalisation of the likelihoods at each truth. The density of drawn truths contains this factor.
    """

    p_value: float
    weight: FloatArray

    @classmethod
    def of(cls, fits: list[dict[str, Any]], setting: _Setting) -> Given:
        """Return the properties of the truths of these fits."""
        names = setting.model.names
        theta = np.array([[fit["theta"][name] for name in names] for fit in fits])
        drawn = setting.model.prior.sample(20_000, np.random.default_rng(0))
        p_values = [float(scipy.stats.ks_2samp(theta[:, j], drawn[:, j]).pvalue) for j in range(len(names))]
        log_weight = sum(log_normalisations(setting.predicting, theta).values(), np.zeros(len(theta)))
        return cls(min(correct_p_values(p_values)), np.exp(log_weight - log_weight.max()))

    def joint(self, ranks: NDArray[np.intp], draws: int, level: float) -> dict[str, float]:
        """Return the weighted fraction of truths in the densest region of a level, with its error."""
        nominal = highest_density_coverage(ranks, draws, level)["nominal"]
        inside = ranks >= round((1 - nominal) * (draws + 1))
        share = float(self.weight @ inside / self.weight.sum())
        effective = kish_ess(np.log(np.maximum(self.weight, 1e-300)))
        error = float(np.sqrt(nominal * (1 - nominal) / effective))
        return {"nominal": nominal, "found": share, "error": error, "effective": effective}


def verdict(fits: list[dict[str, Any]], draws: int, given: Given | None = None) -> dict[str, Any]:
    """Return the result of the fits: statistics of the ranks, and whether the calibration has passed.

    Parameters
    ----------
    fits : list of dict
        As from :func:`read_fit`.
    draws : int
        Number of posterior draws among which a truth was ranked.
    given : Given, optional
        For truths that were not drawn. If they are not draws from the prior, their ranks need not be uniform. The
        calibration then passes if the densest 95 % of the posteriors hold at least 95 % of the weighted truths, minus
        two standard errors.

    Returns
    -------
    dict
        The items of :func:`astroemu.validation.ranks.judge_ranks`, and ``passed``.

        ``coverage``: mean over the parameters, by level. ``joint``: coverage of the region of highest posterior
        density, by level. For given truths also ``truths_from_prior`` (a p-value) and ``weighted_joint``, see
        :class:`Given`.

        The number of ``fits``, of ``unconverged`` ones, of those with ``fewer_effective_samples`` than draws, and of
        those with ``unlikely_truths`` by probe, see :func:`astroemu.validation.mock.unlikely_probes`. Medians of the
        cost of a fit.
    """
    ranks = ranks_by_quantity(fits)
    found = judge_ranks(tested_ranks(ranks), draws)
    parameters = [found["quantities"][name]["coverage"] for name in fits[0]["theta"]]
    found["coverage"] = {
        f"{level:g}": float(np.mean([each[f"{level:g}"]["found"] for each in parameters])) for level in CREDIBLE_LEVELS
    }
    found["joint"] = {
        f"{level:g}": highest_density_coverage(ranks[LOG_POSTERIOR], draws, level) for level in CREDIBLE_LEVELS
    }
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
