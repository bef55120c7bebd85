"""The sky-averaged 21-cm signal under a foreground that is marginalised analytically.

The sky temperature in channel i is signal, foreground and noise:

    d_i = T_21(z_i) + sum_k a_k F_ik + n_i,      z_i = 1420.40575 MHz / nu_i - 1

    linear_polynomial   F_ik = (nu_i / nu_0)^(k - 2.5)                (Bowman et al. 2018, arXiv:1810.05912)
    log_polynomial      F_ik = (nu_i / nu_0)^-2.5 ln^k(nu_i / nu_0),  k = 0 ... terms - 1

The noise is Gaussian. Its covariance ``S`` holds the errors of the data, and those of the emulator with the modes that
the channels share. The coefficients have flat priors and are integrated out:

    ln L = -1/2 r^T S^-1 r + 1/2 b^T G^-1 b - 1/2 ln |S| - 1/2 ln |G|
    r = d - T_21,   G = F^T S^-1 F,   b = F^T S^-1 r

A flat prior has no norm: compare evidences at one foreground and one number of terms only. A foreground added to ``r``
leaves ln L as it is. The one that fits best is therefore taken off the sky, once, and off every signal. What is left is
small, and nothing is lost to rounding beside a sky of a thousand kelvin.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, Self

import numpy as np

from astroemu.core.array_namespace import Namespace
from astroemu.core.catalog import load_catalog, write_table
from astroemu.core.columns import NumberColumn
from astroemu.core.common_errors import gaussian_with_modes
from astroemu.core.panel import MEASUREMENT, Panel
from astroemu.core.probe import Probe
from astroemu.core.provider import Prediction
from astroemu.core.requirement import Requirement
from astroemu.core.typing import FloatArray
from astroemu.errors import ConfigurationError
from astroemu.io.paths import FileName

#: Rest frequency of the hyperfine line [MHz].
NU_21 = 1420.40575
_INDEX = -2.5
_COLUMNS = {
    "nu": NumberColumn("MHz", above=0, below=NU_21),
    "t_sky": NumberColumn("mK"),
    "error": NumberColumn("mK", above=0),
}


class GlobalSignal(Probe):
    """Sky temperatures by frequency, with the foreground integrated out.

    Parameters
    ----------
    catalog : str
        Name of an installed catalog, or an ECSV file with the columns ``nu``, ``t_sky`` and ``error``.
    foreground : {"linear_polynomial", "log_polynomial"}
        Basis of the foreground.
    terms : int
        Number of terms of the foreground.
    nu_min, nu_max : float
        Range of channels [MHz], both included.

    Raises
    ------
    ConfigurationError
        If there are not more channels than terms.
    DataError
        If a column of the catalog is missing, or holds what the likelihood cannot use.
    """

    def __init__(
        self,
        catalog: FileName = "global_signal_mock",
        foreground: Literal["linear_polynomial", "log_polynomial"] = "linear_polynomial",
        terms: int = 7,
        nu_min: float = 0.0,
        nu_max: float = 200.0,
    ) -> None:
        source = load_catalog(catalog)
        self.catalogs = (source,)
        table = source.table(_COLUMNS)
        table = table[(np.asarray(table["nu"]) >= nu_min) & (np.asarray(table["nu"]) <= nu_max)]
        if not 1 <= terms < len(table):
            raise ConfigurationError(
                f"terms = {terms} must be at least 1 and below the {len(table)} channels between nu_min = {nu_min} and "
                f"nu_max = {nu_max} MHz"
            )
        self.papers = ("1810.05912",) if foreground == "linear_polynomial" else ()
        self.nu, self.t_sky, self.error = (np.asarray(table[name], dtype=float) for name in ("nu", "t_sky", "error"))
        self.z = NU_21 / self.nu - 1.0
        # Orthonormal in units of the noise: F^T N^-1 F = 1 without the errors of an emulator.
        self.basis = np.linalg.qr(_basis(self.nu, foreground, terms) / self.error[:, None])[0] * self.error[:, None]
        #: Takes the foreground that fits best off values ``(channels,)``.
        self.keep = np.eye(len(self.nu)) - self.basis @ (self.basis / self.error[:, None] ** 2).T
        self.residual = self._without_foreground(self.t_sky)

    def _without_foreground(self, values: FloatArray) -> FloatArray:
        """Take it off a sky. The second pass removes what rounding left of a thousand kelvin."""
        return np.asarray(self.keep @ (self.keep @ values))

    @property
    def requires(self) -> Mapping[str, Requirement]:
        return {"t_b": Requirement("t_b", {"z": self.z}, "mK", rule={"z": "cubic"}, remedy="Move nu_min and nu_max")}

    def log_likelihood(
        self, predictions: Mapping[str, Prediction], parameters: Mapping[str, Any], xp: Namespace
    ) -> Any:
        signal = predictions["t_b"]
        residual = self.residual - xp.matmul(signal.value, self.keep.T)  # (n, channels)
        if signal.error is None:
            return -0.5 * xp.sum((residual / self.error) ** 2, axis=-1)  # orthogonal to the foreground
        modes, rest = signal.shared_modes(), signal.independent_variance(xp)
        variance = 0.0 * residual + (self.error**2 if rest is None else self.error**2 + rest)
        inverse = _Inverse(variance, modes, xp)
        weighted = inverse.times(xp.transpose(0.0 * variance[:, None, :] + self.basis.T, (0, 2, 1)))
        g = xp.matmul(self.basis.T, weighted)  # (n, terms, terms)
        b = xp.sum(weighted * residual[:, :, None], axis=1)
        fitted = xp.matmul(xp.solve(g, b[:, :, None])[:, :, 0], self.basis.T)
        found = gaussian_with_modes(residual - fitted, variance, modes, xp)
        return found + float(np.sum(np.log(self.error))) - 0.5 * xp.logdet(g)

    def simulate(
        self, predictions: Mapping[str, Prediction], parameters: Mapping[str, Any], rng: np.random.Generator | None
    ) -> Self:
        """Return the probe with another sky of the same noise. Its foreground makes no difference and is none."""
        signal = predictions["t_b"]
        sky = signal.value[0].copy()
        if rng is not None:
            variance = self.error**2
            if signal.error is not None:
                modes = signal.shared_modes()[0]
                sky += rng.standard_normal(len(modes)) @ modes
                independent = signal.error[0] ** 2 - np.sum(modes**2, axis=0)
                variance = variance + np.maximum(independent, 0.0)
            sky += np.sqrt(variance) * rng.standard_normal(len(sky))
        mock = copy.copy(self)
        mock.t_sky, mock.residual = sky, mock._without_foreground(sky)
        return mock

    def save(self, folder: Path, name: str) -> dict[str, Any]:
        """Write the channels in use."""
        from astropy.table import Table

        columns = {"nu": self.nu, "t_sky": self.t_sky, "error": self.error}
        write_table(folder / f"{name}.ecsv", Table(columns, units=["MHz", "mK", "mK"]))
        return {"catalog": f"{name}.ecsv"}

    def panels(self) -> tuple[Panel, ...]:
        """Return the panel with data and model, both without the foreground that fits them best."""
        return (
            Panel(
                title=f"Sky less {self.basis.shape[1]} foreground terms (the same taken off the model)",
                x_label=r"$\nu$ [MHz]",
                y_label=r"$\delta T$ [mK]",
                x=self.nu,
                y=self.residual,
                error_low=self.error,
                error_high=self.error,
                kind=(MEASUREMENT,) * len(self.nu),
                curve=Requirement("t_b", {"z": self.z}, "mK", rule={"z": "cubic"}, weights=self.keep),
                curve_x=self.nu,
            ),
        )


class _Inverse:
    """The inverse of ``S = V + U^T U``, with diagonals ``V (n, s)`` and modes ``U (n, r, s)`` as rows."""

    def __init__(self, variance: Any, modes: Any, xp: Namespace) -> None:
        self._variance, self._modes, self._xp = variance, modes, xp
        self._weighted = modes / variance[:, None, :]
        self._a = xp.matmul(self._weighted, xp.transpose(modes, (0, 2, 1))) + np.eye(modes.shape[1])

    def times(self, vectors: Any) -> Any:
        """Return ``S^-1`` times vectors ``(n, s, t)``."""
        first = vectors / self._variance[:, :, None]
        amplitudes = self._xp.solve(self._a, self._xp.matmul(self._modes, first))
        return first - self._xp.matmul(self._xp.transpose(self._weighted, (0, 2, 1)), amplitudes)


def _basis(nu: FloatArray, foreground: str, terms: int) -> FloatArray:
    """Return the foreground functions ``(channels, terms)``."""
    ratio, k = nu[:, None] / nu.mean(), np.arange(terms)
    if foreground == "linear_polynomial":
        return np.asarray(ratio ** (k + _INDEX))
    return np.asarray(ratio**_INDEX * np.log(ratio) ** k)
