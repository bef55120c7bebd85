"""The abstract probe: a summary statistic, its data, and their likelihood.

A probe says which observables it requires, where and in which unit; the engine hands it exactly
those values, for a whole batch of points at once, and takes back one log-likelihood a point. It
never learns who provided them.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self

import numpy as np

from astroemu.core.array_namespace import Namespace
from astroemu.core.catalog import Catalog
from astroemu.core.panel import Panel
from astroemu.core.parameter import Parameter
from astroemu.core.provider import Prediction
from astroemu.core.requirement import Requirement


class Probe(ABC):
    """One data set and its likelihood.

    The keyword arguments of the constructor are the options of the probe in a configuration:
    annotate them, and they are checked.
    """

    #: Nuisance parameters that come with the probe, with default priors.
    parameters: tuple[Parameter, ...] = ()

    #: Catalogs that were read, for provenance and citation.
    catalogs: tuple[Catalog, ...] = ()

    #: arXiv numbers of what to cite: the papers of the data that these options choose, and of the
    #: likelihood. If empty, those of the catalogs.
    papers: tuple[str, ...] = ()

    #: True if the likelihood must run on the host (it calls a C code, say). A compiled engine then
    #: calls it with NumPy, after the compiled function.
    host_only: bool = False

    #: Sets of measurements that this probe's data already contain, as free text by topic;
    #: the model warns when two probes share one.
    contains: frozenset[str] = frozenset()

    @property
    @abstractmethod
    def requires(self) -> Mapping[str, Requirement]:
        """What the likelihood needs, under names of the probe's own choice."""

    @abstractmethod
    def log_likelihood(
        self, predictions: Mapping[str, Prediction], parameters: Mapping[str, Any], xp: Namespace
    ) -> Any:
        """Log-likelihood of a batch.

        Parameters
        ----------
        predictions : mapping of str to Prediction
            By the names of :attr:`requires`: values ``(n, size)`` and the emulator's 1-sigma
            error ``(n, size)``, or None where there is none or it is switched off.
        parameters : mapping of str to (n,) array
            The probe's nuisance parameters.
        xp : namespace
            FloatArray functions, see :mod:`astroemu.core.array_namespace`.

        Returns
        -------
        (n,) array
        """

    def simulate(
        self, predictions: Mapping[str, Prediction], parameters: Mapping[str, Any], rng: np.random.Generator | None
    ) -> Self:
        """Return this probe with data drawn as if one prediction were the truth.

        Optional. It makes forecasts, and the test that a fit recovers what the data were made with.
        The data come from the likelihood itself, taken as a density of the data: with all errors that
        it has, that of the emulator too where ``predictions`` state one.

        Parameters
        ----------
        predictions : mapping of str to Prediction
            As for :meth:`log_likelihood`, one point: values ``(1, size)``.
        parameters : mapping of str to (1,) array
        rng : Generator or None
            None for the data that the truth gives without noise ("Asimov").

        Raises
        ------
        NotImplementedError
            If these data are no draw from the likelihood; say why.
        """
        raise NotImplementedError(f"{type(self).__name__} does not simulate its data")

    def log_normalisation(self, predictions: Mapping[str, Prediction], parameters: Mapping[str, Any]) -> Any:
        """Logarithm of the likelihood's integral over all data that :meth:`simulate` may draw, ``(n,)``.

        Up to a constant: zero, the default, for a likelihood that is a normalised density of the data.
        Where the integral depends on the parameters (limits; a prior inside a likelihood), truths have to be
        drawn from the prior times it, or mock data and likelihood would not belong together.

        Parameters
        ----------
        predictions, parameters
            As for :meth:`log_likelihood`, in NumPy.
        """
        del parameters
        return np.zeros(len(next(iter(predictions.values())).value) if predictions else 1)

    def save(self, folder: Path, name: str) -> dict[str, Any]:
        """Write the data that this probe holds as a catalog of its own, ``folder/name.*``.

        Optional, with :meth:`simulate`.

        Returns
        -------
        dict of str to value
            Options that differ from this probe's own, above all the file (without its folder), with which a
            probe of this class reads these data.

        Raises
        ------
        NotImplementedError
            If it cannot.
        """
        raise NotImplementedError(f"{type(self).__name__} does not write its data")

    def panels(self) -> tuple[Panel, ...]:
        """Pictures of the data, over which the report draws the posterior predictive bands."""
        return ()
