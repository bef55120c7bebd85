"""Plugins that are missing, doubled, broken or of the wrong type break only themselves."""

from __future__ import annotations

import sys
from importlib.metadata import EntryPoint
from pathlib import Path

import pytest

from astroemu.errors import PluginError, Terminated
from astroemu.runtime import plugins
from astroemu.runtime.plugins import GROUPS, PluginGroup, locate

MODULE = """
from astroemu.sampling.sampler import Sampler
class Good(Sampler):
    name = "good"
    def run(self, target, *, seed, folder=None, report=None): ...
class Wrong: ...
"""


@pytest.fixture
def group(tmp_path, monkeypatch):
    (tmp_path / "astroemu_test_stranger.py").write_text(MODULE)
    (tmp_path / "broken.py").write_text("import a_module_that_nobody_has")
    (tmp_path / "leaving.py").write_text("raise SystemExit(1)")
    monkeypatch.syspath_prepend(tmp_path)
    made = PluginGroup("astroemu.samplers", "sampler", "astroemu.sampling.sampler.Sampler")
    values = {
        "good": ["astroemu_test_stranger:Good"],
        "wrong": ["astroemu_test_stranger:Wrong"],
        "broken": ["broken:X"],
        "leaving": ["leaving:X"],
        "twice": ["astroemu_test_stranger:Good", "astroemu_test_stranger:Wrong"],
    }
    entries = {name: [EntryPoint(name, v, "astroemu.samplers") for v in vs] for name, vs in values.items()}
    made.__dict__["entries"] = entries
    return made


def test_a_good_plugin_loads(group):
    assert group.load("good").name == "good"


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("godo", ["Did you mean 'good'", "'twice'", "pip install"]),
        ("wrong", ["astroemu_test_stranger:Wrong", "not a subclass of astroemu.sampling.sampler.Sampler"]),
        ("broken", ["broken:X", "ModuleNotFoundError"]),
        ("leaving", ["SystemExit"]),
        ("twice", ["astroemu_test_stranger:Good", "astroemu_test_stranger:Wrong", "uninstall one"]),
    ],
)
def test_each_failure_has_its_own_message(group, name, words):
    with pytest.raises(PluginError) as caught:
        group.load(name)
    assert all(word in str(caught.value) for word in words)


@pytest.mark.parametrize(("group", "name"), [(g, n) for g in GROUPS for n in g.names])
def test_every_installed_plugin_is_what_it_says(group, name):
    assert group.load(name) is not None


def installed(monkeypatch, kind="builtins.dict", *, is_class=True, **values):
    """Return a group with the given entry points, by plugin name."""
    group = PluginGroup("astroemu.tests", "thing", kind, is_class)
    entries = {name: [EntryPoint(name, v, group.name) for v in vs] for name, vs in values.items()}
    monkeypatch.setitem(vars(group), "entries", entries)
    return group


@pytest.fixture
def module(tmp_path, monkeypatch):
    """A function that writes an importable module, which is forgotten after the test."""
    monkeypatch.syspath_prepend(tmp_path)

    def write(name, text):
        (tmp_path / f"{name}.py").write_text(text)
        monkeypatch.setitem(sys.modules, name, None)
        del sys.modules[name]
        return name

    return write


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("X = 1 +", "SyntaxError"),
        ("Y = 1", "AttributeError"),
        ("1 / 0", "ZeroDivisionError"),
        ("import sys; sys.exit('libmultinest.so not found')", "SystemExit: libmultinest.so not found"),
    ],
)
def test_an_import_that_fails_says_how(module, monkeypatch, text, words):
    group = installed(monkeypatch, bad=[f"{module('astroemu_test_bad', text)}:X"])
    with pytest.raises(PluginError, match="cannot be imported") as caught:
        group.load("bad")
    message = str(caught.value)
    assert words in message and "astroemu_test_bad:X" in message and "the thing 'bad'" in message
    assert caught.value.__cause__ is not None


@pytest.mark.attack("samplers", "Ctrl-C while a plugin is imported: it was called a broken plugin, exit code 2")
@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("raise KeyboardInterrupt", KeyboardInterrupt),
        ("from astroemu.errors import Terminated as T; raise T", Terminated),
    ],
)
def test_an_interrupt_during_an_import_is_an_interrupt(module, monkeypatch, text, error):
    group = installed(monkeypatch, slow=[f"{module('astroemu_test_slow', text)}:X"])
    with pytest.raises(error):
        group.load("slow")


