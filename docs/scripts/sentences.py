"""Print how long the sentences of the documentation are, page by page.

    python docs/scripts/sentences.py [--longer-than 25] [PAGE ...]

A page passes if its sentences have at most 20 words on average and none has more than 40. Code, headings and link
targets are left out; a piece of inline code is one word. A table cell counts for the longest sentence only.
"""

from __future__ import annotations

import argparse
import re
from itertools import pairwise
from pathlib import Path

from markdown_it import MarkdownIt
from markdown_it.token import Token

DOCS = Path(__file__).resolve().parents[1]
LARGEST_MEAN, LARGEST = 20, 40
_ABBREVIATION = re.compile(r"\b(?:e\.g|i\.e|et al|cf|vs|Eqs?|Figs?|Sects?|Sec|App|Tab|No)\.$")
_END = re.compile(r"(?<=[.!?])[)\"”]?\s+(?=[\"“(`]?[A-Z0-9`_])")


def pages() -> list[Path]:
    """Return README, the other pages of the top folder and every page of the documentation."""
    return [*sorted(DOCS.parent.glob("*.md")), *sorted(p for p in DOCS.rglob("*.md") if "_build" not in p.parts)]


def plain_text(inline: Token) -> str:
    """Return the text of a paragraph, with each piece of code as one word."""
    return "".join(
        {"text": child.content, "softbreak": " ", "hardbreak": " ", "code_inline": "`code`"}.get(child.type, "")
        for child in inline.children or ()
    )


def sentences(text: str) -> list[str]:
    """Split a paragraph into its sentences."""
    found: list[str] = []
    for piece in _END.split(text.strip()):
        if found and _ABBREVIATION.search(found[-1]):
            found[-1] += " " + piece
        elif piece:
            found.append(piece)
    return found


def lengths(page: Path) -> tuple[list[tuple[int, str]], list[tuple[int, str]]]:
    """Return the lengths in words of the sentences of the text, and of those in tables."""
    markdown = page.read_text(encoding="utf-8")
    markdown = re.sub(r"\A---\n.*?\n---\n", "", markdown, flags=re.DOTALL)
    tokens = MarkdownIt("commonmark").enable("table").parse(markdown)
    text: list[tuple[int, str]] = []
    cells: list[tuple[int, str]] = []
    for before, token in pairwise(tokens):
        if token.type != "inline" or before.type == "heading_open":
            continue
        where = cells if before.type in ("td_open", "th_open") else text
        # A formula is one word, and a word has at least one letter or digit.
        plain = re.sub(r"\$[^$]*\$", "formula", plain_text(token))
        where += [(sum(bool(re.search(r"\w", word)) for word in s.split()), s) for s in sentences(plain)]
    return text, cells


def main() -> int:
    """Print a row per page; return 1 if a page has sentences that are too long."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("pages", nargs="*", type=Path, help="default: README and all pages of docs")
    parser.add_argument("--longer-than", type=int, help="print the sentences with more words than this, too")
    options = parser.parse_args()
    failed = False
    print(f"{'page':40} {'sentences':>9} {'mean':>6} {'longest':>7}")
    for page in options.pages or pages():
        text, cells = lengths(page)
        mean = sum(n for n, _ in text) / max(len(text), 1)
        longest = max((n for n, _ in text + cells), default=0)
        bad = mean > LARGEST_MEAN or longest > LARGEST
        failed |= bad
        name = page.resolve().relative_to(DOCS.parent)
        print(f"{name!s:40} {len(text):9} {mean:6.1f} {longest:7}{'  too long' if bad else ''}")
        if options.longer_than is not None:
            for n, sentence in text + cells:
                if n > options.longer_than:
                    print(f"    {n}: {sentence}")
    return int(failed)


if __name__ == "__main__":
    raise SystemExit(main())
