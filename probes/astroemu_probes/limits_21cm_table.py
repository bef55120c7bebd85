"""Tables of published upper limits on the 21-cm power spectrum: their columns, and the rows that a probe uses.

The columns are described in docs/catalogs.md. A text of one dash means that nothing is stated.
"""

from __future__ import annotations

import itertools
import warnings
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from astroemu.core.catalog import Catalog
from astroemu.core.columns import Column, NumberColumn, Rows, TextColumn, name_rows
from astroemu.core.typing import FloatArray
from astroemu.core.units import parse_unit
from astroemu.errors import ConfigurationError, DoubleCountingWarning, closest, listing

UNIT = "mK^2"
#: Tags to use, by reference.
Tags = Mapping[str, tuple[str, ...]]
#: The newest limits of each telescope that are independent of each other and of HERA's Phase I.
DEFAULT_REFERENCES = ("HERA2026", "Nunhokee2025", "Mertens2025", "Munshi2025")
#: One polarisation: that of the abstract, or the paper's own combination.
DEFAULT_TAGS: Tags = {"Nunhokee2025": ("Pol E-W",), "Trott2025": ("Pol N-S, E-W",)}
_MPC, _H_MPC = "1 / Mpc", "h / Mpc"
_NONE = "-"
_COLUMNS: dict[str, Column | str] = {
    "reference": TextColumn(),
    "telescope": TextColumn(needed=False),
    "arxiv": TextColumn(needed=False),
    "data": TextColumn(needed=False),
    "tag": TextColumn(needed=False),
    "caution": TextColumn(needed=False),
    "z": NumberColumn(above=0),
    "z_lo": NumberColumn(above=0, needed=False),
    "z_hi": NumberColumn(above=0, needed=False),
    "h": NumberColumn(above=0.4, below=1.2, needed=False),
    "delta2_limit": NumberColumn(UNIT, above=0),
    "delta2": NumberColumn(UNIT, needed=False),
    "sigma": NumberColumn(UNIT, above=0, needed=False),
}
#: Columns with wavenumbers.
WAVENUMBERS = ("k", "k_lo", "k_hi")
#: Wavenumbers of one bin differ by less than this fraction.
_SAME_K = 1e-3
#: Bands of one data set overlap if their redshifts differ by less than this fraction of 1 + z, or as they state.
_SAME_BAND = 0.03
#: Nodes of the Gauss-Legendre rule in k.
_NODES = 3


def read(source: Catalog, h: float) -> Any:
    """Return the table of a catalog, validated, with wavenumbers in 1/Mpc.

    Parameters
    ----------
    source : Catalog
    h : float
        Hubble constant over 100 km/s/Mpc, for rows that are in h/Mpc and do not state theirs.

    Raises
    ------
    DataError
        If a column is missing, or holds what the likelihood cannot use. The message names the rows.
    """
    unit = _unit_of_k(source)
    wavenumbers = {
        "k": NumberColumn(unit, above=0),
        "k_lo": NumberColumn(unit, needed=False),
        "k_hi": NumberColumn(unit, needed=False),
    }
    table = source.table({**_COLUMNS, **wavenumbers})
    for name in ("telescope", "arxiv", "data", "tag", "caution"):
        table[name] = np.where(np.asarray(table[name]) == _NONE, "", np.asarray(table[name]))
    k, low, high = (np.asarray(table[name]) for name in WAVENUMBERS)
    for wrong, what in (
        (np.isnan(low) != np.isnan(high), "a bin needs both edges, 'k_lo' and 'k_hi', or none"),
        ((low < 0) | (low > k) | (k > high) | (low == high), "the edges of a bin must enclose its 'k'"),
        (np.isnan(table["delta2"]) != np.isnan(table["sigma"]), "give both 'delta2' and 'sigma', or none"),
        (_repeated(table), "two limits for one bin: the same reference, z, tag and k; remove one, or give them tags"),
    ):
        source.refuse_rows(table, np.asarray(wrong), what)
    factor = np.where(np.isnan(table["h"]), h, table["h"]) if unit == _H_MPC else np.ones(len(table))
    for name in WAVENUMBERS:
        table[name] = np.asarray(table[name]) * factor
        table[name].unit = _MPC
    return table


def _unit_of_k(source: Catalog) -> str:
    """Return the unit of wavenumbers in a file: with or without little h. Others are refused when they are read."""
    table = source.table()
    stated = str(table["k"].unit or "") if "k" in table.colnames else ""
    bases = getattr(parse_unit(stated), "bases", ()) if stated else ()
    return _H_MPC if any(base.name == "littleh" for base in bases) else _MPC


