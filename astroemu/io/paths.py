"""References to files in configurations: a path, or the name of something installed."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, ValidationInfo


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
