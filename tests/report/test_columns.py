"""Columns of text that fit a terminal."""

from __future__ import annotations

from astroemu.report.columns import columns, wrapped

HEAD = ("name", "mean", "an interval")
ROWS = [("a", "1.0", "0.5 to 1.5"), ("long_name", "2.000", "1 to 3"), ("c", "a text")]


def test_a_wide_table_is_one_block():
    assert columns(HEAD, ROWS, 80) == [
        "name        mean  an interval",
        "a            1.0   0.5 to 1.5",
        "long_name  2.000       1 to 3",
        "c          a text",
    ]


def test_columns_that_do_not_fit_follow_below():
    assert columns(HEAD, ROWS, 20) == [
        "name        mean",
        "a            1.0",
        "long_name  2.000",
        "c          a text",
        "",
        "name       an interval",
        "a           0.5 to 1.5",
        "long_name       1 to 3",
    ]


def test_a_sentence_is_wrapped_between_words():
    assert wrapped("one two three", 20) == "one two three"
    assert wrapped("a sentence of more words than fit", 20) == "a sentence of more\n  words than fit"
    assert wrapped("x" * 50, 20) == "x" * 50
