"""Plugins that are missing, doubled, broken or of the wrong type break only themselves."""

from __future__ import annotations

from importlib.metadata import EntryPoint

import pytest

from astroemu.errors import PluginError
from astroemu.registry import GROUPS, Group

MODULE = """
from astroemu.sampler import Sampler
class Good(Sampler):
    name = "good"
    def run(self, target, *, seed, folder=None, report=None): ...
class Wrong: ...
"""


@pytest.fixture
def group(tmp_path, monkeypatch):
    (tmp_path / "stranger.py").write_text(MODULE)
    (tmp_path / "broken.py").write_text("import a_module_that_nobody_has")
    (tmp_path / "leaving.py").write_text("raise SystemExit(1)")
    monkeypatch.syspath_prepend(tmp_path)
    made = Group("astroemu.samplers", "sampler", "astroemu.sampler.Sampler")
    values = {
        "good": ["stranger:Good"],
        "wrong": ["stranger:Wrong"],
        "broken": ["broken:X"],
        "leaving": ["leaving:X"],
        "twice": ["stranger:Good", "stranger:Wrong"],
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
        ("wrong", ["stranger:Wrong", "not a subclass of astroemu.sampler.Sampler"]),
        ("broken", ["broken:X", "ModuleNotFoundError"]),
        ("leaving", ["SystemExit"]),
        ("twice", ["stranger:Good", "stranger:Wrong", "uninstall one"]),
    ],
)
def test_each_failure_has_its_own_message(group, name, words):
    with pytest.raises(PluginError) as caught:
        group.load(name)
    assert all(word in str(caught.value) for word in words)


@pytest.mark.parametrize(("group", "name"), [(g, n) for g in GROUPS for n in g.names])
def test_every_installed_plugin_is_what_it_says(group, name):
    assert group.load(name) is not None
