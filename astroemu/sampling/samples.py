"""The result of every sampler: weighted points and diagnostics of the run.

All samplers return the same class. An ensemble sampler gives equal weights and no evidence. A nested sampler gives
weights and an evidence.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from astroemu.core.prior import Prior
from astroemu.core.typing import FloatArray
from astroemu.errors import DataError, closest, located
from astroemu.io.files import strict_json
from astroemu.io.hdf5 import write_hdf5
from astroemu.io.hdf5_fields import read_floats, read_format, read_json_attribute
from astroemu.io.untrusted import open_hdf5
from astroemu.runtime.provenance import provenance
from astroemu.sampling.presented import PresentedSamples
from astroemu.sampling.statistics import shortest_interval, statistics, systematic_resampling, weighted_quantile

FORMAT = 1
#: Attributes that a file stores as arrays.
ARRAYS = ("theta", "log_likelihood", "log_prior", "log_weight")


@dataclass(frozen=True, eq=False)
class Samples(PresentedSamples):
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
    prior : Prior or None
        The prior of the parameters, with their symbols and units, if it is known: :meth:`astroemu.Model.sample` states
        it. A file of samples does not hold it.

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
    prior: Prior | None = None

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
        if name not in self.names:
            raise KeyError(
                f"there is no parameter {name!r}.{closest(name, self.names)} The parameters are {self.names}"
            )
        return self.theta[:, self.names.index(name)]

    def __repr__(self) -> str:
        state = "converged" if self.converged else "not converged"
        return f"<Samples of {self.sampler}: {len(self)} of {', '.join(self.names)}; ESS {self.ess:.0f}, {state}>"

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

        def write(file: h5py.File) -> None:
            file.attrs["format"] = FORMAT
            file.attrs["samples"] = strict_json(scalars)
            file.attrs["provenance"] = strict_json(provenance() if block is None else block)
            for name in (*ARRAYS, *self._births):
                file[name] = getattr(self, name)
            if self.log_birth is not None:
                file["log_birth"].attrs["log_volume"] = self.log_volume

        write_hdf5(path, write)

    @classmethod
    def load(cls, path: str | Path) -> Samples:
        """Read a file written by :meth:`save`.

        Raises
        ------
        DataError
            If the file is missing, damaged, or of a newer format, or holds values that no sampler gives.
        """
        path = Path(path)
        if not path.is_file():
            raise DataError(f"there is no file of samples {path}")
        with open_hdf5(path, "a whole file of samples") as file:
            read_format(file, FORMAT)
            scalars = _scalars(read_json_attribute(file, "samples", dict))
            arrays: dict[str, Any] = {name: read_floats(file, name, finite=False) for name in ARRAYS}
            if "log_birth" in file:  # only nested samplers give it, and older files lack it
                arrays["log_birth"] = read_floats(file, "log_birth", finite=False)
                scalars["log_volume"] = float(file["log_birth"].attrs["log_volume"])
        with located(str(path)):
            samples = cls(**scalars, **arrays)
            _check_values(samples)
        return samples


#: Entries of the JSON text of a file: their types, and whether they must be there.
_SCALARS: Mapping[str, tuple[type | tuple[type, ...], bool]] = {
    "names": (list, True),
    "sampler": (str, True),
    "ess": ((int, float), True),
    "converged": (bool, True),
    "reason": (str, True),
    "n_likelihood": (int, True),
    "log_evidence": ((int, float, type(None)), False),
    "log_evidence_err": ((int, float, type(None)), False),
    "diagnostics": (dict, False),
}


def _scalars(content: Mapping[str, Any]) -> dict[str, Any]:
    """Return the entries of the JSON text after checking their names and types."""
    for key in content.keys() - _SCALARS.keys():
        raise ValueError(f"'samples' has the unknown entry {key!r}.{closest(key, _SCALARS)}")
    for key, (kind, needed) in _SCALARS.items():
        if key not in content:
            if needed:
                raise ValueError(f"'samples' lacks {key!r}")
        elif not isinstance(content[key], kind) or (kind is not bool and isinstance(content[key], bool)):
            raise ValueError(f"'samples' has {key} = {content[key]!r:.80}, which is of a wrong type")
    return {**content, "names": tuple(content["names"])}


def _check_values(samples: Samples) -> None:
    """Raise an error if no sampler can have given these values."""
    if not samples.names or not len(samples):
        raise DataError("it holds no samples, or no parameters")
    if len(set(samples.names)) < len(samples.names) or not all(name.strip() for name in samples.names):
        raise DataError(f"names = {list(samples.names)!r} must be different and not empty")
    rows, columns = np.nonzero(~np.isfinite(samples.theta))
    if len(rows):
        raise DataError(f"theta of {samples.names[columns[0]]!r} is not finite in row {rows[0]}; the file is damaged")
    for name in ("log_likelihood", "log_prior", "log_weight", *samples._births):
        values = getattr(samples, name)
        bad = np.flatnonzero(np.isnan(values) | (values == np.inf))
        if bad.size:
            raise DataError(f"{name} is {values[bad[0]]} in row {bad[0]}; the file is damaged")
    if not np.isfinite(samples.log_weight).any():
        raise DataError("log_weight is minus infinity in all rows: no sample has a weight; the file is damaged")
    if samples.ess < 0 or samples.n_likelihood < 0 or not samples.log_volume <= 0:
        raise DataError(
            f"ess = {samples.ess}, n_likelihood = {samples.n_likelihood} or log_volume = {samples.log_volume} cannot "
            "be; the file is damaged"
        )
