"""The site: `make docs` builds it, without warnings, into docs/_build/html."""

import sys
from pathlib import Path

from astroemu import __version__

sys.path.insert(0, str(Path(__file__).parent / "scripts"))

import notebooks

project = "astroemu"
author = copyright = "The astroemu developers"  # noqa: A001 - Sphinx's name for it
release = version = __version__

extensions = ["myst_parser", "numpydoc", "sphinx.ext.autodoc"]
source_suffix = {".md": "markdown", ".ipynb": "markdown", ".rst": "restructuredtext"}
exclude_patterns = ["_build"]

myst_enable_extensions = ["dollarmath"]
myst_heading_anchors = 4

autodoc_member_order = "bysource"
autodoc_typehints = "none"  # numpydoc says them in words
autodoc_class_signature = "mixed"
numpydoc_show_class_members = False

html_theme = "furo"
html_title = f"astroemu {release}"
html_static_path = ["_static"]


def _with_new_pages(_, name, source):
    """Put pages that the index does not list yet at its end, so that none is lost."""
    if name == "index":
        listed = set(source[0].split())
        new = sorted({path.stem for path in Path(__file__).parent.glob("*.md")} - listed - {"index"})
        if new:
            source[0] += "\n".join(["", "```{toctree}", ":hidden:", ":caption: More", "", *new, "```", ""])


def _from_notebook(app, name, source):
    """Read a notebook as Markdown."""
    path = Path(app.env.doc2path(name))
    if path.suffix == ".ipynb":
        source[0] = notebooks.page(source[0], path.name)


def setup(app):
    """Called by Sphinx."""
    app.connect("source-read", _with_new_pages)
    app.connect("source-read", _from_notebook)
