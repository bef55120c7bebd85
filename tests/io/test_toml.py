"""TOML: what is written is read again, and what is not valid is refused with the file's name."""

from __future__ import annotations

import math
import time
import tomllib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from astroemu.errors import AstroemuError, ConfigurationError, DataError
from astroemu.inference.configuration import load_configuration
from astroemu.io import toml
from astroemu.io.toml import LARGEST_TOML, dump_toml, parse_toml, read_toml

DOCUMENT = {
    "title": 'a "quoted" \\ text\n\u00e9\x7f',
    "seed": 3,
    "share": 0.1,
    "small": 5e-324,
    "on": True,
    "list": [1, 2.5, ["a"], {"x": 1}],
    "empty": {},
    "parameters": {"alpha_x": {"low": -1.0, "high": math.inf}, "a name": {"1.5": "x"}},
}


def test_what_is_written_is_read_again():
    assert tomllib.loads(dump_toml(DOCUMENT)) == DOCUMENT


def test_none_is_left_out():
    assert tomllib.loads(dump_toml({"a": None, "b": {"c": None, "d": 1}, "e": [{"f": None}]})) == {
        "b": {"d": 1},
        "e": [{}],
    }


def test_what_is_not_finite_is_written_as_toml_has_it():
    found = tomllib.loads(dump_toml({"a": [math.nan, math.inf, -math.inf]}))["a"]
    assert math.isnan(found[0]) and found[1:] == [math.inf, -math.inf]


def test_a_value_that_toml_does_not_have_is_refused():
    with pytest.raises(TypeError, match="TOML has no set"):
        dump_toml({"a": {1, 2}})


_values = st.recursive(
    st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(st.characters(exclude_categories=["Cs"])),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text("ab .é\"'#", max_size=3), inner, max_size=3),
    max_leaves=8,
)


@given(st.dictionaries(st.text("ab .é\"'#", max_size=3), _values, max_size=4))
def test_any_document_is_read_as_it_was_written(document):
    assert tomllib.loads(dump_toml(document)) == document


def test_a_file_is_read(tmp_path):
    (tmp_path / "mine.toml").write_text(dump_toml(DOCUMENT), encoding="utf-8")
    assert read_toml(tmp_path / "mine.toml") == DOCUMENT


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("a = ", "is not valid TOML"),
        ("a = 1\na = 2", "A name may be given only once; remove one of the two."),
        ("[a]\n[a]", "A name may be given only once; remove one of the two."),
    ],
)
def test_text_that_is_not_toml_is_refused(tmp_path, text, words):
    (tmp_path / "mine.toml").write_text(text)
    with pytest.raises(ConfigurationError) as caught:
        read_toml(tmp_path / "mine.toml")
    assert str(caught.value).startswith(str(tmp_path / "mine.toml")) and words in str(caught.value)


def test_a_file_that_is_missing_or_too_large_is_refused(tmp_path):
    with pytest.raises(DataError, match=r"none\.toml is not a file"):
        read_toml(tmp_path / "none.toml")
    with (tmp_path / "large.toml").open("wb") as file:
        file.truncate(LARGEST_TOML + 1)
    with pytest.raises(DataError, match="larger than 4 MiB"):
        read_toml(tmp_path / "large.toml")


@pytest.mark.parametrize("text", ["x = " + "9" * 6000, "x = " + "[" * 5000, "x = " + "{a=" * 3000, "a = '\\x00'\n\x00"])
@pytest.mark.parametrize("read", [read_toml, load_configuration])
def test_strange_toml_is_refused(tmp_path, text, read):
    (tmp_path / "strange.toml").write_text(text)
    with pytest.raises(AstroemuError, match=r"strange\.toml"):
        read(tmp_path / "strange.toml")


