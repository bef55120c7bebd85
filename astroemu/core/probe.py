"""The abstract probe: a data set and its likelihood.

A probe states which observables it requires, at which coordinates and in which unit. The engine passes exactly these
values for a batch of points. The probe returns one log-likelihood per point. It does not know which provider computed
the values.
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

    The keyword arguments of the constructor are the options of the probe in a configuration. They are checked against
    their annotations.
    """

    #: Nuisance parameters of the probe, with default priors.
    parameters: tuple[Parameter, ...] = ()

    #: Catalogs that the probe has read, for provenance and citation.
    catalogs: tuple[Catalog, ...] = ()

    #: arXiv numbers to cite: the papers of the data that the options select, and of the likelihood. All papers of a
    #: catalog are cited in addition if none of them is among these.
    papers: tuple[str, ...] = ()

    #: True if the likelihood must run on the host, for example because it calls a C code. A compiled engine then
    #: calls it with NumPy, after the compiled function.
    host_only: bool = False

    #: Backends that can trace the likelihood although it is ``host_only``, such as ``{"jax"}`` for one that is written
    #: in JAX. A compiled engine on such a backend holds it in its function, and has its gradient.
    traced_by: frozenset[str] = frozenset()

    #: Reason why the likelihood leaves out the errors of its predictions. If empty, the likelihood must use them; the
    #: conformance kit checks this.
    ignores_emulator_error: str = ""

    #: Sets of measurements that the data of this probe already contain, as free text by topic. The model warns if
    #: two probes share one.
    contains: frozenset[str] = frozenset()

    @property
    def n_data(self) -> int | None:
        """Number of data points. By default that of the panels; None for a probe without panels."""
        return sum(len(panel.x) for panel in self.panels()) or None

    @property
    @abstractmethod
    def requires(self) -> Mapping[str, Requirement]:
        """Requirements of the likelihood, under names that the probe chooses."""

    @abstractmethod
    def log_likelihood(
        self, predictions: Mapping[str, Prediction], parameters: Mapping[str, Any], xp: Namespace
    ) -> Any:
        """Return the log-likelihood of a batch of n points.

        Parameters
        ----------
        predictions : mapping of str to Prediction
            By the names of :attr:`requires`: values ``(n, size)`` and their 1-sigma errors ``(n, size)``, both in the
            required unit. The error is that of the emulator. It is None if there is none or if it is switched off.
        parameters : mapping of str to (n,) array
            Nuisance parameters of the probe.
        xp : namespace
            Array functions, see :mod:`astroemu.core.array_namespace`.

        Returns
        -------
        (n,) array
            Natural logarithms.
        """

    def simulate(
        self, predictions: Mapping[str, Prediction], parameters: Mapping[str, Any], rng: np.random.Generator | None
    ) -> Self:
        """Return this probe with mock data, drawn for one prediction as the truth.

        Optional. Forecasts need it, and tests that a fit recovers the input parameters. The data are drawn from the
        likelihood itself, as a density of the data. It includes all errors of the likelihood, and that of the emulator
        if ``predictions`` contain one.

        Parameters
        ----------
        predictions : mapping of str to Prediction
            As for :meth:`log_likelihood`, for one point: values ``(1, size)``.
        parameters : mapping of str to (1,) array
        rng : Generator or None
            None for data without noise ("Asimov").

        Raises
        ------
        NotImplementedError
            If data cannot be drawn from the likelihood. The message should state the reason.
        """
        raise NotImplementedError(f"{type(self).__name__} does not simulate its data")

    def log_normalisation(self, predictions: Mapping[str, Prediction], parameters: Mapping[str, Any]) -> Any:
        """Return the logarithm ``(n,)`` of the integral of the likelihood over all data of :meth:`simulate`.

        It may differ by a constant. The default is zero, for a likelihood that is a normalised density of the data.
        The integral can depend on the parameters, for example for limits, or for a prior inside a likelihood. True
        parameters must then be drawn from the prior times this integral. Otherwise mock data and likelihood would
        be inconsistent.

        Parameters
        ----------
        predictions, parameters
            As for :meth:`log_likelihood`, as NumPy arrays.
        """
        del parameters
        return np.zeros(len(next(iter(predictions.values())).value) if predictions else 1)

    def save(self, folder: Path, name: str) -> dict[str, Any]:
        """Write the data of this probe to a catalog of its own, ``folder/name.*``.

        Optional, with :meth:`simulate`.

        Returns
        -------
        dict of str to value
            Options with which a probe of this class reads these data. Options that are the same as those of this
            probe may be left out. The most important one is the file, without its folder.

        Raises
        ------
        NotImplementedError
            If the probe cannot write its data.
        """
        raise NotImplementedError(f"{type(self).__name__} does not write its data")

    def panels(self) -> tuple[Panel, ...]:
        """Return panels with the data. The report draws posterior predictive bands over them."""
        return ()
