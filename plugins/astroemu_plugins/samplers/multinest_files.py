"""Reader of the files that MultiNest writes, in Fortran's forms of numbers.

Fortran gives an exponent three characters after its letter. If it has three digits, the letter is omitted:
``0.695-309`` is 0.695e-309. The letter may also be a ``D``.
"""

from __future__ import annotations

import re
from io import StringIO

import numpy as np

from astroemu.core.typing import FloatArray
from astroemu.errors import SamplingError

_EXPONENT = re.compile(r"(?<=[\d.])[dD]?([+-]\d{3})\b|(?<=[\d.])[dD](?=[+-]?\d)")
_EVIDENCE = re.compile(r"(Nested|Importance) Sampling Global Log-Evidence\s*:\s*(\S+)\s*\+/-\s*(\S+)")


def numbers(text: str) -> FloatArray:
    """Return rows of numbers ``(n, m)``.

    Raises
    ------
    SamplingError
        If a word is no number, or the rows differ in length.
    """
    try:
        return np.loadtxt(StringIO(_EXPONENT.sub(r"E\1", text)), ndmin=2)
    except ValueError as error:
        raise SamplingError(f"MultiNest wrote a file that cannot be read ({error})") from None


def evidences(text: str) -> dict[str, tuple[float, float]]:
    """Return the log-evidences in ``stats.dat`` with their errors, by kind: ``Nested`` and ``Importance``."""
    found = _EVIDENCE.findall(text)
    return {kind: (float(numbers(value)[0, 0]), float(numbers(error)[0, 0])) for kind, value, error in found}
