"""The abstract sampler, and what it samples.

A sampler sees a target: names, a unit-cube transform, a log prior and a log-likelihood that takes
a batch and is never NaN; one that follows gradients sees the slopes of transform and likelihood too. A model is a
target; so is any analytic test problem.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np

from astroemu.core.progress import ProgressCallback, silent
from astroemu.sampling.samples import Samples
from astroemu.sampling.target import Target, with_gradient


@dataclass(frozen=True)
class SamplerTraits:
    """What a sampler needs of a problem.

    Several processes and resuming need nothing of it. Every batch is shared (:mod:`astroemu.sampling.mpi_target`) and
    every answer kept (:mod:`astroemu.sampling.replay`), for a sampler that asks for the same points again.

    Attributes
    ----------
    needs : {"prior_transform", "log_density", "gradient"}
        How it meets the prior; with gradients, its target is a :class:`GradientTarget`.
    batch : {"variable", "fixed", "scalar"}
        Sizes of the batches that it evaluates: of any size, of few sizes, or points one by one.
    minus_infinity : {"taken", "floored"}
        Whether it takes a log-likelihood of minus infinity, or hands itself a finite floor instead.
    nested : bool
        Whether its samples have an evidence and ``log_birth``, which ``astroemu tension`` needs.
    """

    needs: Literal["prior_transform", "log_density", "gradient"] = "prior_transform"
    batch: Literal["variable", "fixed", "scalar"] = "variable"
    minus_infinity: Literal["taken", "floored"] = "taken"
    nested: bool = False

    def __str__(self) -> str:
        return f"needs {self.needs}; batches {self.batch}; -inf {self.minus_infinity}"


@dataclass(frozen=True)
class SystemLibrary:
    """A library that a sampler needs and that no Python package brings.

    Attributes
    ----------
    name : str
    found : str, optional
        Where it is.
    remedy : str
        How to get it.
    """

    name: str
    found: str | None
    remedy: str


class Sampler(ABC):
    """A sampling algorithm.

    The keyword arguments of the constructor are its options; annotate them. A sampler keeps no
    state between runs.
    """

    #: Name in results.
    name: str

    #: What it needs and can do. The default claims nothing.
    traits: SamplerTraits = SamplerTraits()

    #: What to cite, with its arXiv number.
    citation: str = ""

    #: Distributions whose versions move its samples: a run is resumed with the same ones only.
    packages: tuple[str, ...] = ()

    @classmethod
    def component(cls) -> SystemLibrary | None:
        """Look for the library that this sampler needs, without loading it; None if it needs none."""
        return None

    def check(self, target: Target) -> None:
        """Refuse a target that these options cannot sample, before anything is written.

        Raises
        ------
        ConfigurationError
            Such as that of a target without gradients, if the traits say that they are needed.
        """
        if self.traits.needs == "gradient":
            with_gradient(target)

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
            Where the sampler may keep files of its own.
        report : callable
            Called now and then with a :class:`Progress`.

        Raises
        ------
        SamplingError
            If it cannot start, or cannot go on.
        """


def seeds(seed: int, n: int) -> list[Any]:
    """Return ``n`` independent seed sequences derived from one number."""
    return list(np.random.SeedSequence(seed).spawn(n))
