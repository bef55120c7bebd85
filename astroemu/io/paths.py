"""Names and paths in configurations: a path, the name of something installed, or a name that becomes a file name."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, ValidationInfo

from astroemu.errors import ConfigurationError

#: Longest name in UTF-8, in bytes. A file name has at most 255, of which suffixes need some.
LONGEST_NAME = 100


def resolve(reference: str, base: Path) -> str:
    """Return a file reference with a relative path made absolute.

    Parameters
    ----------
    reference : str
        A path, or a plain name, which is returned unchanged.
    base : Path
        Folder from which a relative path counts.
    """
    if looks_like_path(reference) and not Path(reference).is_absolute():
        return str(base / reference)
    return reference


def _resolve_in_context(reference: str, info: ValidationInfo) -> str:
    base = (info.context or {}).get("base")
    return reference if base is None else resolve(reference, base)


#: Annotation of an option that holds a file path or the name of something installed. A relative path in a
#: configuration counts from the folder of the configuration.
FileName = Annotated[str, AfterValidator(_resolve_in_context)]


def looks_like_path(name: str) -> bool:
    """True if a reference has a separator or a suffix, so that it is a path and not a plain name."""
    return bool(Path(name).suffix) or "/" in name or os.sep in name


def safe_name(name: str, what: str = "the name") -> str:
    """Return a name unchanged, after checking that it can be a part of a file name and is shown as it is.

    Parameters
    ----------
    name : str
    what : str
        What it names, for the error message.

    Raises
    ------
    ConfigurationError
        If it is empty, has more than :data:`LONGEST_NAME` bytes, consists of dots, or begins or ends with a blank. Also
        if it holds a separator of paths, a control character or a character that is not visible.
    """
    for wrong, why in (
        (not name, "is empty"),
        (len(name.encode("utf-8", "surrogatepass")) > LONGEST_NAME, f"has more than {LONGEST_NAME} bytes"),
        (not name.strip("."), "consists of dots"),
        ("/" in name or "\\" in name, "holds a separator of paths"),
        (not name.isprintable(), "holds a control character or one that is not visible"),
        (name != name.strip(), "begins or ends with a blank"),
    ):
        if wrong:
            raise ConfigurationError(
                f"{what} {name[:LONGEST_NAME]!r} {why}; it becomes a part of file names. Rename it"
            )
    return name
