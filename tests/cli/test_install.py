"""``astroemu install``: consent, and what is refused before anything is downloaded. The installer is a stand-in."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
from helpers import assert_refused, command

from astroemu.errors import PluginError
from astroemu.sampling.sampler import LibraryInstaller, SystemLibrary
from astroemu_plugins.samplers.multinest import MultiNest


class Installer(LibraryInstaller):
    terms = "Only for tests."

    def __init__(self):
        self.done: list[str] = []
        self.there = SystemLibrary("libthing", None, "build it")

    def library(self):
        return self.there

    def demand_tools(self):
        self.done.append("tools")

    def fetch(self, folder, source=None):
        self.done.append(f"fetch {source}")
        return "The whole licence."

    def build(self, folder):
        assert folder.is_dir()
        self.done.append("build")
        return Path("/prefix/libthing.so")


class Terminal(io.StringIO):
    def isatty(self):
        return True


@pytest.fixture
def installer(monkeypatch):
    made = Installer()
    monkeypatch.setattr(MultiNest, "installer", classmethod(lambda cls: made))
    monkeypatch.setattr(
        MultiNest, "component", classmethod(lambda cls: SystemLibrary("libthing", "/prefix/libthing.so", ""))
    )
    monkeypatch.setattr("sys.stdin", io.StringIO("yes\n"))
    return made


def test_the_licence_is_shown_and_the_library_is_built(installer):
    code, out, _ = command("install", "multinest", "--accept-licence")
    assert code == 0 and installer.done == ["tools", "fetch None", "build"]
    for words in ("The whole licence.", "Only for tests.", "Accepted by --accept-licence", "/prefix/libthing.so"):
        assert words in out
    assert "another library" not in out


def test_an_archive_of_the_user_is_taken(installer):
    assert command("install", "multinest", "--accept-licence", "--from", "my.tar.gz")[0] == 0
    assert installer.done[1] == "fetch my.tar.gz"


@pytest.mark.parametrize("answer", ["yes\n", "Y\n"])
def test_a_user_at_a_terminal_is_asked(installer, monkeypatch, answer):
    monkeypatch.setattr("sys.stdin", Terminal(answer))
    code, out, _ = command("install", "multinest")
    assert code == 0 and "Do you accept this licence?" in out and installer.done[-1] == "build"


@pytest.mark.attack("samplers", "the licence of MultiNest is not accepted")
@pytest.mark.parametrize("answer", ["no\n", "\n", "maybe\n", ""])
def test_nothing_is_built_without_consent(installer, monkeypatch, answer):
    monkeypatch.setattr("sys.stdin", Terminal(answer))
    assert_refused("install", "multinest", words=["the licence was not accepted; nothing was installed"])
    assert installer.done == ["tools", "fetch None"]


@pytest.mark.attack("samplers", "astroemu install in a script without consent")
def test_without_a_terminal_nothing_is_even_downloaded(installer):
    assert_refused("install", "multinest", words=["Only for tests.", "--accept-licence"])
    assert installer.done == []


def test_what_is_missing_is_said_before_anything_is_downloaded(installer, monkeypatch):
    def missing():
        raise PluginError("there is no compiler")

    monkeypatch.setattr(installer, "demand_tools", missing)
    assert_refused("install", "multinest", "--accept-licence", words=["there is no compiler"])
    assert installer.done == []


def test_one_that_is_there_is_not_built_again(installer):
    installer.there = SystemLibrary("libthing", "/prefix/libthing.so", "", "installed before")
    code, out, _ = command("install", "multinest")
    assert code == 0 and "installed already: /prefix/libthing.so, installed before" in out and installer.done == []


def test_one_that_cannot_be_used_is_built_again(installer):
    installer.there = SystemLibrary("libthing", "/prefix/libthing.so", "", fault="stale")
    assert command("install", "multinest", "--accept-licence")[0] == 0 and installer.done[-1] == "build"


def test_another_library_that_comes_first_is_named(installer, monkeypatch):
    first = SystemLibrary("libthing", "/mine/libthing.so", "", "named by a variable")
    monkeypatch.setattr(MultiNest, "component", classmethod(lambda cls: first))
    code, out, _ = command("install", "multinest", "--accept-licence")
    assert code == 0 and "another library comes first: /mine/libthing.so, named by a variable" in out


def test_a_sampler_without_a_library_is_refused():
    assert_refused("install", "emcee", words=["no library that astroemu builds", "'multinest'"])
    assert_refused("install", "multinets", words=["Did you mean 'multinest'"])
