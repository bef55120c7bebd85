"""The result of every sampler: weighted points and diagnostics of the run.

All samplers return the same class. An ensemble sampler gives equal weights and no evidence. A nested sampler gives
weights and an evidence.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from astroemu.core.typing import FloatArray
from astroemu.errors import DataError
from astroemu.io.files import strict_json, write_atomically
from astroemu.io.untrusted import open_hdf5
from astroemu.runtime.provenance import provenance
from astroemu.sampling.statistics import shortest_interval, statistics, systematic_resampling, weighted_quantile

FORMAT = 1
#: Attributes that a file stores as arrays.
ARRAYS = ("theta", "log_likelihood", "log_prior", "log_weight")


@dataclass(frozen=True, eq=False)
class Samples:
    """Posterior samples.

    Attributes
    ----------
    names : tuple of d str
        Parameter names: the columns of ``theta``.
    theta : (n, d) array
        In the units of the parameters.
    log_likelihood, log_prior : (n,) array
        Natural logarithms.
    log_weight : (n,) array
        Natural logarithm of the weights, whose sum is one; equal for an ensemble sampler.
    sampler : str
        Name of the sampler.
    log_evidence, log_evidence_err : float or None
        Natural logarithm of the evidence, and its error; None if the sampler gives none.
    ess : float
        Effective sample size: Kish's for weighted points, from the autocorrelation time for chains.
    converged : bool
    reason : str
        Why the run counts as converged, or why not.
    n_likelihood : int
        Number of points at which the likelihood was evaluated.
    diagnostics : mapping
        Figures of this sampler (autocorrelation times, acceptance, insertion order, ...).
    log_birth : (n,) array or None
        For a nested sampler: the log-likelihood above which each point was drawn; minus infinity for points drawn
        from the prior. It allows new draws of the prior volumes (:mod:`astroemu.analysis.tension`). For this, all
        points must be kept, also those without weight.
    log_volume : float
        Natural logarithm of the fraction of the prior that these points cover. It is below zero if the likelihood
        is zero in the rest of the prior.

    Raises
    ------
    DataError
        If an array has the wrong shape or does not hold floating-point numbers.
    """

    names: tuple[str, ...]
    theta: FloatArray
    log_likelihood: FloatArray
    log_prior: FloatArray
    log_weight: FloatArray
    sampler: str
    ess: float
    converged: bool
    reason: str
    n_likelihood: int
    log_evidence: float | None = None
    log_evidence_err: float | None = None
    diagnostics: Mapping[str, Any] = field(default_factory=dict)
    log_birth: FloatArray | None = None
    log_volume: float = 0.0

    def __post_init__(self) -> None:
        if self.theta.ndim != 2 or not all(isinstance(name, str) for name in self.names):
            raise DataError(f"theta has the shape {self.theta.shape} for the parameters {self.names!r}")
        n = len(self.theta)
        if self.theta.shape != (n, len(self.names)):
            raise DataError(f"theta has the shape {self.theta.shape}; (n, {len(self.names)}) is needed")
        for name in ("log_likelihood", "log_prior", "log_weight", *self._births):
            if getattr(self, name).shape != (n,):
                raise DataError(f"{name} has the shape {getattr(self, name).shape}, not ({n},)")
        for name in (*ARRAYS, *self._births):
            if getattr(self, name).dtype.kind != "f":
                raise DataError(f"{name} does not hold floating-point numbers")

    @property
    def _births(self) -> tuple[str, ...]:
        return () if self.log_birth is None else ("log_birth",)

    def __len__(self) -> int:
        return len(self.theta)

    def __getitem__(self, name: str) -> FloatArray:
        return self.theta[:, self.names.index(name)]

    @property
    def weight(self) -> FloatArray:
        """Weights ``(n,)`` that sum to one."""
        w = np.exp(self.log_weight - self.log_weight.max())
        return w / w.sum()

    def mean(self) -> FloatArray:
        """Return the posterior means ``(d,)``."""
        return self.weight @ self.theta

    def std(self) -> FloatArray:
        """Return the posterior standard deviations ``(d,)``."""
        return np.sqrt(self.weight @ (self.theta - self.mean()) ** 2)

    def quantile(self, q: float) -> FloatArray:
        """Return the weighted quantile ``(d,)`` of each parameter at the level ``q``, from 0 to 1."""
        return np.array([weighted_quantile(column, self.weight, q) for column in self.theta.T])

    def highest_density(self, name: str, mass: float = 0.68) -> tuple[float, float]:
        """Return the shortest interval (low, high) of one parameter that holds the fraction ``mass`` of the posterior.

        For a posterior with one mode it is the highest-density region.
        """
        return shortest_interval(self[name], self.weight, mass)

    def equal_weight(self, n: int, rng: np.random.Generator) -> FloatArray:
        """Return ``(n, d)`` equally weighted points, drawn by systematic resampling."""
        return self.theta[rng.permutation(systematic_resampling(self.weight, n, rng.random()))]

    def best(self) -> FloatArray:
        """Return the sample ``(d,)`` of highest posterior density."""
        return self.theta[np.argmax(self.log_likelihood + self.log_prior)]

    def table(self) -> dict[str, dict[str, float]]:
        """Return the :func:`~astroemu.sampling.statistics.statistics` of each parameter, by name."""
        return {name: statistics(self[name], self.weight) for name in self.names}

    def save(self, path: str | Path, block: Mapping[str, Any] | None = None) -> None:
        """Write one HDF5 file, completely or not at all.

        Parameters
        ----------
        path : str or Path
        block : mapping, optional
            The provenance block to store; by default that of this process.
        """
        scalars = {
            "names": self.names,
            "sampler": self.sampler,
            "ess": self.ess,
            "converged": self.converged,
            "reason": self.reason,
            "n_likelihood": self.n_likelihood,
            "log_evidence": self.log_evidence,
            "log_evidence_err": self.log_evidence_err,
            "diagnostics": dict(self.diagnostics),
        }

        def write(temporary: Path) -> None:
            with h5py.File(temporary, "w", track_order=True) as file:
                file.attrs["format"] = FORMAT
                file.attrs["samples"] = json.dumps(scalars, default=lambda value: value.tolist())
                file.attrs["provenance"] = strict_json(provenance() if block is None else block)
                for name in (*ARRAYS, *self._births):
                    file[name] = getattr(self, name)
                if self.log_birth is not None:
                    file["log_birth"].attrs["log_volume"] = self.log_volume

        write_atomically(path, write)

    @classmethod
    def load(cls, path: str | Path) -> Samples:
        """Read a file written by :meth:`save`.

        Raises
        ------
        DataError
            If the file is missing, damaged, or of a newer format.
        """
        path = Path(path)
        if not path.is_file():
            raise DataError(f"there is no file of samples {path}")
        with open_hdf5(path, "a whole file of samples") as file:
            if int(file.attrs["format"]) > FORMAT:
                raise DataError(f"{path} is of format {file.attrs['format']}; this version reads {FORMAT}")
            scalars = json.loads(file.attrs["samples"])
            scalars["names"] = tuple(scalars["names"])
            arrays = {name: file[name][()] for name in ARRAYS}
            if not np.isfinite(arrays["theta"]).all() or any(np.isnan(array).any() for array in arrays.values()):
                raise DataError(f"{path} holds samples that are not finite; it is damaged")
            if "log_birth" in file:  # only nested samplers give it, and older files lack it
                scalars["log_volume"] = float(file["log_birth"].attrs["log_volume"])
                arrays["log_birth"] = file["log_birth"][()]
            return cls(**scalars, **arrays)
