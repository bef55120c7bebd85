"""Conversion of units from text to astropy.

Internally all arrays are plain, and observables, axes and parameters state their unit as text. On request, the text
is converted to an astropy unit. ``log10(Mpc^-3 mag^-1)`` and ``log10 Msun`` become the logarithmic unit ``dex`` of
their argument.

What astropy can parse is a unit, except ``h``: it is the Hubble constant over 100 km/s/Mpc, not the hour. Any other
text, such as ``cMpc`` or ``none``, is a label. A label is stored and shown as it is, and never converted.
"""

from __future__ import annotations

import math
import re
import warnings
from functools import lru_cache
from typing import Any

#: Units that are ratios to a quantity of the model. They are pure numbers for astropy.
_RATIOS = frozenset({"Hubble time"})
_SHORT = {"Msun": "solMass", "Lsun": "solLum"}
#: The letter h as a unit, also in ``h3`` and ``h^-1Mpc``.
_LITTLE_H = re.compile(r"(?<![^\W\d])h(?![^\W\d_])")


@lru_cache(maxsize=256)  # a label is equal to itself only
def parse_unit(text: str) -> Any:
    """Return the astropy unit of a text such as ``mK^2``, ``Mpc/h`` or ``log10 Msun``.

    The letter ``h`` becomes ``astropy.cosmology.units.littleh``. A label becomes a unit of its own, which astropy
    converts into no other.
    """
    from astropy.units import IrreducibleUnit

    found = _parsed(text)
    return IrreducibleUnit(text) if found is None else found


def is_label(text: str) -> bool:
    """Return True if a unit is a label only: a text that astropy does not know as a unit."""
    return _parsed(text) is None


@lru_cache(maxsize=256)
def _parsed(text: str) -> Any:
    """Return the astropy unit of a text, or None for a label."""
    from astropy import units

    inner = text.strip()
    if inner in _RATIOS:
        return units.dimensionless_unscaled
    for start, end in (("log10(", ")"), ("log10 ", "")):
        if inner.startswith(start) and inner.endswith(end):
            argument = _parsed(inner[len(start) : len(inner) - len(end)])
            try:
                return None if argument is None else units.dex(argument)
            except units.UnitConversionError:  # the logarithm of a logarithm
                return None
    for short, long in _SHORT.items():
        inner = inner.replace(short, long)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", units.UnitsWarning)  # advice on style
        found = units.Unit(inner, parse_strict="silent")
    if isinstance(found, units.UnrecognizedUnit) or not math.isfinite(getattr(found, "scale", 1.0)):
        return None
    return _with_little_h(found) if _LITTLE_H.search(inner) else found


def _with_little_h(unit: Any) -> Any:
    """Return a unit with little h in place of the hour, for which astropy takes the letter h."""
    from astropy import units
    from astropy.cosmology.units import littleh

    bases = [littleh if base == units.hour else base for base in unit.bases]
    return units.CompositeUnit(unit.scale, bases, unit.powers)


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
