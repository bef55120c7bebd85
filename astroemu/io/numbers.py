"""Numbers in texts that were made elsewhere.

Other programs write more than C and Python read. Fortran has the exponents of ``0.1D-05``, and leaves the letter out
where the exponent has three digits: ``0.6953-309``. Tables have words for a value that is missing.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable

#: Words for a value that is missing or undefined, in lower case.
_MISSING = frozenset({"", "nan", "+nan", "-nan", "na", "n/a", "#n/a", "<na>", "null", "none", "--", "-"})
_INFINITE = {"inf": math.inf, "+inf": math.inf, "-inf": -math.inf}
_INFINITE |= {word + "inity": value for word, value in _INFINITE.items()}
_PLAIN = re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?", re.ASCII)
_FORTRAN = re.compile(r"([+-]?(?:\d+\.?\d*|\.\d+))[dDqQ]([+-]?\d+)|([+-]?(?:\d+\.\d*|\.\d+))([+-]\d{3})", re.ASCII)


def read_number(text: str) -> float:
    """Return the number that a text holds.

    Parameters
    ----------
    text : str
        A decimal number of C or of Fortran, ``inf``, ``infinity``, or a word for a missing value.

    Returns
    -------
    float
        NaN for a missing value.

    Raises
    ------
    ValueError
        If the text holds anything else, or a number that is too large for float64.
    """
    word = text.strip()
    if _PLAIN.fullmatch(word):
        return _finite(word, word)
    lower = word.lower()
    if lower in _MISSING:
        return math.nan
    if lower in _INFINITE:
        return _INFINITE[lower]
    if found := _FORTRAN.fullmatch(word):
        return _finite(f"{found[1] or found[3]}e{found[2] or found[4]}", word)
    raise ValueError(f"{_shown(word)} is not a number{_hint(word)}")


def read_numbers(texts: Iterable[str]) -> list[float]:
    """Return the numbers of several texts, see :func:`read_number`."""
    return [read_number(text) for text in texts]


def _finite(decimal: str, word: str) -> float:
    number = float(decimal)
    if math.isinf(number):
        raise ValueError(f"{_shown(word)} is larger than float64 can hold")
    if number == 0 and re.search("[1-9]", re.split("[eE]", decimal)[0]):
        raise ValueError(f"{_shown(word)} is smaller than float64 can hold")
    return number


def _shown(word: str) -> str:
    return repr(word if len(word) <= 40 else word[:40] + "...")


def _hint(word: str) -> str:
    if word.startswith("***"):
        return ": it did not fit the width of Fortran's format"
    if "," in word:
        return ": write it without thousands separators, and with a point"
    return ""
