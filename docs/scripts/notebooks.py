"""Run the notebooks of docs/tutorials in the current folder, without Jupyter, and write them as pages of the site.

    python docs/scripts/notebooks.py [NAME ...] [--pictures FOLDER]

The cells of a notebook run one after the other in one namespace. Results are printed. A cell may name a picture in its
metadata, as ``{"picture": "NAME.png"}``. With ``--pictures``, its figure is written into that folder; the site shows it
below the cell.
"""

from __future__ import annotations

import argparse
import ast
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

TUTORIALS = Path(__file__).parents[1] / "tutorials"
#: Width of a picture in pixels, and most pixels per inch.
_WIDTH, _SHARP = 850, 120


def cells(text: str) -> Iterator[tuple[str, str, str]]:
    """Yield the kind, the source and the picture of each cell of a notebook."""
    for cell in json.loads(text)["cells"]:
        yield cell["cell_type"], "".join(cell["source"]), cell["metadata"].get("picture", "")


def page(text: str, name: str) -> str:
    """Return a notebook as a page in Markdown, with a link to the notebook below its title."""
    parts = []
    for kind, source, picture in cells(text):
        parts.append(source if kind == "markdown" else f"```python\n{source}\n```")
        parts += [f"![{Path(picture).stem}](../images/{picture})"] if picture else []
    title, _, rest = parts[0].partition("\n")
    return "\n\n".join([title, f"{{download}}`Download this notebook <{name}>`", rest.strip(), *parts[1:], ""])


def result(code: str, place: str, namespace: dict[str, Any]) -> Any:
    """Run a cell and return the value of its last expression; None if it ends with something else."""
    tree = ast.parse(code, place)
    last = tree.body.pop() if isinstance(tree.body[-1], ast.Expr) else None
    exec(compile(tree, place, "exec"), namespace)  # noqa: S102 - our own notebook
    return None if last is None else eval(compile(ast.Expression(last.value), place, "eval"), namespace)  # noqa: S307


def run(notebook: Path, pictures: Path | None = None) -> None:
    """Run a notebook. Everything that a notebook shows is made too: tables as HTML, and figures."""
    namespace: dict[str, Any] = {"__name__": "__main__"}
    for number, (kind, code, picture) in enumerate(cells(notebook.read_text(encoding="utf-8")), 1):
        if kind != "code":
            continue
        value = result(code, f"{notebook.name}, cell {number}", namespace)
        for form in ("_repr_html_", "_repr_png_"):
            getattr(value, form, lambda: None)()
        if picture and pictures is not None:
            value.savefig(pictures / picture, dpi=min(_WIDTH / value.get_figwidth(), _SHARP))
        elif value is not None:
            print(value)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", metavar="NAME")
    parser.add_argument("--pictures", type=Path)
    given = parser.parse_args()
    notebooks = {path.stem: path for path in sorted(TUTORIALS.glob("*.ipynb"))}
    for name in given.names or notebooks:
        if name not in notebooks:
            sys.exit(f"there is no notebook {name!r}; there are {', '.join(notebooks)}")
        run(notebooks[name], given.pictures)


if __name__ == "__main__":
    main()
