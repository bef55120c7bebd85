"""The notebooks are stored without results, and run."""

from __future__ import annotations

import json
import os
import runpy
import subprocess
import sys

import pytest
from pages import REPOSITORY

SCRIPT = REPOSITORY / "docs" / "scripts" / "notebooks.py"
NOTEBOOKS = sorted((REPOSITORY / "docs" / "tutorials").glob("*.ipynb"))
#: Packages that a notebook needs beyond those that are always there.
NEEDS = {"tension": ("ultranest", "anesthetic")}


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_is_stored_without_results(path):
    notebook = json.loads(path.read_text(encoding="utf-8"))
    assert (notebook["nbformat"], notebook["nbformat_minor"]) == (4, 5)
    identities = [cell["id"] for cell in notebook["cells"]]
    assert len(set(identities)) == len(identities) and path.stat().st_size < 20_000
    assert notebook["cells"][0]["cell_type"] == "markdown" and notebook["cells"][0]["source"][0].startswith("# ")
    for cell in notebook["cells"]:
        if cell["cell_type"] == "code":
            assert cell["outputs"] == [] and cell["execution_count"] is None
            assert compile("".join(cell["source"]), path.name, "exec")  # no magic commands: it runs without Jupyter
        if picture := cell["metadata"].get("picture"):
            size = (REPOSITORY / "docs" / "images" / picture).stat().st_size
            assert size < 150_000, f"{picture} has {size} bytes"


def test_a_notebook_becomes_a_page_with_its_pictures():
    page = runpy.run_path(str(SCRIPT))["page"]
    text = page(NOTEBOOKS[0].read_text(encoding="utf-8"), NOTEBOOKS[0].name)
    assert text.startswith("# Notebook: ") and f"{{download}}`Download this notebook <{NOTEBOOKS[0].name}>`" in text
    assert "```python\nfrom pathlib import Path" in text and "](../images/lecture_corner.png)" in text


@pytest.mark.parametrize(
    ("code", "value"), [("x = 2\nx + 1", 3), ("y = 1", None), ("for i in range(2):\n    pass", None)]
)
def test_a_cell_has_the_value_of_its_last_expression(code, value):
    assert runpy.run_path(str(SCRIPT))["result"](code, "here", {}) == value


def test_an_unknown_notebook_is_refused():
    command = [sys.executable, str(SCRIPT), "nonsense"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 1 and "there is no notebook 'nonsense'; there are lecture" in done.stderr


@pytest.mark.slow
@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_runs(path, tmp_path):
    for package in NEEDS.get(path.stem, ()):
        pytest.importorskip(package)
    done = subprocess.run(
        [sys.executable, str(SCRIPT), path.stem],
        cwd=tmp_path, env={**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"},
        capture_output=True, text=True, timeout=1800, check=False,
    )  # fmt: skip
    assert done.returncode == 0, f"{done.stdout[-1500:]}\n{done.stderr[-3000:]}"