def test_listing_imports_nothing_and_a_broken_plugin_breaks_only_itself(module, monkeypatch):
    module("astroemu_test_whole", "class Thing(dict): ...")
    module("astroemu_test_broken", "raise RuntimeError")
    group = installed(monkeypatch, broken=["astroemu_test_broken:X"], whole=["astroemu_test_whole:Thing"])
    assert group.names == ["broken", "whole"]
    assert "astroemu_test_whole" not in sys.modules
    assert issubclass(group.load("whole"), dict)


def test_a_group_of_instances_refuses_classes_and_strangers(module, monkeypatch):
    module("astroemu_test_paths", "from pathlib import Path\nGOOD = Path('x')\nCLASS = Path\nTEXT = 'x'")
    values = {name: [f"astroemu_test_paths:{name.upper()}"] for name in ("good", "class", "text")}
    group = installed(monkeypatch, "pathlib.Path", is_class=False, **values)
    assert group.load("good") == Path("x")
    for name in ("class", "text"):
        with pytest.raises(PluginError, match=r"not an instance of pathlib\.Path"):
            group.load(name)


def test_a_group_of_classes_refuses_instances(module, monkeypatch):
    group = installed(monkeypatch, made=[f"{module('astroemu_test_made', 'THING = dict()')}:THING"])
    with pytest.raises(PluginError, match=r"not a subclass of builtins\.dict"):
        group.load("made")


def test_a_group_without_members_says_so(monkeypatch):
    with pytest.raises(PluginError, match=r"no thing is called 'x'\. Installed: none"):
        installed(monkeypatch).load("x")


def test_the_same_value_given_twice_is_one_plugin_and_two_values_clash(monkeypatch):
    points = [("b", "m:B"), ("a", "m:A"), ("b", "m:B"), ("c", "m:C"), ("c", "other:C")]
    monkeypatch.setattr(plugins, "entry_points", lambda group: [EntryPoint(*p, group) for p in points])
    group = PluginGroup("astroemu.tests", "thing", "builtins.dict")
    assert group.names == ["a", "b", "c"]
    assert [len(same) for same in group.entries.values()] == [1, 1, 2]
    with pytest.raises(PluginError, match=r"\(m:C\) and an unknown distribution \(other:C\)"):
        group.load("c")


def test_the_owner_of_an_installed_plugin_is_a_distribution():
    owners = {entry.dist.name for group in GROUPS for same in group.entries.values() for entry in same}
    assert "astroemu-inference" in owners


def test_a_file_is_located_by_path_or_by_name(module, monkeypatch, tmp_path):
    file = tmp_path / "mine.toml"
    file.write_text("")
    module("astroemu_test_located", f"from pathlib import Path\nFILE = Path({str(file)!r})")
    group = installed(monkeypatch, "pathlib.Path", is_class=False, ready=["astroemu_test_located:FILE"])
    assert locate(group, file) == file
    assert locate(group, str(file)) == file
    assert locate(group, "ready") == file


def test_an_installed_name_goes_before_a_file_of_the_working_folder(module, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    for name in ("ready", "plain"):
        (tmp_path / name).write_text("")
    module("astroemu_test_first", "from pathlib import Path\nFILE = Path('elsewhere.toml')")
    group = installed(monkeypatch, "pathlib.Path", is_class=False, ready=["astroemu_test_first:FILE"])
    assert locate(group, "ready") == Path("elsewhere.toml")
    assert locate(group, "./ready") == Path("ready")
    assert locate(group, "plain") == Path("plain")


def test_what_is_neither_file_nor_name_is_refused_with_the_nearest(monkeypatch, tmp_path):
    group = installed(monkeypatch, "pathlib.Path", is_class=False, reionization=["m:X"])
    with pytest.raises(PluginError, match=r"no file 'reionisation'.*Did you mean 'reionization'"):
        locate(group, "reionisation")
    with pytest.raises(PluginError, match="there is no file"):
        locate(group, tmp_path)
