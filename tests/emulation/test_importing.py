"""Plain arrays made elsewhere: the same training set from npz, HDF5 and CSV."""

from __future__ import annotations

import h5py
import numpy as np
import pytest

from astroemu.emulation.importing import ImportTable, import_arrays
from astroemu.emulation.training_set import TrainingSet
from astroemu.errors import ConfigurationError, DataError

RNG = np.random.default_rng(0)
THETA, CURVE, TAU, Z = RNG.random((20, 2)), RNG.random((20, 3)), RNG.random(20), np.array([6.0, 7.0, 8.0])
BOX = {
    "a": {"low": 0.0, "high": 1.0, "unit": "", "latex": "a"},
    "b": {"low": 0.0, "high": 1.0, "unit": "", "latex": ""},
}
FORM = {
    "theta": "theta",
    "citation": "Mine et al.",
    "observables": {
        "x_hi": {"values": "curve", "axes": [{"name": "z", "values": "z"}]},
        "tau_e": {"values": "tau"},
    },
}


def npz(folder, **changed):
    arrays = {"theta": THETA, "curve": CURVE, "tau": TAU, "z": Z} | changed
    np.savez(folder / "set.npz", **{name: value for name, value in arrays.items() if value is not None})
    return folder / "set.npz"


def hdf5(folder):
    with h5py.File(folder / "set.h5", "w") as file:
        for name, value in {"in/theta": THETA, "out/curve": CURVE, "out/tau": TAU, "z": Z}.items():
            file[name] = value
    return folder / "set.h5"


def csv(folder):
    header = "a,b,x 6,x 7,x 8,tau"
    table = np.column_stack([THETA, CURVE, TAU])
    np.savetxt(folder / "set.csv", table, delimiter=",", header=header, comments="", fmt="%.17g")
    return folder / "set.csv"


def form(**changed):
    return ImportTable.model_validate({**FORM, **changed})


IN_GROUPS = form(
    theta="in/theta",
    observables={
        "x_hi": {"values": "out/curve", "axes": [{"name": "z", "values": "z"}]},
        "tau_e": {"values": "out/tau"},
    },
)
IN_COLUMNS = form(
    theta={"a": "a", "b": "b"},
    observables={
        "x_hi": {"values": ["x_6", "x_7", "x_8"], "axes": [{"name": "z", "values": [6.0, 7.0, 8.0]}]},
        "tau_e": {"values": "tau"},
    },
)


@pytest.mark.parametrize(("write", "how"), [(npz, form()), (hdf5, IN_GROUPS), (csv, IN_COLUMNS)])
def test_every_kind_of_file_gives_the_same(tmp_path, write, how):
    data = import_arrays(write(tmp_path), how, BOX)
    assert data.names == ("a", "b") and data.observables["x_hi"].axes[0].name == "z"
    np.testing.assert_allclose(data.theta, THETA)
    np.testing.assert_allclose(data.values["x_hi"], CURVE, rtol=1e-6)
    np.testing.assert_allclose(data.values["tau_e"], TAU, rtol=1e-6)
    np.testing.assert_array_equal(data.observables["x_hi"].axes[0].values, Z)
    assert data.metadata["citation"] == "Mine et al." and len(data.metadata["imported"]["sha256"]) == 64
    assert data.metadata["parameters"]["a"]["high"] == 1.0


@pytest.mark.parametrize(
    ("arrays", "how", "error", "message"),
    [
        ({}, form(theta="teta"), ConfigurationError, r"no array 'teta'\. Did you mean 'theta'"),
        ({}, form(theta={"a": "tau"}), ConfigurationError, r"names 'a'; \[parameters\] has 'a', 'b'"),
        ({"theta": THETA[:, :1]}, form(), DataError, r"theta has the shape \(20, 1\)"),
        ({"curve": CURVE[:5]}, form(), DataError, r"'curve' has the shape \(5, 3\); 'x_hi' needs \(20, 3\)"),
        ({"z": Z[:2]}, form(), DataError, r"'x_hi' needs \(20, 2\)"),
        ({"tau": np.array(["x"] * 20)}, form(), DataError, "'tau' does not hold numbers"),
    ],
)
def test_what_does_not_fit_is_named(tmp_path, arrays, how, error, message):
    with pytest.raises(error, match=message):
        import_arrays(npz(tmp_path, **arrays), how, BOX)


def test_pickled_objects_are_never_read(tmp_path):
    path = npz(tmp_path, tau=np.array([{"run": "me"}], dtype=object))
    with pytest.raises(DataError, match="not a readable npz file"):
        import_arrays(path, form(), BOX)


@pytest.mark.parametrize("name", ["set.npz", "set.h5", "set.csv", "set.txt"])
def test_files_of_something_else_are_refused(tmp_path, name):
    path = tmp_path / name
    path.write_bytes(b"\x00\x01 no arrays \xff")
    with pytest.raises((DataError, ConfigurationError), match=name):
        import_arrays(path, form(), BOX)
    with pytest.raises(DataError, match="there is no file"):
        import_arrays(tmp_path / "absent.npz", form(), BOX)


