"""Every code block of README and of the site is run, or states why not."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tomllib

import pytest
import typer
from pages import REPOSITORY, blocks, commands, pages
from stranger import Stranger, installable

from astroemu.cli import app

ALL = [block for page in pages() for block in blocks(page)]
RUN = [
    page for page in pages()
    if any(b.language != "toml" and not b.what.startswith(("parse", "file")) for b in blocks(page))
]  # fmt: skip
COMMAND = typer.main.get_command(app)
NAME = {"ids": lambda page: str(page.relative_to(REPOSITORY))}
#: Options that a quick block adds to a command.
SHORT = {
    "fit": "--no-report --set samplers.emcee.max_steps=150 --set samplers.ultranest.max_calls=5000",
    "tension": "--set samplers.ultranest.max_calls=5000",
    "reweight": "--no-report --min-ess 1",
}
#: Pages that the fast tests run. The slow tests run all pages, with shortened and with complete blocks.
FAST = ("docs/concepts.md", "docs/catalogs.md")


def test_there_are_pages_and_blocks():
    assert len(pages()) > 15 and len(ALL) > 40 and len(RUN) > 10


@pytest.mark.parametrize("block", [b for b in ALL if b.language == "sh"], ids=str)
def test_every_command_exists(block):
    for words in commands(block):
        if words[:1] == ["--install-completion"]:  # an option of astroemu itself, which has no command
            assert any(words[0] in parameter.opts for parameter in COMMAND.params)
            continue
        with COMMAND.make_context("astroemu", list(words), resilient_parsing=True) as context:
            name, command, rest = COMMAND.resolve_command(context, list(words))
            made = command.make_context(name, rest)  # unknown options, missing arguments and wrong types end here
            assert made.command is command


@pytest.mark.parametrize("block", [b for b in ALL if b.language == "toml"], ids=str)
def test_every_toml_block_is_toml(block):
    assert tomllib.loads(block.text)


@pytest.mark.parametrize("block", [b for b in ALL if b.language == "python"], ids=str)
def test_every_python_block_compiles(block):
    assert compile(block.text, str(block), "exec").co_filename == str(block)


def test_every_exception_says_why():
    for block in ALL:
        known = ("", "quick", "fragment")
        assert block.what in known or block.what.startswith(("file ", "parse, ")), f"{block}: {block.what}"


def test_the_table_of_commands_is_complete():
    text = (REPOSITORY / "docs" / "commands.md").read_text()
    assert all(f"| `astroemu {name}` |" in text for name in COMMAND.commands)


@pytest.fixture(scope="module")
def stranger(tmp_path_factory):
    """A virtual environment with `astroemu` and an offline `pip` on its path."""
    installable()
    made = Stranger(tmp_path_factory.mktemp("docs"))
    tools = made.python.parent
    (tools / "astroemu").write_text(
        '#!/bin/bash\ncase "${ASTROEMU_DOCS_QUICK:-} $1" in\n'
        + "".join(f'"1 {name}") set -- "$@" {options} ;;\n' for name, options in SHORT.items())
        + "esac\n"
        f'exec {made.python} -m astroemu "$@"\n'
    )
    (tools / "pip").write_text(
        f'#!/bin/bash\n[ "$1" = install ] && shift\nexec {sys.executable} -m pip --python {made.python} '
        '--disable-pip-version-check install --quiet --no-deps --no-build-isolation --no-index "$@"\n'
    )
    for tool in ("astroemu", "pip"):
        (tools / tool).chmod(0o755)
    return made


def run_page(stranger, folder, page, *options):
    for name in ("plugins", "docs"):  # the parts of a checkout that the blocks use
        shutil.copytree(REPOSITORY / name, folder / name, ignore=shutil.ignore_patterns("__pycache__", "_build"))
    (folder / ".venv" / "bin").mkdir(parents=True)
    (folder / ".venv" / "bin" / "activate").write_text("")  # the environment is on the path already
    path = os.pathsep.join([str(stranger.python.parent), os.environ["PATH"]])
    return subprocess.run(
        [str(stranger.python), str(REPOSITORY / "tests" / "docs" / "run_page.py"), str(page), *options],
        cwd=folder, env={**os.environ, "PATH": path, "TF_CPP_MIN_LOG_LEVEL": "3"},
        capture_output=True, text=True, timeout=1800, check=False,
    )  # fmt: skip


def marked(page):
    """Return a page as a parameter, marked slow unless it is a fast one."""
    slow = () if str(page.relative_to(REPOSITORY)) in FAST else (pytest.mark.slow,)
    return pytest.param(page, marks=slow, id=str(page.relative_to(REPOSITORY)))


@pytest.mark.parametrize("page", [marked(page) for page in RUN])
def test_a_page_runs(stranger, tmp_path, page):
    done = run_page(stranger, tmp_path, page)
    assert done.returncode == 0, f"{done.stdout[-1500:]}\n{done.stderr[-3000:]}"


@pytest.mark.slow
@pytest.mark.parametrize("page", [p for p in RUN if any(b.what == "quick" for b in blocks(p))], **NAME)
def test_a_page_runs_whole(stranger, tmp_path, page):
    done = run_page(stranger, tmp_path, page, "whole")
    assert done.returncode == 0, f"{done.stdout[-1500:]}\n{done.stderr[-3000:]}"
