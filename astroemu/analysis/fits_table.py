"""Astropy tables as FITS files.

The headers of FITS hold printable ASCII, finite numbers, and only some units. Texts are transliterated, and a comment
of the header says so. What does not fit is left out: a number that is not finite, or a unit that FITS does not have.
The description of the column still states the unit.
"""

from __future__ import annotations

import io
import math
import unicodedata
import warnings
from typing import Any

_FITS_KEYS = {"provenance": "PROVENAN", "log_evidence": "LNZ", "log_evidence_err": "LNZERR"}
_DASHES = "\u2010\u2011\u2012\u2013\u2014\u2212"


def fits_bytes(table: Any) -> bytes:
    """Return the content of a FITS file with the columns, descriptions and metadata of an astropy table."""
    from astropy.io import fits

    table = table.copy(copy_data=False)
    descriptions = [str(table[name].info.description or "") for name in table.colnames]
    texts = [*table.colnames, *descriptions, *(value for value in table.meta.values() if isinstance(value, str))]
    table.meta = {  # eight letters
        _FITS_KEYS.get(key, key): ascii_text(value) if isinstance(value, str) else value
        for key, value in table.meta.items()
        if not (isinstance(value, float) and not math.isfinite(value))
    }
    for name in table.colnames:
        unit = getattr(table[name], "unit", None)
        if unit is not None and not _has_fits(unit):
            table.replace_column(name, table[name].value)
    table.rename_columns(table.colnames, _different([ascii_text(name) for name in table.colnames]))
    hdu = fits.table_to_hdu(table)
    for j, description in enumerate(descriptions, 1):  # FITS allows one comment per column
        hdu.header[f"TCOMM{j}"] = ascii_text(description)
    if any(ascii_text(text) != text for text in texts):
        hdu.header.add_comment("FITS headers are ASCII: other letters were transliterated.")
    file = io.BytesIO()
    fits.HDUList([fits.PrimaryHDU(), hdu]).writeto(file, output_verify="exception")
    return file.getvalue()


def ascii_text(text: str) -> str:
    """Return a text in printable ASCII: Greek letters by their names, accents left out, other letters as escapes."""
    return "".join(map(_ascii, unicodedata.normalize("NFKD", text)))


def _ascii(letter: str) -> str:
    if " " <= letter <= "~":
        return letter
    name = unicodedata.name(letter, "")
    if name.startswith("GREEK ") and "LETTER" in name:
        spelt = name.split(" WITH ")[0].split()[-1]
        return spelt.capitalize() if "CAPITAL" in name else spelt.lower()
    if unicodedata.combining(letter):
        return ""
    if letter in _DASHES:
        return "-"
    return " " if letter.isspace() else letter.encode("ascii", "backslashreplace").decode()


def _has_fits(unit: Any) -> bool:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return bool(unit.to_string("fits"))
        except (ValueError, TypeError):
            return False


def _different(names: list[str]) -> list[str]:
    """Return names that differ in more than the case of their letters, which FITS does not tell apart."""
    found: list[str] = []
    for name in names:
        number, made = 2, name
        while made.lower() in (other.lower() for other in found):
            made, number = f"{name}_{number}", number + 1
        found.append(made)
    return found
