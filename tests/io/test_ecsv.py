"""ECSV tables: the accepted forms are read, and a header that is more than plain text never reaches astropy."""

from __future__ import annotations

import time

import numpy as np
import pytest
from astropy import units
from astropy.coordinates import SkyCoord
from astropy.table import QTable
from astropy.time import Time

from astroemu.errors import DataError
from astroemu.io import ecsv
from astroemu.io.ecsv import read_ecsv

COLUMNS = (
    "{name: z, datatype: float64, description: redshift}",
    "{name: x, unit: Mpc, datatype: float32}",
    "{name: source, datatype: string}",
)
ROWS = ("z x source", "5.0 1.0 a", '6.0 "" "b c"')


def table(columns=COLUMNS, rows=ROWS, more=("meta: !!omap", "- {origin: made}", "schema: astropy-2.0"), before=()):
    """The text of a table, by the lines of its parts."""
    header = ["%ECSV 1.0", "---", *before, "datatype:", *(f"- {column}" for column in columns), *more]
    return "\n".join([*(f"# {line}" for line in header), *rows]) + "\n"


def read(folder, content):
    path = folder / "mine.ecsv"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return read_ecsv(path)


def refused(folder, content, *words):
    with pytest.raises(DataError) as caught:
        read(folder, content)
    message = str(caught.value)
    assert str(folder / "mine.ecsv") in message and "\n" not in message
    for word in words:
        assert word in message, message


def assert_plain(found):
    assert found.colnames == ["z", "x", "source"]
    assert found["z"].dtype == np.float64 and found["x"].dtype == np.float32 and found["source"].dtype.kind == "U"
    assert found["z"].tolist() == [5.0, 6.0] and found["source"].tolist() == ["a", "b c"]
    assert found["x"][0] == 1.0 and np.ma.getmaskarray(found["x"]).tolist() == [False, True]
    assert str(found["x"].unit) == "Mpc" and found["z"].unit is None and found["z"].description == "redshift"


def test_a_table_is_read_with_units_descriptions_masks_and_metadata(tmp_path):
    found = read(tmp_path, table())
    assert_plain(found)
    assert dict(found.meta) == {"origin": "made"}


FORMS = {
    "byte-order mark": "\ufeff" + table(),
    "CRLF": table().replace("\n", "\r\n"),
    "CR": table().replace("\n", "\r"),
    "no last line end": table().rstrip("\n"),
    "comma": table(
        rows=("z,x,source", "5.0,1.0,a", "6.0,,b c"), more=("delimiter: ','", "meta: !!omap", "- {origin: made}")
    ),
    "meta as a mapping": table(more=("meta: {origin: made}",)),
    "block style": table(
        columns=("name: z\n#   datatype: float64\n#   description: redshift", *COLUMNS[1:]),
        more=("meta: {origin: made}",),
    ),
    "explicit plain tags": table(
        columns=("!!map {name: !!str z, datatype: float64, description: redshift}", *COLUMNS[1:]),
        more=("meta: {origin: made}",),
    ),
    "quoted names": table(rows=('"z" "x" "source"', *ROWS[1:])),
    "comments and blank lines among rows": table(rows=(ROWS[0], "# a remark", "", *ROWS[1:])),
    "no blank after the mark": table().replace("# -", "#-").replace("# %", "#%").replace("# meta", "#meta"),
    "a format for printing": table(
        columns=("{name: z, datatype: float64, description: redshift, format: '{:>99999999999}'}", *COLUMNS[1:])
    ),
}


@pytest.mark.parametrize("form", FORMS)
def test_every_accepted_form_gives_the_same_table(tmp_path, form):
    found = read(tmp_path, FORMS[form])
    assert_plain(found)
    assert dict(found.meta) == {"origin": "made"}


def test_a_quantity_without_a_unit_is_a_plain_column(tmp_path):
    QTable({"share": [0.1, 0.2] * units.dimensionless_unscaled}).write(tmp_path / "mine.ecsv", format="ascii.ecsv")
    assert read_ecsv(tmp_path / "mine.ecsv")["share"].tolist() == [0.1, 0.2]


