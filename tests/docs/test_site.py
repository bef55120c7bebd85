"""The site is built without a warning."""

from __future__ import annotations

import subprocess
import sys
from importlib.util import find_spec

import pytest
from pages import REPOSITORY

NEEDED = ("sphinx", "myst_parser", "furo", "numpydoc")


@pytest.mark.skipif(any(find_spec(name) is None for name in NEEDED), reason="pip install -e '.[docs]'")
def test_the_site_is_built_without_a_warning(tmp_path):
    command = [sys.executable, "-m", "sphinx", "-W", "--keep-going", "-q", "-b", "html", "-d", str(tmp_path / "trees")]
    done = subprocess.run(
        [*command, str(REPOSITORY / "docs"), str(tmp_path / "html")], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    for page in ("index", "reference", "plugins", "gallery", "tutorials/emulator", "tutorials/lecture"):
        assert (tmp_path / "html" / f"{page}.html").stat().st_size > 5_000
    assert (tmp_path / "html" / "search.html").is_file()
    assert '"plot_corner' in (tmp_path / "html" / "searchindex.js").read_text(encoding="utf-8")
