"""Options of the form ``NAME=VALUE``, given as often as needed."""

from __future__ import annotations

import math
import tomllib
from collections.abc import Sequence
from typing import Any

from astroemu.errors import ConfigurationError


def pairs(flag: str, given: Sequence[str]) -> dict[str, Any]:
    """Return the values by name; each is TOML, or else text.

    Raises
    ------
    ConfigurationError
        If one is no pair, or a name is given twice.
    """
    found: dict[str, Any] = {}
    for text in given:
        name, equals, value = (part.strip() for part in text.partition("="))
        if not equals or not name or name in found:
            raise ConfigurationError(f"{flag} {text!r} must read NAME=VALUE, each name once")
        try:
            found[name] = tomllib.loads(f"value = {value}")["value"]
        except tomllib.TOMLDecodeError:
            found[name] = value
    return found


def numbers(flag: str, given: Sequence[str]) -> dict[str, float]:
    """Return the numbers by name.

    Raises
    ------
    ConfigurationError
        As :func:`pairs`, and if one is no finite number.
    """
    found = pairs(flag, given)
    for name, value in found.items():
        if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
            raise ConfigurationError(f"{flag} {name}={value} must be a finite number")
    return {name: float(value) for name, value in found.items()}