def test_numbers_of_fortran_and_words_for_nan_are_read(tmp_path):
    found = read(tmp_path, table(rows=(ROWS[0], "0.5D+01 1.0d0 a", "6.0 NaN b", '7.0 "" c')))
    assert found["z"].tolist() == [5.0, 6.0, 7.0] and found["x"][0] == 1.0 and np.isnan(found["x"][1])
    assert np.ma.getmaskarray(found["x"]).tolist() == [False, False, True]
    refused(tmp_path, table(rows=(*ROWS, "seven 1.0 a")), "row 3, column 'z': 'seven' is not a number")


def test_integers_booleans_and_names_of_any_script_are_read(tmp_path):
    columns = (
        "{name: größe, datatype: int64}",
        "{name: '\U0001d6fc [1]', datatype: bool}",
        "{name: c, datatype: uint8}",
    )
    found = read(tmp_path, table(columns, rows=('größe "\U0001d6fc [1]" c', "9007199254740993 True 255"), more=()))
    assert found.colnames == ["größe", "\U0001d6fc [1]", "c"]
    assert [found[name][0] for name in found.colnames] == [9007199254740993, True, 255]


def test_a_next_line_sign_in_a_cell_is_no_line_end(tmp_path):
    found = read(tmp_path, table(rows=(ROWS[0], "5.0 1.0 a\u2028b", "6.0 2.0 c\x85d")))
    assert found["source"].tolist() == ["a\u2028b", "c\x85d"]


def test_a_qtable_of_astropy_is_read_as_columns_with_units(tmp_path):
    """Units that columns share are written as references."""
    path = tmp_path / "quantities.ecsv"
    given = {"k": [0.1, 0.2] / units.Mpc, "m": [1, 2] * units.mag, "n": [3, 4] * units.mag, "x": [1.0, 2.0]}
    QTable(given, meta={"origin": "made"}).write(path, format="ascii.ecsv")
    assert "&id001" in path.read_text()
    found = read_ecsv(path)
    assert found.colnames == list(given) and dict(found.meta) == {"origin": "made"}
    assert [str(found[name].unit) for name in given] == ["1 / Mpc", "mag", "mag", "None"]
    assert found["k"].tolist() == [0.1, 0.2] and found["n"].tolist() == [3, 4]


@pytest.mark.parametrize(
    "column",
    [Time(["2020-01-01", "2021-01-01"]), SkyCoord([1, 2] * units.deg, [1, 2] * units.deg)],
    ids=["time", "sky"],
)
def test_other_objects_of_astropy_are_refused_with_a_remedy(tmp_path, column):
    QTable({"x": column}).write(tmp_path / "mine.ecsv", format="ascii.ecsv")
    refused(tmp_path, (tmp_path / "mine.ecsv").read_text(), "rite plain columns with units instead")


POINTERS = """!numpy.ndarray
    buffer: !!binary |
      QUJDREVGR0g=
    dtype: object
    order: C
    shape: !!python/tuple [1]"""
HOSTILE = {
    "an array of pointers": table(more=("meta:", "  x: " + POINTERS.replace("\n", "\n# "))),
    "an array of pointers as a column": table(columns=(*COLUMNS, POINTERS.replace("\n", "\n# "))),
    "a Python object": table(more=("meta: !!python/object/apply:os.system [id]",)),
    "a Python name": table(more=("meta: {x: !!python/name:os.system }",)),
    "a Python tuple": table(more=("meta: {x: !!python/tuple [1]}",)),
    "an astropy unit": table(more=("meta: {x: !astropy.units.Unit {unit: m}}",)),
    "an astropy time": table(more=("meta: {x: !astropy.time.Time {}}",)),
    "an astropy table": table(more=("meta: {x: !astropy.table.Table {}}",)),
    "a NumPy number": table(more=("meta: {x: !numpy.float64 1.0}",)),
    "binary": table(more=("meta: {x: !!binary QUJD}",)),
    "a set": table(more=("meta: {x: !!set {a}}",)),
    "a tag of its own": table(more=("meta: {x: !mine 1}",)),
    "a verbatim tag": table(more=("meta: {x: !<tag:yaml.org,2002:python/name:os.system> ''}",)),
    "a tag behind another handle": "# %ECSV 1.0\n# %TAG !e! tag:yaml.org,2002:python/\n# ---\n"
    "# datatype: [{name: z, datatype: float64}]\n# meta: {x: !e!name:os.system ''}\nz\n1.0\n",
    "the usual handle made another": "# %ECSV 1.0\n# %TAG !! !numpy.\n# ---\n"
    "# datatype: [{name: z, datatype: float64}]\n# meta: {x: !!ndarray {}}\nz\n1.0\n",
}
TAGGED = "only plain values are read"


