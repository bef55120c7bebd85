"""UV luminosity functions at z = 9 to 14 with bursty galaxies.

Bursts scatter galaxies of one halo mass in UV magnitude, and since there are many more faint galaxies
than bright ones, more are scattered into a bright bin than out of it (Shen et al. 2023, MNRAS 525,
3254, arXiv:2305.05679). With a Gaussian scatter ``sigma_uv`` about the median magnitude,

    phi(M) = int phi_0(M') N(M - M'; sigma_uv) dM'
    ln L = sum over bins of two half-Gaussians in phi

where ``phi_0`` is the luminosity function without scatter. The integral is a sum over steps of 0.1 mag
from 2 mag brighter to 7 mag fainter than the bin, phi_0 constant in each step: exact for sigma_uv = 0.
A bin that is an upper limit ``l`` at ``n`` sigma is a measurement of zero with the error ``l / n``.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self

import numpy as np
from astropy.table import Table
from numpy.typing import NDArray

from astroemu import (
    FileName,
    NumberColumn,
    Panel,
    Parameter,
    Prediction,
    Probe,
    Requirement,
    TextColumn,
    load_catalog,
)  # fmt: skip
from astroemu.core.catalog import write_table
from astroemu.core.columns import where
from astroemu.core.distributions import Uniform
from astroemu.core.likelihoods import draw_split_gaussian, split_gaussian
from astroemu.errors import ConfigurationError, closest, listing

Array = NDArray[np.float64]
CONFIGURATION = Path(__file__).parent / "jwst_uvlf.toml"
_UNIT = "log10(Mpc^-3 mag^-1)"
_PHI = "1 / (mag Mpc3)"
_ERROR = NumberColumn(_PHI, above=0, needed=where(kind="measurement"))
_COLUMNS = {
    "reference": TextColumn(),
    "z": NumberColumn(above=0),
    "M_UV": NumberColumn("mag", same="mag(AB)"),
    "phi": NumberColumn(_PHI),
    "err_up": _ERROR,
    "err_lo": _ERROR,
    "kind": TextColumn(choices=("measurement", "upper")),
    "n_sigma": NumberColumn(above=0, needed=where(kind="upper")),
    "arxiv": TextColumn(needed=False),
}
_LN10 = float(np.log(10.0))
_STEP = 0.1
#: Magnitudes of the galaxies that end in a bin, relative to it.
_OFFSETS = np.arange(-2.0, 7.0 + 0.5 * _STEP, _STEP)


class JWSTLuminosityFunction(Probe):
    """Binned luminosity functions of one paper, galaxies scattered in magnitude.

    Parameters
    ----------
    catalog : str
        Name of an installed catalog, or an ECSV file with the columns of ``uv_luminosity_function``.
    reference : str
        Which paper. One at a time: the JWST papers share fields.
    z_min, z_max : float
        Range of redshifts, both included.
    m_uv_min, m_uv_max : float
        Range of magnitudes, both included.

    Raises
    ------
    ConfigurationError
        If nothing is left.
    """

    parameters = (Parameter("sigma_uv", Uniform(0.05, 1.5), r"\sigma_{\rm UV}", "mag"),)
    contains = frozenset({"JWST UV luminosity functions"})

    def __init__(
        self,
        catalog: FileName = "uv_luminosity_function",
        reference: str = "Donnan+2024",
        z_min: float = 9.0,
        z_max: float = 14.5,
        m_uv_min: float = -22.0,
        m_uv_max: float = -17.0,
    ) -> None:
        source = load_catalog(catalog)
        self.catalogs = (source,)
        table = source.table(_COLUMNS)
        empty = np.asarray((table["kind"] == "upper") & (table["phi"] <= 0))
        source.refuse_rows(table, empty, "an upper limit on phi must be above 0")
        known = sorted(set(table["reference"].tolist()))
        if reference not in known:
            raise ConfigurationError(
                f"reference = {reference!r} is not in {source.name!r}.{closest(reference, known)} "
                f"It has {listing(known)}"
            )
        z, m_uv = (np.asarray(table[name], dtype=float) for name in ("z", "M_UV"))
        keep = np.asarray(table["reference"] == reference) & (z >= z_min) & (z <= z_max)
        keep &= (m_uv >= m_uv_min) & (m_uv <= m_uv_max)
        if not keep.any():
            raise ConfigurationError(f"no bin of {reference!r} is left; widen z_min, z_max, m_uv_min and m_uv_max")
        # `astroemu cite` asks for the papers of the data, and for the paper of the scatter.
        self.papers = (*dict.fromkeys(str(number) for number in table["arxiv"][keep] if number), "2305.05679")
        self.z, self.m_uv, self.reference = z[keep], m_uv[keep], reference
        phi, up, low, n_sigma = (
            np.asarray(table[name], dtype=float)[keep] for name in ("phi", "err_up", "err_lo", "n_sigma")
        )
        self.is_limit = np.asarray(table["kind"] == "upper")[keep]
        none = phi / np.where(self.is_limit, n_sigma, 1.0)
        self.phi = np.where(self.is_limit, 0.0, phi)
        self.limit = np.where(self.is_limit, phi, np.nan)
        self.error_high = np.where(self.is_limit, none, up)
        self.error_low = np.where(self.is_limit, none, low)

    @property
    def requires(self) -> Mapping[str, Requirement]:
        return {"log10_uv_lf": self._around(self.z, self.m_uv)}

    def _around(self, z: Array, m_uv: Array) -> Requirement:
        """All steps of all bins, bin by bin."""
        at = {"z": np.repeat(z, len(_OFFSETS)), "m_uv": (m_uv[:, None] + _OFFSETS).ravel()}
        remedy = "Use a provider that reaches these redshifts and magnitudes, such as park19"
        return Requirement("log10_uv_lf", at, _UNIT, rule={"m_uv": "spline"}, remedy=remedy)

    def log_likelihood(self, predictions: Mapping[str, Prediction], parameters: Mapping[str, Any], xp: Any) -> Any:
        model = predictions["log10_uv_lf"]
        phi_0 = xp.exp(_LN10 * xp.reshape(model.value, (-1, len(self.z), len(_OFFSETS))))
        kernel = _kernel(parameters["sigma_uv"], xp)
        phi = xp.sum(phi_0 * kernel, axis=-1)
        extra = None
        if model.error is not None:  # of one network, and so of one sign
            error = xp.reshape(model.error, (-1, len(self.z), len(_OFFSETS)))
            extra = xp.sum(_LN10 * phi_0 * error * kernel, axis=-1)
        return xp.sum(split_gaussian(phi, self.phi, self.error_low, self.error_high, xp, extra), axis=-1)

    def simulate(
        self, predictions: Mapping[str, Prediction], parameters: Mapping[str, Any], rng: np.random.Generator | None
    ) -> Self:
        """The same bins of another sky."""
        from astroemu.core.array_namespace import NUMPY

        mock = copy.copy(self)
        model, shape = predictions["log10_uv_lf"], (1, len(self.z), len(_OFFSETS))
        parts = 10.0 ** model.value.reshape(shape) * _kernel(parameters["sigma_uv"], NUMPY)
        extra = 0.0 if model.error is None else np.sum(_LN10 * parts * model.error.reshape(shape), axis=-1)[0]
        low, high = np.hypot(self.error_low, extra), np.hypot(self.error_high, extra)
        mock.phi = draw_split_gaussian(np.sum(parts, axis=-1)[0], low, high, rng)
        mock.is_limit = np.zeros(len(self.z), dtype=bool)  # a non-detection becomes a measurement around zero
        return mock

    def save(self, folder: Path, name: str) -> dict[str, Any]:
        """The bins that are used."""
        columns: dict[str, Any] = {"reference": np.full(len(self.z), self.reference), "z": self.z, "M_UV": self.m_uv}
        columns |= {"phi": np.where(self.is_limit, self.limit, self.phi)}
        columns |= {"err_up": self.error_high, "err_lo": self.error_low, "n_sigma": np.ones(len(self.z))}
        table = Table({**columns, "kind": np.where(self.is_limit, "upper", "measurement")})
        table["n_sigma"][self.is_limit] = (self.limit / self.error_high)[self.is_limit]
        for column in ("M_UV", "phi", "err_up", "err_lo"):
            table[column].unit = "mag" if column == "M_UV" else _PHI
        write_table(folder / f"{name}.ecsv", table)
        return {"catalog": f"{name}.ecsv"}

    def panels(self) -> tuple[Panel, ...]:
        """One a redshift. The curve is phi_0, without scatter: what lies above it is what bursts explain."""
        return tuple(self._panel(z) for z in np.unique(self.z))

    def _panel(self, z: float) -> Panel:
        here = self.z == z
        limit = self.is_limit[here]
        m_uv = np.linspace(-22.0, -17.0, 50)
        return Panel(
            title=f"{self.reference}, z = {z:g}; the curve is without scatter",
            x_label=r"$M_{\rm UV}$ [mag]",
            y_label=r"$\phi$ [Mpc$^{-3}$ mag$^{-1}$]",
            x=self.m_uv[here],
            y=np.where(limit, self.limit[here], self.phi[here]),
            error_low=np.where(limit, 0.0, self.error_low[here]),
            error_high=np.where(limit, 0.0, self.error_high[here]),
            kind=tuple("upper" if flag else "measurement" for flag in limit),
            curve=Requirement("log10_uv_lf", {"z": np.full(50, z), "m_uv": m_uv}, _UNIT, rule={"m_uv": "spline"}),
            curve_x=m_uv,
            transform=lambda y: 10.0**y,
            y_log=True,
        )


def _kernel(sigma: Any, xp: Any) -> Any:
    """Share of the galaxies of each step that ends in the bin: ``(n, 1, steps)``."""
    scale = 1.0 / (np.sqrt(2.0) * sigma[:, None, None])
    return 0.5 * (xp.erf((_OFFSETS + 0.5 * _STEP) * scale) - xp.erf((_OFFSETS - 0.5 * _STEP) * scale))
