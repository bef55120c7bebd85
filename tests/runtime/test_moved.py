"""Former modules: their import fails with the new path; every new path exists; others are found or not as usual."""

from __future__ import annotations

import sys
from importlib import import_module
from importlib.util import find_spec

import pytest

from astroemu.runtime.moved import MOVED, _FormerModules, explain_former_modules


@pytest.mark.parametrize("name", MOVED)
def test_a_former_module_names_its_new_path(name):
    with pytest.raises(ModuleNotFoundError, match=f"astroemu.{name} has moved") as caught:
        import_module(f"astroemu.{name}")
    assert caught.value.name == f"astroemu.{name}"
    message = str(caught.value)
    assert all(f"astroemu.{new}" in message for new in MOVED[name])


@pytest.mark.parametrize("new", sorted({module for modules in MOVED.values() for module in modules}))
def test_every_new_path_exists(new):
    assert find_spec(f"astroemu.{new}") is not None


def test_an_import_statement_fails_with_the_new_path_too():
    with pytest.raises(ModuleNotFoundError, match=r"astroemu\.likelihood has moved.*astroemu\.core\.likelihoods"):
        exec("from astroemu.likelihood import gaussian")


@pytest.mark.parametrize("name", ["astroemu.nothing", "astroemu.core.nothing", "astroemu.core.sampler", "nothing_here"])
def test_another_missing_module_fails_as_usual(name):
    with pytest.raises(ModuleNotFoundError, match=r"^No module named") as caught:
        import_module(name)
    assert caught.value.name == name


@pytest.mark.parametrize("name", ["sampler", "somewhere.sampler", "astroemu_plugins.sampler", "astroemu"])
def test_names_of_other_packages_are_not_taken_for_former_modules(name):
    assert _FormerModules().find_spec(name) is None


def test_it_is_installed_once_and_last():
    before = list(sys.meta_path)
    assert sum(isinstance(finder, _FormerModules) for finder in before) == 1
    explain_former_modules()
    assert sys.meta_path == before


def test_names_of_modules_that_are_packages_now_are_still_there():
    from astroemu.model import Model
    from astroemu.model.model import Model as defined
    from astroemu.validation import validate
    from astroemu.validation.accuracy import validate as defined_too

    assert Model is defined and validate is defined_too
    with pytest.raises(ImportError, match="cannot import name 'Modell'"):
        from astroemu.model import Modell  # noqa: F401
    with pytest.raises(ImportError, match="cannot import name 'validated'"):
        from astroemu.validation import validated  # noqa: F401
