"""21-cm power spectrum: upper limits or detections of Delta^2_21(k).

**Upper limits.** Foregrounds and instrumental systematics can only add power. Each bin therefore has an unknown
positive systematic with a flat prior. Marginalisation over it gives

    ln L = sum_i ln Phi[(d_i - m_i) / s_i],      m = W Delta^2_21,
    s_i^2 = sigma_i^2 + (f m_i)^2 + e_i^2

The symbols are the data ``d``, their window matrix ``W`` and variance ``sigma^2``, the modelling fraction ``f`` and
the emulator's error ``e``. The default f = 0.2 represents the accuracy of the simulator itself. The error ``e`` is
propagated through the windows as fully correlated (HERA Collaboration 2022, arXiv:2108.07282, and 2023,
arXiv:2210.04912).

**Detections** (``likelihood = "gaussian"``). The likelihood is a normalised Gaussian, with the full covariance if the
catalog has one. The same two errors are added on its diagonal.

The built-in catalogs reach k = 1.67 / Mpc, beyond most emulators. The option ``beyond_k`` states the rule there.
``hold`` keeps Delta^2 at its value at the last emulated k, as in 21CMMC. ``error`` refuses to build the model;
``k_max`` then cuts the data. These bins are so noisy that the choice does not change the posterior. The number is in
docs/probes.md.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal, Self

import numpy as np
from scipy.linalg import block_diag

from astroemu.core.array_namespace import NUMPY, Namespace
from astroemu.core.catalog import Catalog, load_catalog, write_datasets
from astroemu.core.datasets import Datasets, read_attribute
from astroemu.core.likelihoods import cell_middles, draw_cell, log_mass_of_limits, marginal_upper_limit
from astroemu.core.panel import Panel
from astroemu.core.probe import Probe
from astroemu.core.provider import Prediction
from astroemu.core.requirement import Requirement
from astroemu.core.typing import FloatArray
from astroemu.errors import ConfigurationError, DataError, closest, listing
from astroemu.io.paths import FileName

UNIT = "mK^2"
#: Number of cells between zero and the published limit, from which mock limits are drawn.
_CELLS = 1000
#: A window column with no weight above this value is removed together with the data that are cut.
_LEAKAGE = 1e-5
#: Factor in k to both sides of a single node, along which its curve is drawn.
_SINGLE = 1.1


@dataclass(frozen=True, eq=False)
class _Field:
    """One field of one band: k [1/Mpc], Delta^2 [mK^2], covariance [mK^4], windows."""

    label: str
    band: str
    redshift: float
    k: FloatArray
    delta2: FloatArray
    covariance: FloatArray
    window: FloatArray
    k_window: FloatArray

    @property
    def name(self) -> str:
        """Name of the field, such as ``A``."""
        return self.label.split("/")[1].removeprefix("field_")


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
    bands, fields : tuple of str
        Bands and fields to use (``"band2"``, ``"A"``); empty for all.
    k_min, k_max : float
        Range of data bins [1/Mpc].
    beyond_k : {"hold", "error"}
        Rule for windows that reach beyond the emulated k.
    redshift_rule : {"cubic", "spline"}
        Interpolation in redshift: a cubic through the four nearest nodes, or a spline through all nodes.
        In k it is always a cubic spline.

    Raises
    ------
    ConfigurationError
        If the options leave no data.
    DataError
        If the catalog does not have a layout described in docs/catalogs.md, or holds what the likelihood cannot use.
    """

    def __init__(
        self,
        catalog: FileName = "hera_h1c_idr3",
        likelihood: Literal["upper_limit", "gaussian"] = "upper_limit",
        modelling_fraction: float = 0.2,
        bands: tuple[str, ...] = (),
        fields: tuple[str, ...] = (),
        k_min: float = 0.0,
        k_max: float = float("inf"),
        beyond_k: Literal["hold", "error"] = "hold",
        redshift_rule: Literal["cubic", "spline"] = "cubic",
    ) -> None:
        if not 0 <= modelling_fraction < 10:
            raise ConfigurationError(f"modelling_fraction = {modelling_fraction} must be in [0, 10)")
        source = load_catalog(catalog)
        self.catalogs = (source,)
        found = _read(source)
        _check_names(source, found, bands, fields)
        self.likelihood = likelihood
        self.papers = (*source.arxiv, "2108.07282")
        self.modelling_fraction = modelling_fraction
        self._beyond_k = beyond_k
        self._redshift_rule = redshift_rule
        chosen = (f for f in found if (not bands or f.band in bands) and (not fields or f.name in fields))
        self._fields = tuple(f for f in (_cut(f, k_min, k_max) for f in chosen) if len(f.k))
        if not self._fields:
            raise ConfigurationError(
                f"bands = {list(bands)}, fields = {list(fields)}, k_min = {k_min}, k_max = {k_max} leave no data. "
                f"{source.name!r} has {listing(f.label for f in found)}"
            )
        self.data = np.concatenate([f.delta2 for f in self._fields])
        self.sigma = np.sqrt(np.concatenate([np.diag(f.covariance) for f in self._fields]))
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
        model = predictions["delta21_sq"]
        extra = self._extra(model.value, model.error)
        if self.likelihood == "upper_limit":
            return xp.sum(marginal_upper_limit(model.value, self.data, self.sigma, xp, extra), axis=-1)
        return self._gaussian(model.value, extra, xp)

    def _extra(self, value: Any, error: Any) -> Any:
        """Return the variance of the modelling and of the emulator."""
        extra = (self.modelling_fraction * value) ** 2
        return extra if error is None else extra + error**2

    def _gaussian(self, m: Any, extra: Any, xp: Namespace) -> Any:
        """Return the Gaussian log-likelihood.

        It is normalised relative to the covariance of the data, so that ln L(m = d) = 0 without errors.
        """
        total: Any = 0.0
        for f, part in self._slices():
            covariance = f.covariance + extra[:, part, None] * np.eye(len(f.k))
            residual = m[:, part] - f.delta2
            chi2 = xp.sum(residual * xp.solve(covariance, residual[:, :, None])[:, :, 0], axis=-1)
            total = total - 0.5 * chi2 - 0.5 * (xp.logdet(covariance) - np.linalg.slogdet(f.covariance)[1])
        return total

    def _slices(self) -> Iterator[tuple[_Field, slice]]:
        start = 0
        for f in self._fields:
            yield f, slice(start, start + len(f.k))
            start += len(f.k)

    def simulate(
        self, predictions: Mapping[str, Prediction], parameters: Mapping[str, Any], rng: np.random.Generator | None
    ) -> Self:
        """Return the probe with the same bins for another sky.

        A limit is drawn as the sum of signal, noise and a systematic with a flat prior. The condition is that it lies
        between zero and the published limit of its bin. Without noise it is the signal alone.
        """
        value, error = predictions["delta21_sq"].value[0], predictions["delta21_sq"].error
        extra = self._extra(value, None if error is None else error[0])
        mock = copy.copy(self)
        if rng is None:
            mock.data = np.array(value)
        elif self.likelihood == "upper_limit":
            place = cell_middles(_CELLS)
            d = self._most[:, None] * place
            density = marginal_upper_limit(value[:, None], d, self.sigma[:, None], NUMPY, extra[:, None])
            mock.data = self._most * draw_cell(density, rng)
        else:
            parts = [(value[part], f.covariance + np.diag(extra[part])) for f, part in self._slices()]
            mock.data = np.concatenate([rng.multivariate_normal(*part) for part in parts])
        mock._fields = tuple(replace(f, delta2=mock.data[part]) for f, part in self._slices())
        return mock

    def log_normalisation(self, predictions: Mapping[str, Prediction], parameters: Mapping[str, Any]) -> Any:
        """Return zero for detections, or the log integral over the limits that :meth:`simulate` may draw."""
        if self.likelihood != "upper_limit":
            return super().log_normalisation(predictions, parameters)
        model = predictions["delta21_sq"]
        sigma = np.sqrt(self.sigma**2 + self._extra(model.value, model.error))
        return np.sum(log_mass_of_limits(model.value, sigma, 0.0, self._most), axis=-1)

    @property
    def _most(self) -> FloatArray:
        """The published limit of each bin."""
        return np.concatenate([_limits(f) for f in self._fields])

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
        return {"catalog": f"{name}.h5", "k_min": 0.0, "k_max": math.inf}

    def panels(self) -> tuple[Panel, ...]:
        """Return one panel per band, with the field that has the lowest limit."""
        best: dict[str, _Field] = {}
        for f in self._fields:
            if f.band not in best or _limits(f).min() < _limits(best[f.band]).min():
                best[f.band] = f
        return tuple(self._panel(f) for f in best.values())

    def _panel(self, f: _Field) -> Panel:
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
            y=_limits(f) if limit else f.delta2,
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


