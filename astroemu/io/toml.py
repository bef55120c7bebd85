"""Reading TOML with clear errors, and writing it. The standard library has no writer."""

from __future__ import annotations

import json
import math
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from astroemu.errors import ConfigurationError
from astroemu.io.untrusted import read_text


def dump_toml(value: Mapping[str, Any]) -> str:
    """Return a mapping of plain values as a TOML document. Entries that are None are left out.

    Raises
    ------
    TypeError
        For a value of a type that TOML does not have.
    """
    return "\n".join(_table(value, ())) + "\n"


def _table(table: Mapping[str, Any], path: tuple[str, ...]) -> list[str]:
    plain = {k: v for k, v in table.items() if not isinstance(v, Mapping) and v is not None}
    inner = {k: v for k, v in table.items() if isinstance(v, Mapping)}
    lines = [f"{_key(k)} = {_value(v)}" for k, v in plain.items()]
    if path and (lines or not inner):
        lines = ["", f"[{'.'.join(map(_key, path))}]", *lines]
    for k, v in inner.items():
        lines += _table(v, (*path, k))
    return lines


def _key(key: str) -> str:
    bare = key.isascii() and key.replace("_", "").replace("-", "").isalnum()
    return key if bare else _text(key)


def _text(text: str) -> str:
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")


def _value(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return _text(value)
    if isinstance(value, float) and not math.isfinite(value):
        return "nan" if math.isnan(value) else "inf" if value > 0 else "-inf"
    if isinstance(value, int | float):
        return repr(value)
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(_value, value))}]"
    if isinstance(value, Mapping):
        return f"{{ {', '.join(f'{_key(k)} = {_value(v)}' for k, v in value.items() if v is not None)} }}"
    raise TypeError(f"TOML has no {type(value).__name__}")


#: Largest configuration or recipe, in bytes.
LARGEST_TOML = 4 << 20


def read_toml(path: Path) -> dict[str, Any]:
    """Return the content of a TOML file.

    Raises
    ------
    DataError
        If the file is not text or is larger than :data:`LARGEST_TOML`.
    ConfigurationError
        If it is not valid TOML.
    """
    text = read_text(path, LARGEST_TOML)
    try:
        return tomllib.loads(text)
    except ValueError as error:  # an integer of too many digits is a plain ValueError
        hint = (
            " A name may be given only once; remove one of the two."
            if "declare" in str(error) or "overwrite" in str(error)
            else ""
        )
        raise ConfigurationError(f"{path} is not valid TOML: {error}.{hint}") from None
    except RecursionError:
        raise ConfigurationError(f"{path} nests its values too deeply") from None
