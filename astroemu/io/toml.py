"""Reading TOML with clear errors, and writing it. The standard library has no writer."""

from __future__ import annotations

import json
import math
import re
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
#: Deepest nesting of values, largest number of parts of a dotted key, and of parts of all keys, tables and lists.
DEEPEST = 64
LONGEST_KEY = 32
MOST_PARTS = 100_000
#: A text, a comment or a list of numbers as a whole, a mark, or what is between. A text without an end is its quote.
_TOKEN = re.compile(
    r'''"""(?:[^"\\]++|\\.|"(?!""))*+"""|"(?:[^"\\\n]++|\\.)*+"|"'''
    r"""|'{3}(?:[^']++|'(?!''))*+'{3}|'[^'\n]*+'|'"""
    r"""|\#[^\n]*+|(?:[+-]?\d[\d_.eE+-]*+\s*+,\s*+)++|[.=,\[\]{}]|[^"'.=,\[\]{}\#]++""",
    re.DOTALL,
)
_QUOTES = frozenset("\"'")
_MARKS = frozenset("=,[]{}")


def read_toml(path: Path) -> dict[str, Any]:
    """Return the content of a TOML file.

    Raises
    ------
    DataError
        If the file is not text or is larger than :data:`LARGEST_TOML`.
    ConfigurationError
        If it is not valid TOML, or exceeds a limit of this module.
    """
    return parse_toml(read_text(path, LARGEST_TOML), path)


def parse_toml(text: str, path: Path) -> dict[str, Any]:
    """Return the content of a TOML text; ``path`` is where it was read, for error messages.

    Raises
    ------
    ConfigurationError
        If it is not valid TOML, or exceeds a limit of this module.
    """
    text = text.removeprefix("\ufeff")  # editors of Windows write a byte-order mark
    check_nesting(text, path)
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


def check_nesting(text: str, path: Path) -> None:
    """Raise an error for TOML that would take much more memory than its text.

    The reader of the standard library keeps every beginning of a dotted key: a key of 200 kB takes 24 GB.

    Raises
    ------
    ConfigurationError
        If a limit of this module is exceeded.
    """
    depth = dots = parts = 0
    for match in _TOKEN.finditer(text):
        found = match[0]
        if found in _QUOTES:
            return  # a text without an end: not valid TOML, whatever follows
        if found == ".":
            dots += 1
        elif found in _MARKS:
            depth += (found in "[{") - (found in "]}")
            parts += (found in "=[{") + dots * (found in "=]")
            dots = 0
        else:
            continue
        for number, largest, what in (
            (depth, DEEPEST, "nests its values too deeply: more than {} levels"),
            (dots, LONGEST_KEY, "has a key of more than {} parts"),
            (parts, MOST_PARTS, "holds more than {} keys"),
        ):
            if number > largest:
                line = text.count("\n", 0, match.start()) + 1
                raise ConfigurationError(f"{path}, line {line}: it {what.format(largest)}")
