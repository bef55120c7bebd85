"""Units as text, and as astropy reads them.

Inside, everything is a plain array; an observable, an axis and a parameter state their unit as text.
At the surface the same text becomes an astropy unit: ``log10(Mpc^-3 mag^-1)`` and ``log10 Msun`` are
the logarithmic unit ``dex`` of what follows.
"""

from __future__ import annotations

from typing import Any

from astroemu.errors import ConfigurationError

#: Units of the field that are ratios to something that a model computes: pure numbers for astropy.
_RATIOS = frozenset({"Hubble time"})
_SHORT = {"Msun": "solMass", "Lsun": "solLum"}


def parse_unit(text: str) -> Any:
    """Return the astropy unit of a unit as text.

    Raises
    ------
    ConfigurationError
        If astropy does not know it.
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
        raise ConfigurationError(f"{text!r} is no unit that astropy knows ({error})") from None


def quantity(values: Any, unit: str) -> Any:
    """Return values with their unit: a :class:`~astropy.units.Quantity`, or a ``Dex`` for a logarithm."""
    import numpy as np

    return np.asarray(values, dtype=float) * parse_unit(unit)
