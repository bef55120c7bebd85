"""Options of a plugin: the annotated keyword arguments of its constructor, checked.

A plugin author writes an ordinary constructor (or a dataclass). What a configuration gives is
checked against its annotations before it is called: an unknown key names the nearest right one,
a wrong type or a missing value is an error that says where.
"""

from __future__ import annotations

import inspect
import json
import typing
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError, create_model

from astroemu.errors import ConfigurationError, closest, listing
from astroemu.files import FileReference, looks_like_path


def build(cls: type, options: Mapping[str, Any], where: str, base: Path | None = None) -> Any:
    """Check options and construct a plugin.

    Parameters
    ----------
    cls : type
        The plugin's class.
    options : mapping
        As written in a configuration.
    where : str
        Named in errors: file and table.
    base : Path, optional
        Folder from which relative file paths count.

    Raises
    ------
    ConfigurationError
        For an unknown or missing option, a wrong type, or whatever the constructor refuses.
    """
    checked = check(_schema(cls), options, where)
    values = {name: getattr(checked, name) for name in checked.model_fields_set}
    for name, info in type(checked).model_fields.items():
        if base is not None and name in values and any(isinstance(m, FileReference) for m in info.metadata):
            values[name] = resolve(values[name], base)
    try:
        return cls(**values)
    except ConfigurationError as error:
        raise ConfigurationError(f"{where}: {error}") from None


def check(schema: type[BaseModel], value: Any, where: str) -> Any:
    """Validate a value against a pydantic model, with errors in plain words.

    Raises
    ------
    ConfigurationError
        Naming the place, the key and the remedy.
    """
    try:
        text = json.dumps(value)
    except TypeError as error:
        raise ConfigurationError(f"{where}: {error}; dates and times are not used here") from None
    try:
        return schema.model_validate_json(text, strict=True)
    except ValidationError as error:
        raise ConfigurationError(f"{where}: {_explain(schema, error)}") from None


def resolve(reference: str, base: Path) -> str:
    """Return a file reference with a relative path made absolute; a plain name stays."""
    if looks_like_path(reference) and not Path(reference).is_absolute():
        return str(base / reference)
    return reference


@lru_cache(maxsize=256)
def _schema(cls: type) -> type[BaseModel]:
    constructor: Any = cls.__init__  # type: ignore[misc]
    hints = typing.get_type_hints(constructor, include_extras=True)
    fields: dict[str, Any] = {}
    for name, parameter in list(inspect.signature(constructor).parameters.items())[1:]:
        if parameter.kind in (parameter.VAR_KEYWORD, parameter.VAR_POSITIONAL):
            continue
        default = ... if parameter.default is parameter.empty else parameter.default
        fields[name] = (hints.get(name, Any), default)
    return create_model(cls.__name__, __config__=ConfigDict(extra="forbid", arbitrary_types_allowed=True), **fields)


def _explain(schema: type[BaseModel], error: ValidationError) -> str:
    first = error.errors(include_url=False)[0]
    # Members of a union add their type to the location; only what the user wrote is shown.
    path = [str(part) for part in first["loc"]]
    key = ".".join(path)
    if first["type"] == "extra_forbidden":
        known = _fields(schema, path[:-1])
        return f"unknown key {key!r}.{closest(path[-1], known)} Known here: {listing(known)}"
    if first["type"] == "missing":
        return f"the key {key!r} is missing; add it"
    return f"{key} = {first['input']!r} is not right: {first['msg']}"


def _fields(schema: Any, path: list[str]) -> list[str]:
    """Names of the fields of the model found along a path."""
    for part in path:
        if typing.get_origin(schema) is dict:
            schema = typing.get_args(schema)[1]  # the part is a name that the user chose
        elif isinstance(schema, type) and issubclass(schema, BaseModel) and part in schema.model_fields:
            schema = schema.model_fields[part].annotation
        else:
            return []
    return list(schema.model_fields) if isinstance(schema, type) and issubclass(schema, BaseModel) else []
