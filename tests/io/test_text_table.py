"""Text tables of strangers; tests/emulation/test_importing.py has those of a training set."""

from __future__ import annotations

import pytest

from astroemu.errors import DataError
from astroemu.io import text_table
from astroemu.io.text_table import read_table


def written(folder, text):
    (folder / "t.csv").write_text(text)
    return folder / "t.csv"


def test_a_column_is_converted_when_it_is_asked_for(tmp_path):
    table = read_table(written(tmp_path, "# h = 0.7\nrun,k (1/Mpc),y\nfirst,0.1,\n# half way\nsecond,0.2,5\n"))
    assert table.names == ("run", "k (1/Mpc)", "y") and table.lines == [3, 5]
    assert table.column("k (1/Mpc)") == [0.1, 0.2] and table.column("y")[1] == 5.0
    with pytest.raises(DataError, match=r"line 3, column 'run': 'first' is not a number"):
        table.column("run")


def test_a_row_of_tabs_is_a_row_of_missing_values(tmp_path):
    table = read_table(written(tmp_path, "a\tb\n1\t2\n\t\n3\t4\n"))
    assert len(table.rows) == 3 and table.column("a")[0] == 1.0 and str(table.column("a")[1]) == "nan"


def test_names_may_be_numbers(tmp_path):
    assert read_table(written(tmp_path, "a,6.0,7.0\n1,2,3\n")).column("6.0") == [2.0]


def test_a_table_has_a_largest_size(tmp_path, monkeypatch):
    monkeypatch.setattr(text_table, "LARGEST_TABLE", 10)
    with pytest.raises(DataError, match="store its columns as arrays in an npz file"):
        read_table(written(tmp_path, "a,b\n1,2\n3,4\n"))


def test_an_unfinished_quotation_is_refused(tmp_path):
    with pytest.raises(DataError, match=r"t\.csv, line"):
        read_table(written(tmp_path, 'a,b\n"1,2\n3,4\n'))
    with pytest.raises(DataError, match=r"t\.csv, line"):
        read_table(written(tmp_path, "a,b\n1," + "2" * 200_000 + "\n"))
