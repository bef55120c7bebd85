"""The options of a plugin in words: type, default, allowed values and meaning.

Types and allowed values come from the annotations of the constructor, by way of their JSON schema. The meaning comes
from the section "Parameters" of the docstring.
"""

from __future__ import annotations

import inspect
import json
import re
import typing
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from pydantic import PydanticUserError, TypeAdapter

from astroemu.io.paths import FileName
from astroemu.runtime.options import plain

#: Words for the types of JSON schema.
_TYPES = {"integer": "integer", "number": "number", "string": "text", "boolean": "true or false", "null": "nothing"}
#: Words for the limits of JSON schema.
_LIMITS = {
    "minimum": "at least {}", "exclusiveMinimum": "above {}", "maximum": "at most {}", "exclusiveMaximum": "below {}",
    "multipleOf": "a multiple of {}", "minLength": "at least {} characters", "minItems": "at least {}",
}  # fmt: skip
_REQUIRED = inspect.Parameter.empty


@dataclass(frozen=True)
class Option:
    """An option of a plugin.

    Attributes
    ----------
    name : str
    kind : str
        Type and allowed values, in words.
    schema : mapping
        The same as JSON schema; empty if the annotation has none.
    default : object
        As in a configuration; see :attr:`required`.
    text : str
        Meaning, from the docstring; may be empty.
    """

    name: str
    kind: str
    schema: Mapping[str, Any]
    default: Any
    text: str

    @property
    def required(self) -> bool:
        """True if the option has no default."""
        return self.default is _REQUIRED

    @property
    def shown_default(self) -> str:
        """The default as TOML, or a word where TOML has none."""
        if self.required:
            return "required"
        return "not set" if self.default is None else toml_value(self.default)


def options_of(cls: type) -> list[Option]:
    """Return the options of a plugin, in the order of its constructor."""
    constructor: Any = cls.__init__  # type: ignore[misc]
    hints = typing.get_type_hints(constructor, include_extras=True)
    texts = parameter_texts(inspect.getdoc(cls) or "") | parameter_texts(inspect.getdoc(constructor) or "")
    found = []
    for name, parameter in list(inspect.signature(constructor).parameters.items())[1:]:
        if parameter.kind in (parameter.VAR_KEYWORD, parameter.VAR_POSITIONAL):
            continue
        schema = schema_of(hints.get(name, Any))
        default = parameter.default if parameter.default is _REQUIRED else plain(parameter.default)
        found.append(Option(name, in_words(schema), schema, default, texts.get(name, "")))
    return found


def summary_of(cls: type) -> str:
    """Return the first sentence of the docstring of a plugin."""
    first = (inspect.getdoc(cls) or "").partition("\n\n")[0]
    return _unmarked(" ".join(first.split()))


def schema_of(hint: Any) -> dict[str, Any]:
    """Return the JSON schema of an annotation; empty if there is none. Definitions are written out where they are used.

    A file name is a string of the format ``path``.
    """
    if hint == FileName:
        return {"type": "string", "format": "path"}
    found: dict[str, Any] = {}
    with suppress(PydanticUserError, TypeError, AttributeError):  # an annotation that JSON does not know
        found = TypeAdapter(hint).json_schema()
        found = _written_out(found, found.pop("$defs", {}))
    return found


def _written_out(schema: Any, definitions: Mapping[str, Any]) -> Any:
    """Return a schema with its references replaced, and without titles and defaults, which only the code needs."""
    if isinstance(schema, list):
        return [_written_out(item, definitions) for item in schema]
    if not isinstance(schema, dict):
        return schema
    if "$ref" in schema:
        return _written_out(definitions[schema["$ref"].rpartition("/")[2]], definitions)
    return {
        key: {name: _written_out(item, definitions) for name, item in value.items()}
        if key == "properties"
        else _written_out(value, definitions)
        for key, value in schema.items()
        if key != "title"
    }


def in_words(schema: Mapping[str, Any]) -> str:
    """Return the type and the allowed values of a JSON schema in words."""
    if "enum" in schema or "const" in schema:
        return " or ".join(toml_value(value) for value in schema.get("enum", [schema.get("const")]))
    if "anyOf" in schema:
        members = (member for member in schema["anyOf"] if member.get("type") != "null")
        return " or ".join(dict.fromkeys(in_words(member) for member in members))
    kind = schema.get("type")
    if kind == "array":
        text = _array(schema)
    elif kind == "object":
        text = _table(schema)
    elif schema.get("format") == "path":
        text = "file, or name of something installed"
    else:
        text = _TYPES.get(str(kind), "any value")
    limits = [words.format(f"{schema[key]:g}") for key, words in _LIMITS.items() if key in schema]
    return ", ".join([text, *(limits if kind != "array" or "prefixItems" not in schema else [])])


def _array(schema: Mapping[str, Any]) -> str:
    if "prefixItems" in schema:
        return "[" + ", ".join(in_words(item) for item in schema["prefixItems"]) + "]"
    return f"list of {in_words(schema.get('items', {}))}"


def _table(schema: Mapping[str, Any]) -> str:
    if "properties" in schema:
        return "table with " + ", ".join(schema["properties"])
    inner = schema.get("additionalProperties")
    return f"table of {in_words(inner)}" if isinstance(inner, Mapping) and inner else "table"


def toml_value(value: Any) -> str:
    """Return a plain value as TOML; ``none`` where there is no value."""
    if value is None:
        return "none"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=False)
    if isinstance(value, list):
        return "[" + ", ".join(map(toml_value, value)) + "]"
    if isinstance(value, Mapping):
        pairs = ", ".join(f"{_key(str(key))} = {toml_value(item)}" for key, item in value.items())
        return f"{{ {pairs} }}" if pairs else "{}"
    return str(value)


def _key(name: str) -> str:
    return name if re.fullmatch(r"[A-Za-z0-9_-]+", name) else json.dumps(name, ensure_ascii=False)


def parameter_texts(doc: str) -> dict[str, str]:
    """Return what the section "Parameters" of a numpydoc docstring says about each name."""
    section = re.search(r"^Parameters\n-{3,}\n(.*?)(?=^\S[^\n]*\n-{3,}\n|\Z)", doc, re.DOTALL | re.MULTILINE)
    if section is None:
        return {}
    found: dict[str, str] = {}
    names: list[str] = []
    for line in section[1].splitlines():
        if line and not line.startswith(" "):
            names = [name.strip() for name in line.partition(" : ")[0].split(",")]
        else:
            found |= {name: f"{found.get(name, '')} {line.strip()}".strip() for name in names}
    return {name: _unmarked(text) for name, text in found.items() if text}


def _unmarked(text: str) -> str:
    """Return a text without the marks of reStructuredText."""
    return re.sub(r":\w+:`~?([^`]*)`", r"\1", text).replace("``", "")
