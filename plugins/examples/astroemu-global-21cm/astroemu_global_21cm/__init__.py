"""The sky-averaged 21-cm signal under a foreground.

The sky temperature in channel i is signal, foreground and noise:

    d_i = T_21(z_i) + sum_k a_k F_ik + n_i,      z_i = 1420.40575 MHz / nu_i - 1
    F_ik = (nu_i / nu_0)^(k - 2.5),              k = 0 ... terms - 1

(the linear polynomial of Bowman et al. 2018, Nature 555, 67). The noise is that of the radiometer
equation, and the coefficients, of flat prior, are integrated out analytically:

    ln L = -1/2 r^T (N^-1 - N^-1 F G^-1 F^T N^-1) r - 1/2 ln |N| - 1/2 ln |G|
    r = d - T_21,   G = F^T N^-1 F,   N = diag(sigma^2 + e^2)

with the emulator's error e. A flat prior has no norm: compare evidences at one number of terms only.
Adding any foreground of this form to r leaves ln L as it is. So the foreground that fits best is taken
off the sky, once, and off every signal: what is left is small, and nothing is lost to rounding beside a
sky of a thousand kelvin.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self

import numpy as np
from astropy.table import Table
from numpy.typing import NDArray

from astroemu import Catalog, FileName, NumberColumn, Panel, Prediction, Probe, Requirement, load_catalog
from astroemu.core.catalog import write_table
from astroemu.errors import ConfigurationError

Array = NDArray[np.float64]
_HERE = Path(__file__).parent
#: Rest frequency of the hyperfine line [MHz].
NU_21 = 1420.40575
_INDEX = -2.5
_COLUMNS = {
    "nu": NumberColumn("MHz", above=0),
    "t_sky": NumberColumn("mK"),
    "error": NumberColumn("mK", above=0),
}

MOCK = Catalog(
    name="global_21cm_mock",
    path=_HERE / "data" / "global_21cm_mock.ecsv",
    checksum="4d5e5a284cea6c84948ae1ffd050a206def68d9782293fa4dc9f952a88b86863",
    reference="a mock, made by make_mock.py from the emulator acg",
    licence="MIT (astroemu)",
)
CONFIGURATION = _HERE / "global_21cm.toml"


class Global21cm(Probe):
    """Sky temperatures by frequency, the foreground integrated out.

    Parameters
    ----------
    catalog : str
        Name of an installed catalog, or an ECSV file with the columns ``nu``, ``t_sky``, ``error``.
    terms : int
        Number of terms of the foreground.
    nu_min, nu_max : float
        Range of channels [MHz], both included.
    """

    def __init__(
        self, catalog: FileName = "global_21cm_mock", terms: int = 7, nu_min: float = 0.0, nu_max: float = 200.0
    ) -> None:
        source = load_catalog(catalog)
        self.catalogs = (source,)
        table = source.table(_COLUMNS)
        table = table[(np.asarray(table["nu"]) >= nu_min) & (np.asarray(table["nu"]) <= nu_max)]
        if not 1 <= terms < len(table):
            raise ConfigurationError(f"terms = {terms} must be at least 1 and below the {len(table)} channels")
        self.nu, self.t_sky, self.error = (np.asarray(table[name], dtype=float) for name in ("nu", "t_sky", "error"))
        self.z = NU_21 / self.nu - 1.0
        # Orthonormal in units of the noise: F^T N^-1 F = 1 without an emulator's error.
        polynomials = (self.nu[:, None] / self.nu.mean()) ** (np.arange(terms) + _INDEX)
        self.basis = np.linalg.qr(polynomials / self.error[:, None])[0] * self.error[:, None]
        #: Takes the foreground that fits best off values ``(channels,)``.
        self.keep = np.eye(len(self.nu)) - self.basis @ (self.basis / self.error[:, None] ** 2).T
        self.residual = self._without_foreground(self.t_sky)

    def _without_foreground(self, values: Array) -> Array:
        """Take it off a sky; the second pass removes what rounding left of a thousand kelvin."""
        return np.asarray(self.keep @ (self.keep @ values))

    @property
    def requires(self) -> Mapping[str, Requirement]:
        remedy = "Move nu_min and nu_max"
        return {"t_b": Requirement("t_b", at={"z": self.z}, unit="mK", rule={"z": "cubic"}, remedy=remedy)}

    def log_likelihood(self, predictions: Mapping[str, Prediction], parameters: Mapping[str, Any], xp: Any) -> Any:
        signal = predictions["t_b"]
        r = self.residual - xp.matmul(signal.value, self.keep.T)  # (n, channels)
        variance = self.error**2 + (0.0 * signal.value if signal.error is None else signal.error**2)
        weighted = r / variance
        b = xp.matmul(weighted, self.basis)  # (n, terms)
        g = xp.matmul(self.basis.T / variance[:, None, :], self.basis)  # (n, terms, terms)
        fitted = xp.sum(b * xp.solve(g, b[:, :, None])[:, :, 0], axis=-1)
        norm = xp.sum(xp.log(variance / self.error**2), axis=-1) + xp.logdet(g)
        return -0.5 * (xp.sum(r * weighted, axis=-1) - fitted + norm)

    def simulate(
        self, predictions: Mapping[str, Prediction], parameters: Mapping[str, Any], rng: np.random.Generator | None
    ) -> Self:
        """Another sky of the same noise; its foreground makes no difference and is none."""
        mock = copy.copy(self)
        signal = predictions["t_b"]
        total = self.error if signal.error is None else np.hypot(self.error, signal.error[0])
        mock.t_sky = signal.value[0] + (0.0 if rng is None else total * rng.standard_normal(len(self.nu)))
        mock.residual = mock._without_foreground(mock.t_sky)
        return mock

    def save(self, folder: Path, name: str) -> dict[str, Any]:
        """The channels that are used."""
        table = Table({"nu": self.nu, "t_sky": self.t_sky, "error": self.error})
        for column, unit in (("nu", "MHz"), ("t_sky", "mK"), ("error", "mK")):
            table[column].unit = unit
        write_table(folder / f"{name}.ecsv", table)
        return {"catalog": f"{name}.ecsv"}

    def panels(self) -> tuple[Panel, ...]:
        """Data and model, both less the foreground that fits them best: what is left to compare."""
        return (
            Panel(
                title=f"Sky less {self.basis.shape[1]} foreground terms (the same taken from the model)",
                x_label=r"$\nu$ [MHz]",
                y_label=r"$\delta T$ [mK]",
                x=self.nu,
                y=self.residual,
                error_low=self.error,
                error_high=self.error,
                kind=("measurement",) * len(self.nu),
                curve=Requirement("t_b", at={"z": self.z}, unit="mK", rule={"z": "cubic"}, weights=self.keep),
                curve_x=self.nu,
            ),
        )
