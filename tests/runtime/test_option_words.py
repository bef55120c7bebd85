"""The options of a plugin in words: types, defaults, allowed values and meaning."""

from __future__ import annotations

import math
from typing import Annotated, Literal

import pytest
from pydantic import BaseModel, Field

from astroemu.io.paths import FileName
from astroemu.runtime.option_words import in_words, options_of, parameter_texts, schema_of, summary_of, toml_value


class Table(BaseModel):
    low: float
    high: float


class Plugin:
    """A plugin with ``many`` options.

    Parameters
    ----------
    file : str
        A file.
    move : {"a", "b"}
        How it moves, see :func:`astroemu.load_model`.
    low, high : float
        Range,
        both included.

    Raises
    ------
    ConfigurationError
        Never.
    """

    def __init__(
        self,
        file: FileName,
        move: Literal["a", "b"] = "a",
        low: float = 0.0,
        high: float = math.inf,
        data: str | None = None,
        sets: dict[str, tuple[float, ...]] | None = None,
        pairs: tuple[tuple[str, int], ...] = (),
        table: Table | None = None,
        count: Annotated[int, Field(ge=2)] = 4,
        odd: object = None,
    ) -> None:
        pass


def test_types_defaults_and_meaning_are_those_of_the_code():
    options = {option.name: option for option in options_of(Plugin)}
    assert options["file"].required and options["file"].kind == "file, or name of something installed"
    assert options["file"].shown_default == "required" and options["file"].text == "A file."
    assert options["move"].kind == '"a" or "b"' and options["move"].shown_default == '"a"'
    assert options["move"].text == "How it moves, see astroemu.load_model."
    assert options["low"].text == options["high"].text == "Range, both included."
    assert options["high"].shown_default == "inf" and options["data"].shown_default == "not set"
    assert options["data"].kind == "text" and options["sets"].kind == "table of list of number"
    assert options["pairs"].kind == "list of [text, integer]" and options["pairs"].shown_default == "[]"
    assert options["table"].kind == "table with low, high" and options["count"].kind == "integer, at least 2"
    assert options["odd"].kind == "any value" and options["odd"].text == ""
    assert summary_of(Plugin) == "A plugin with many options."


def test_a_docstring_without_parameters_has_no_texts():
    assert parameter_texts("One line.") == {} and summary_of(int) != ""


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (True, "true"),
        (None, "none"),
        ("a\n", '"a\\n"'),
        ([1, 2.5, "x"], '[1, 2.5, "x"]'),
        ({"Bouwens+2021": [6.0]}, '{ "Bouwens+2021" = [6.0] }'),
        ({}, "{}"),
        (-math.inf, "-inf"),
    ],
)
def test_a_value_is_written_as_toml(value, text):
    assert toml_value(value) == text


def test_a_schema_has_its_definitions_where_they_are_used():
    schema = schema_of(dict[str, Table])
    assert "$ref" not in str(schema) and in_words(schema) == "table of table with low, high"
    assert schema_of(Plugin) == {}  # a class that JSON does not know
