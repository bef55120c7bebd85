"""Tables of binned UV luminosity functions: their columns, and the rows that a probe uses."""

from __future__ import annotations

import itertools
import warnings
from collections.abc import Mapping
from typing import Any

import numpy as np

from astroemu.core.catalog import Catalog
from astroemu.core.columns import NumberColumn, Rows, TextColumn, name_rows, where
from astroemu.core.typing import FloatArray
from astroemu.errors import ConfigurationError, DoubleCountingWarning, closest, listing

#: Redshift labels to use, by reference.
Sets = Mapping[str, tuple[float, ...]]
DEFAULT_SETS: Sets = {"Bouwens+2021": (6.0, 7.0, 8.0), "Oesch+2018": (10.0,)}
#: Columns of which two rows that are equal are the same measurement.
MEASUREMENT = ("reference", "z", "M_UV", "phi", "kind")
_PHI = "1 / (mag Mpc3)"
_ERROR = NumberColumn(_PHI, above=0, needed=where(kind="measurement"))
_COLUMNS = {
    "reference": TextColumn(),
    "kind": TextColumn(choices=("measurement", "upper")),
    "z": NumberColumn(above=0),
    "M_UV": NumberColumn("mag", same="mag(AB)"),
    "phi": NumberColumn(_PHI),
    "err_up": _ERROR,
    "err_lo": _ERROR,
    "n_sigma": NumberColumn(above=0, needed=where(kind="upper")),
    "dM": NumberColumn("mag", above=0, needed=False),
    "n_gal": NumberColumn(needed=False),
    "arxiv": TextColumn(needed=False),
}
#: Sets that contain the same galaxies at the same redshift.
_OVERLAPS = (
    ("Bouwens+2015", "Bouwens+2021"),
    ("Bouwens+2015", "Oesch+2018"),
    *itertools.combinations(
        (
            *("Harikane+2023", "McLeod+2024", "Donnan+2024", "Finkelstein+2023"),
            *("Willott+2024", "Adams+2024", "Robertson+2024", "Casey+2024"),
        ),
        2,
    ),
)


def read(source: Catalog) -> Any:
    """Return the table of a catalog, validated.

    Raises
    ------
    DataError
        If a column is missing, or holds what the likelihood cannot use. The message names the rows.
    """
    table = source.table(_COLUMNS)
    limit, phi, counts = np.asarray(table["kind"] == "upper"), np.asarray(table["phi"]), np.asarray(table["n_gal"])
    source.refuse_rows(table, limit & (phi <= 0), "an upper limit on phi must be above 0")
    source.refuse_rows(table, counts < 0, "the column 'n_gal' is a number of galaxies; it must not be negative")
    empty = ~limit & ((counts == 0) | ((counts > 0) & (phi <= 0)))
    source.refuse_rows(
        table, empty, "a measurement has galaxies and phi above 0; for none (n_gal = 0), give an upper limit"
    )
    return table


def papers(table: Any) -> tuple[str, ...]:
    """Return the papers of the rows in use; empty if the file names none."""
    return tuple(dict.fromkeys(str(number) for number in table["arxiv"] if number))


def selected(table: Any, sets: Sets, name: str) -> Rows:
    """Return the rows of the sets.

    Raises
    ------
    ConfigurationError
        If a set is not in the table.
    """
    references = sorted(set(table["reference"].tolist()))
    keep = np.zeros(len(table), dtype=bool)
    for reference, redshifts in sets.items():
        if reference not in references:
            raise ConfigurationError(
                f"sets: {name!r} has no {reference!r}.{closest(reference, references)} It has {listing(references)}"
            )
        rows = np.asarray(table["reference"] == reference)
        for z in redshifts:
            chosen = rows & np.isclose(np.asarray(table["z"]), z)
            if not chosen.any():
                known = ", ".join(f"{value:g}" for value in np.unique(np.asarray(table["z"])[rows]))
                raise ConfigurationError(f"sets: {reference!r} has no z = {z:g}; it has z = {known}")
            keep |= chosen
    return keep


def widths(table: Any, keep: Rows, low: float, high: float, name: str) -> FloatArray:
    """Return the widths [mag] of the rows ``keep``, or zero for those that are evaluated at their centre.

    These are bins of unknown width, and bins that reach beyond the range of magnitudes. A warning names both.

    Parameters
    ----------
    table : Table
    keep : (rows,) array of bool
    low, high : float
        Range of magnitudes.
    name : str
        Catalog, for the message.
    """
    m_uv, width = np.asarray(table["M_UV"]), np.asarray(table["dM"])
    unknown = keep & np.isnan(width)
    edge = keep & ((m_uv - 0.5 * width < low - 1e-9) | (m_uv + 0.5 * width > high + 1e-9))
    for rows, why, remedy in (
        (unknown, "have no bin width 'dM'", "give it"),
        (edge, f"reach beyond m_uv_min = {low:g} or m_uv_max = {high:g}", "move these"),
    ):
        if rows.any():
            warnings.warn(
                f"{name}: {name_rows(table, rows)} {why}: the model is taken at the centre of these bins. "
                f'To average over them, {remedy}; for centres without this warning, set bins = "centre"',
                UserWarning,
                stacklevel=4,
            )
    return np.where(unknown | edge, 0.0, width)[keep]


def warn_of_overlaps(sets: Sets) -> None:
    """Warn of sets that share galaxies."""
    for first, second in _OVERLAPS:
        shared = set(sets.get(first, ())) & set(sets.get(second, ()))
        if shared:
            warnings.warn(
                f"{first} and {second} share galaxies at z = {', '.join(f'{z:g}' for z in sorted(shared))}: "
                "the likelihood counts them twice. Keep only one of the two sets",
                DoubleCountingWarning,
                stacklevel=4,
            )
