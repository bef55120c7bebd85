"""Texts of strangers, made safe to print."""

from __future__ import annotations

import io
import sys

import pytest

from astroemu.io.terminal import print_what_can_be_printed, visible, visible_line


@pytest.mark.attack("terminal", "escapes, C1 controls, direction overrides, lone surrogates in names and titles")
def test_characters_that_control_are_shown():
    assert visible("a\x1b[31mb\x07") == r"a\x1b[31mb\x07" and visible("\x9b0m\x7f") == r"\x9b0m\x7f"
    assert visible("one\u202etwo\u2066") == r"one\u202etwo\u2066" and visible("\udce9\r") == r"\udce9\r"


def test_ordinary_text_stays():
    text = "log10 β* = -1.2 ± 0.3\n\té 中"
    assert visible(text) is text or visible(text) == text
    assert visible_line(" one\n two\t three ") == "one two three"


@pytest.mark.case(19)
def test_a_character_that_the_output_lacks_is_written_as_an_escape(monkeypatch):
    stream = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
    monkeypatch.setattr(sys, "stdout", stream)
    print_what_can_be_printed()
    print("é", flush=True)
    assert stream.buffer.getvalue() == b"\\xe9\n"
    monkeypatch.setattr(sys, "stdout", None)  # a process without an output
    print_what_can_be_printed()
