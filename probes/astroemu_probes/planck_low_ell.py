"""Planck 2018 low multipoles, TT and EE, as log-normal bins (Prince & Dunkley 2022, arXiv:2104.05715).

    ln L = sum_b -ln(x_b s_b sqrt(2 pi)) - (ln x_b - m_b)^2 / (2 s_b^2),      x_b = <D_l>_b - c_b

Here ``<D_l>_b`` is the mean of ``D_l`` over the multipoles of bin b. The likelihood is zero where ``x_b <= 0``. The
bins are fits to the Commander (TT) and SimAll (EE) likelihoods. They change the parameters of LambdaCDM by less
than 0.1 sigma.

**The error of tau_e is too large.** With fixed A_s exp(-2 tau_e), the EE bins give tau_e = 0.048 +- 0.009. A likelihood
of all multipoles gives an error of 0.006. In a fit with other CMB data, the error of tau_e is about a fifth too large.
:mod:`astroemu_probes.elica` and :mod:`astroemu_probes.relike` are newer likelihoods of low-l EE.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self

import numpy as np
from scipy.special import logsumexp

from astroemu.core.array_namespace import NUMPY, Namespace
from astroemu.core.catalog import Catalog, load_catalog, write_table
from astroemu.core.columns import NumberColumn, TextColumn
from astroemu.core.likelihoods import cell_middles, draw_cell
from astroemu.core.panel import MEASUREMENT, Panel
from astroemu.core.probe import Probe
from astroemu.core.provider import Prediction
from astroemu.core.requirement import Requirement
from astroemu.core.typing import FloatArray
from astroemu.errors import ConfigurationError, listing
from astroemu.io.paths import FileName

#: Number of cells of ln x within 12 standard deviations, from which mock shifts are drawn.
_CELLS = 1200
_COLUMNS = {
    "spectrum": TextColumn(choices=("TT", "EE")),
    "ell_min": NumberColumn(above=1),
    "ell_max": NumberColumn(above=1),
    "mu": NumberColumn(),
    "sigma": NumberColumn(above=0),
    "loc": NumberColumn("uK2"),
}
#: Topics of the data, by spectrum. Published values of tau_e come from the first topic.
_TOPICS = {"EE": "Planck low-l polarisation", "TT": "Planck low-l temperature"}


class PlanckLowEll(Probe):
    """Log-normal bins of the Planck 2018 low multipoles.

    Parameters
    ----------
    catalog : str
        Name of an installed catalog, or an ECSV file with the same columns.
    spectra : tuple of str
        ``TT``, ``EE`` or both. EE measures ``tau_e``, so do not add a separate constraint on ``tau_e``.

    Raises
    ------
    ConfigurationError
        If a spectrum is not in the catalog, or if no spectrum is given.
    DataError
        If the catalog does not have these columns, or if its bins are invalid.
    """

    def __init__(self, catalog: FileName = "planck2018_low_ell", spectra: tuple[str, ...] = ("TT", "EE")) -> None:
        source = load_catalog(catalog)
        self.catalogs = (source,)
        table = _read(source)
        known = list(dict.fromkeys(str(name) for name in table["spectrum"]))
        for name in spectra:
            if name not in known:
                raise ConfigurationError(f"spectra: {name!r} is not in {source.name!r}. It has {listing(known)}")
        if not spectra:
            raise ConfigurationError(f"spectra must name at least one of {listing(known)}")
        self.spectra = spectra
        self.contains = frozenset(_TOPICS[name] for name in spectra if name in _TOPICS)
        rows = {name: table[np.asarray(table["spectrum"] == name)] for name in spectra}
        self._requires = {name: _requirement(name, rows[name]) for name in spectra}
        self._rows = table[np.isin(np.asarray(table["spectrum"]), spectra)]
        columns = (np.concatenate([np.asarray(rows[n][c], float) for n in spectra]) for c in ("mu", "sigma", "loc"))
        self._mu, self._sigma, self._loc = columns
        self._bins = {name: np.array(rows[name]["ell_min", "ell_max"].as_array().tolist()) for name in spectra}

    @property
    def requires(self) -> Mapping[str, Requirement]:
        return self._requires

    def log_likelihood(
        self,
        predictions: Mapping[str, Prediction],
        parameters: Mapping[str, Any],
        xp: Namespace,
    ) -> Any:
        value, error = self._joined(predictions, xp)
        x = value - self._loc
        possible = x > 0
        terms = self._log_density(xp.where(possible, x, 1.0), error, xp)
        return xp.where(xp.all(possible, axis=1), xp.sum(terms, axis=1), -np.inf)

    def _joined(self, predictions: Mapping[str, Prediction], xp: Namespace) -> tuple[Any, Any]:
        """Return values and errors of all bins, ``(n, bins)``."""
        given = [predictions[name] for name in self.spectra]
        errors = [0.0 * each.value if each.error is None else each.error for each in given]
        return xp.concatenate([each.value for each in given], axis=1), xp.concatenate(errors, axis=1)

    def _log_density(self, x: Any, error: Any, xp: Namespace) -> Any:
        """Return the log-normal density ``(..., bins)`` at ``x`` > 0, the distance of the spectrum from ``c``."""
        sigma = xp.sqrt(self._sigma**2 + (error / x) ** 2)
        return -xp.log(x * sigma * np.sqrt(2 * np.pi)) - 0.5 * ((xp.log(x) - self._mu) / sigma) ** 2

    def simulate(
        self, predictions: Mapping[str, Prediction], parameters: Mapping[str, Any], rng: np.random.Generator | None
    ) -> Self:
        """Return the probe with the same bins for another sky.

        The datum is the shift ``c``. Without noise, the median of each bin is the truth.
        """
        value, error = (part[0] for part in self._joined(predictions, NUMPY))
        mock = copy.copy(self)
        if rng is None:
            mock._loc = value - np.exp(self._mu)
            return mock
        log_x, density = self._tabulated(error[None])
        place = draw_cell(np.moveaxis(density[0], 0, 1), rng)
        mock._loc = value - np.exp(log_x[0] + place * (log_x[1] - log_x[0]))
        return mock

    def log_normalisation(self, predictions: Mapping[str, Prediction], parameters: Mapping[str, Any]) -> Any:
        """Return the logarithm of the integral over the shifts.

        It is zero without an emulator's error, and close to zero with one.
        """
        _, error = self._joined(predictions, NUMPY)
        found = np.zeros(len(error))
        for i in range(0, len(error), 1000):
            (low, high), density = self._tabulated(error[i : i + 1000])
            mass = logsumexp(density, axis=1) + np.log((high - low) / _CELLS)
            found[i : i + 1000] = np.sum(mass, axis=-1)
        return found

    def _tabulated(self, error: FloatArray) -> tuple[tuple[FloatArray, FloatArray], FloatArray]:
        """Return the range of ln x ``(bins,)`` and its log density in cells ``(n, cells, bins)``."""
        low, high = self._mu - 12.0 * self._sigma, self._mu + 12.0 * self._sigma
        log_x = low + cell_middles(_CELLS)[:, None] * (high - low)
        return (low, high), self._log_density(np.exp(log_x), error[:, None, :], NUMPY) + log_x

    def save(self, folder: Path, name: str) -> dict[str, Any]:
        """Write the bins in use."""
        table = self._rows.copy()
        for spectrum in self.spectra:
            table["loc"][np.asarray(table["spectrum"] == spectrum)] = self._loc[self._part(spectrum)]
        write_table(folder / f"{name}.ecsv", table)
        return {"catalog": f"{name}.ecsv"}

    def _part(self, spectrum: str) -> slice:
        """Return the rows of the bins of one spectrum."""
        start = sum(len(self._bins[other]) for other in self.spectra[: self.spectra.index(spectrum)])
        return slice(start, start + len(self._bins[spectrum]))

    def panels(self) -> tuple[Panel, ...]:
        return tuple(self._panel(name) for name in self.spectra)

    def _panel(self, name: str) -> Panel:
        rows = self._part(name)
        mu, sigma, loc = self._mu[rows], self._sigma[rows], self._loc[rows]
        middle = np.exp(mu) + loc
        ell = np.arange(2.0, 30.0)
        return Panel(
            title=f"{name}, {self.catalogs[0].name}",
            x_label=r"$\ell$",
            y_label=rf"$D_\ell^{{{name}}}$ [$\mu$K$^2$]",
            x=self._bins[name].mean(axis=1),
            y=middle,
            error_low=middle - (np.exp(mu - sigma) + loc),
            error_high=np.exp(mu + sigma) + loc - middle,
            kind=(MEASUREMENT,) * len(mu),
            curve=Requirement(f"d_ell_{name.lower()}", at={"ell": ell}, unit="uK^2", rule={"ell": "spline"}),
            curve_x=ell,
        )


def _read(source: Catalog) -> Any:
    table = source.table(_COLUMNS)
    low, high = np.asarray(table["ell_min"]), np.asarray(table["ell_max"])
    wrong = (high < low) | (low % 1 != 0) | (high % 1 != 0)
    source.refuse_rows(table, wrong, "ell_min and ell_max must be integers, with ell_min <= ell_max")
    return table


def _requirement(name: str, rows: Any) -> Requirement:
    low, high = np.asarray(rows["ell_min"], int), np.asarray(rows["ell_max"], int)
    ell = np.arange(low.min(), high.max() + 1.0)
    inside = (ell >= low[:, None]) & (ell <= high[:, None])
    weights = inside / inside.sum(axis=1, keepdims=True)
    return Requirement(f"d_ell_{name.lower()}", at={"ell": ell}, unit="uK^2", rule={"ell": "spline"}, weights=weights)
