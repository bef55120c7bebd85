"""Files of 21-cm power spectra: HERA's layout and that of the shipped catalog, see docs/catalogs.md."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from astroemu.core.catalog import Catalog
from astroemu.core.datasets import Datasets, read_attribute
from astroemu.core.typing import FloatArray
from astroemu.errors import ConfigurationError, DataError, closest, listing

UNIT = "mK^2"
#: A window column with no weight above this value is removed together with the data that are cut.
_LEAKAGE = 1e-5
#: A row of a window is whole if its sum differs from one by less than this.
_WHOLE = 0.01
#: Sums that a row of a normalised window may have.
_LEAST_SUM, _LARGEST_SUM = 0.5, 1.5


@dataclass(frozen=True, eq=False)
class Field:
    """One field of one band: k [1/Mpc], Delta^2 [mK^2], covariance [mK^4], windows."""

    label: str
    band: str
    redshift: float
    k: FloatArray
    delta2: FloatArray
    covariance: FloatArray
    window: FloatArray
    k_window: FloatArray

    def rows(self, keep: NDArray[np.bool_]) -> Field:
        """Return the field with some bins only ``(n,)``."""
        arrays = {name: getattr(self, name)[keep] for name in ("k", "delta2", "window")}
        return replace(self, covariance=self.covariance[np.ix_(keep, keep)], **arrays)

    @property
    def name(self) -> str:
        """Name of the field, such as ``A``."""
        return self.label.split("/")[1].removeprefix("field_")


def two_sigma_limits(f: Field) -> FloatArray:
    """Return two-sigma upper limits as published: max(d, 0) + 2 sigma."""
    return np.maximum(f.delta2, 0.0) + 2 * np.sqrt(np.diag(f.covariance))


def read_fields(catalog: Catalog) -> list[Field]:
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


def check_names(catalog: Catalog, found: Sequence[Field], bands: tuple[str, ...], fields: tuple[str, ...]) -> None:
    """Raise an error for a band or field that the catalog does not have."""
    known = {"bands": {f.band for f in found}, "fields": {f.name for f in found}}
    for key, given in (("bands", bands), ("fields", fields)):
        for name in given:
            if name not in known[key]:
                raise ConfigurationError(
                    f"{key}: {catalog.name!r} has no {name!r}.{closest(name, known[key])} It has {listing(known[key])}"
                )


def _field(label: str, band: str, group: Any, redshift: float) -> Field:
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
    return Field(label, band, redshift, k, delta2, covariance, window, k_window)


def with_window_norm(f: Field, rule: str, source: str) -> Field:
    """Return a field after the rule for rows of its window whose sum is not one within 0.01.

    A row of a window is an average, whose weights add up to one. The sum is smaller if part of the window lies outside
    the table, for example in bins that the file masks.

    Parameters
    ----------
    f : Field
    rule : {"renormalise", "cut", "as given"}
        Divide such a row by its sum, so that the model outside the table is as inside; leave the bin out; or neither.
    source : str
        Name of the catalog, for messages.

    Raises
    ------
    DataError
        If a sum is below 0.5 or above 1.5.
    """
    total = f.window.sum(axis=1)
    if rule == "as given":
        return f
    odd = np.flatnonzero((total < _LEAST_SUM) | (total > _LARGEST_SUM))
    if len(odd):
        rows = listing(f"k = {f.k[row]:.4g} / Mpc (sum {total[row]:.3g})" for row in odd)
        raise DataError(
            f"{source!r}, {f.label!r}: rows of `window` must add up to one; it has {rows}. Correct the file, or set "
            'window_norm = "as given" if these windows are no averages'
        )
    partial = np.abs(total - 1.0) > _WHOLE
    if rule == "cut":
        return f.rows(~partial)
    return replace(f, window=np.where(partial[:, None], f.window / total[:, None], f.window))


def with_reading(f: Field, reading: str) -> Field:
    """Return a field in a reading of its data: as given, with negative values set to zero, or also every second bin."""
    if reading == "as given":
        return f
    clipped = replace(f, delta2=np.maximum(f.delta2, 0.0))
    return clipped.rows(np.arange(len(f.k)) % 2 == 0) if reading == "conservative" else clipped


def cut_in_k(f: Field, k_min: float, k_max: float) -> Field:
    """Return a field with the bins between two k."""
    keep = (f.k >= k_min) & (f.k <= k_max)
    if keep.all():
        return f
    # Windows leak over the entire k range at 1e-12 to 3e-6. If data are cut, this leakage is cut as well.
    used = np.any(np.abs(f.window[keep]) > _LEAKAGE, axis=0)
    return replace(f.rows(keep), window=f.window[np.ix_(keep, used)], k_window=f.k_window[used])
