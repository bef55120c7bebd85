"""Planck 2018 low multipoles, TT and EE, as log-normal bins (Prince & Dunkley 2022, arXiv:2104.05715).

    ln L = sum_b -ln(x_b s_b sqrt(2 pi)) - (ln x_b - m_b)^2 / (2 s_b^2),      x_b = <D_l>_b - c_b

with the mean of ``D_l`` over the multipoles of each bin: fits to the Commander (TT) and SimAll (EE)
likelihoods, which move the parameters of LambdaCDM by less than 0.1 sigma. Zero where ``x_b <= 0``.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from astroemu.catalog import load_catalog
from astroemu.errors import ConfigurationError, DataError, listing
from astroemu.files import FileName
from astroemu.namespace import Namespace
from astroemu.panel import MEASUREMENT, Panel
from astroemu.probe import Probe
from astroemu.provider import Prediction
from astroemu.requirement import Requirement

_COLUMNS = {"spectrum": "", "ell_min": "", "ell_max": "", "mu": "", "sigma": "", "loc": "uK2"}
#: What the data are, by spectrum; the prior on tau_e comes from the first.
_TOPICS = {"EE": "Planck low-l polarisation", "TT": "Planck low-l temperature"}


class PlanckLowEll(Probe):
    """Log-normal bins of the Planck 2018 low multipoles.

    Parameters
    ----------
    catalog : str
        Name of an installed catalog, or an ECSV file with its columns.
    spectra : tuple of str
        ``TT``, ``EE`` or both. EE measures ``tau_e``: leave the prior on that out.

    Raises
    ------
    ConfigurationError
        If a spectrum is not in the catalog.
    DataError
        If the catalog is not of this form.
    """

    def __init__(self, catalog: FileName = "planck2018_low_ell", spectra: tuple[str, ...] = ("TT", "EE")) -> None:
        source = load_catalog(catalog)
        self.catalogs = (source,)
        table = source.table(_COLUMNS)
        known = list(dict.fromkeys(str(name) for name in table["spectrum"]))
        for name in spectra:
            if name not in known:
                raise ConfigurationError(f"spectra: {name!r} is not in {source.name!r}, which has {listing(known)}")
        if not spectra:
            raise ConfigurationError(f"spectra must name at least one of {listing(known)}")
        self.spectra = spectra
        self.contains = frozenset(_TOPICS[name] for name in spectra if name in _TOPICS)
        rows = {name: table[np.asarray(table["spectrum"] == name)] for name in spectra}
        self._requires = {name: _requirement(source.name, name, rows[name]) for name in spectra}
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
        given = [predictions[name] for name in self.spectra]
        x = xp.concatenate([each.value for each in given], axis=1) - self._loc
        error = xp.concatenate([0.0 * each.value if each.error is None else each.error for each in given], axis=1)
        possible = x > 0
        x = xp.where(possible, x, 1.0)
        sigma = xp.sqrt(self._sigma**2 + (error / x) ** 2)
        terms = -xp.log(x * sigma * np.sqrt(2 * np.pi)) - 0.5 * ((xp.log(x) - self._mu) / sigma) ** 2
        return xp.where(xp.all(possible, axis=1), xp.sum(terms, axis=1), -np.inf)

    def panels(self) -> tuple[Panel, ...]:
        return tuple(self._panel(name) for name in self.spectra)

    def _panel(self, name: str) -> Panel:
        start = sum(len(self._bins[other]) for other in self.spectra[: self.spectra.index(name)])
        rows = slice(start, start + len(self._bins[name]))
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


def _requirement(source: str, name: str, rows: Any) -> Requirement:
    low, high = np.asarray(rows["ell_min"], int), np.asarray(rows["ell_max"], int)
    if np.any(low < 2) or np.any(high < low) or np.any(np.asarray(rows["sigma"]) <= 0):
        raise DataError(f"catalog {source!r}: the bins of {name} need 2 <= ell_min <= ell_max and sigma > 0")
    ell = np.arange(low.min(), high.max() + 1.0)
    inside = (ell >= low[:, None]) & (ell <= high[:, None])
    weights = inside / inside.sum(axis=1, keepdims=True)
    return Requirement(f"d_ell_{name.lower()}", at={"ell": ell}, unit="uK^2", rule={"ell": "spline"}, weights=weights)