# Files as strangers make them: the same numbers in another dress.


NUMBERS = {"theta": {"a": "a", "b": "b"}, "observables": {"y": {"values": ["y1", "y2"], "axes": [
    {"name": "x", "values": [0.0, 1.0]}]}}}  # fmt: skip
COLUMNS = ImportTable.model_validate(NUMBERS)
ROWS = np.array([[0.25, 0.5, 1.5, -2.25], [0.75, 0.125, 3.0, 1e-3], [0.5, 0.75, 2.0, 4.0]])
PLAIN = "a,b,y1,y2\n" + "".join(",".join(map(repr, row)) + "\n" for row in ROWS.tolist())


def table(folder, content, name="mine.csv"):
    path = folder / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


DRESSED = {
    "plain": PLAIN,
    "a comment before the header": "# made by my code v2, h=0.7\n" + PLAIN,
    "comments and blank lines inside": PLAIN.replace("0.75,0.125", "# half way\n\n0.75,0.125"),
    "a byte-order mark": b"\xef\xbb\xbf" + PLAIN.encode(),
    "UTF-16": PLAIN.encode("utf-16"),
    "Windows": PLAIN.replace("\n", "\r\n"),
    "old Macintosh": PLAIN.replace("\n", "\r"),
    "no end of the last line": PLAIN[:-1],
    "quoted numbers": "a,b,y1,y2\n" + "".join(",".join(f'"{x!r}"' for x in row) + "\n" for row in ROWS.tolist()),
    "quoted names": PLAIN.replace("a,b,y1,y2", '"a","b","y1","y2"'),
    "semicolons and decimal commas": PLAIN.replace(",", ";").replace(".", ","),
    "semicolons and points": PLAIN.replace(",", ";"),
    "tabs": PLAIN.replace(",", "\t"),
    "tabs and decimal commas": PLAIN.replace(",", "\t").replace(".", ","),
    "blanks in columns": PLAIN.replace(",", "   ").replace("\n", "  \n"),
    "numpy.savetxt": "# " + PLAIN.replace(",", " "),
    "an index column of pandas": "".join(
        ("" if i == 0 else str(i - 1)) + "," + line for i, line in enumerate(PLAIN.splitlines(keepends=True))
    ),
    "exponents of Fortran": PLAIN.replace("0.001", "0.1D-02"),
    "spaces after commas": PLAIN.replace(",", ", "),
    "a unit of 1 in the header": PLAIN.replace("a,b,y1,y2", "a [1],b (-),y1 [1],y2 []"),
    "a column of texts": PLAIN.replace("y2\n", "y2,run\n").replace("\n0", "\n0").replace("5\n", "5,x\n", 1)
    .replace("0.001\n", "0.001,2024-01-01\n").replace("4.0\n", "4.0,z\n"),
}  # fmt: skip


@pytest.mark.case(11)
@pytest.mark.attack("import", "one table in twenty dresses: marks, separators, decimals, comments, quotes, encodings")
@pytest.mark.parametrize("content", DRESSED.values(), ids=DRESSED)
def test_a_table_in_another_dress_gives_the_same_numbers(tmp_path, content):
    found = import_arrays(table(tmp_path, content), COLUMNS, BOX)
    np.testing.assert_array_equal(found.theta, ROWS[:, :2])
    np.testing.assert_array_equal(found.values["y"], ROWS[:, 2:])


@pytest.mark.case(10)
def test_quoted_numbers_are_numbers_and_a_header_alone_is_none(tmp_path):
    found = import_arrays(table(tmp_path, 'a,b,y1,y2\n"0.25","0.5","1.5","2"\n'), COLUMNS, BOX)
    np.testing.assert_array_equal(found.values["y"], [[1.5, 2.0]])
    with pytest.raises(DataError, match=r"mine\.csv has no rows"):
        import_arrays(table(tmp_path, "a,b,y1,y2\n"), COLUMNS, BOX)


@pytest.mark.case(9)
@pytest.mark.parametrize("y", [1.935658e-46, 2.5e39, 2459000.5045])
def test_values_beyond_float32_are_kept(tmp_path, y):
    found = import_arrays(table(tmp_path, f"a,b,y1,y2\n0.1,0.2,{y!r},{1.01 * y!r}\n"), COLUMNS, BOX)
    found.save(tmp_path / "set.h5")
    np.testing.assert_array_equal(TrainingSet.load(tmp_path / "set.h5").values["y"], [[y, 1.01 * y]])


@pytest.mark.parametrize("word", ["", "NaN", "nan", "NA", "n/a", "null", "NULL", "None", "--", '""', " "])
def test_a_missing_value_is_nan_and_a_missing_parameter_is_refused(tmp_path, word):
    found = import_arrays(table(tmp_path, f"a,b,y1,y2\n0.1,0.2,{word},4\n"), COLUMNS, BOX)
    np.testing.assert_array_equal(found.values["y"], [[np.nan, 4.0]])
    with pytest.raises(DataError, match=r"mine\.csv, line 3: the parameter 'b' is nan"):
        import_arrays(table(tmp_path, f"a,b,y1,y2\n0.1,0.2,3,4\n0.1,{word},3,4\n"), COLUMNS, BOX)


