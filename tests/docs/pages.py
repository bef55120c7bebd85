"""The code blocks of a Markdown page, and how each is tested.

An HTML comment before a block states it. Readers do not see the comment:

    <!-- test: file NAME -->     written to NAME in the sandbox, where other blocks use it
    <!-- test: quick -->         fits and similar commands are shortened (complete in the slow tests)
    <!-- test: fragment -->      part of a TOML file; it must be valid TOML
    <!-- test: parse, WHY -->    not run, for the stated reason; its commands of astroemu must exist

Any other ``sh`` or ``python`` block is run unchanged, in the order of the page.
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
    """Return the paths of README and of the pages of the site."""
    found = [REPOSITORY / "README.md", *sorted((REPOSITORY / "docs").rglob("*.md"))]
    return [path for path in found if "_build" not in path.parts]


def blocks(page: Path) -> list[Block]:
    """Return the code blocks of a page."""
    text, name = page.read_text(encoding="utf-8"), str(page.relative_to(REPOSITORY))
    return [
        Block(name, text[: m.start("language")].count("\n") + 1, m["language"], m["text"], (m["what"] or "").strip())
        for m in _BLOCK.finditer(text)
        if m["language"] in LANGUAGES
    ]


def commands(block: Block) -> list[list[str]]:
    """Return the arguments of every call of astroemu in a shell block."""
    text = re.sub(r"\\\n\s*", " ", block.text)
    found = []
    for line in text.splitlines():
        words = shlex.split(line, comments=True)
        for i, word in enumerate(words):
            if Path(word).name == "astroemu":
                found.append(words[i + 1 :])
                break
    return found