def _limits(f: _Field) -> FloatArray:
    """Return two-sigma upper limits as published: max(d, 0) + 2 sigma."""
    return np.maximum(f.delta2, 0.0) + 2 * np.sqrt(np.diag(f.covariance))


def _read(catalog: Catalog) -> list[_Field]:
    """Return all fields of a catalog, validated.

    A catalog has one of two layouts. The first has ``k_window`` (windows on their own grid) and ``variance`` or
    ``covariance``. The second has ``covariance``, ``valid`` and ``k_mpc`` (square windows).
    """
    found = []
    with catalog.hdf5() as file:
        names = [name for name in file if name.startswith("band")]
        if not names:
            raise DataError("the file has no groups bandN/field_X, which this probe needs")
        for band in names:
            redshift = read_attribute(file[band], "redshift", above=0)
            fields = [name for name, item in getattr(file[band], "items", dict)() if hasattr(item, "keys")]
            if not fields:
                raise DataError(f"{band!r} has no groups field_X, which this probe needs")
            found += [_field(f"{band}/{field}", band, file[band][field], redshift) for field in fields]
    return found


def _check_names(catalog: Catalog, found: list[_Field], bands: tuple[str, ...], fields: tuple[str, ...]) -> None:
    known = {"bands": {f.band for f in found}, "fields": {f.name for f in found}}
    for key, given in (("bands", bands), ("fields", fields)):
        for name in given:
            if name not in known[key]:
                raise ConfigurationError(
                    f"{key}: {catalog.name!r} has no {name!r}.{closest(name, known[key])} It has {listing(known[key])}"
                )