@pytest.mark.parametrize("what", HOSTILE)
@pytest.mark.attack("ECSV", "a header with a tag that makes objects")
def test_a_header_with_any_tag_of_objects_is_refused(tmp_path, what):
    refused(tmp_path, HOSTILE[what], "YAML tag", TAGGED)


#: Text of a header, and words of the refusal.
BENT = {
    "an alias": (table(more=("meta: {a: &a [1], b: *a}",)), "anchor or alias"),
    "an alias of nothing": (table(more=("meta: {b: *a}",)), "anchor or alias"),
    "a merge of itself": (table(more=("meta: &m {<<: *m}",)), "anchor or alias"),
    "texts that grow": (
        table(more=("meta:", "  a: &a [x, x]", "#   b: &b [*a, *a]", "#   c: [*b, *b]")),
        "anchor or alias",
    ),
    "objects in cells": (table(columns=(*COLUMNS[:2], "{name: source, datatype: string, subtype: json}")), "subtype"),
    "arrays in cells": (
        table(columns=(*COLUMNS[:2], "{name: source, datatype: string, subtype: 'int64[9]'}")),
        "subtype",
    ),
    "an object type": (table(columns=(*COLUMNS[:2], "{name: source, datatype: object}")), "datatype 'object'"),
    "a NumPy type": (table(columns=(*COLUMNS[:2], "{name: source, datatype: 'O'}")), "datatype 'O'"),
    "a huge text type": (table(columns=(*COLUMNS[:2], "{name: source, datatype: U999999999}")), "datatype"),
    "a structured type": (table(columns=(*COLUMNS[:2], "{name: source, datatype: 'f8,f8'}")), "datatype"),
    "complex numbers": (table(columns=("{name: z, datatype: complex128}", *COLUMNS[1:])), "complex128"),
    "a misspelt type": (table(columns=("{name: z, datatype: flaot64}", *COLUMNS[1:])), "Did you mean 'float64'"),
    "a type that is a list": (table(columns=("{name: z, datatype: [float64]}", *COLUMNS[1:])), "datatype"),
    "a misspelt key": (
        table(columns=("{name: z, datatype: float64, units: Mpc}", *COLUMNS[1:])),
        "Did you mean 'unit'",
    ),
    "a unit that is no text": (table(columns=("{name: z, datatype: float64, unit: 1}", *COLUMNS[1:])), "not a text"),
    "a long unit": (
        table(columns=("{name: z, datatype: float64, unit: " + "m" * 300 + "}", *COLUMNS[1:])),
        "unit of more",
    ),
    "a name twice": (table(columns=(COLUMNS[0], COLUMNS[0]), rows=("z z", "1 2")), "'z' is given twice"),
    "a name that is a number": (table(columns=("{name: 1, datatype: int8}",), rows=("1", "2")), "not a text"),
    "no name": (table(columns=("{datatype: int8}",), rows=("1", "2")), "no name"),
    "a column that is no mapping": (table(columns=("z",)), "no name"),
    "no columns": (table(columns=(), more=()), "lacks the list"),
    "columns that are a text": ("# %ECSV 1.0\n# ---\n# datatype: z\nz\n1\n", "lacks the list"),
    "another delimiter": (table(more=("delimiter: ';'",)), "a blank or a comma"),
    "a delimiter that is a list": (table(more=("delimiter: [' ']",)), "a blank or a comma"),
    "astropy objects": (table(more=("meta: {__serialized_columns__: {t: {}}}",)), "write plain columns"),
    "astropy objects as a list": (table(more=("meta: {__serialized_columns__: [t]}",)), "write plain columns"),
    "a class of strangers": (
        table(more=("meta: {__serialized_columns__: {x: {__class__: os.system, value: id}}}",)),
        "'x' is an object of astropy (os.system)",
    ),
    "two units of one column": (
        table(
            more=(
                "meta: {__serialized_columns__: {x: {__class__: astropy.units.quantity.Quantity, "
                "unit: !astropy.units.Unit {unit: kpc}, value: !astropy.table.SerializedColumn {name: x}}}}",
            )
        ),
        "the unit of 'x' is given twice and differs",
    ),
    "a unit that refers to itself": (table(more=("meta: &a !astropy.units.Unit {unit: *a}",)), "not plain YAML"),
    "a unit as a name": (
        table(columns=("{name: !astropy.units.Unit {unit: m}, datatype: int8}",), rows=("m", "1")),
        "not a text",
    ),
    "metadata that are a text": (table(more=("meta: made",)), "`meta` is not a mapping"),
    "no YAML": (table(more=("meta: {",)), "not plain YAML"),
    "two documents": (table(more=("---", "a: 1")), "not plain YAML"),
    "a header that is a list": ("# %ECSV 1.0\n# ---\n# [1]\nz\n1\n", "not a YAML mapping"),
    "no header": ("z x\n1 2\n", "not an ECSV table"),
    "an empty file": ("", "not an ECSV table"),
    "comments only": ("# a\n# b\n", "not an ECSV table"),
    "a NUL byte": (table().replace("made", "ma\0de"), "NUL byte", "line 8"),
    "a NUL byte in a row": (table(rows=(*ROWS, "7.0 1.0 \0")), "NUL byte", "line 13"),
    "fewer cells": (table(rows=(*ROWS, "7.0")), "rows do not fit"),
    "names in another order": (table(rows=("x z source", *ROWS[1:])), "rows do not fit"),
    "text for a number": (table(rows=(*ROWS, "seven 1.0 a")), "rows do not fit"),
    "no rows and no names": (table(rows=()), "rows do not fit"),
    "deep nesting": (table(more=("meta: {x: " + "[" * 100 + "]" * 100 + "}",)), "nests more than"),
    "deep keys": (table(more=("meta:", *(" " * i + f"a{i}:" for i in range(1, 200)))), "nests more than"),
    "many items": (table(more=("meta: {x: [" + "1," * 2000 + "]}",)), "more than 2000 items"),
    "a long header": (table(more=("meta: {x: " + "a" * (1 << 20) + "}",)), "more than 1048576 characters"),
    "many columns": (
        table(columns=[f"{{name: c{i}, datatype: int8}}" for i in range(101)], rows=()),
        "more than 100 columns",
    ),
    "a number of many digits": (table(more=("meta: {x: " + "9" * 5000 + "}",)), "not plain YAML"),
    "a date that is none": (table(more=("meta: {x: 2020-99-99}",)), "not plain YAML"),
}


@pytest.mark.parametrize("what", BENT)
@pytest.mark.attack("ECSV", "a header that is bent: references, types, sizes, names, delimiters")
def test_a_header_that_is_bent_is_refused_in_one_line(tmp_path, what, monkeypatch):
    monkeypatch.setattr(ecsv, "MOST_ITEMS", 2000)
    monkeypatch.setattr(ecsv, "MOST_COLUMNS", 100)
    content, *words = BENT[what]
    began = time.process_time()
    refused(tmp_path, content, *words)
    assert time.process_time() - began < 5


@pytest.mark.parametrize("content", [b"\x1f\x8b\x08\x00", table().encode("utf-16"), "é".encode("latin-1")])
def test_compressed_or_otherwise_encoded_files_are_refused_with_a_remedy(tmp_path, content):
    refused(tmp_path, content, "is not UTF-8 text")


def test_the_limits_are_those_of_the_documentation():
    assert (ecsv.LARGEST_HEADER, ecsv.MOST_ITEMS, ecsv.DEEPEST, ecsv.MOST_COLUMNS) == (1 << 20, 20_000, 32, 1000)
