"""Galaxy UV luminosity functions.

    ln L = -1/2 sum_i [(phi(M_i, z_i) - phi_i) / s_i]^2  (- ln s_i where s depends on the model)

phi is in linear units [Mpc^-3 mag^-1]: the average of the model over the bin. By default, asymmetric errors are two
half-Gaussians. A non-detection is a Poisson count of zero galaxies. The bins of one reference and redshift are a
*field*. They share one amplitude of cosmic variance, over which the likelihood is marginalised. The emulator's error
is common as well, see :mod:`astroemu.core.common_errors`.

The model provides log10 phi. It is a cubic spline in M_UV and linear between the emulated redshifts, and it is never
extrapolated. The equations and the reasons for the defaults are in docs/probes.md.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal, Self

import numpy as np

from astroemu.core.array_namespace import NUMPY, Namespace
from astroemu.core.catalog import load_catalog, write_table
from astroemu.core.columns import warn_of_repeated_rows
from astroemu.core.panel import Panel
from astroemu.core.probe import Probe
from astroemu.core.provider import Prediction
from astroemu.core.requirement import Requirement
from astroemu.core.typing import FloatArray
from astroemu.errors import ConfigurationError
from astroemu.io.paths import FileName
from astroemu_probes import uv_observations as observations
from astroemu_probes.uv_bins import Dust, attenuation, checked_cosmology, conversion, nodes, stated_cosmologies
from astroemu_probes.uv_fields import DENSEST, Bins, Density, Errors
from astroemu_probes.uv_terms import expected_at_limit

UNIT = "log10(Mpc^-3 mag^-1)"
_LN10 = float(np.log(10.0))
#: Half the width in magnitudes of a curve through a single bin.
_SINGLE = 0.25
#: Range of log10 phi, so that squares are finite.
_LOWEST, _HIGHEST = -100.0, 60.0
#: Largest lower error bar in log phi, as a fraction of phi: the 68 % Poisson error of one galaxy (Gehrels 1986).
_ONE_GALAXY = 0.827
_REMEDY = "Remove this redshift from `sets`, or move m_uv_min and m_uv_max"


class UVLuminosityFunction(Probe):
    """Binned UV luminosity functions.

    Parameters
    ----------
    catalog : str
        Name of an installed catalog, or an ECSV file with the same columns.
    sets : mapping of str to tuple of float
        Redshift labels to use, by reference; by default Bouwens+2021 at 6, 7, 8 and Oesch+2018 at 10.
    m_uv_min, m_uv_max : float
        Range of magnitudes (bright and faint cut), both excluded.
    errors : {"split", "symmetric", "barlow", "log_split"}
        Treatment of asymmetric errors: two half-Gaussians in phi, their mean (21CMMC), a variance linear in the
        residual (Barlow 2004), or two half-Gaussians in log10 phi. The last does not saturate as phi approaches zero.
    bins : {"average", "centre"}
        Model averaged over the bin, or at its centre (21CMMC).
    non_detections : {"poisson", "gaussian"}
        Zero galaxies as a Poisson count, or a measurement of zero with the error ``limit / n_sigma``.
    poisson_counts : float
        Measurements of at most this number of galaxies (column ``n_gal``) are Poisson counts as well.
    cosmic_variance : float
        Relative error common to all bins of a reference and redshift. The default 0.1 is bias times the variance of
        matter (the estimate of Trenti & Stiavelli 2008, ApJ 676, 767) for the five CANDELS fields: 0.07 to 0.12
        at z = 6 to 8. GALLUMI (Sabti et al. 2022, arXiv:2110.13168) has errors of at least 20 % in each bin instead.
    correlation : {"common", "independent"}, optional
        Whether the bins of a field share cosmic variance and the emulator's error, or each bin has its own. The default
        is ``common``, and ``independent`` for ``barlow``.
    dust : {"none", "bouwens2014"}
        Attenuation of the model, see :func:`astroemu_probes.uv_bins.attenuation`. ``none`` for models that contain it.
    model_cosmology : mapping, optional
        ``{h0, omega_m}`` of the model. If given, the data are compared in it.
    data_cosmology : mapping, optional
        ``{h0, omega_m}`` of the data; by default what the header of the catalog states for each reference.

    Raises
    ------
    ConfigurationError
        If a set is not in the catalog, if the cuts leave no data of a set, or if options contradict each other.
    DataError
        If a column of the catalog is missing, or holds what the likelihood cannot use.
    """

    contains = frozenset({"galaxy UV luminosity functions"})

    def __init__(
        self,
        catalog: FileName = "uv_luminosity_function",
        sets: Mapping[str, tuple[float, ...]] | None = None,
        m_uv_min: float = -20.0,
        m_uv_max: float = -10.0,
        errors: Errors = "split",
        bins: Literal["average", "centre"] = "average",
        non_detections: Literal["poisson", "gaussian"] = "poisson",
        poisson_counts: float = 20.0,
        cosmic_variance: float = 0.1,
        correlation: Literal["common", "independent"] | None = None,
        dust: Dust = "none",
        model_cosmology: Mapping[str, float] | None = None,
        data_cosmology: Mapping[str, float] | None = None,
    ) -> None:
        _check_options(errors, non_detections, poisson_counts, cosmic_variance, correlation)
        source = load_catalog(catalog)
        self.catalogs = (source,)
        self._errors, self._dust = errors, dust
        table = observations.read(source)
        sets = sets if sets is not None else observations.DEFAULT_SETS
        keep = observations.selected(table, sets, source.name)
        keep &= (np.asarray(table["M_UV"]) > m_uv_min) & (np.asarray(table["M_UV"]) < m_uv_max)
        for reference in sets or ("sets",):
            if not np.any(keep & np.asarray(table["reference"] == reference)):
                raise ConfigurationError(
                    f"m_uv_min = {m_uv_min} and m_uv_max = {m_uv_max} leave nothing of {reference!r}; "
                    "remove it or move the cuts"
                )
        observations.warn_of_overlaps(sets)
        warn_of_repeated_rows(table, observations.MEASUREMENT, keep, source.name)
        width = np.zeros(keep.sum())
        if bins == "average":
            width = observations.widths(table, keep, m_uv_min, m_uv_max, source.name)
        table = self._table = table[keep]
        self.papers = observations.papers(table)
        common = errors != "barlow" if correlation is None else correlation == "common"
        self._set_data(table, non_detections, poisson_counts)
        self._bins = self._made_bins(common, cosmic_variance)
        self._model_cosmology = checked_cosmology("model_cosmology", model_cosmology)
        given = checked_cosmology("data_cosmology", data_cosmology)
        if self._model_cosmology is not None:
            self._cosmologies = stated_cosmologies(table["reference"], table.meta.get("cosmology"), given)
        elif given is not None:
            raise ConfigurationError("data_cosmology has no effect without model_cosmology; give both or none")
        m_uv, weights = nodes(self.m_uv, width, bins == "average")
        m_uv, factor = self._in_model(m_uv, np.arange(len(self.z)))
        self._weights = weights * factor
        at = {"z": np.repeat(self.z, m_uv.shape[1]), "m_uv": m_uv.ravel()}
        rule: Any = {"z": "linear", "m_uv": "spline"}
        self._requires = {"log10_uv_lf": Requirement("log10_uv_lf", at, UNIT, rule, remedy=_REMEDY)}

    def _set_data(self, table: Any, non_detections: str, poisson_counts: float) -> None:
        self.reference = tuple(str(value) for value in table["reference"])
        self.z, self.m_uv, phi, up, low, n_sigma, counts = (
            np.asarray(table[name], dtype=float)
            for name in ("z", "M_UV", "phi", "err_up", "err_lo", "n_sigma", "n_gal")
        )
        self.is_limit = np.asarray(table["kind"] == "upper")
        self.limit = np.where(self.is_limit, phi, np.nan)
        self.n_sigma = np.where(self.is_limit, n_sigma, 1.0)
        poisson_limit = self.is_limit & (non_detections == "poisson")
        self.is_count = poisson_limit | (~self.is_limit & (counts <= poisson_counts))
        #: Numbers of galaxies, and the expected number per density; zero for bins that are no counts.
        self.counts = np.where(self.is_count, np.nan_to_num(counts), 0.0)
        expected = np.where(self.is_limit, expected_at_limit(self.counts, self.n_sigma), self.counts)
        self._rate = np.where(self.is_count, expected / np.where(self.is_count, phi, 1.0), 0.0)
        # A Gaussian non-detection is a measurement of zero. Its error is the limit divided by its significance.
        none = phi / self.n_sigma
        self.phi = np.where(self.is_limit, 0.0, phi)
        self.error_high = np.where(self.is_limit, none, up)
        self.error_low = np.where(self.is_limit, none, low)

    def _made_bins(self, common: bool, cosmic_variance: float) -> Bins:
        """Return the bins in the variable of the likelihood: phi, or ln phi for ``log_split``."""
        d, low, high = self.phi, self.error_low, self.error_high
        if self._errors == "symmetric":
            low = high = 0.5 * (low + high)
        if self._errors == "log_split":
            if np.any(~self.is_count & (self.phi <= 0)):
                raise ConfigurationError('errors = "log_split" needs phi above 0 in all measurements; use "split"')
            phi = np.where(self.is_count, 1.0, self.phi)
            d, low, high = np.log(phi), -np.log1p(-np.minimum(low / phi, _ONE_GALAXY)), np.log1p(high / phi)
        fields = [f"{reference}, z = {z:g}" for reference, z in zip(self.reference, self.z, strict=True)]
        return Bins(d, low, high, self.counts, self._rate, self.is_count, fields, self._errors, common, cosmic_variance)

    def _in_model(self, m_uv: FloatArray, rows: Any) -> tuple[FloatArray, FloatArray]:
        """Return the model's magnitudes for observed ones ``(bins, q)``, and the factor of its density."""
        dimming, slope = attenuation(m_uv, self.z[rows], self._dust)
        if self._model_cosmology is None:
            return m_uv - dimming, 1.0 - slope
        shift, factor = conversion(self.z[rows], [self._cosmologies[i] for i in rows], self._model_cosmology)
        return m_uv - dimming + shift[:, None], (1.0 - slope) * factor[:, None]

    @property
    def requires(self) -> Mapping[str, Requirement]:
        return self._requires

    def log_likelihood(
        self,
        predictions: Mapping[str, Prediction],
        parameters: Mapping[str, Any],
        xp: Namespace,
    ) -> Any:
        return self._bins.log_likelihood(self._density(predictions["log10_uv_lf"], xp), xp)

    def _density(self, model: Prediction, xp: Namespace) -> Density:
        """Return the average of the model over the bins, with its errors."""
        bins, q = self._weights.shape
        value = xp.reshape(xp.minimum(xp.maximum(model.value, _LOWEST), _HIGHEST), (-1, bins, q))
        parts = xp.exp(_LN10 * value) * self._weights
        phi = xp.sum(parts, axis=-1)
        if model.error is None:
            return Density(phi)
        slope = _LN10 * xp.minimum(parts, DENSEST)
        if model.modes is None:
            error = xp.sum(slope * xp.reshape(model.error, (-1, bins, q)), axis=-1)
            return Density(phi, error[:, None, :])
        modes = xp.reshape(model.modes, (-1, model.modes.shape[1], bins, q))
        rest = xp.sqrt(xp.reshape(model.independent_variance(xp), (-1, bins, q)))
        return Density(phi, xp.sum(slope[:, None] * modes, axis=-1), xp.sum(slope * rest, axis=-1) ** 2)

    def simulate(
        self, predictions: Mapping[str, Prediction], parameters: Mapping[str, Any], rng: np.random.Generator | None
    ) -> Self:
        """Return the probe with the same bins for another sky.

        The data are drawn in phi, or in ln phi for ``log_split``, and counts from a Poisson distribution. A count
        becomes the upper limit that belongs to it. A Gaussian non-detection becomes a measurement with the same error.
        """
        mock, counted = copy.copy(self), self.is_count
        d, mock.counts = self._bins.simulate(self._density(predictions["log10_uv_lf"], NUMPY), rng)
        mock._bins = replace(self._bins, d=d, counts=mock.counts)
        mock.phi = np.where(counted, 0.0, np.exp(d) if self._errors == "log_split" else d)
        mock.is_limit = counted
        limit = expected_at_limit(mock.counts, self.n_sigma) / np.where(counted, self._rate, 1.0)
        mock.limit = np.where(counted, limit, np.nan)
        if self._errors == "log_split":  # the error bars are constant in log phi
            low, high = self._bins.low, self._bins.high
            mock.error_low = np.where(counted, self.error_low, -mock.phi * np.expm1(-low))
            mock.error_high = np.where(counted, self.error_high, mock.phi * np.expm1(high))
        return mock

    def log_normalisation(self, predictions: Mapping[str, Prediction], parameters: Mapping[str, Any]) -> Any:
        """Return zero for normalised errors, or the log integral for ``barlow``."""
        return self._bins.log_normalisation(self._density(predictions["log10_uv_lf"], NUMPY))

    def save(self, folder: Path, name: str) -> dict[str, Any]:
        """Write the bins in use."""
        table, limit = self._table.copy(), self.is_limit
        table["phi"][:] = np.where(limit, self.limit, self.phi)
        table["kind"] = np.where(limit, "upper", "measurement")
        table["n_sigma"][:] = np.where(limit, self.n_sigma, np.nan)
        table["n_gal"][:] = np.where(self.is_count, self.counts, np.nan)
        table["err_up"][:] = np.where(limit, np.nan, self.error_high)
        table["err_lo"][:] = np.where(limit, np.nan, self.error_low)
        write_table(folder / f"{name}.ecsv", table)
        form = "poisson" if np.all(self.is_count[limit]) else "gaussian"
        return {"catalog": f"{name}.ecsv", "non_detections": form}

    def panels(self) -> tuple[Panel, ...]:
        """Return one panel per redshift."""
        return tuple(self._panel(z) for z in np.unique(self.z))

    def _panel(self, z: float) -> Panel:
        here = self.z == z
        limit = self.is_limit[here]
        low, high = self.m_uv[here].min(), self.m_uv[here].max()
        margin = _SINGLE if low == high else 0.0
        m_uv = np.linspace(low - margin, high + margin, 50)
        at, factors = self._in_model(m_uv[:, None], np.full(50, np.flatnonzero(here)[0]))
        factor = float(
            np.exp(np.mean(np.log(factors)))
        )  # a picture needs no derivative of the attenuation at each point
        return Panel(
            title=f"UV luminosity function, z = {z:g} ({', '.join(sorted(set(np.array(self.reference)[here])))})",
            x_label=r"$M_{\rm UV}$ [mag]",
            y_label=r"$\phi$ [Mpc$^{-3}$ mag$^{-1}$]",
            x=self.m_uv[here],
            y=np.where(limit, self.limit[here], self.phi[here]),
            error_low=np.where(limit, 0.0, self.error_low[here]),
            error_high=np.where(limit, 0.0, self.error_high[here]),
            kind=tuple("upper" if flag else "measurement" for flag in limit),
            curve=Requirement(
                "log10_uv_lf",
                at={"z": np.full(50, z), "m_uv": at[:, 0]},
                unit=UNIT,
                rule={"m_uv": "spline"},
                outside={"m_uv": "hold"},  # the margin of a bin at the last node
            ),
            curve_x=m_uv,
            transform=lambda y: 10.0**y * factor,
            y_log=True,
        )


def _check_options(
    errors: str, non_detections: str, poisson_counts: float, cosmic_variance: float, correlation: str | None
) -> None:
    if not 0 <= cosmic_variance <= 1:
        raise ConfigurationError(
            f"cosmic_variance = {cosmic_variance} is a fraction of phi and must be in [0, 1]; for 10 % give 0.1"
        )
    if not poisson_counts >= 0:
        raise ConfigurationError(f"poisson_counts = {poisson_counts} must not be negative; 0 for no Poisson counts")
    if errors == "barlow" and correlation == "common":
        raise ConfigurationError(
            'errors = "barlow" is a published form with independent errors; choose correlation = "independent", or '
            'errors = "split"'
        )
    if errors == "log_split" and non_detections == "gaussian":
        raise ConfigurationError('errors = "log_split" has no Gaussian around zero; choose non_detections = "poisson"')
