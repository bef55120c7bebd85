"""One HTML file for a validation, made from the folder of ``astroemu validate --out``."""

from __future__ import annotations

from pathlib import Path

from astroemu.errors import AstroemuError, DataError
from astroemu.io.files import new_file, read_json, strict_json, write_text
from astroemu.report.emulator_tables import validation_table
from astroemu.report.html_page import embedded, html_page, shown
from astroemu.runtime.provenance import without_host


def is_validation(folder: Path) -> bool:
    """Return True if a folder holds a validation."""
    return (folder / "validation.json").is_file()


def write_validation_page(folder: Path, path: str | Path) -> Path:
    """Write one self-contained HTML file with the table and the figures of a validation; return its path.

    Raises
    ------
    DataError
        If the validation in the folder is missing or damaged, or the file exists already.
    """
    target = new_file(path)
    try:
        found = read_json(folder / "validation.json")
        table = validation_table(found)
    except (AstroemuError, ValueError, KeyError, TypeError) as error:
        raise DataError(f"{folder} holds no complete validation ({type(error).__name__}: {error})") from None
    # A link could lead to a private file, which would then be inside a page that is given away.
    pictures = [picture for picture in sorted(folder.glob("*.png")) if picture.is_file() and not picture.is_symlink()]
    sections = [("Errors", f"<pre>{shown(table)}</pre>")]
    sections += [(path.stem, embedded(path, path.stem)) for path in pictures]
    if "provenance" in found:
        sections.append(("Provenance", f"<pre>{shown(strict_json(without_host(found['provenance'])))}</pre>"))
    title = f"Validation against {found['points']} simulations"
    text = html_page(title, str(folder), sections)
    write_text(target, text)
    return target