def _field(label: str, band: str, group: Any, redshift: float) -> _Field:
    data = Datasets(group)
    if "redshift" in group.attrs and not math.isclose(read_attribute(group, "redshift"), redshift, rel_tol=1e-6):
        raise DataError(f"{band!r} and {label!r} have different attributes `redshift`; remove that of the field")
    own_windows = "k_window" in data
    # Without units, the numbers are in those of the layout. A dataset `k` of the second layout may be in h/Mpc.
    axis = "k" if own_windows or "k_mpc" not in data else "k_mpc"
    if "valid" in data or not own_windows:
        data.select(axis, data.flags("valid", (axis,)))
    k = data.numbers(axis, "1/Mpc", above=0, assume_unit=own_windows or axis == "k_mpc")
    delta2 = data.numbers("delta2", UNIT, (axis,), assume_unit=True)
    if own_windows and "variance" in data:
        covariance = np.diag(data.numbers("variance", "mK^4", (axis,), above=0, assume_unit=True))
    else:
        covariance = data.covariance("covariance", "mK^4", axis, assume_unit=True)
    k_window = data.numbers("k_window", "1/Mpc", above=0, assume_unit=True) if own_windows else k
    window = data.numbers("window", "", (axis, "k_window" if own_windows else axis))
    return _Field(label, band, redshift, k, delta2, covariance, window, k_window)


def _cut(f: _Field, k_min: float, k_max: float) -> _Field:
    keep = (f.k >= k_min) & (f.k <= k_max)
    covariance = f.covariance[np.ix_(keep, keep)]
    # Windows leak over the entire k range at 1e-12 to 3e-6. If data are cut, this leakage is cut as well.
    whole = bool(keep.all())
    used = np.full(len(f.k_window), True) if whole else np.any(np.abs(f.window[keep]) > _LEAKAGE, axis=0)
    window, k_window = f.window[np.ix_(keep, used)], f.k_window[used]
    return _Field(f.label, f.band, f.redshift, f.k[keep], f.delta2[keep], covariance, window, k_window)
