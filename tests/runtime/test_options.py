"""Options of plugins, checked against the annotations of an ordinary constructor."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import pytest
from pydantic import BaseModel, ConfigDict, Field

from astroemu.errors import ConfigurationError
from astroemu.io.paths import FileName
from astroemu.runtime.options import build, validate_options

WHERE = "fit.toml, [probes.it]"
BASE = Path("/folder/of/configuration")


class Recorder:
    """A plugin that keeps the arguments of its constructor."""

    def __init__(
        self,
        width: float,
        steps: int = 5,
        quick: bool = False,
        errors: Literal["split", "barlow"] = "split",
        edges: tuple[float, float] = (0.0, 1.0),
        rows: tuple[int, ...] = (),
        names: list[str] | None = None,
        shifts: dict[str, float] | None = None,
        catalog: FileName = "data.ecsv",
    ) -> None:
        self.given = {key: value for key, value in locals().items() if key != "self"}


@dataclass(frozen=True)
class Data:
    """A plugin that is a dataclass."""

    scale: float
    tags: tuple[str, ...] = field(default_factory=tuple)
    file: FileName = "plain"


class Bare:
    """A plugin without a constructor of its own."""


class Unannotated:
    def __init__(self, anything=None, *rest, **more):
        self.anything, self.more = anything, more


class Refusing:
    def __init__(self, n: int = 0) -> None:
        if n == 1:
            raise ConfigurationError("n = 1 is not supported")
        if n == 2:
            raise ZeroDivisionError


class Optional:
    def __init__(self, file: FileName | None = None, files: tuple[FileName, ...] = (), value: int | str = 0) -> None:
        self.file, self.files, self.value = file, files, value


class Shadowing:
    """Options whose names are also methods of pydantic models."""

    def __init__(self, copy: int = 1, schema: str = "") -> None:
        self.copy, self.schema = copy, schema


def given(**options: Any) -> dict[str, Any]:
    return build(Recorder, {"width": 1.0, **options}, WHERE).given


def refusal(cls, options, base=None) -> str:
    with pytest.raises(ConfigurationError) as caught:
        build(cls, options, WHERE, base)
    message = str(caught.value)
    assert message.startswith(f"{WHERE}: ")
    return message


def test_what_is_not_given_keeps_the_default_of_the_constructor():
    assert given() == {
        "width": 1.0,
        "steps": 5,
        "quick": False,
        "errors": "split",
        "edges": (0.0, 1.0),
        "rows": (),
        "names": None,
        "shifts": None,
        "catalog": "data.ecsv",
    }


@pytest.mark.parametrize(
    ("key", "value", "expected"),
    [
        ("width", 2, 2.0),
        ("steps", 7, 7),
        ("quick", True, True),
        ("errors", "barlow", "barlow"),
        ("edges", [1, 2.5], (1.0, 2.5)),
        ("rows", [1, 2, 3], (1, 2, 3)),
        ("rows", [], ()),
        ("names", ["a", "b"], ["a", "b"]),
        ("shifts", {"a": 1, "b": -0.5}, {"a": 1.0, "b": -0.5}),
    ],
)
def test_values_arrive_in_the_annotated_type(key, value, expected):
    found = given(**{key: value})[key]
    assert found == expected
    assert type(found) is type(expected)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("width", "2"),
        ("width", True),
        ("width", None),
        ("width", [1.0]),
        ("steps", 1.5),
        ("steps", 2.0),
        ("steps", "3"),
        ("steps", True),
        ("quick", 1),
        ("quick", "yes"),
        ("errors", "gauss"),
        ("edges", [1.0]),
        ("edges", [1.0, 2.0, 3.0]),
        ("edges", 1.0),
        ("rows", ["a"]),
        ("names", "abc"),
        ("shifts", {"a": "far"}),
        ("shifts", [1.0]),
        ("catalog", 3),
    ],
)
def test_a_wrong_type_is_refused_by_key(key, value):
    assert key in refusal(Recorder, {"width": 1.0, key: value}).removeprefix(WHERE)


def test_a_wrong_value_is_shown_with_what_is_right():
    message = refusal(Recorder, {"width": 1.0, "errors": "splt"})
    assert "errors = 'splt' is not right" in message and "'split' or 'barlow'" in message


def test_an_unknown_key_names_the_nearest_and_all_others():
    message = refusal(Recorder, {"width": 1.0, "stpes": 3})
    assert "unknown key 'stpes'. Did you mean 'steps'?" in message
    assert "'catalog', 'edges', 'errors'" in message


def test_an_unknown_key_like_no_other_gives_no_hint():
    message = refusal(Recorder, {"width": 1.0, "zzzzzz": 3})
    assert "unknown key 'zzzzzz'. Known here" in message and "Did you mean" not in message


def test_a_misspelt_required_key_names_the_nearest_and_not_only_what_is_missing():
    message = refusal(Recorder, {"wdith": 1.0})
    assert "unknown key 'wdith'. Did you mean 'width'?" in message


def test_a_missing_key_is_named():
    assert "the key 'width' is missing; add it" in refusal(Recorder, {"steps": 3})


def test_a_dataclass_is_a_plugin_too():
    assert build(Data, {"scale": 2, "tags": ["a"]}, WHERE) == Data(2.0, ("a",))
    assert build(Data, {"scale": 2}, WHERE) == Data(2.0)
    assert "unknown key 'sclae'. Did you mean 'scale'?" in refusal(Data, {"scale": 1, "sclae": 2})


def test_a_class_without_options_takes_none():
    assert isinstance(build(Bare, {}, WHERE), Bare)
    assert "unknown key 'x'. Known here: none" in refusal(Bare, {"x": 1})


def test_an_option_without_annotation_takes_anything_but_no_further_ones():
    for value in (1, "x", [1, {"a": None}]):
        assert build(Unannotated, {"anything": value}, WHERE).anything == value
    assert "unknown key 'more'" in refusal(Unannotated, {"more": 1})


def test_what_the_constructor_refuses_says_where():
    assert refusal(Refusing, {"n": 1}) == f"{WHERE}: n = 1 is not supported"


def test_a_defect_of_the_constructor_is_not_the_fault_of_the_user():
    with pytest.raises(ZeroDivisionError):
        build(Refusing, {"n": 2}, WHERE)


def test_dates_are_refused():
    assert "dates and times are not supported" in refusal(Unannotated, {"anything": dt.date(2026, 1, 1)})


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("own.ecsv", "/folder/of/configuration/own.ecsv"),
        ("data/own", "/folder/of/configuration/data/own"),
        ("./own", "/folder/of/configuration/own"),
        ("/else/own.ecsv", "/else/own.ecsv"),
        ("installed_name", "installed_name"),
    ],
)
def test_a_relative_path_counts_from_the_folder_of_the_configuration(name, expected):
    assert build(Recorder, {"width": 1.0, "catalog": name}, WHERE, BASE).given["catalog"] == expected
    assert build(Data, {"scale": 1.0, "file": name}, WHERE, BASE).file == expected
    assert build(Data, {"scale": 1.0, "file": name}, WHERE).file == name


def test_a_default_path_and_a_text_that_is_no_file_stay_as_they_are():
    found = build(Recorder, {"width": 1.0, "names": ["a/b.c"]}, WHERE, BASE).given
    assert found["catalog"] == "data.ecsv"
    assert found["names"] == ["a/b.c"]


def test_an_optional_file_counts_from_the_folder_of_the_configuration_too():
    assert build(Optional, {"file": "own.ecsv"}, WHERE, BASE).file == str(BASE / "own.ecsv")
    assert build(Optional, {}, WHERE, BASE).file is None


def test_each_of_several_files_counts_from_the_folder_of_the_configuration():
    found = build(Optional, {"files": ["a.h5", "/b.h5", "name"]}, WHERE, BASE).files
    assert found == (str(BASE / "a.h5"), "/b.h5", "name")


def test_of_a_union_only_what_the_user_wrote_is_shown():
    assert "value = [1] is not right" in refusal(Optional, {"value": [1]})


def test_an_option_may_have_the_name_of_a_method_of_pydantic():
    found = build(Shadowing, {"copy": 3, "schema": "x"}, WHERE)
    assert (found.copy, found.schema) == (3, "x")


class Inner(BaseModel):
    model_config = ConfigDict(extra="forbid")
    file: str
    weight: float = 1.0


class Outer(BaseModel):
    model_config = ConfigDict(extra="forbid")
    seed: int = Field(default=1, ge=0)
    tables: dict[str, Inner] = {}
    single: Inner | None = None


def test_a_document_is_checked_whole():
    checked = validate_options(Outer, {"tables": {"mine": {"file": "x"}}, "seed": 3}, "fit.toml")
    assert checked == Outer(seed=3, tables={"mine": Inner(file="x")})


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ({"sede": 1}, r"unknown key 'sede'. Did you mean 'seed'\? Known here: 'seed', 'single', 'tables'"),
        ({"tables": {"mine": {"file": "x", "wieght": 1}}}, r"unknown key 'tables.mine.wieght'. Did you mean 'weight'"),
        ({"tables": {"mine": {}}}, "the key 'tables.mine.file' is missing"),
        ({"tables": {"mine": {"file": 3}}}, "tables.mine.file = 3 is not right"),
        ({"tables": {"mine": 3}}, "tables.mine = 3 is not right"),
        ({"seed": -1}, "seed = -1 is not right: .*greater than or equal to 0"),
        ({"single": {}}, "the key 'single.file' is missing"),
        ({"seed": {1, 2}}, "not JSON serializable"),
    ],
)
def test_an_error_deep_in_a_document_names_its_path(value, message):
    with pytest.raises(ConfigurationError, match=f"^fit.toml: .*{message}"):
        validate_options(Outer, value, "fit.toml")


def test_an_unknown_key_of_an_optional_table_names_the_nearest():
    with pytest.raises(ConfigurationError, match=r"'single.wieght'. Did you mean 'weight'\?"):
        validate_options(Outer, {"single": {"file": "x", "wieght": 1}}, "fit.toml")
