"""Columns of text that fit a terminal."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence

#: Width of a table in a file, in characters.
WIDTH = 80
_GAP = "  "


def columns(head: Sequence[str], rows: Sequence[Sequence[str]], width: int = WIDTH) -> list[str]:
    """Return the lines of a table; columns that do not fit follow below, with the first column repeated.

    Parameters
    ----------
    head : sequence of str
        Headings of the columns.
    rows : sequence of sequence of str
        Cells. The first one is on the left. A row of two cells has a text instead of numbers.
    width : int
        Largest number of characters in a line, if the first column and another one fit.
    """
    texts = [row for row in rows if len(row) != len(head)]
    numbers = [row for row in rows if len(row) == len(head)]
    sizes = [max(len(row[j]) for row in [head, *numbers]) for j in range(len(head))]
    sizes[0] = max([sizes[0], *(len(row[0]) for row in texts)])
    lines: list[str] = []
    for block in _blocks(sizes, width):
        lines += [] if not lines else [""]
        for row in [head, *rows]:
            cells = [row[j].rjust(sizes[j]) for j in block] if len(row) == len(head) else row[1:]
            if len(row) == len(head) or block[0] == 1:
                lines.append(_GAP.join([row[0].ljust(sizes[0]), *cells]).rstrip())
    return lines


def _blocks(sizes: Sequence[int], width: int) -> list[list[int]]:
    """Return the columns of each block, without the first column, which all have."""
    blocks: list[list[int]] = [[]]
    for j in range(1, len(sizes)):
        used = sizes[0] + sum(len(_GAP) + sizes[k] for k in [*blocks[-1], j])
        if blocks[-1] and used > width:
            blocks.append([])
        blocks[-1].append(j)
    return blocks


def wrapped(text: str, width: int = WIDTH, indent: int = 2) -> str:
    """Return a sentence in lines of a width; those after the first are indented."""
    return textwrap.fill(
        text, max(width, 20), subsequent_indent=indent * " ", break_long_words=False, break_on_hyphens=False
    )
