"""21-cm power spectrum: upper limits or detections of Delta^2_21(k).

**Upper limits.** Foregrounds and instrumental systematics can only add power. Each bin therefore has an unknown
positive systematic with a flat prior. Marginalisation over it gives

    ln L = sum over bands of ln int da N(a) prod_i Phi[(d_i - max(m_i + a u_i, 0)) / s_i],      m = W Delta^2_21

The symbols are the data ``d``, their window matrix ``W`` and variance ``s^2``. All bins of a band share one model, so
that they share its error: one amplitude ``a`` moves all of them. The mode ``u`` contains the modelling error ``f m``
and the strongest common error of the emulator. Its other errors are added to ``s^2``. The default f = 0.2 represents
the accuracy of the simulator itself. With ``modelling_correlation = "independent"`` every bin has errors of its own,
as in 21CMMC:

    ln L = sum_i ln Phi[(d_i - m_i) / s_i],      s_i^2 = sigma_i^2 + (f m_i)^2 + e_i^2

Such errors average away. The flat prior is that of HERA (arXiv:2108.07282 and 2210.04912). For finite priors, see
:mod:`astroemu.core.systematics`.

**Detections** (``likelihood = "gaussian"``). The likelihood is a normalised Gaussian, with the full covariance if the
catalog has one. The errors add ``f^2 m m^T`` and the modes of the emulator to the covariance of all fields of a band.
If they are independent, they are added on the diagonal.

**The shipped data are the conservative reading.** Negative bandpowers are set to zero, and every second bin is left
out. Limits on a flat Delta^2 are about twice those of the signed, official bandpowers. See the option ``reading``.

**Windows.** A window is an average, whose weights add up to one. Rows of the shipped file that do not are renormalised.

**Direction of the modes.** HERA's modes are near the line of sight, while the model is averaged over all angles.
Peculiar velocities make the power there larger by 4 / (28/15) = 15/7 for a neutral gas that traces linear density
(Kaiser 1987). The ratio is near one if ionized bubbles dominate, and can be below one for a short time. With
``line_of_sight = true`` it is a parameter with a flat prior from 1 to 15/7.

The catalogs reach k = 1.67 / Mpc, beyond most emulators. The option ``beyond_k`` states the rule there. ``hold`` keeps
Delta^2 at its value at the last emulated k, as in 21CMMC. ``error`` refuses to build the model.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal, Self

import numpy as np
from scipy.linalg import block_diag

from astroemu.core.array_namespace import NUMPY, Namespace
from astroemu.core.catalog import load_catalog, write_datasets
from astroemu.core.common_errors import Groups, Terms, UpperLimits, marginal
from astroemu.core.distributions import Uniform
from astroemu.core.likelihoods import limited_variance, marginal_upper_limit
from astroemu.core.panel import Panel
from astroemu.core.parameter import Parameter
from astroemu.core.probe import Probe
from astroemu.core.provider import Prediction
from astroemu.core.requirement import Requirement
from astroemu.core.systematics import ExponentialSystematics, HalfNormalSystematics, draw_systematics
from astroemu.core.typing import FloatArray
from astroemu.errors import ConfigurationError, listing
from astroemu.io.paths import FileName
from astroemu_probes.detections_21cm import log_likelihood_of_detections
from astroemu_probes.errors_21cm import common_modes, strongest_mode, total_variance
from astroemu_probes.limits_21cm_table import topic
from astroemu_probes.mock_limits import LimitsWithCommonErrors, draw_limits, log_mass_of_all_limits
from astroemu_probes.spectra_21cm import (
    UNIT,
    Field,
    check_names,
    cut_in_k,
    read_fields,
    two_sigma_limits,
    with_reading,
    with_window_norm,
)

#: Factor in k to both sides of a single node, along which its curve is drawn.
_SINGLE = 1.1
#: Power along the line of sight over its average over angles, for linear density fluctuations.
_KAISER = 15.0 / 7.0
_LINE_OF_SIGHT = "line_of_sight_21cm"
#: Paper of the shipped data.
_PHASE_I = "2210.04912"
_FINITE_PRIORS = {"half_normal": HalfNormalSystematics, "exponential": ExponentialSystematics}


class PowerSpectrum21cm(Probe):
    """21-cm power spectrum.

    Parameters
    ----------
    catalog : str
        Name of an installed catalog, or an HDF5 file with groups ``bandN/field_X``.
    likelihood : {"upper_limit", "gaussian"}
        Form of the likelihood: for upper limits or for detections.
    modelling_fraction : float
        Error of the simulator as a fraction of the model.
    modelling_correlation : {"common", "independent"}
        Whether one factor per band has the modelling error, or every datum an error of its own (as in 21CMMC). It also
        decides how the emulator's error is treated.
    bands, fields : tuple of str
        Bands and fields to use (``"band2"``, ``"A"``); empty for all.
    k_min, k_max : float
        Range of data bins [1/Mpc].
    beyond_k : {"hold", "error"}
        Rule for windows that reach beyond the emulated k.
    redshift_rule : {"cubic", "spline"}
        Interpolation in redshift: a cubic through the four nearest nodes, or a spline through all nodes.
        In k it is always a cubic spline.
    window_norm : {"renormalise", "cut", "as given"}
        Rule for rows of a window whose sum differs from one by more than 0.01: divide them by their sum, leave their
        bins out, or use them as they are (as in 21CMMC).
    reading : {"as given", "clipped", "conservative"}
        Reading of the data: as the catalog has them, with negative values set to zero, or in addition with every
        second bin only.
    systematics : {"flat", "half_normal", "exponential"}
        Prior of the positive systematic of each bin of an upper limit.
    systematics_width : float
        Width of a finite prior [mK^2] at ``systematics_pivot``: the standard deviation of the normal distribution, or
        the mean of the exponential one.
    systematics_slope : float
        The width is proportional to k to this power.
    systematics_pivot : float
        In 1/Mpc.
    line_of_sight : bool
        Multiply the model by the nuisance parameter ``line_of_sight_21cm``.

    Raises
    ------
    ConfigurationError
        If the options leave no data.
    DataError
        If the catalog has no layout of docs/catalogs.md, or holds what the likelihood cannot use.
    """

    def __init__(
        self,
        catalog: FileName = "hera_h1c_idr3",
        likelihood: Literal["upper_limit", "gaussian"] = "upper_limit",
        modelling_fraction: float = 0.2,
        modelling_correlation: Literal["common", "independent"] = "common",
        bands: tuple[str, ...] = (),
        fields: tuple[str, ...] = (),
        k_min: float = 0.0,
        k_max: float = float("inf"),
        beyond_k: Literal["hold", "error"] = "hold",
        redshift_rule: Literal["cubic", "spline"] = "cubic",
        window_norm: Literal["renormalise", "cut", "as given"] = "renormalise",
        reading: Literal["as given", "clipped", "conservative"] = "as given",
        systematics: Literal["flat", "half_normal", "exponential"] = "flat",
        systematics_width: float = float("inf"),
        systematics_slope: float = 0.0,
        systematics_pivot: float = 0.2,
        line_of_sight: bool = False,
    ) -> None:
        if not 0 <= modelling_fraction < 10:
            raise ConfigurationError(f"modelling_fraction = {modelling_fraction} must be in [0, 10)")
        _check_combination(likelihood, reading, systematics, systematics_width, systematics_pivot)
        source = load_catalog(catalog)
        self.catalogs = (source,)
        found = read_fields(source)
        check_names(source, found, bands, fields)
        self.likelihood = likelihood
        self.papers = (*source.arxiv, "2108.07282")
        self.modelling_fraction = modelling_fraction
        self._beyond_k = beyond_k
        self._redshift_rule = redshift_rule
        chosen = (f for f in found if (not bands or f.band in bands) and (not fields or f.name in fields))
        read = (with_reading(with_window_norm(f, window_norm, source.name), reading) for f in chosen)
        self._fields = tuple(f for f in (cut_in_k(f, k_min, k_max) for f in read) if len(f.k))
        if not self._fields:
            raise ConfigurationError(
                f"bands = {list(bands)}, fields = {list(fields)}, k_min = {k_min}, k_max = {k_max} leave no data. "
                f"{source.name!r} has {listing(f.label for f in found)}"
            )
        self.data = np.concatenate([f.delta2 for f in self._fields])
        self.sigma = np.sqrt(np.concatenate([np.diag(f.covariance) for f in self._fields]))
        self.modelling_correlation = modelling_correlation
        self._groups = Groups([f.band for f in self._fields for _ in f.k])
        if _PHASE_I in source.arxiv:  # a file of one's own does not say what it holds
            self.contains = frozenset(topic("HERA Phase I", f.redshift) for f in self._fields)
        self.systematics = systematics
        self._width = self._widths(systematics_width, systematics_slope, systematics_pivot)
        if line_of_sight:
            self.parameters = (Parameter(_LINE_OF_SIGHT, Uniform(1.0, _KAISER), r"f_{\rm los}"),)
        self._requires = {"delta21_sq": self._requirement()}

    def _requirement(self) -> Requirement:
        return Requirement(
            "delta21_sq",
            at={
                "z": np.concatenate([np.full(len(f.k_window), f.redshift) for f in self._fields]),
                "k": np.concatenate([f.k_window for f in self._fields]),
            },
            unit=UNIT,
            rule={"z": self._redshift_rule, "k": "spline"},
            outside={"k": self._beyond_k},
            weights=block_diag(*(f.window for f in self._fields)),
            remedy='Set k_max to cut the data, or beyond_k = "hold" to keep the last emulated value',
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
        model = _seen(predictions["delta21_sq"], parameters)
        if self.likelihood == "gaussian":
            common = self.modelling_correlation == "common"
            modes, extra = common_modes(model, self.modelling_fraction, xp) if common else (None, self._extra(model))
            return log_likelihood_of_detections(self._fields, model.value, extra, modes, xp)
        if self.modelling_correlation == "independent":
            return xp.sum(self._independent(model.value, self._extra(model), xp), axis=-1)
        mode, extra = strongest_mode(model, self.modelling_fraction, self.sigma, xp)
        terms = self._terms(model.value, extra, xp)
        return marginal(terms, self._groups.of_models(model.value, xp), self._groups.of_models(mode, xp), xp)

    def _independent(self, m: Any, extra: Any, xp: Namespace) -> Any:
        """Return the log-likelihoods ``(n, bins)`` of limits with independent errors of the variance ``extra``."""
        if self.systematics == "flat":
            return marginal_upper_limit(m, self.data, self.sigma, xp, extra)
        form = _FINITE_PRIORS[self.systematics]
        return form(self.data, xp.sqrt(self.sigma**2 + extra), self._width).value(m, xp)

    def _terms(self, m: Any, extra: Any, xp: Namespace) -> Terms:
        """Return the log-likelihoods of limits in groups, with independent errors of the variance ``extra`` or None."""
        if self.systematics != "flat":
            sigma = self.sigma if extra is None else xp.sqrt(self.sigma**2 + extra)
            return _FINITE_PRIORS[self.systematics].grouped(self._groups, self.data, sigma, self._width, xp)
        if extra is None:
            return UpperLimits.grouped(self._groups, self.data, self.sigma, xp)
        extra = limited_variance(extra, m, self.data, self.sigma, xp)
        return UpperLimits.grouped(self._groups, self.data, xp.sqrt(self.sigma**2 + extra), xp)

    def _widths(self, width: float, slope: float, pivot: float) -> FloatArray:
        """Return the width of the prior of each systematic [mK^2]."""
        k = np.concatenate([f.k for f in self._fields])
        with np.errstate(over="ignore", under="ignore"):
            found = width * (k / pivot) ** slope
        if self.systematics != "flat" and not np.all(np.isfinite(found) & (found > 0)):
            raise ConfigurationError(
                f"systematics_width = {width:g} and systematics_slope = {slope:g} give no width above 0 at "
                f"k = {k[~(np.isfinite(found) & (found > 0))][0]:.3g} / Mpc"
            )
        return found

    def _extra(self, model: Prediction) -> Any:
        """Return the variance of simulator and emulator together."""
        return total_variance(model, self.modelling_fraction)

    def _slices(self) -> Iterator[tuple[Field, slice]]:
        start = 0
        for f in self._fields:
            yield f, slice(start, start + len(f.k))
            start += len(f.k)

    def simulate(
        self, predictions: Mapping[str, Prediction], parameters: Mapping[str, Any], rng: np.random.Generator | None
    ) -> Self:
        """Return the probe with the same bins for another sky.

        A limit is drawn as the sum of signal, noise and a systematic. With a flat prior of the systematic, it is drawn
        between zero and the published limit of its bin. Without noise it is the signal alone.
        """
        model = _seen(predictions["delta21_sq"], parameters)
        mock = copy.copy(self)
        mock.data = np.array(model.value[0]) if rng is None else self._drawn(model, rng)
        mock._fields = tuple(replace(f, delta2=mock.data[part]) for f, part in self._slices())
        return mock

    def _drawn(self, model: Prediction, rng: np.random.Generator) -> FloatArray:
        """Return data ``(bins,)`` of a sky with this model, at one point."""
        flat = self.likelihood == "upper_limit" and self.systematics == "flat"
        if self.modelling_correlation == "independent":
            value, extra = model.value[0], self._extra(model)[0]
        elif flat:
            return self._limits_with_common_errors(model).draw(rng)
        else:
            modes, rest = common_modes(model, self.modelling_fraction, NUMPY)
            shift = [rng.standard_normal(modes.shape[1]) @ modes[0][:, rows] for rows in self._groups.members]
            value = model.value[0] + self._groups.joined(shift)
            extra = np.zeros(len(value)) if rest is None else rest[0]
        sigma = np.sqrt(self.sigma**2 + extra)
        if flat:
            return draw_limits(value, sigma, self._most, rng)
        if self.likelihood == "upper_limit":
            noise = sigma * rng.standard_normal(len(value))
            return np.asarray(value + noise + draw_systematics(self.systematics, self._width, rng))
        parts = [(value[part], f.covariance + np.diag(extra[part])) for f, part in self._slices()]
        return np.concatenate([rng.multivariate_normal(*part) for part in parts])

    def log_normalisation(self, predictions: Mapping[str, Prediction], parameters: Mapping[str, Any]) -> Any:
        """Return the log integral over the limits that :meth:`simulate` may draw; zero for normalised likelihoods."""
        if self.likelihood != "upper_limit" or self.systematics != "flat":
            return super().log_normalisation(predictions, parameters)
        model = _seen(predictions["delta21_sq"], parameters)
        if self.modelling_correlation == "independent":
            return log_mass_of_all_limits(model.value, np.sqrt(self.sigma**2 + self._extra(model)), self._most)
        return self._limits_with_common_errors(model).log_normalisation()

    def _limits_with_common_errors(self, model: Prediction) -> LimitsWithCommonErrors:
        mode, extra = strongest_mode(model, self.modelling_fraction, self.sigma, NUMPY)
        sigma = np.sqrt(self.sigma**2 + (0.0 if extra is None else extra)) + np.zeros_like(model.value)
        return LimitsWithCommonErrors(self._groups, model.value, mode, sigma, self._most)

    @property
    def _most(self) -> FloatArray:
        """The published limit of each bin."""
        return np.concatenate([two_sigma_limits(f) for f in self._fields])

    def save(self, folder: Path, name: str) -> dict[str, Any]:
        """Write the bins in use, with their windows."""
        datasets: dict[str, tuple[Any, str]] = {}
        for f in self._fields:
            parts = {
                "k": (f.k, "1/Mpc"),
                "delta2": (f.delta2, "mK2"),
                "covariance": (f.covariance, "mK4"),
                "window": (f.window, ""),
                "k_window": (f.k_window, "1/Mpc"),
            }
            datasets |= {f"{f.label}/{key}": value for key, value in parts.items()}
        redshifts = {f"{f.band}/redshift": f.redshift for f in self._fields}
        write_datasets(folder / f"{name}.h5", datasets, redshifts)
        done = {"window_norm": "as given", "reading": "as given"}
        return {"catalog": f"{name}.h5", "k_min": 0.0, "k_max": math.inf} | done

    def panels(self) -> tuple[Panel, ...]:
        """Return one panel per band, with the field that has the lowest limit."""
        best: dict[str, Field] = {}
        for f in self._fields:
            if f.band not in best or two_sigma_limits(f).min() < two_sigma_limits(best[f.band]).min():
                best[f.band] = f
        return tuple(self._panel(f) for f in best.values())

    def _panel(self, f: Field) -> Panel:
        low, high = f.k_window.min(), f.k_window.max()
        margin = _SINGLE if low == high else 1.0
        k = np.geomspace(low / margin, high * margin, 60)
        limit = self.likelihood == "upper_limit"
        error = np.zeros(len(f.k)) if limit else np.sqrt(np.diag(f.covariance))
        return Panel(
            title=f"21-cm power spectrum, z = {f.redshift:.2f}, field {f.label.split('/')[1][-1]}",
            x_label=r"$k$ [Mpc$^{-1}$]",
            y_label=r"$\Delta^2_{21}$ [mK$^2$]",
            x=f.k,
            y=two_sigma_limits(f) if limit else f.delta2,
            error_low=error,
            error_high=error,
            kind=("upper" if limit else "measurement",) * len(f.k),
            curve=Requirement(
                "delta21_sq",
                at={"z": np.full(len(k), f.redshift), "k": k},
                unit=UNIT,
                rule={"z": "cubic", "k": "spline"},
                outside={"k": "hold"},
            ),
            curve_x=k,
            x_log=True,
            y_log=True,
        )


def _seen(model: Prediction, parameters: Mapping[str, Any]) -> Prediction:
    """Return the prediction in the direction of the modes."""
    return model.times(parameters[_LINE_OF_SIGHT]) if _LINE_OF_SIGHT in parameters else model


def _check_combination(likelihood: str, reading: str, systematics: str, width: float, pivot: float) -> None:
    """Raise an error for options that exclude each other."""
    if likelihood == "gaussian" and reading != "as given":
        raise ConfigurationError(
            f'reading = "{reading}" is for upper limits: data without their negative values are biased detections'
        )
    if likelihood == "gaussian" and systematics != "flat":
        raise ConfigurationError(f'systematics = "{systematics}" is for upper limits; a detection has no systematics')
    if systematics == "flat" and width != math.inf:
        raise ConfigurationError('systematics_width needs systematics = "half_normal" or "exponential"')
    if systematics != "flat" and not 0 < width < math.inf:
        raise ConfigurationError(f'systematics = "{systematics}" needs systematics_width, a number above 0 in mK^2')
    if not 0 < pivot < math.inf:
        raise ConfigurationError(f"systematics_pivot = {pivot} must be above 0")
