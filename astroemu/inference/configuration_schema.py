"""The JSON schema of a configuration, with which editors complete keys, show their meaning and mark mistakes.

It comes from the documents that check a configuration, and from the options of the installed plugins. It knows less
than astroemu: whether all parts fit together is told by ``astroemu explain``.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any

from pydantic import BaseModel

from astroemu.core.distributions import DISTRIBUTIONS, Distribution
from astroemu.emulation.recipe import RecipeDocument
from astroemu.errors import PluginError
from astroemu.inference.configuration_tables import ConfigurationDocument
from astroemu.inference.priors import JOINT_TABLES
from astroemu.runtime.option_words import options_of, summary_of
from astroemu.runtime.plugins import DERIVED, PROBES, SAMPLERS, SIMULATORS, PluginGroup

Schema = dict[str, Any]
_DRAFT = "https://json-schema.org/draft/2020-12/schema"
_TEXT: Schema = {"type": "string"}
#: A parameter of a joint prior: its own table states labels only.
_LABELS: Schema = {
    "type": "object",
    "properties": {
        "latex": {**_TEXT, "description": "LaTeX symbol"},
        "unit": {**_TEXT, "description": "unit, for labels"},
    },
    "additionalProperties": False,
}
_REFERENCE = 'Name of an installed plugin, or "FILE.py:CLASS" for a class in a file beside the configuration'


def configuration_schema() -> Schema:
    """Return the JSON schema of the configuration of a fit."""
    schema = _document(ConfigurationDocument)
    tables, plugged = schema["properties"], schema["$defs"]["SimulatorTable"]["properties"]
    tables["probes"] |= _by_plugin(schema, "probes", PROBES, _with_plugin)
    tables["samplers"] |= _by_plugin(schema, "samplers", SAMPLERS, dict) | {"additionalProperties": False}
    for key, group in (("simulators", SIMULATORS), ("derived", DERIVED)):
        tables[key] |= _by_plugin(schema, key, group, lambda options: _in_table(options, plugged))
    _allow_expressions(schema)
    tables["parameters"]["additionalProperties"] = {"anyOf": [_parameter(), _LABELS]}
    tables["joint_priors"]["additionalProperties"] = _joint_prior()
    return schema


def recipe_schema() -> Schema:
    """Return the JSON schema of the recipe of an emulator."""
    return _document(RecipeDocument)


def _document(model: type[BaseModel]) -> Schema:
    schema = {"$schema": _DRAFT, **_untitled(model.model_json_schema())}
    schema.setdefault("$defs", {})
    schema["properties"]["parameters"]["additionalProperties"] = _parameter()
    return schema


def _untitled(schema: Any) -> Any:
    """Return a schema without the titles that repeat the names in the code."""
    if isinstance(schema, list):
        return [_untitled(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    return {k: _untitled(v) for k, v in schema.items() if not (k == "title" and isinstance(v, str))}


def _parameter() -> Schema:
    """Return the schema of ``[parameters.NAME]``. The keys depend on the distribution."""
    return _by_distribution({kind: _numbers(cls) for kind, cls in DISTRIBUTIONS.items()})


def _joint_prior() -> Schema:
    """Return the schema of ``[joint_priors.NAME]``. The keys depend on the distribution."""
    return _by_distribution({kind: _untitled(table.model_json_schema()) for kind, table in JOINT_TABLES.items()})


def _by_distribution(keys: Mapping[str, Schema]) -> Schema:
    """Return the schema of a table whose keys depend on its ``distribution``."""
    rules = [
        {"if": {"properties": {"distribution": {"const": kind}}, "required": ["distribution"]}, "then": table}
        for kind, table in keys.items()
    ]
    known = {"distribution": {**_TEXT, "enum": list(keys)}}
    return {"type": "object", "required": ["distribution"], "properties": known, "allOf": rules}


def _numbers(cls: type[Distribution]) -> Schema:
    """Return the keys of one distribution. A bound may be the name of another parameter."""
    fields = dataclasses.fields(cls)
    numbers = {f.name: {"type": ["number", "string"] if f.name in ("low", "high") else "number"} for f in fields}
    return {
        "description": summary_of(cls),
        "properties": {"distribution": {"const": cls.kind}, **numbers, **_LABELS["properties"]},
        "required": [f.name for f in fields if f.default is dataclasses.MISSING],
        "additionalProperties": False,
    }


def _by_plugin(schema: Schema, key: str, group: PluginGroup, table: Callable[[Schema], Schema]) -> Schema:
    """Return the tables of a group by name. The key ``plugin`` of another name chooses the plugin.

    The options of each installed plugin are put into the definitions of the schema.
    """
    known: Schema = {}
    rules, other = [], f"{key}.other"
    for name in group.names:
        with suppress(PluginError):  # a broken one is reported by the doctor
            schema["$defs"][f"{key}.{name}"] = table(_options(group.load(name)))
            here = {"$ref": f"#/$defs/{key}.{name}"}
            known[name] = here if table is dict else _unless_plugin(name, here, {"$ref": f"#/$defs/{other}"})
            chosen = {"properties": {"plugin": {"const": name}}, "required": ["plugin"]}
            rules.append({"if": chosen, "then": here})
    plugin = {**_TEXT, "description": _REFERENCE, "examples": list(known)}
    table_of_any = {"type": "object", "required": ["plugin"], "properties": {"plugin": plugin}, "allOf": rules}
    schema["$defs"][other] = table_of_any
    return {"properties": known, "additionalProperties": {"$ref": f"#/$defs/{other}"}}


def _unless_plugin(name: str, here: Schema, other: Schema) -> Schema:
    """Return the schema of a table with the name of an installed plugin, which may choose another plugin."""
    chosen = {"properties": {"plugin": {"not": {"const": name}}}, "required": ["plugin"]}
    return {"if": chosen, "then": other, "else": here}


def _allow_expressions(schema: Schema) -> None:
    """Let each derived quantity be an expression, as a text or as a table."""
    table = schema["$defs"]["DerivedTable"]["properties"]
    schema["$defs"]["derived.expression"] = {
        "anyOf": [
            {**_TEXT, "description": "Expression of parameters and single numbers, such as a + log10(b)"},
            {
                "type": "object",
                "properties": {"expression": _TEXT, **{key: table[key] for key in ("latex", "unit")}},
                "required": ["expression"],
                "additionalProperties": False,
            },
        ]
    }
    derived, either = schema["properties"]["derived"], {"$ref": "#/$defs/derived.expression"}
    derived["properties"] = {name: {"anyOf": [rule, either]} for name, rule in derived["properties"].items()}
    derived["additionalProperties"] = {"anyOf": [derived["additionalProperties"], either]}


def _options(cls: type) -> Schema:
    options = options_of(cls)
    return {
        "type": "object",
        "description": summary_of(cls),
        "properties": {o.name: _described(o.schema, o.text, None if o.required else o.default) for o in options},
        "required": [o.name for o in options if o.required],
        "additionalProperties": False,
    }


def _described(schema: Mapping[str, Any], text: str, default: Any) -> Schema:
    infinite = isinstance(default, float) and not math.isfinite(default)  # JSON has no infinity
    return {
        **{k: v for k, v in schema.items() if k != "format"},
        **({"description": text} if text else {}),
        **({} if default is None or infinite else {"default": default}),
    }


def _with_plugin(options: Schema) -> Schema:
    return {**options, "properties": {"plugin": {**_TEXT, "description": _REFERENCE}, **options["properties"]}}


def _in_table(options: Schema, table: Mapping[str, Any]) -> Schema:
    """Return the schema of a table with ``plugin``, ``options`` and ``provides``."""
    needed = ["options"] if options["required"] else []
    properties = {**table, "options": options}
    return {"type": "object", "properties": properties, "required": needed, "additionalProperties": False}