def _repeated(table: Any) -> Rows:
    """Return the rows whose bin is that of another row."""
    order = np.lexsort([np.asarray(table[name]) for name in ("k", "tag", "z", "reference")])
    same = np.abs(np.diff(np.log(np.asarray(table["k"])[order]))) < _SAME_K
    for name in ("tag", "z", "reference"):
        values = np.asarray(table[name])[order]
        same &= values[1:] == values[:-1]
    found = np.zeros(len(table), dtype=bool)
    found[order[1:][same]] = found[order[:-1][same]] = True
    return found


@dataclass(frozen=True)
class Choice:
    """Which rows to use.

    Attributes
    ----------
    references : tuple of str
        Empty for those of :data:`DEFAULT_REFERENCES` that the file has.
    telescopes : tuple of str
        Empty for all.
    tags : mapping of str to tuple of str
        Tags by reference. References that it does not name have those of :data:`DEFAULT_TAGS`, or all.
    z, k : (float, float)
        Ranges, both ends included; ``k`` in 1/Mpc, for the centres of bins.
    """

    references: tuple[str, ...]
    telescopes: tuple[str, ...]
    tags: Tags
    z: tuple[float, float]
    k: tuple[float, float]

    def rows(self, table: Any, name: str) -> Rows:
        """Return the chosen rows of a table.

        Raises
        ------
        ConfigurationError
            If the table lacks a reference, telescope or tag, or if nothing is left of a reference that is named.
        """
        reference, telescope, tag = (np.asarray(table[column]) for column in ("reference", "telescope", "tag"))
        references = self.references or tuple(r for r in DEFAULT_REFERENCES if np.any(reference == r))
        known = sorted(set(reference.tolist()))
        if not references:
            raise ConfigurationError(f"references: name those of {name!r} to use. It has {listing(known)}")
        _check("references", references, known, name)
        _check("telescopes", self.telescopes, sorted(set(telescope[telescope != ""].tolist())), name)
        keep = np.isin(reference, references)
        if self.telescopes:
            keep &= np.isin(telescope, self.telescopes)
        for each, tags in {**DEFAULT_TAGS, **self.tags}.items():
            if each in self.tags:
                if each not in references:
                    raise ConfigurationError(f"tags: {each!r} is not in use; the references are {listing(references)}")
                _check(f"tags.{each}", tags, sorted(set(tag[reference == each].tolist()) - {""}), name)
            keep &= (reference != each) | np.isin(tag, tags)
        z, k = np.asarray(table["z"]), np.asarray(table["k"])
        keep &= (z >= self.z[0]) & (z <= self.z[1]) & (k >= self.k[0]) & (k <= self.k[1])
        self._refuse_nothing(references, reference, z, keep)
        return keep

    def _refuse_nothing(self, references: Sequence[str], reference: Any, z: FloatArray, keep: Rows) -> None:
        """Raise an error if nothing is left: of any reference, or of one that the user named."""
        empty = [each for each in references if not np.any(keep & (reference == each))]
        lost = empty if self.references or len(empty) == len(references) else []
        if lost:
            every = "; ".join(f"{each} has z = {_numbers(z[reference == each])}" for each in lost)
            raise ConfigurationError(
                f"z_min = {self.z[0]:g}, z_max = {self.z[1]:g}, k_min = {self.k[0]:g}, k_max = {self.k[1]:g}, "
                f"telescopes and tags leave nothing of {listing(lost)}. Remove it from `references`, or change the "
                f"others: {every}"
            )


def _check(key: str, names: Sequence[str], known: Sequence[str], source: str) -> None:
    for name in names:
        if name not in known:
            hint = closest(name, known)
            raise ConfigurationError(f"{key}: {source!r} has no {name!r}.{hint} It has {listing(known) or 'none'}")


def _numbers(values: Any) -> str:
    return ", ".join(f"{value:g}" for value in np.unique(values))


def papers(table: Any) -> tuple[str, ...]:
    """Return the papers of the rows in use; empty if the file names none."""
    return tuple(dict.fromkeys(str(number) for number in table["arxiv"] if number))


def redshifts(table: Any) -> str:
    """Return the redshifts of each reference in use, for messages."""
    reference, z = np.asarray(table["reference"]), np.asarray(table["z"])
    return "; ".join(f"{each} at z = {_numbers(z[reference == each])}" for each in dict.fromkeys(reference.tolist()))


def topics(table: Any) -> frozenset[str]:
    """Return the data that the rows in use contain, with the redshift to the nearest integer."""
    rows = zip(table["data"], table["z"], strict=True)
    return frozenset(topic(str(data), float(z)) for data, z in rows if data)


