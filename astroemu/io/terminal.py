"""Texts that may come from files of strangers, made safe to print."""

from __future__ import annotations

import sys
import unicodedata

#: Categories of characters that a terminal or a browser obeys instead of showing: controls, direction overrides and
#: other formats, lone surrogates, separators of lines and paragraphs.
_OBEYED = ("Cc", "Cf", "Cs", "Zl", "Zp")


def visible(text: str) -> str:
    """Return a text in which characters that control a terminal are written as escapes, such as ``\\x1b``.

    Line feeds and tabs stay.
    """
    if text.isascii() and text.replace("\n", "").replace("\t", "").isprintable():
        return text
    return "".join(
        repr(char)[1:-1] if unicodedata.category(char) in _OBEYED and char not in "\n\t" else char for char in text
    )


def visible_line(text: str) -> str:
    """Return a text as :func:`visible`, in one line."""
    return visible(" ".join(text.split()))


def print_what_can_be_printed() -> None:
    """Let the standard streams write an escape for a character that their encoding lacks, instead of failing."""
    for stream in (sys.stdout, sys.stderr):
        reconfigure = getattr(stream, "reconfigure", None)
        if reconfigure is not None:
            reconfigure(errors="backslashreplace")
