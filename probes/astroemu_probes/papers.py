"""Rows of a catalog by the paper that they are from."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from astroemu.errors import ConfigurationError, closest, listing


def rows_of_papers(table: Any, name: str, references: tuple[str, ...], z_min: float, z_max: float) -> NDArray[np.bool_]:
    """Return which rows of a catalog are of some papers and within a range of redshifts, ``(rows,)``.

    Parameters
    ----------
    table : Table
        With the columns ``reference`` and ``z``.
    name : str
        Of the catalog.
    references : tuple of str
    z_min, z_max : float
        Both included.

    Raises
    ------
    ConfigurationError
        If the catalog does not have a paper, if the range leaves nothing of a paper, or if there are no papers.
    """
    names, z = np.asarray(table["reference"], dtype=str), np.asarray(table["z"])
    known = sorted(set(names.tolist()))
    for reference in references:
        if reference not in known:
            raise ConfigurationError(
                f"references: {name!r} has no {reference!r}.{closest(reference, known)} It has {listing(known)}"
            )
    inside = (z >= z_min) & (z <= z_max)
    for reference in references or ("references",):
        if not np.any(inside & (names == reference)):
            raise ConfigurationError(
                f"z_min = {z_min} and z_max = {z_max} leave nothing of {reference!r}; remove it or change the range"
            )
    return np.asarray(inside & np.isin(names, references))
