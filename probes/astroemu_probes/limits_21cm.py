"""Published upper limits on the 21-cm power spectrum, of any telescope.

A paper states a two-sigma limit ``L`` on Delta^2_21 for a bin, without central values, covariances or windows. The
default likelihood has an unknown positive systematic with a flat prior in each bin, as for HERA (arXiv:2108.07282):

    ln L = sum over redshifts of ln int da N(a) prod_i Phi[(d_i - max(m_i + a u_i, 0)) / s_i]
    d = (1 - 2 f_s) L,     s = f_s L

The default ``f_s`` = 1/2 is a datum of zero with the error ``L / 2``. A model at the limit then has the likelihood
Phi(-2) / Phi(0) = 0.0455 relative to no signal. A bin that is measured well above its noise has a smaller ``f_s``.

``half_gaussian`` is a measurement of zero with the error ``L / 2``, so that a model at the limit has exp(-2) = 0.135.
``step`` is 1 below the limit and 0 above it: the probability that no limit at this redshift is passed is
``min_i Phi[(L_i - m_i) / u_i]``, where ``u`` is the whole error of the model.

The model is the average of Delta^2 over the bin. All limits at one redshift share its error: one amplitude ``a`` moves
them, whatever their telescope, because the error is that of the simulator and of the emulator. See
:mod:`astroemu.core.common_errors`.

Wavenumbers in h/Mpc are converted with the h of the paper, where the catalog states it.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, Self

import numpy as np

from astroemu.core.array_namespace import NUMPY, Namespace
from astroemu.core.catalog import load_catalog, write_table
from astroemu.core.common_errors import Groups, UpperLimits, gaussian_with_modes, marginal
from astroemu.core.likelihoods import limited_variance, marginal_upper_limit
from astroemu.core.panel import DataKind, Panel
from astroemu.core.probe import Probe
from astroemu.core.provider import Prediction
from astroemu.core.requirement import Requirement
from astroemu.core.typing import FloatArray
from astroemu.errors import ConfigurationError
from astroemu.io.paths import FileName
from astroemu_probes import limits_21cm_table as tables
from astroemu_probes.errors_21cm import common_modes, strongest_mode, total_variance
from astroemu_probes.mock_limits import LimitsWithCommonErrors, draw_limits, log_mass_of_all_limits

#: Smallest error of the model for a step [mK^2].
_TINY = 1e-30
#: Factor in k to both sides of a panel.
_MARGIN = 1.1
_UPPER: DataKind = "upper"
_SAVED = ("reference", "telescope", "arxiv", "data", "tag", "z", "k", "k_lo", "k_hi", "delta2_limit")


class Limits21cm(Probe):
    """Published upper limits on the 21-cm power spectrum.

    Parameters
    ----------
    catalog : str
        Name of an installed catalog, or an ECSV file with the same columns.
    references : tuple of str
        Papers to use. Empty for the newest limits that are independent of each other and of HERA's Phase I; those that
        the other options leave nothing of are left out.
    telescopes : tuple of str
        Telescopes to use; empty for all of the references.
    tags : mapping of str to tuple of str
        Polarisations or fields to use, by reference. The default is one polarisation of Nunhokee2025 and of Trott2025,
        and all tags of other references.
    z_min, z_max : float
        Range of redshifts, both included. The default is that of the emulator ``acg``.
    k_min, k_max : float
        Range of the centres of bins [1/Mpc], both included.
    form : {"flat_systematic", "half_gaussian", "step"}
        Form of the likelihood of one limit.
    sigma_fraction : float
        Error of the datum as a fraction of the limit, for ``flat_systematic``.
    h : float
        H0 / (100 km/s/Mpc) for rows in h/Mpc whose own is not in the catalog.
    bins : {"average", "centre"}
        Model averaged over bins whose edges are known, or at their centres.
    modelling_fraction : float
        Error of the simulator as a fraction of the model.
    modelling_correlation : {"common", "independent"}
        Whether one factor per redshift has the errors of the model, or every limit an error of its own.
    beyond_k : {"hold", "error"}
        Rule for bins that reach beyond the emulated k.
    redshift_rule : {"cubic", "spline"}
        Interpolation in redshift. In k it is always a cubic spline.

    Raises
    ------
    ConfigurationError
        If the catalog lacks a reference, telescope or tag, or if the options leave no limits of a named reference.
    DataError
        If a column of the catalog is missing, or holds what the likelihood cannot use.
    """

    def __init__(
        self,
        catalog: FileName = "limits_21cm",
        references: tuple[str, ...] = (),
        telescopes: tuple[str, ...] = (),
        tags: Mapping[str, tuple[str, ...]] | None = None,
        z_min: float = 5.9,
        z_max: float = 21.0,
        k_min: float = 0.0,
        k_max: float = float("inf"),
        form: Literal["flat_systematic", "half_gaussian", "step"] = "flat_systematic",
        sigma_fraction: float = 0.5,
        h: float = 0.6774,
        bins: Literal["average", "centre"] = "average",
        modelling_fraction: float = 0.2,
        modelling_correlation: Literal["common", "independent"] = "common",
        beyond_k: Literal["hold", "error"] = "hold",
        redshift_rule: Literal["cubic", "spline"] = "cubic",
    ) -> None:
        _check(form, sigma_fraction, h, modelling_fraction)
        source = load_catalog(catalog)
        self.catalogs = (source,)
        table = tables.read(source, h)
        choice = tables.Choice(references, telescopes, tags or {}, (z_min, z_max), (k_min, k_max))
        keep = choice.rows(table, source.name)
        tables.warn_of_caution(table, keep, source.name)
        tables.warn_of_double_use(table, keep, source.name)
        self._table = table[keep]
        self._table.sort(["z", "reference", "tag", "k"])
        self.papers = (*tables.papers(self._table), *(("2108.07282",) if form == "flat_systematic" else ()))
        self.contains = tables.topics(self._table)
        self.form = form
        self.modelling_fraction = modelling_fraction
        self.modelling_correlation = modelling_correlation
        self.z, self.limit = (np.asarray(self._table[name]) for name in ("z", "delta2_limit"))
        self.data, self.sigma = self._form(sigma_fraction)
        self._groups = Groups([f"{z:g}" for z in self.z])
        self._nodes, self._weights = tables.nodes(self._table, bins)
        self._requires = {"delta21_sq": self._requirement(redshift_rule, beyond_k)}

    def _form(self, sigma_fraction: float) -> tuple[FloatArray, FloatArray]:
        """Return data and errors ``(rows,)``: those of the catalog, or those that follow from the limits."""
        if self.form == "step":
            return self.limit, np.zeros_like(self.limit)
        fraction = 0.5 if self.form == "half_gaussian" else sigma_fraction
        stated, error = (np.asarray(self._table[name]) for name in ("delta2", "sigma"))
        bare = np.isnan(error)
        data = np.where(bare, (1.0 - 2.0 * fraction) * self.limit, stated)
        return data, np.where(bare, fraction * self.limit, error)

    def _requirement(self, redshift_rule: Any, beyond_k: Any) -> Requirement:
        rows, q = self._nodes.shape
        weights = np.zeros((rows, rows * q))
        for row in range(rows):
            weights[row, row * q : (row + 1) * q] = self._weights[row]
        return Requirement(
            "delta21_sq",
            at={"z": np.repeat(self.z, q), "k": self._nodes.ravel()},
            unit=tables.UNIT,
            rule={"z": redshift_rule, "k": "spline"},
            outside={"k": beyond_k},
            weights=weights if q > 1 else None,
            remedy=(
                f"In use are {tables.redshifts(self._table)}. Leave limits out with z_min, z_max, k_min or k_max; in "
                'k, beyond_k = "hold" keeps the last emulated value'
            ),
        )

    @property
    def requires(self) -> Mapping[str, Requirement]:
        return self._requires

    def log_likelihood(
        self,
        predictions: Mapping[str, Prediction],
        parameters: Mapping[str, Any],
        xp: Namespace,
    ) -> Any:
        model = predictions["delta21_sq"]
        if self.form == "step":
            return self._step(model, xp)
        if self.modelling_correlation == "independent":
            return xp.sum(self._independent(model, xp), axis=-1)
        if self.form == "half_gaussian":
            return self._gaussian(model, xp)
        mode, extra = strongest_mode(model, self.modelling_fraction, self.sigma, xp)
        sigma = self.sigma
        if extra is not None:
            sigma = xp.sqrt(sigma**2 + limited_variance(extra, model.value, self.data, sigma, xp))
        terms = UpperLimits.grouped(self._groups, self.data, sigma, xp)
        return marginal(terms, self._groups.of_models(model.value, xp), self._groups.of_models(mode, xp), xp)

    def _step(self, model: Prediction, xp: Namespace) -> Any:
        """Return the log probability that no limit is passed, with one error per redshift or per limit."""
        reach = (self.limit - model.value) / (xp.sqrt(self._extra(model) + _TINY**2) + _TINY)
        if self.modelling_correlation == "independent":
            return xp.sum(xp.log_ndtr(reach), axis=-1)
        reach = self._groups.of_models(reach, xp)  # shorter groups repeat their members
        while reach.shape[-1] > 1:
            half = (reach.shape[-1] + 1) // 2
            reach = xp.minimum(reach[..., :half], reach[..., -half:])
        return xp.sum(xp.log_ndtr(reach[..., 0]), axis=-1)

    def _independent(self, model: Prediction, xp: Namespace) -> Any:
        """Return the log-likelihoods ``(n, rows)`` of limits with errors of their own."""
        extra = self._extra(model)
        if self.form == "half_gaussian":
            variance = self.sigma**2 + extra
            return -0.5 * (model.value - self.data) ** 2 / variance - 0.5 * xp.log(variance / self.sigma**2)
        return marginal_upper_limit(model.value, self.data, self.sigma, xp, extra)

    def _gaussian(self, model: Prediction, xp: Namespace) -> Any:
        """Return the Gaussian log-likelihood, zero at the data without errors of the model."""
        modes, rest = common_modes(model, self.modelling_fraction, xp)
        variance = self.sigma**2 + (0.0 * model.value if rest is None else rest)
        residual = model.value - self.data
        total = np.sum(np.log(self.sigma))
        for rows in self._groups.members:
            parts = (xp.take(residual, rows), xp.take(variance, rows))
            total = total + gaussian_with_modes(*parts, _of_rows(modes, rows, xp), xp)
        return total

    def _extra(self, model: Prediction) -> Any:
        """Return the variance of simulator and emulator together."""
        return total_variance(model, self.modelling_fraction)

    def simulate(
        self, predictions: Mapping[str, Prediction], parameters: Mapping[str, Any], rng: np.random.Generator | None
    ) -> Self:
        """Return the probe with the same bins for another sky.

        With a flat prior of the systematics, a datum is drawn between zero and the published limit. Without noise it is
        the signal alone. The limit is two errors above the datum, or above zero if the datum is negative.

        Raises
        ------
        NotImplementedError
            For a step, which is no density of limits.
        """
        if self.form == "step":
            raise NotImplementedError("a step has no density from which limits can be drawn; choose another `form`")
        model = predictions["delta21_sq"]
        mock = copy.copy(self)
        mock.data = np.array(model.value[0]) if rng is None else self._drawn(model, rng)
        mock.limit = np.maximum(mock.data, 0.0) + 2.0 * self.sigma
        return mock

    def _drawn(self, model: Prediction, rng: np.random.Generator) -> FloatArray:
        """Return data ``(rows,)`` of a sky with this model, at one point."""
        independent = self.modelling_correlation == "independent"
        if self.form == "flat_systematic" and not independent:
            return self._limits_with_common_errors(model).draw(rng)
        value, extra = model.value[0], self._extra(model)[0]
        if not independent:
            modes, rest = common_modes(model, self.modelling_fraction, NUMPY)
            shift = [rng.standard_normal(modes.shape[1]) @ modes[0][:, rows] for rows in self._groups.members]
            value = value + self._groups.joined(shift)
            extra = np.zeros(len(value)) if rest is None else rest[0]
        sigma = np.sqrt(self.sigma**2 + extra)
        if self.form == "flat_systematic":
            return draw_limits(value, sigma, self.limit, rng)
        return np.asarray(value + sigma * rng.standard_normal(len(value)))

    def log_normalisation(self, predictions: Mapping[str, Prediction], parameters: Mapping[str, Any]) -> Any:
        """Return the log integral over the data that :meth:`simulate` may draw; zero for normalised likelihoods."""
        if self.form != "flat_systematic":
            return super().log_normalisation(predictions, parameters)
        model = predictions["delta21_sq"]
        if self.modelling_correlation == "independent":
            return log_mass_of_all_limits(model.value, np.sqrt(self.sigma**2 + self._extra(model)), self.limit)
        return self._limits_with_common_errors(model).log_normalisation()

    def _limits_with_common_errors(self, model: Prediction) -> LimitsWithCommonErrors:
        mode, extra = strongest_mode(model, self.modelling_fraction, self.sigma, NUMPY)
        sigma = np.sqrt(self.sigma**2 + (0.0 if extra is None else extra)) + np.zeros_like(model.value)
        return LimitsWithCommonErrors(self._groups, model.value, mode, sigma, self.limit)

    def save(self, folder: Path, name: str) -> dict[str, Any]:
        """Write the limits in use, with wavenumbers in 1/Mpc."""
        table = self._table[list(_SAVED)]
        for column in ("telescope", "arxiv", "data", "tag"):
            table[column] = np.where(np.asarray(table[column]) == "", "-", np.asarray(table[column]))
        table["delta2_limit"] = self.limit
        numbers = {"delta2_limit"}
        if self.form != "step":
            table["delta2"], table["sigma"] = self.data, self.sigma
            numbers |= {"delta2", "sigma"}
        for column in numbers:
            table[column].unit = tables.UNIT
        write_table(folder / f"{name}.ecsv", table)
        return {"catalog": f"{name}.ecsv"}

    def panels(self) -> tuple[Panel, ...]:
        """Return one panel per redshift."""
        return tuple(self._panel(rows) for rows in self._groups.members)

    def _panel(self, rows: Any) -> Panel:
        x = np.asarray(self._table["k"])[rows]
        k = np.geomspace(x.min() / _MARGIN, x.max() * _MARGIN, 60)
        z = float(self.z[rows[0]])
        papers = ", ".join(dict.fromkeys(str(name) for name in self._table["reference"][rows]))
        return Panel(
            title=f"21-cm power spectrum, z = {z:g}, {papers}",
            x_label=r"$k$ [Mpc$^{-1}$]",
            y_label=r"$\Delta^2_{21}$ [mK$^2$]",
            x=x,
            y=self.limit[rows],
            error_low=np.zeros(len(rows)),
            error_high=np.zeros(len(rows)),
            kind=(_UPPER,) * len(rows),
            curve=Requirement(
                "delta21_sq",
                at={"z": np.full(len(k), z), "k": k},
                unit=tables.UNIT,
                rule={"z": "cubic", "k": "spline"},
                outside={"k": "hold"},
            ),
            curve_x=k,
            x_log=True,
            y_log=True,
        )


def _of_rows(modes: Any, rows: Any, xp: Namespace) -> Any:
    """Return the columns ``rows`` of modes ``(n, r, all)``."""
    return xp.transpose(xp.take(xp.transpose(modes, (0, 2, 1)), rows), (0, 2, 1))


def _check(form: str, sigma_fraction: float, h: float, modelling_fraction: float) -> None:
    """Raise an error for numbers outside their ranges, and for options that exclude each other."""
    if not 0 < sigma_fraction <= 0.5:
        raise ConfigurationError(
            f"sigma_fraction = {sigma_fraction} must be above 0 and at most 0.5, where the datum is zero"
        )
    if form != "flat_systematic" and sigma_fraction != 0.5:
        raise ConfigurationError(f'sigma_fraction is for form = "flat_systematic"; remove it, or form = "{form}"')
    if not 0.4 < h < 1.2:
        raise ConfigurationError(f"h = {h} must lie between 0.4 and 1.2: it is H0 / (100 km/s/Mpc)")
    if not 0 <= modelling_fraction < 10:
        raise ConfigurationError(f"modelling_fraction = {modelling_fraction} must be in [0, 10)")
