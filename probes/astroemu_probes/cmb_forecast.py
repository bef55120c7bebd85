"""Future survey of the CMB: cosmic variance and noise around fiducial spectra.

    -2 ln L = f_sky sum_l (2 l + 1) [ tr(C^ C^-1) - ln det(C^ C^-1) - n ],      C_l = C_l^theory + N_l

This is the likelihood of Gaussian fields on the full sky (Hamimeche & Lewis 2008, arXiv:0801.0554, eq. 4), with a
fraction ``f_sky`` of its modes. The noise is that of a beam (Knox 1995, astro-ph/9504054):

    N_l = w^2 exp[ l (l + 1) theta^2 / (8 ln 2) ]

The data ``C^`` include the same noise. The likelihood is therefore the expectation over surveys, and ln L is zero at
the fiducial spectra.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, Self

import numpy as np

from astroemu.core.array_namespace import Namespace
from astroemu.core.catalog import load_catalog, write_datasets
from astroemu.core.panel import MEASUREMENT, Panel
from astroemu.core.probe import Probe
from astroemu.core.provider import Prediction
from astroemu.core.requirement import Requirement
from astroemu.core.typing import FloatArray
from astroemu.errors import ConfigurationError, DataError
from astroemu.io.paths import FileName
from astroemu_probes.cmb_bandpowers import SPECTRA, UNIT, read_spectra

_ARCMIN = np.pi / 10800


class CmbForecast(Probe):
    """Forecast for a survey of CMB temperature and polarisation.

    Parameters
    ----------
    catalog : str
        Fiducial spectra: name of an installed catalog, or an HDF5 file with ``ell`` and ``D_ell``
        (TT, TE, EE).
    spectra : {"TTTEEE", "TT", "EE"}
        Spectra to use.
    f_sky : float
        Observed fraction of the sky.
    l_min, l_max : int
        Range of multipoles, both included.
    noise : float
        White noise of temperature [uK arcmin]. The noise of polarisation is sqrt(2) larger.
    beam : float
        Full width at half maximum of the beam [arcmin].

    Raises
    ------
    ConfigurationError
        If an option has an invalid value.
    DataError
        If the fiducial spectra do not cover ``l_min`` to ``l_max``.
    """

    def __init__(
        self,
        catalog: FileName = "planck2018_best_fit",
        spectra: Literal["TTTEEE", "TT", "EE"] = "TTTEEE",
        f_sky: float = 0.4,
        l_min: int = 30,
        l_max: int = 3000,
        noise: float = 6.0,
        beam: float = 1.4,
    ) -> None:
        if not 0 < f_sky <= 1 or not 2 <= l_min < l_max or noise < 0 or beam < 0:
            raise ConfigurationError(
                f"f_sky = {f_sky} must be in (0, 1]; l_min = {l_min} must be at least 2 and below l_max = {l_max}; "
                f"noise = {noise} and beam = {beam} must not be negative"
            )
        source = load_catalog(catalog)
        self.catalogs = (source,)
        self._names = SPECTRA if spectra == "TTTEEE" else (spectra,)
        self.ell = np.arange(l_min, l_max + 1.0)
        ell, table = read_spectra(source)
        if ell[0] > l_min or ell[-1] < l_max:
            raise DataError(
                f"catalog {source.name!r}: the spectra cover multipoles from {ell[0]:g} to {ell[-1]:g}, "
                f"not from {l_min} to {l_max}. Move l_min and l_max into this range"
            )
        #: Noise by spectrum, as D_ell [uK^2].
        self.noise = self._noise(noise, beam)
        data = {name: np.interp(self.ell, ell, table[name]) for name in self._names}
        self.data = {name: data[name] + self.noise[name] for name in self._names}
        self._modes = f_sky * (2 * self.ell + 1)
        self._requires = {
            name: Requirement(
                f"d_ell_{name.lower()}",
                at={"ell": self.ell},
                unit=UNIT,
                rule={"ell": "spline"},
                remedy="Set l_max lower, or use an emulator with higher multipoles",
            )
            for name in self._names
        }

    def _noise(self, noise: float, beam: float) -> dict[str, FloatArray]:
        square = self.ell * (self.ell + 1)
        curve = (noise * _ARCMIN) ** 2 * np.exp(square * (beam * _ARCMIN) ** 2 / (8 * np.log(2)))
        level = curve * square / (2 * np.pi)
        return {"TT": level, "TE": np.zeros_like(level), "EE": 2 * level}

    @property
    def requires(self) -> Mapping[str, Requirement]:
        return self._requires

    def log_likelihood(
        self,
        predictions: Mapping[str, Prediction],
        parameters: Mapping[str, Any],
        xp: Namespace,
    ) -> Any:
        for name in self._names:
            self._refuse_error(name, predictions[name])
        theory = {name: predictions[name].value + self.noise[name] for name in self._names}
        possible, terms = self._one(theory, xp) if len(self._names) == 1 else self._both(theory, xp)
        return xp.where(xp.all(possible, axis=1), -0.5 * xp.sum(self._modes * terms, axis=1), -np.inf)

    @staticmethod
    def _refuse_error(name: str, prediction: Prediction) -> None:
        if prediction.error is not None:
            raise ConfigurationError(
                f"the provider of d_ell_{name.lower()} states an error, which this likelihood of field "
                "amplitudes cannot include. Set emulator_error = false"
            )

    # Each method returns where C is positive definite, so that such fields exist, and the terms of the sum.

    def _one(self, theory: Mapping[str, Any], xp: Namespace) -> tuple[Any, Any]:
        name = self._names[0]
        possible = theory[name] > 0
        ratio = self.data[name] / xp.where(possible, theory[name], 1.0)
        return possible, ratio - xp.log(ratio) - 1.0

    def _both(self, theory: Mapping[str, Any], xp: Namespace) -> tuple[Any, Any]:
        tt, te, ee = (theory[name] for name in SPECTRA)
        dtt, dte, dee = (self.data[name] for name in SPECTRA)
        det, data_det = tt * ee - te * te, dtt * dee - dte * dte
        possible = xp.minimum(tt, det) > 0
        det = xp.where(possible, det, 1.0)
        return possible, (dtt * ee + dee * tt - 2.0 * dte * te) / det + xp.log(det / data_det) - 2.0

    def simulate(
        self, predictions: Mapping[str, Prediction], parameters: Mapping[str, Any], rng: np.random.Generator | None
    ) -> Self:
        """Return the probe with spectra as the survey would measure them.

        They are those of ``f_sky (2 l + 1)`` modes of Gaussian fields, with a Wishart distribution.
        """
        for name in self._names:
            self._refuse_error(name, predictions[name])
        theory = {name: predictions[name].value[0] + self.noise[name] for name in self._names}
        mock = copy.copy(self)
        mock.data = theory if rng is None else self._drawn(theory, rng)
        return mock

    def _drawn(self, theory: Mapping[str, FloatArray], rng: np.random.Generator) -> dict[str, FloatArray]:
        if len(self._names) == 1:
            (name,) = self._names
            return {name: theory[name] * rng.chisquare(self._modes) / self._modes}
        if self._modes[0] <= 1:
            raise NotImplementedError(
                f"f_sky (2 l_min + 1) = {self._modes[0]:.2g} modes are too few to draw TT, TE and EE; more than one is "
                "needed. Increase l_min or f_sky"
            )
        # This is Bartlett's decomposition of a Wishart matrix.
        a, b = np.sqrt(rng.chisquare(self._modes)), np.sqrt(rng.chisquare(self._modes - 1))
        c = rng.standard_normal(len(self.ell))
        tt, te, ee = (theory[name] for name in SPECTRA)
        t, cross = np.sqrt(tt), te / np.sqrt(tt)
        own = np.sqrt(ee - cross**2)
        first, second = t * a, (cross * a + own * c, own * b)
        drawn = (first**2, first * second[0], second[0] ** 2 + second[1] ** 2)
        return {name: value / self._modes for name, value in zip(SPECTRA, drawn, strict=True)}

    def save(self, folder: Path, name: str) -> dict[str, Any]:
        """Write the measured spectra without the noise. A spectrum that is not used is zero."""
        table = [self.data[key] - self.noise[key] if key in self.data else np.zeros_like(self.ell) for key in SPECTRA]
        write_datasets(folder / f"{name}.h5", {"ell": (self.ell, ""), "D_ell": (np.array(table), "uK2")}, {})
        return {"catalog": f"{name}.h5"}

    @property
    def n_data(self) -> int:
        return len(self.ell) * len(self._names)

    def panels(self) -> tuple[Panel, ...]:
        """Return one panel per spectrum, in bins of 50 multipoles."""
        return tuple(self._panel(name) for name in self._names)

    def _panel(self, name: str) -> Panel:
        first, second = name[0], name[1]
        auto = {field: self.data.get(field * 2, np.zeros_like(self.ell)) for field in (first, second)}
        cross = self.data[name]
        variance = (auto[first] * auto[second] + cross**2) / self._modes
        edges = np.arange(0, len(self.ell), 50)
        weight = np.add.reduceat(1.0 / variance, edges)
        value = np.add.reduceat((cross - self.noise[name]) / variance, edges) / weight
        return Panel(
            title=f"{name}, forecast",
            x_label=r"$\ell$",
            y_label=rf"$D_\ell^{{{name}}}$ [$\mu$K$^2$]",
            x=np.add.reduceat(self.ell / variance, edges) / weight,
            y=value,
            error_low=weight**-0.5,
            error_high=weight**-0.5,
            kind=(MEASUREMENT,) * len(edges),
            curve=Requirement(f"d_ell_{name.lower()}", at={"ell": self.ell[::5]}, unit=UNIT, rule={"ell": "spline"}),
            curve_x=self.ell[::5],
        )
