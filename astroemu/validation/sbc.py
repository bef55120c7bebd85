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

import hashlib
import json
import time
from collections.abc import Mapping
from contextlib import nullcontext
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from astroemu.core.progress import Progress, ProgressCallback, silent
from astroemu.core.typing import FloatArray
from astroemu.errors import ConfigurationError, DataError, SamplingError
from astroemu.inference.configuration import Configuration, configuration_from
from astroemu.inference.inputs import provenance_of
from astroemu.io.claim import claim_folder
from astroemu.io.files import make_folder, read_json, strict_json, write_json
from astroemu.io.lock import locked
from astroemu.model.model import Model
from astroemu.runtime.mpi import abort_on_uncaught, processes
from astroemu.runtime.workers import run_jobs
from astroemu.sampling.sampler import Sampler
from astroemu.sampling.samples import Samples
from astroemu.validation.mock import (
    TruthSampler,
    complete_point,
    mock_probes,
    unlikely_probes,
    usual_normalisations,
)
from astroemu.validation.truth import TruthModel
from astroemu.validation.verdict import ENOUGH_FITS, LEAST_FITS, LOG_LIKELIHOOD, LOG_POSTERIOR, Given, verdict
from astroemu.validation.work_inputs import inputs_of_fit, inputs_of_truth, together


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

    def run(
        self,
        folder: Path,
        n: int,
        *,
        workers: int = 1,
        report: ProgressCallback = silent,
        accept_changed_code: bool = False,
    ) -> dict[str, Any]:
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
        accept_changed_code : bool
            Add fits although the code of plugins has changed.

        Returns
        -------
        dict
            As written to ``calibration.json``; see :func:`astroemu.validation.verdict.verdict`.

        Raises
        ------
        ConfigurationError
            If there are fewer simulations than fits, or fewer than ten fits.
        DataError
            If the folder holds another calibration or other files.
        RunFolderError
            If another process works in the folder.
        SamplingError
            If a sampler fails: no fit is left out silently.
        """
        ranks = processes()
        abort_on_uncaught(ranks)
        if n < LEAST_FITS:
            raise ConfigurationError(f"--n {n}: at least {LEAST_FITS} fits are needed, and {ENOUGH_FITS} for a verdict")
        _setting.cache_clear()  # files may have changed since an earlier call
        with locked(folder, "calibration") if ranks.is_root else nullcontext():
            missing: list[int] = []
            if ranks.is_root:
                self._claim(folder, n, accept_changed_code)
                missing = [i for i in range(n) if not _file(folder, i).exists()]
            missing, digest = ranks.broadcast((missing, _digest(self._key()) if ranks.is_root else ""))
            key = self._key()
            jobs = [(key, digest, i) for i in missing[ranks.rank :: ranks.size]]
            started, n_likelihood = time.monotonic(), 0
            for finished, fit in enumerate(run_jobs(_fit, jobs, workers, _named), start=1):
                write_json(_file(folder, fit["number"]), fit)
                share = min(finished * ranks.size, len(missing))
                left = (time.monotonic() - started) / share * (len(missing) - share)
                n_likelihood += fit["n_likelihood"]
                have = n - len(missing) + share
                report(Progress(have, n_likelihood, f"{have} of {n} fits, {left / 60:.0f} min left", have / n))
            ranks.barrier()
            found: dict[str, Any] = {}
            if ranks.is_root:
                setting, fits = _setting(key), [read_fit(folder, i) for i in range(n)]
                given = None if self.truth.simulations is None else Given.of(fits, setting.model, setting.predicting)
                block = provenance_of(setting.model, self.configuration)
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

    def _claim(self, folder: Path, n: int, accept_changed_code: bool) -> None:
        """Store all inputs of this calibration in the folder, or check that they are the same."""
        setting = _setting(self._key())
        if setting.rows is not None and n > len(setting.rows):
            raise ConfigurationError(f"n = {n}, but {self.truth.simulations} holds {len(setting.rows)} simulations")
        claim_folder(
            folder / "calibration_of.json",
            setting.inputs,
            "a calibration",
            "another configuration, truth, seed or emulator",
            beside=lambda: {
                "calibration": self._note(),
                "provenance": provenance_of(setting.model, self.configuration),
            },
            accept_changed_code=accept_changed_code,
        )
        make_folder(folder / "fits")


class _Setting:
    """The objects that all fits of one process share."""

    def __init__(self, content: Mapping[str, Any]) -> None:
        configuration = configuration_from(content["configuration"], Path(content["path"]))
        self.seed, self.draws = int(content["seed"]), int(content["draws"])
        truth = TruthModel(**content["truth"])
        self.model: Model = configuration.model()
        self.sampler: Sampler = configuration.sampler(content["sampler"])
        self.sampler.check(self.model)
        self.predicting, self.rows = truth.of(self.model)
        #: Everything that the fits depend on.
        self.inputs = {
            **together(inputs_of_fit(configuration, self.model, content["sampler"], self.seed), inputs_of_truth(truth)),
            "draws": self.draws,
        }
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


def _digest(key: str) -> str:
    """Return the SHA-256 of everything that the fits depend on."""
    return hashlib.sha256(strict_json(_setting(key).inputs).encode()).hexdigest()


_Job = tuple[str, str, int]


def _named(job: _Job) -> str:
    return f"fit {job[2]} of the calibration"


def _file(folder: Path, number: int) -> Path:
    return folder / "fits" / f"{number:06d}.json"


def _fit(job: _Job) -> dict[str, Any]:
    """Make one fit and return its content. Runs in a worker."""
    key, digest, number = job
    setting = _setting(key)
    if _digest(key) != digest:
        raise DataError("an input of the calibration was changed after its start; restore it, and start again")
    rng = np.random.default_rng([setting.seed, 1, number])
    theta = setting.theta(number, rng)
    model = setting.model.with_probes(mock_probes(setting.predicting, theta, rng))
    started, used = time.perf_counter(), time.process_time()
    try:
        samples = setting.sampler.run(model, seed=int(rng.integers(2**31)))
    except SamplingError as error:
        raise SamplingError(f"fit {number}: {error}") from None
    return {
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
        return dict(read_json(path))
    except (DataError, TypeError, ValueError) as error:
        raise DataError(f"{path} is not a complete fit ({error}); remove it and start the calibration again") from None
