"""Options of a plugin: the annotated keyword arguments of its constructor, with checks.

A plugin author writes an ordinary constructor or a dataclass. The options of a configuration are checked against its
annotations before it is called. The error for an unknown key suggests the closest known one. The error for a wrong
type or a missing value states its place.
"""

from __future__ import annotations

import dataclasses
import enum
import inspect
import json
import os
import re
import types
import typing
from collections.abc import Iterator, Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any, NotRequired

from pydantic import BaseModel, ConfigDict, TypeAdapter, ValidationError, with_config
from typing_extensions import TypedDict, is_typeddict

from astroemu.errors import ConfigurationError, closest, listing


def build(cls: type, options: Mapping[str, Any], where: str, base: Path | None = None) -> Any:
    """Return a plugin constructed from options, after checking them.

    Parameters
    ----------
    cls : type
        The plugin's class.
    options : mapping
        As written in a configuration.
    where : str
        File and table, for error messages.
    base : Path, optional
        Folder from which relative file paths count.

    Raises
    ------
    ConfigurationError
        For an unknown or missing option, a wrong type, or a value that the constructor refuses.
    """
    checked = validate_options(_schema(cls), dict(options), where, base)
    try:
        return cls(**checked)
    except ConfigurationError as error:
        raise ConfigurationError(f"{where}: {error}") from None


def with_defaults(cls: type, options: Mapping[str, Any]) -> dict[str, Any]:
    """Return the options of a plugin as written, with the defaults of those that are not written."""
    parameters = list(inspect.signature(cls.__init__).parameters.values())[1:]  # type: ignore[misc]
    return {p.name: p.default for p in parameters if p.default is not p.empty} | dict(options)


def resolved(cls: type, options: Mapping[str, Any], where: str, base: Path | None = None) -> dict[str, Any]:
    """Return all options of a plugin, with the defaults of those that are not written, as plain values.

    Options that mean the same are the same here: a default may be written or not, and 1 is 1.0.

    Parameters
    ----------
    cls, options, where, base
        As for :func:`build`.

    Raises
    ------
    ConfigurationError
        As :func:`build`.
    """
    checked = validate_options(_schema(cls), dict(options), where, base)
    return {name: plain(value) for name, value in sorted(with_defaults(cls, checked).items())}


def plain(value: Any) -> Any:
    """Return a value as numbers, texts, lists and tables that are equal if the values mean the same."""
    if isinstance(value, enum.Enum):
        return plain(value.value)
    if value is None or isinstance(value, bool | str):
        return value
    if isinstance(value, int | float):
        return int(value) if abs(value) < 2**53 and value == int(value) else value
    if isinstance(value, BaseModel):
        return plain(value.model_dump())
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {field.name: plain(getattr(value, field.name)) for field in dataclasses.fields(value)}
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, set | frozenset):
        return sorted((plain(item) for item in value), key=repr)
    if hasattr(value, "tolist"):  # an array or a scalar of NumPy
        return plain(value.tolist())
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    return re.sub(r" at 0x[0-9a-f]+", "", str(value) if isinstance(value, os.PathLike) else repr(value))


def validate_options(schema: Any, value: Any, where: str, base: Path | None = None) -> Any:
    """Return a value validated against a schema, with errors in plain words.

    Parameters
    ----------
    schema : type
        A pydantic model or a typed dictionary.
    value : object
        Content of a configuration: tables, lists, numbers and texts.
    where : str
        File and table, for error messages.
    base : Path, optional
        Folder from which relative file paths count.

    Raises
    ------
    ConfigurationError
        The message states the place, the key and what to do.
    """
    try:
        text = json.dumps(value)
    except TypeError as error:
        raise ConfigurationError(f"{where}: {error}; dates and times are not supported") from None
    try:
        return TypeAdapter(schema).validate_json(text, strict=True, context={"base": base})
    except ValidationError as error:
        raise ConfigurationError(f"{where}: {_explain(schema, error, value)}") from None


@lru_cache(maxsize=256)
def _schema(cls: type) -> Any:
    """Return the constructor's keyword arguments as a typed dictionary."""
    constructor: Any = cls.__init__  # type: ignore[misc]
    hints = typing.get_type_hints(constructor, include_extras=True)
    fields: dict[str, Any] = {}
    for name, parameter in list(inspect.signature(constructor).parameters.items())[1:]:
        if parameter.kind in (parameter.VAR_KEYWORD, parameter.VAR_POSITIONAL):
            continue
        hint = hints.get(name, Any)
        fields[name] = hint if parameter.default is parameter.empty else NotRequired[hint]
    schema = TypedDict(cls.__name__, fields)  # type: ignore[misc]
    config = ConfigDict(extra="forbid", arbitrary_types_allowed=True)
    return with_config(config)(schema)


def _explain(schema: Any, error: ValidationError, value: Any) -> str:
    found = error.errors(include_url=False)
    # A misspelt required key is both unknown and missing. The spelling is the cause, so it is reported.
    first = next((e for e in found if e["type"] == "extra_forbidden"), found[0])
    path = _user_path(first["loc"], value, first["type"] == "missing")
    key = ".".join(path)
    if first["type"] == "extra_forbidden":
        known = sorted(set(_fields([schema], path[:-1])))
        return f"unknown key {key!r}.{closest(path[-1], known)} Known here: {listing(known)}"
    if first["type"] == "missing" and path and not path[-1].isdigit():
        return f"the key {key!r} is missing; add it"
    return f"{key} = {first['input']!r} is not right: {first['msg']}"


def _user_path(location: tuple[int | str, ...], value: Any, last_is_missing: bool) -> list[str]:
    """Return the parts of a location that the user wrote. Pydantic adds the type names of a union to them."""
    path: list[str] = []
    for i, part in enumerate(location):
        known = range(len(value)) if isinstance(value, list | tuple) else value if isinstance(value, Mapping) else ()
        if part in known:
            value = value[part]
        elif not (last_is_missing and i == len(location) - 1):
            continue
        path.append(str(part))
    return path


def _fields(schemas: list[Any], path: list[str]) -> list[str]:
    """Return the names of the known keys at the end of a path."""
    for part in path:
        schemas = [child for schema in schemas for child in _children(schema, part)]
    return [name for schema in schemas for member in _members(schema) for name in _keys(member)]


def _members(schema: Any) -> Iterator[Any]:
    """Yield the members of a union, without annotations."""
    origin = typing.get_origin(schema)
    if origin is typing.Union or origin is types.UnionType:
        for member in typing.get_args(schema):
            yield from _members(member)
    elif origin in (typing.Annotated, NotRequired):
        yield from _members(typing.get_args(schema)[0])
    else:
        yield schema


def _children(schema: Any, part: str) -> Iterator[Any]:
    """Yield the schemas of the values of one key."""
    for member in _members(schema):
        if typing.get_origin(member) is dict:
            yield typing.get_args(member)[1]  # the user chose the key
        elif part.isdigit() and typing.get_origin(member) in (list, tuple):
            yield typing.get_args(member)[0]
        elif part in (keys := _keys(member)):
            yield keys[part]


def _keys(member: Any) -> dict[str, Any]:
    if is_typeddict(member):
        return dict(member.__annotations__)
    if isinstance(member, type) and issubclass(member, BaseModel):
        return {info.alias or name: info.annotation for name, info in member.model_fields.items()}
    return {}
