"""The page of the reference has every public name.

Public are the names of `astroemu` and of its modules for plugins, what the kit and the report export, and whatever a
page or a notebook imports.
"""

from __future__ import annotations

import ast
import inspect
import json
import re
from importlib import import_module

import pytest
from pages import REPOSITORY, blocks, pages

import astroemu
import astroemu.report
import astroemu.testing
from astroemu.core.array_namespace import NUMPY

PAGE = (REPOSITORY / "docs" / "reference.md").read_text(encoding="utf-8")
DIRECTIVE = re.compile(r"^\.\. auto(?P<kind>\w+):: (?P<name>[\w.]+)\n(?P<options>(?:   :.*\n)*)", re.M)
#: Modules whose public classes and functions are all for users or for plugins.
WHOLE = (
    "core.distributions", "core.likelihoods", "core.panel", "core.progress", "core.points", "emulation.transforms",
    "sampling.sampler", "sampling.target", "errors",
)  # fmt: skip
#: Building blocks of the built-in plugins. Pages name them to explain, not to be called.
INNER = {"run_simulator"}


def found(name):
    """Return the object of a dotted name."""
    module, _, attribute = name.rpartition(".")
    try:
        return import_module(name)
    except ModuleNotFoundError:
        return getattr(import_module(module), attribute)


def members(module):
    """Return the public classes and functions that a module defines, by name."""
    return {
        name: thing for name, thing in vars(module).items()
        if not name.startswith("_") and (inspect.isclass(thing) or inspect.isfunction(thing))
        and thing.__module__ == module.__name__
    }  # fmt: skip


def directives():
    """Yield the kind, the object and the names after ``:members:`` (None without that option) of each directive."""
    for match in DIRECTIVE.finditer(PAGE):
        option = re.search(r":members:(.*)", match["options"])
        chosen = None if option is None else [name.strip() for name in option[1].split(",") if name.strip()]
        yield match["kind"], found(match["name"]), chosen


def described():
    """Return the identities of all objects on the page."""
    things = []
    for kind, thing, chosen in directives():
        things.append(thing)
        if kind == "module" and chosen is not None:
            things += [value for name, value in members(thing).items() if not chosen or name in chosen]
    return {id(thing) for thing in things}


def imported():
    """Return the names that pages and notebooks import from astroemu, with the place of one import."""
    codes = [(str(block), block.text) for page in pages() for block in blocks(page) if block.language == "python"]
    for path in sorted((REPOSITORY / "docs" / "tutorials").glob("*.ipynb")):
        cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
        codes += [(path.name, "".join(cell["source"])) for cell in cells if cell["cell_type"] == "code"]
    names = {}
    for place, code in codes:
        for node in ast.walk(ast.parse(code)):
            if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "astroemu":
                names |= {f"{node.module}.{alias.name}": place for alias in node.names}
    return names


def public():
    """Return all public names."""
    names = {f"astroemu.{name}" for name in astroemu.__all__ if not name.startswith("_")}
    names |= {f"astroemu.testing.{name}" for name in astroemu.testing.__all__}
    names |= {f"astroemu.report.{name}" for name in astroemu.report.__all__}
    names |= {f"astroemu.{part}.{name}" for part in WHOLE for name in members(import_module(f"astroemu.{part}"))}
    return sorted(names | set(imported()))


@pytest.mark.parametrize("name", public())
def test_a_public_name_is_on_the_page(name):
    thing = found(name)
    assert id(thing) in described() or name.rpartition(".")[2] in INNER, f"{name} is not in docs/reference.md"


@pytest.mark.parametrize(
    "name",
    [
        "core.catalog.write_table", "core.distributions.Uniform", "core.panel.Panel", "core.progress.Progress",
        "emulation.recipe.Recipe", "sampling.sampler.SamplerTraits", "sampling.target.CountedTarget",
    ],
)  # fmt: skip
def test_names_that_a_new_user_missed_are_on_the_page(name):
    assert id(found(f"astroemu.{name}")) in described()


def test_every_method_of_a_class_is_shown():
    for kind, thing, chosen in directives():
        if kind != "class":
            continue
        methods = {name for name in vars(thing) if not name.startswith("_") and callable(getattr(thing, name))}
        assert chosen == [] or not methods or methods <= set(chosen or ()), f"{thing.__name__}: {methods}"


def test_every_function_of_xp_is_listed_for_plugins():
    text = (REPOSITORY / "docs" / "plugins.md").read_text(encoding="utf-8")
    listed = text[text.index("The functions of `xp`:") : text.index("work as in NumPy")]
    of_built_in_parts = {"where_rows", "stop_gradient", "iterate", "in_columns", "rough_log_ndtr"}
    for name in set(vars(NUMPY)) - of_built_in_parts:
        assert re.search(rf"`{name}[(`]", listed), f"xp.{name} is not in docs/plugins.md"