#: Text that would take much more memory or time than its size, and words of the refusal.
LARGE = {
    "a dotted key": ("a." * 100_000 + "a = 1", "line 1: it has a key of more than 32 parts"),
    "a dotted key of numbers": ("x = 1\n" + "1." * 100_000 + "1 = 1", "line 2: it has a key of more than 32 parts"),
    "a dotted key with blanks and quotes": ('"a" . ' * 50_000 + "a = 1", "more than 32 parts"),
    "a dotted table": ("\n\n[" + "a." * 100_000 + "a]", "line 3: it has a key of more than 32 parts"),
    "a dotted key in a table in a line": ("x = {" + "a." * 50_000 + "a = 1}", "more than 32 parts"),
    "nested lists": ("x = " + "[" * 100_000, "more than 64 levels"),
    "nested tables": ("x = " + "{a = " * 100_000, "more than 64 levels"),
    "lists of tables": ("x = " + "[{a = " * 60_000, "more than 64 levels"),
    "many tables": ("".join(f"[a{i}]\n" for i in range(3000)), "line 1001: it holds more than 1000 keys"),
    "many short dotted keys": ("a.b.c.d = 1\n" * 500, "more than 1000 keys"),
}


@pytest.mark.parametrize("what", LARGE)
@pytest.mark.attack("TOML", "keys of many parts, deep nesting, many tables: 200 kB took 24 GB")
def test_toml_that_would_take_much_memory_is_refused_before_it_is_read(what, monkeypatch):
    def read(text):
        raise AssertionError("it was read")

    assert toml.MOST_PARTS == 100_000
    monkeypatch.setattr(toml, "MOST_PARTS", 1000)
    monkeypatch.setattr(tomllib, "loads", read)
    text, words = LARGE[what]
    with pytest.raises(ConfigurationError, match=words):
        parse_toml(text, Path("mine.toml"))


@pytest.mark.parametrize(
    "text",
    [
        "a = '" + "x." * 1000 + "'",
        'a = "' + "x." * 1000 + '\\" ' + "[" * 100 + '"',
        'a = """\n' + "x." * 1000 + '"" \\""" ' + "[" * 100 + '"""',
        "a = '''\n" + "x." * 1000 + "'' " + "[" * 100 + "'''",
        "# " + "x." * 1000 + "[" * 100 + "\na = 1",
        "a = [" + "1.5, " * 20_000 + "]",
        "a = [" + "1.5\n,\n" * 1000 + "]",
        "a = [" + "1.5e-3,-2.5,inf," * 1000 + "]",
        "\n".join(f"k{i} = 1.5" for i in range(1000)),
        ".".join("a" * 33) + " = 1",
        "a = " + "[" * 63 + "]" * 63,
        "[[a]]\nb = 1\n" * 1000,
    ],
)
def test_dots_and_brackets_within_the_limits_are_read(text):
    assert parse_toml(text, Path("mine.toml")) == tomllib.loads(text)


@pytest.mark.parametrize("text", ['a = """\n' + '\\"""' * 50_000, '"\\"' * 200_000, "\n" * 300_000, "'''" + "'" * 9])
def test_what_has_no_end_is_refused_soon(text):
    began = time.process_time()
    try:
        parse_toml(text, Path("mine.toml"))
    except ConfigurationError as error:
        assert "mine.toml is not valid TOML" in str(error)
    assert time.process_time() - began < 4


FORMS = {
    "CRLF": lambda text: text.replace("\n", "\r\n"),
    "a byte-order mark": lambda text: "\ufeff" + text,
    "comments": lambda text: text.replace("\n", ' # [a.b.c = "\n'),
}


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.attack("TOML", "a byte-order mark and line ends of Windows")
def test_toml_of_other_editors_is_the_same(tmp_path, form):
    text = dump_toml({"a": 1, "b": {"c": [0.5, "x"], "d": {"e": "y"}}})
    (tmp_path / "mine.toml").write_bytes(FORMS[form](text).encode())
    assert read_toml(tmp_path / "mine.toml") == tomllib.loads(text)
