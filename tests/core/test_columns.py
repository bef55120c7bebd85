"""Declared columns: blanks, types, units, words and bounds, with all problems of a table at once."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
from astropy.table import Column, MaskedColumn, Table

from astroemu.core.columns import NumberColumn, TextColumn, check_columns, name_rows, warn_of_repeated_rows, where
from astroemu.errors import DataError, DoubleCountingWarning

DECLARED = {
    "reference": TextColumn(),
    "kind": TextColumn(choices=("measurement", "upper")),
    "phi": NumberColumn("1 / Mpc3"),
    "error": NumberColumn("1 / Mpc3", above=0, needed=where(kind="measurement")),
    "cl": NumberColumn(above=0, below=1, needed=False),
}


def per(values):
    return Column(values, unit="1 / Mpc3")


def table(**changes):
    """A valid table of three rows, with other columns."""
    columns = {
        "reference": ["A+2020", "A+2020", "B+2021"],
        "kind": ["measurement", "upper", "measurement"],
        "phi": per([1.0, 2.0, 3.0]),
        "error": per([0.1, np.nan, 0.3]),
        "cl": [0.68, 0.95, np.nan],
    }
    return Table({name: values for name, values in {**columns, **changes}.items() if values is not None})


def checked(**changes):
    made = table(**changes)
    check_columns(made, DECLARED)
    return made


def masked(values, *blank, unit="1 / Mpc3"):
    return MaskedColumn(values, mask=[row in blank for row in range(len(values))], unit=unit)


PLAIN = checked()
FORMS = {
    "float32": {"cl": np.array([0.68, 0.95, np.nan], ">f8"), "phi": Column(np.array([1, 2, 3], "f4"), unit="1 / Mpc3")},
    "integers": {"phi": per([1, 2, 3])},
    "another unit": {"phi": Column([1e9, 2e9, 3e9], unit="1 / Gpc3")},
    "integers of another unit": {"phi": Column(np.array([10, 20, 30], "i2"), unit="0.1 / Mpc3")},
    "a blank that is not needed": {"error": masked([0.1, 1.0, 0.3], 1)},
    "texts with blanks around them": {"kind": ["measurement ", " upper", "measurement"]},
    "texts of numbers": {"phi": per(["1.0", "2", "0.3D+01"])},
    "per cent": {"cl": Column([68.0, 95.0, np.nan], unit="%")},
    "masked without a blank": {"phi": masked([1.0, 2.0, 3.0])},
}


@pytest.mark.parametrize("form", FORMS)
def test_every_accepted_form_is_the_plain_one(form):
    found = checked(**FORMS[form])
    for name in DECLARED:
        assert not isinstance(found[name], MaskedColumn) and found[name].unit == PLAIN[name].unit
        if found[name].dtype.kind == "f":
            np.testing.assert_allclose(found[name], PLAIN[name], rtol=1e-12)
        else:
            assert found[name].tolist() == PLAIN[name].tolist()


def test_columns_that_are_not_needed_may_be_missing():
    assert np.isnan(checked(cl=None)["cl"]).all()
    declared = {**DECLARED, "arxiv": TextColumn(needed=False)}
    made = table()
    check_columns(made, declared)
    assert made["arxiv"].tolist() == ["", "", ""]
    with pytest.raises(DataError, match=r"rows 1, 3 \(A\+2020\): no number in the column 'error'"):
        checked(error=None)


REFUSED = {
    "a blank": ({"phi": masked([1.0, 2.0, 3.0], 2)}, r"row 3 \(B\+2021\): no number in the column 'phi'.*remove"),
    "NaN": ({"error": per([np.nan, 1.0, 1.0])}, r"row 1 \(A\+2020\): no number in the column 'error'"),
    "infinity": ({"phi": per([1.0, np.inf, 1.0])}, "row 2 .*'phi' is infinite"),
    "an infinite number that is not needed": ({"cl": [np.inf, 0.5, 0.5]}, "row 1 .*'cl' is infinite"),
    "an error of zero": ({"error": per([0.1, 0.1, 0.0])}, "row 3 .*'error' is 0; it must be above 0"),
    "a negative error": ({"error": per([-0.1, 0.1, 0.1])}, "row 1 .*'error' is -0.1; it must be"),
    "a percentage": ({"cl": [68, 95, 68]}, r"rows 1, 2, 3 .*'cl' is 68; it is a fraction, so give 0\.68"),
    "a confidence of one": ({"cl": [1.0, 0.9, 0.9]}, "'cl' is 1; it must lie between 0 and 1"),
    "complex": ({"phi": per([1 + 1j, 2, 3])}, "the column 'phi' holds complex numbers"),
    "text": ({"phi": per(["1", "two", "3"])}, "the column 'phi' holds text.*'two' is not a number"),
    "flags": ({"phi": per([True, False, True])}, "the column 'phi' holds truth values"),
    "several numbers in a cell": ({"phi": Column(np.ones((3, 2)), unit="1 / Mpc3")}, "'phi' holds several values"),
    "several texts in a cell": ({"kind": np.full((3, 2), "upper")}, "'kind' holds several values"),
    "a number for a text": ({"reference": [1, 2, 3]}, "the column 'reference' holds no text"),
    "a blank text": ({"reference": masked(["A", "B", "C"], 1, unit=None)}, "row 2: no text in the column 'reference'"),
    "an empty text": ({"kind": ["upper", " ", "upper"]}, "row 2 .*no text in the column 'kind'"),
    "an unknown word": ({"kind": ["upper", "upper limit", "uper"]}, r"row 2 .*'upper limit'\. Did you mean 'upper'\?"),
    "another case": ({"kind": ["Upper", "upper", "upper"]}, r"row 1 .*'Upper'\. Did you mean 'upper'\? Known: 'meas"),
    "little h": ({"phi": Column([1.0, 2.0, 3.0], unit="h3 / Mpc3")}, r"Multiply the values by h\^3"),
    "a logarithm": ({"phi": Column([1.0, 2.0, 3.0], unit="dex(1 / Mpc3)")}, "'phi' is needed in .* a logarithm"),
    "no unit": ({"phi": [1.0, 2.0, 3.0]}, "'phi' is needed in '1 / Mpc3' but states no unit"),
    "a unit too many": (
        {"cl": Column([0.68, 0.9, 0.9], unit="Mpc")},
        "'cl' is needed in 'no unit' but has the unit 'Mpc'",
    ),
}


@pytest.mark.parametrize("what", REFUSED)
def test_what_the_likelihood_would_misread_is_refused_with_its_place(what):
    changes, message = REFUSED[what]
    with pytest.raises(DataError, match=message):
        checked(**changes)


def test_all_problems_are_told_at_once():
    with pytest.raises(DataError, match=r"no column 'cl_', 'kind'.*has no|no column.*'phi' is needed in"):
        made = table(kind=None, phi=[1.0, 2.0, 3.0])
        check_columns(made, {**DECLARED, "cl_": NumberColumn()})
    with pytest.raises(DataError, match=r"row 2 .*'kind' is 'limit'.*row 1 .*'phi'.*row 3 .*'error' is 0"):
        checked(
            kind=["upper", "limit", "measurement"],
            phi=masked([1.0, 2.0, 3.0], 0),
            error=per([0.1, 0.1, 0.0]),
        )


def test_a_table_without_rows_is_refused():
    made = table()[:0]
    with pytest.raises(DataError, match="the table has no rows"):
        check_columns(made, DECLARED)


def test_a_unit_alone_leaves_the_type_to_the_file():
    made = Table({"z": [6, 7], "n": [1.0, np.nan], "name": ["a ", "b"], "flag": [True, False]})
    check_columns(made, {"z": "", "n": "", "name": "", "flag": ""})
    assert made["z"].dtype == float and made["name"].tolist() == ["a", "b"] and made["flag"].tolist() == [True, False]
    made["n"] = masked([1.0, 2.0], 0, unit=None)
    with pytest.raises(DataError, match="'n' has blank cells"):
        check_columns(made, {"n": ""})
    with pytest.raises(DataError, match="'name' holds text where numbers are needed"):
        check_columns(made, {"name": "Mpc"})


def test_many_rows_are_counted():
    made = Table({"z": np.arange(30)})
    assert name_rows(made, np.arange(30) > 3) == "rows 5, 6, 7, 8, 9 and 21 more"


@pytest.mark.attack("data", "a format for printing, which cut the digits of a table that was written again")
def test_a_format_of_the_file_cuts_no_digits():
    made = table(phi=Column([1.23456789, 2.0, 3.0], unit="1 / Mpc3", format="%.1f", description="density"))
    check_columns(made, DECLARED)
    assert made["phi"].format is None and made["phi"].description == "density"


@pytest.mark.attack("data", "the same row twice")
def test_a_row_that_is_there_twice_warns():
    made = checked(reference=["A", "A", "A"], phi=per([1.0, 2.0, 1.0]))
    names, every = ("reference", "kind", "phi"), np.full(3, True)
    with pytest.warns(DoubleCountingWarning, match="mine: rows 1 and 3 are the same measurement"):
        warn_of_repeated_rows(made, names, every, "mine")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warn_of_repeated_rows(made, names, np.array([True, True, False]), "mine")
