"""The abstract sampler, and what it requires of a problem.

A sampler works on a :class:`~astroemu.sampling.target.Target`: parameter names, a unit-cube transform, a log prior,
and a log-likelihood of batches that is never NaN. A sampler that follows gradients also uses the derivatives of the
transform and of the log-likelihood. A model is a target, and so is any analytic test problem.
"""

from __future__ import annotations

import threading
from abc import ABC, abstractmethod
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Literal

import numpy as np

from astroemu.core.progress import ProgressCallback, silent
from astroemu.errors import ConfigurationError
from astroemu.sampling.samples import Samples
from astroemu.sampling.target import Target, gradient_target

#: Held by a sampler while it changes what belongs to the entire process, such as NumPy's global generator. It sets
#: everything back before it lets go. Samplers that need the lock run one after the other in the threads of a process.
PROCESS_STATE = threading.RLock()


@dataclass(frozen=True)
class SamplerTraits:
    """The requirements and abilities of a sampler.

    MPI and resuming require nothing of a sampler, except that it requests the same points again. Every batch is
    shared among the processes (:mod:`astroemu.sampling.mpi_target`), and every answer is recorded
    (:mod:`astroemu.sampling.replay`).

    Attributes
    ----------
    needs : {"prior_transform", "log_density", "gradient"}
        How it uses the prior: by its unit-cube transform, by its density, or by both and their derivatives. In the
        last case its target is a :class:`~astroemu.sampling.target.GradientTarget`.
    batch : {"variable", "fixed", "scalar"}
        Sizes of the batches that it evaluates: any size, a few sizes, or single points.
    minus_infinity : {"taken", "floored"}
        ``taken`` if it accepts a log-likelihood of minus infinity, ``floored`` if it replaces it by a finite floor.
    nested : bool
        True if its samples have an evidence and ``log_birth``, which ``astroemu tension`` needs.
    """

    needs: Literal["prior_transform", "log_density", "gradient"] = "prior_transform"
    batch: Literal["variable", "fixed", "scalar"] = "variable"
    minus_infinity: Literal["taken", "floored"] = "taken"
    nested: bool = False

    def __str__(self) -> str:
        return f"needs {self.needs}; batches {self.batch}; -inf {self.minus_infinity}"


@dataclass(frozen=True)
class SystemLibrary:
    """A library that a sampler needs and that is not part of any Python package.

    Attributes
    ----------
    name : str
    found : str or None
        Its path; None if it is not installed.
    remedy : str
        How to install it, or how to replace one that cannot be used.
    about : str
        What it is and who installed it.
    fault : str
        Why the library that was found cannot be used; empty if it can.
    """

    name: str
    found: str | None
    remedy: str
    about: str = ""
    fault: str = ""

    @property
    def usable(self) -> bool:
        """True if it was found and has no fault."""
        return self.found is not None and not self.fault


class LibraryInstaller(ABC):
    """Builds the system library of a sampler from its source, for ``astroemu install``.

    The methods are called in the order in which they stand here. Nothing outside the given folder is written before
    :meth:`build`.
    """

    #: What the user must accept, in a sentence. The licence itself comes with the source.
    terms: str

    @abstractmethod
    def library(self) -> SystemLibrary:
        """Return the library that was built before into this Python environment."""

    @abstractmethod
    def demand_tools(self) -> None:
        """Raise an error if the library cannot be built here.

        Raises
        ------
        PluginError
            The message names what is missing, and the packages that have it.
        """

    @abstractmethod
    def fetch(self, folder: Path, source: Path | None = None) -> str:
        """Put the source into a folder, and return the text of its licence and the papers to cite.

        Parameters
        ----------
        folder : Path
            An empty temporary folder.
        source : Path, optional
            Archive of the source that the user has already. Otherwise it is downloaded.

        Raises
        ------
        DataError
            If the source cannot be obtained, or is not what it should be.
        """

    @abstractmethod
    def build(self, folder: Path) -> Path:
        """Build the source in a folder, try the library, install it, and return its path.

        A library that is there already stays unless the new one works.

        Raises
        ------
        PluginError
            If it cannot be built, or does not work.
        DataError
            If it cannot be written into the environment.
        """


class Sampler(ABC):
    """A sampling algorithm.

    The keyword arguments of the constructor are its options, and must have type annotations. A sampler keeps no
    state between runs.
    """

    #: Name in results.
    name: str

    #: Its requirements and abilities.
    traits: SamplerTraits = SamplerTraits()

    #: The paper to cite, with its arXiv number.
    citation: str = ""

    #: Distributions whose versions change its samples: a run can be resumed with the same versions only.
    packages: tuple[str, ...] = ()

    #: Names of the options that only decide when to stop. Runs that differ in these alone request the same points in
    #: the same order, until the first of them stops. A run can therefore go on from the record of another.
    stopping: ClassVar[frozenset[str]] = frozenset()

    @classmethod
    def component(cls) -> SystemLibrary | None:
        """Return the system library that this sampler needs; None if it needs none. It is not loaded here."""
        return None

    @classmethod
    def installer(cls) -> LibraryInstaller | None:
        """Return what builds the system library of this sampler; None if it needs none, or others must install it."""
        return None

    def check(self, target: Target) -> None:
        """Raise an error if the target cannot be sampled with these options. Nothing has been written yet.

        Raises
        ------
        ConfigurationError
            For example, if the traits require gradients and the target has none.
        """
        if self.traits.needs == "gradient":
            gradient_target(target)

    @abstractmethod
    def run(
        self, target: Target, *, seed: int, folder: Path | None = None, report: ProgressCallback = silent
    ) -> Samples:
        """Sample a target.

        Parameters
        ----------
        target : Target
        seed : int
            The same target, options and seed give the same samples.
        folder : Path, optional
            Folder for the sampler's own files.
        report : callable
            Called from time to time with a :class:`~astroemu.core.progress.Progress`.

        Returns
        -------
        Samples

        Raises
        ------
        SamplingError
            If the sampler cannot start or cannot continue.
        """


def demand_live_points(live_points: int, target: Target) -> None:
    """Raise an error if a nested sampler has too few live points to know the shape of the posterior.

    Raises
    ------
    ConfigurationError
        If there are fewer than two per parameter, and two more: an ellipsoid around fewer points is degenerate.
    """
    least = 2 * (len(target.names) + 1)
    if live_points < least:
        raise ConfigurationError(
            f"live_points = {live_points} must be at least {least} for {len(target.names)} parameters: with fewer, "
            "the evidence is wrong"
        )


def seeds(seed: int, n: int) -> list[Any]:
    """Return ``n`` independent seed sequences derived from one number."""
    return list(np.random.SeedSequence(seed).spawn(n))
