"""A plugin is known by its distribution and by the source of its modules."""

from __future__ import annotations

import sys

import pytest
from outside_plugin import CODE, OutsidePlugin

from astroemu.runtime.plugin_identity import identity_of
from astroemu.runtime.plugins import PROBES, SAMPLERS


@pytest.fixture
def outside(tmp_path, monkeypatch):
    return OutsidePlugin(tmp_path, monkeypatch)


def of_toy():
    return identity_of([PROBES.load("toy")])


def test_the_distribution_comes_from_the_entry_point_also_of_an_editable_installation(outside):
    assert of_toy().plugins == {"outside_toy.probe:Toy": "outside-toy 1.0"}
    outside.install(version="1.1")
    assert of_toy().plugins == {"outside_toy.probe:Toy": "outside-toy 1.1"}
    built_in = identity_of([SAMPLERS.load("emcee"), SAMPLERS.load("emcee")])
    assert set(built_in.source) == {"astroemu", "astroemu_plugins"}
    assert next(iter(built_in.plugins.values())).startswith("astroemu-inference ")


def test_every_module_of_its_package_and_every_module_beside_it_counts(outside):
    before = of_toy().source
    assert set(before) == {"astroemu", "outside_toy", "outside_helper"}
    assert of_toy().source == before
    outside.edit("** 2", "** 2  # a comment")
    assert {k for k, v in of_toy().source.items() if v != before[k]} == {"outside_toy"}
    outside.install(helper="def width():\n    return 0.6\n")
    assert {k for k, v in of_toy().source.items() if v != before[k]} == {"outside_helper"}
    outside.install()
    (outside.package / "more").mkdir()
    (outside.package / "more" / "unused.py").write_text("")
    assert of_toy().source["outside_toy"] != before["outside_toy"]


@pytest.mark.attack("plugins", "checked out with other ends of lines, with caches, hidden files and a dangling link")
def test_what_is_no_code_does_not_count(outside):
    before = of_toy()
    (outside.package / "__pycache__").mkdir(exist_ok=True)
    (outside.package / "__pycache__" / "probe.py").write_text("cache")
    (outside.package / ".ipynb_checkpoints").mkdir()
    (outside.package / ".ipynb_checkpoints" / "probe.py").write_text("old")
    (outside.package / "runs").mkdir()
    (outside.package / "runs" / "samples.h5").write_bytes(b"results")
    (outside.package / ".#probe.py").symlink_to("nobody@nowhere")
    (outside.package / "probe.py").write_bytes(CODE.replace("\n", "\r\n").encode())
    assert of_toy() == before


def test_a_base_class_of_another_package_counts(outside):
    class Child(PROBES.load("toy")):
        pass

    assert {"outside_toy", "outside_helper"} <= set(identity_of([Child]).source)


@pytest.mark.attack("plugins", "a probe of a notebook or of python -c: no file, no distribution")
def test_a_class_without_a_file_has_an_identity_too(monkeypatch):
    made = type(sys)("__main__")
    monkeypatch.setitem(sys.modules, "__main__", made)
    exec("class Mine:\n    pass\n", vars(made))
    found = identity_of([made.Mine()])
    assert found.plugins == {"__main__:Mine": "no distribution"}
    assert found.source["__main__"] == "no file"