def topic(data: str, z: float) -> str:
    """Return the name of a data set near a redshift, for :attr:`astroemu.core.probe.Probe.contains`."""
    return f"21-cm power spectra of {data.partition(':')[0]} near z = {z:.0f}"


def warn_of_caution(table: Any, keep: Rows, name: str) -> None:
    """Warn of rows in use that should not be used."""
    caution = np.asarray(table["caution"])
    for text in dict.fromkeys(caution[keep & (caution != "")].tolist()):
        rows = name_rows(table, keep & (caution == text))
        warnings.warn(f"{name}: {rows}: {text}. Remove this reference", UserWarning, stacklevel=4)


@dataclass(frozen=True, eq=False)
class _Set:
    """Limits of one reference, redshift and tag."""

    reference: str
    tag: str
    data: str
    z: float
    z_range: tuple[float, float]
    k_range: tuple[float, float]
    rows: Rows

    def shares(self, other: _Set) -> bool:
        """Return True if another set has the same observations, in the same band and range of k."""
        first, second = sorted((self.data, other.data))
        if not _overlap(self.k_range, other.k_range):
            return False
        if self.reference == other.reference:
            return self.z == other.z and first == second
        same_data = first != "" and (first == second or second.startswith(f"{first}:"))
        return same_data and _overlap(self.z_range, other.z_range)


def _overlap(first: tuple[float, float], second: tuple[float, float]) -> bool:
    return first[0] <= second[1] and second[0] <= first[1]


def _sets(table: Any, keep: Rows) -> Iterator[_Set]:
    """Yield the sets of the rows in use."""
    names = ("reference", "z", "tag", "data")
    for reference, z, tag, data in dict.fromkeys(zip(*(table[name][keep].tolist() for name in names), strict=True)):
        rows = keep & np.all(
            [np.asarray(table[n]) == v for n, v in zip(names, (reference, z, tag, data), strict=True)], axis=0
        )
        margin = 0.5 * _SAME_BAND * (1.0 + z)
        z_range = _range(table["z_lo"][rows], table["z_hi"][rows], np.array([z - margin, z + margin]))
        k_range = _range(table["k_lo"][rows], table["k_hi"][rows], np.asarray(table["k"][rows]))
        yield _Set(reference, tag, data, z, z_range, k_range, rows)


def _range(low: Any, high: Any, otherwise: FloatArray) -> tuple[float, float]:
    """Return the range between the lowest and the highest edge, or that of other values where there are no edges."""
    return float(np.fmin(low, otherwise.min()).min()), float(np.fmax(high, otherwise.max()).max())


def warn_of_double_use(table: Any, keep: Rows, name: str) -> None:
    """Warn of rows in use that are limits from the same observations."""
    found: dict[tuple[str, str], list[tuple[_Set, _Set]]] = {}
    for first, second in itertools.combinations(_sets(table, keep), 2):
        if first.shares(second):
            found.setdefault((first.reference, second.reference), []).append((first, second))
    for (one, other), pairs in found.items():
        mine, theirs = (np.any([pair[i].rows for pair in pairs], axis=0) for i in (0, 1))
        z = _numbers([pair[i].z for pair in pairs for i in (0, 1)])
        remedy = f"Keep one of them in `references`: {one}, {other}"
        if one == other:
            tags = dict.fromkeys(f'"{first.tag}" or "{second.tag}"' for first, second in pairs)
            remedy = f"Keep in `tags.{one}` {' and '.join(tags)}"
        data = pairs[0][0].data or "the column `data` does not say otherwise"
        warnings.warn(
            f"{name}: {name_rows(table, mine)} and {name_rows(table, theirs)} share observations ({data}) at z = {z}: "
            f"the likelihood counts them twice. {remedy}",
            DoubleCountingWarning,
            stacklevel=4,
        )


def nodes(table: Any, bins: Literal["average", "centre"]) -> tuple[FloatArray, FloatArray]:
    """Return wavenumbers [1/Mpc] and weights, both ``(rows, q)``, of the average over each bin.

    The average is uniform in k, by a Gauss-Legendre rule with 3 nodes. A bin without edges is taken at its centre.
    """
    k, low, high = (np.asarray(table[name])[:, None] for name in WAVENUMBERS)
    edges = ~np.isnan(low)
    if bins == "centre" or not edges.any():
        return k, np.ones_like(k)
    x, w = np.polynomial.legendre.leggauss(_NODES)
    inside = 0.5 * (low + high) + 0.5 * (high - low) * x
    return np.where(edges, inside, k), np.broadcast_to(0.5 * w, inside.shape)