REFUSED = {
    "a row too long": ("a,b,y1,y2\n1,2,3,4\n1,2,3,4,5\n", "line 3 has 5 values"),
    "a row too short": ("a,b,y1,y2\n1,2,3,4\n1,2,3\n", "line 3 has 3 values"),
    "decimal commas between commas": ("a,b,y1,y2\n0,1,0,2,3,1,4,5\n", "decimals need a point"),
    "both decimals": ("a;b;y1;y2\n0,1;0.2;3;4\n", "both '0,1' and '0.2'"),
    "thousands or decimals": ("a;b;y1;y2\n1,234;2;3;4\n", "'1,234', which may be a decimal or"),
    "thousands": ('a,b,y1,y2\n"1,234,567",2,3,4\n', r"'1,234,567' is not a number: .* thousands"),
    "a date": ("a,b,y1,y2\n2024-01-02,2,3,4\n", "line 2, column 'a': '2024-01-02' is not a number"),
    "a truth": ("a,b,y1,y2\nTrue,2,3,4\n", "'True' is not a number"),
    "stars of Fortran": ("a,b,y1,y2\n1,2,*******,4\n", "did not fit the width of Fortran"),
    "too large": ("a,b,y1,y2\n1,2,1e400,4\n", "larger than float64"),
    "too small": ("a,b,y1,y2\n1,2,1e-400,4\n", "smaller than float64"),
    "two columns of one name": ("a,a,b,y1,y2\n1,1,2,3,4\n", "more than one column 'a'"),
    "no header": ("1,2,3,4\n5,6,7,8\n", "line 1 holds numbers"),
    "Latin-1": (b"# \xe9\na,b,y1,y2\n1,2,3,4\n", "not text in UTF-8"),
    "zero bytes": (b"a,b,y1,y2\n1,2,3,\x00\n", "zero bytes"),
    "ECSV": ("# %ECSV 1.0\n# ---\na,b,y1,y2\n1,2,3,4\n", "ECSV"),
    "all NaN": ("a,b,y1,y2\n1,2,nan,nan\n", "'y' is NaN at every point"),
    "empty": ("", "it is empty"),
    "an infinite parameter": ("a,b,y1,y2\ninf,2,3,4\n", "the parameter 'a' is inf"),
}


@pytest.mark.attack("import", "twenty bent tables: ragged rows, thousands, dates, truths, doubles of names, encodings")
@pytest.mark.parametrize(("content", "words"), REFUSED.values(), ids=REFUSED)
def test_a_table_that_can_be_read_in_two_ways_is_refused(tmp_path, content, words):
    with pytest.raises(DataError, match=words) as refused:
        import_arrays(table(tmp_path, content), COLUMNS, BOX)
    assert "mine.csv" in str(refused.value) and len(str(refused.value)) < 400


@pytest.mark.case(12)
@pytest.mark.parametrize("name", ["P/k", "P\\k", ".", "..", "", " y", "y\n", "x" * 101])
def test_an_observable_whose_name_is_no_name_of_a_file_is_refused(tmp_path, name):
    how = ImportTable.model_validate({**NUMBERS, "observables": {name: NUMBERS["observables"]["y"]}})
    with pytest.raises(ConfigurationError, match=r"\[import\.observables"):
        import_arrays(table(tmp_path, PLAIN), how, BOX)


@pytest.mark.parametrize("name", ["τ_e", "T b", "P(k)", "y.z", "x[0]", "x" * 100])
def test_an_unusual_name_is_read_back(tmp_path, name):
    how = ImportTable.model_validate({**NUMBERS, "observables": {name: NUMBERS["observables"]["y"]}})
    import_arrays(table(tmp_path, PLAIN), how, BOX).save(tmp_path / "set.h5")
    np.testing.assert_array_equal(TrainingSet.load(tmp_path / "set.h5").values[name], ROWS[:, 2:])


def test_the_rows_of_a_recipe_must_be_different_columns_of_one_length(tmp_path):
    twice = ImportTable.model_validate({**NUMBERS, "theta": {"a": "a", "b": "a"}})
    with pytest.raises(ConfigurationError, match="names the same column twice"):
        import_arrays(table(tmp_path, PLAIN), twice, BOX)
    np.savez(tmp_path / "set.npz", a=np.ones(4), b=np.ones(5), y1=np.ones(4), y2=np.ones(4))
    with pytest.raises(DataError, match=r"'b' has the shape \(5,\); \(4,\) is needed, as that of 'a'"):
        import_arrays(tmp_path / "set.npz", COLUMNS, BOX)
    np.savez(tmp_path / "none.npz", a=np.ones(0), b=np.ones(0), y1=np.ones(0), y2=np.ones(0))
    with pytest.raises(DataError, match="has no rows"):
        import_arrays(tmp_path / "none.npz", COLUMNS, BOX)
