"""The code blocks of a Markdown page, and what is to be done with each.

An HTML comment before a block says so; readers do not see it:

    <!-- test: file NAME -->     written to NAME in the sandbox; other blocks use it
    <!-- test: quick -->         fits and the like are cut short (whole in the slow tests)
    <!-- test: fragment -->      TOML that is no whole file: it has to be valid TOML
    <!-- test: parse, WHY -->    not run, for the reason given; commands of astroemu still have to exist

Any other ``sh`` or ``python`` block is run as it stands, in the order of the page.
"""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass
from pathlib import Path

REPOSITORY = Path(__file__).parents[2]
_BLOCK = re.compile(r"(?:<!-- test: (?P<what>[^>]*?) -->\n)?^```(?P<language>\w+)\n(?P<text>.*?)^```", re.M | re.S)
LANGUAGES = {"sh", "python", "toml"}


@dataclass(frozen=True)
class Block:
    """One code block: its language, its text, and the directive before it."""

    page: str
    line: int
    language: str
    text: str
    what: str

    def __str__(self):
        return f"{self.page}:{self.line}"


def pages() -> list[Path]:
    """README, the pages of the site, and the READMEs of the examples."""
    found = [REPOSITORY / "README.md", *sorted((REPOSITORY / "docs").rglob("*.md"))]
    return [path for path in found if "_build" not in path.parts]


def blocks(page: Path) -> list[Block]:
    """The blocks of a page that are code."""
    text, name = page.read_text(encoding="utf-8"), str(page.relative_to(REPOSITORY))
    return [
        Block(name, text[: m.start("language")].count("\n") + 1, m["language"], m["text"], (m["what"] or "").strip())
        for m in _BLOCK.finditer(text)
        if m["language"] in LANGUAGES
    ]


def commands(block: Block) -> list[list[str]]:
    """The arguments of every call of astroemu in a shell block."""
    text = re.sub(r"\\\n\s*", " ", block.text)
    found = []
    for line in text.splitlines():
        words = shlex.split(line, comments=True)
        for i, word in enumerate(words):
            if Path(word).name == "astroemu":
                found.append(words[i + 1 :])
                break
    return found
