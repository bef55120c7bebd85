"""Conversion of units from text to astropy.

Internally all arrays are plain, and observables, axes and parameters state their unit as text. On request, the text
is converted to an astropy unit. ``log10(Mpc^-3 mag^-1)`` and ``log10 Msun`` become the logarithmic unit ``dex`` of
their argument.
"""

from __future__ import annotations

from typing import Any

from astroemu.errors import ConfigurationError

#: Units that are ratios to a quantity of the model. They are pure numbers for astropy.
_RATIOS = frozenset({"Hubble time"})
_SHORT = {"Msun": "solMass", "Lsun": "solLum"}


def parse_unit(text: str) -> Any:
    """Return the astropy unit of a text such as ``mK^2`` or ``log10 Msun``.

    Raises
    ------
    ConfigurationError
        If astropy does not know the unit.
    """
    from astropy import units

    inner = text.strip()
    if inner in _RATIOS:
        return units.dimensionless_unscaled
    for start, end in (("log10(", ")"), ("log10 ", "")):
        if inner.startswith(start) and inner.endswith(end):
            return units.dex(parse_unit(inner[len(start) : len(inner) - len(end)]))
    for short, long in _SHORT.items():
        inner = inner.replace(short, long)
    try:
        return units.Unit(inner)
    except (ValueError, TypeError) as error:
        raise ConfigurationError(f"{text!r} is not a unit that astropy knows ({error})") from None


def quantity(values: Any, unit: str) -> Any:
    """Return values with their unit.

    Parameters
    ----------
    values : array of any shape
    unit : str

    Returns
    -------
    astropy.units.Quantity or astropy.units.Dex
        ``Dex`` for a logarithm. The shape is that of ``values``.
    """
    import numpy as np

    return np.asarray(values, dtype=float) * parse_unit(unit)
