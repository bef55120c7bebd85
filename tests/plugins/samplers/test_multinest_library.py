"""The library of MultiNest: which one is found, and what is said of one that cannot be used."""

from __future__ import annotations

import os
import sys
import sysconfig
from pathlib import Path

import numpy as np
import pytest
from known_gaussian import Gaussian

from astroemu.errors import PluginError
from astroemu_plugins.samplers import multinest_library
from astroemu_plugins.samplers.multinest import MultiNest
from astroemu_plugins.samplers.multinest_library import SOURCE, built_from, installed, installed_path, located, tried

#: A library that any installation has, without a function `run`.
OTHER = next(Path(np.__file__).parent.rglob("*" + sysconfig.get_config_var("EXT_SUFFIX")))


@pytest.fixture
def environment(monkeypatch, tmp_path):
    """An empty Python environment on a machine without the library."""
    monkeypatch.delenv("ASTROEMU_MULTINEST", raising=False)
    monkeypatch.setattr(sys, "prefix", str(tmp_path))
    monkeypatch.setattr(multinest_library.ctypes.util, "find_library", lambda name: None)
    installed_path().parent.mkdir(parents=True)
    return tmp_path


@pytest.fixture
def loadable(monkeypatch):
    """Every library can be loaded."""
    monkeypatch.setattr(multinest_library, "tried", lambda library: (library, ""))


def content(source=SOURCE, version="3.10"):
    return b"...\0MultiNest v" + version.encode() + b"\0astroemu: " + source.encode() + b"\0..."


def test_without_a_library_the_command_is_named(environment):
    library = located()
    assert library.found is None and "astroemu install multinest" in library.remedy and not library.usable
    with pytest.raises(PluginError, match="run `astroemu install multinest`"):
        MultiNest().check(Gaussian())


def test_one_that_was_installed_is_found_without_a_variable(environment, loadable):
    installed_path().write_bytes(content())
    library = located()
    assert library == installed() and library.usable
    assert library.found == str(environment / "lib" / "astroemu" / "libmultinest.so")
    assert library.about == "MultiNest 3.10, installed by `astroemu install multinest`"


def test_one_that_is_named_comes_first(environment, loadable, monkeypatch, tmp_path):
    installed_path().write_bytes(content())
    mine = tmp_path / "libmultinest.so"
    mine.write_bytes(content(version="3.12"))
    monkeypatch.setenv("ASTROEMU_MULTINEST", str(tmp_path))
    assert located().found == str(mine) and located().about == "MultiNest 3.12, named by ASTROEMU_MULTINEST"


def test_one_of_the_system_comes_last(environment, loadable, monkeypatch):
    monkeypatch.setattr(multinest_library.ctypes.util, "find_library", lambda name: "libmultinest.so.3.12")
    assert located().about == "of unknown version, found by the dynamic loader"
    assert "astroemu install multinest" in located().remedy
    installed_path().write_bytes(content())
    assert located().found == str(installed_path())


@pytest.mark.skipif(not Path("/proc/self/maps").exists(), reason="needs Linux")
def test_the_dynamic_loader_says_where_a_library_is(monkeypatch):
    monkeypatch.setattr(multinest_library, "_TRY", multinest_library._TRY.replace('"run"', '"cos"'))
    path, fault = tried("libm.so.6")
    assert Path(path).is_absolute() and Path(path).is_file() and not fault


def test_the_source_is_read_from_the_bytes(tmp_path):
    library = tmp_path / "lib.so"
    library.write_bytes(content("MultiNest 3.9 of somewhere"))
    assert built_from(library) == "MultiNest 3.9 of somewhere"
    assert built_from(OTHER) is None and built_from(tmp_path / "none") is None


@pytest.mark.attack("samplers", "MultiNest's library of another version of astroemu")
@pytest.mark.parametrize("source", ["MultiNest 3.9 of cosmosis 3.20, build 1", None])
def test_a_stale_library_is_refused_where_it_is_used(environment, loadable, source):
    installed_path().write_bytes(content(source) if source else b"MultiNest v3.10")
    with pytest.raises(PluginError) as error:
        MultiNest().check(Gaussian())
    assert f"it was built from another source ({source or 'unknown'})" in str(error.value) and SOURCE in str(
        error.value
    )
    assert "To mend this, run `astroemu install multinest` again" in str(error.value)


@pytest.mark.attack("samplers", "a library named libmultinest.so without MultiNest's function")
def test_a_library_without_the_function_is_refused(monkeypatch):
    monkeypatch.setenv("ASTROEMU_MULTINEST", str(OTHER))
    with pytest.raises(PluginError, match=r"named by ASTROEMU_MULTINEST\): it has no function `run`.*another library"):
        MultiNest().check(Gaussian())


@pytest.mark.attack("samplers", "MultiNest's library of another architecture")
@pytest.mark.skipif(sys.platform != "linux", reason="ELF files")
@pytest.mark.parametrize(("byte", "value", "words"), [(18, 0x15, "ppc64, 64 bit"), (4, 1, "32 bit")])
def test_a_library_of_another_architecture_is_refused(tmp_path, monkeypatch, byte, value, words):
    other = bytearray(OTHER.read_bytes())
    other[byte] = value
    path = tmp_path / "libmultinest.so"
    path.write_bytes(other)
    monkeypatch.setenv("ASTROEMU_MULTINEST", str(path))
    with pytest.raises(PluginError, match=rf"another architecture \(.*{words}\) than this Python"):
        MultiNest().check(Gaussian())


@pytest.mark.attack("samplers", "a file named libmultinest.so that is empty or cut off")
@pytest.mark.parametrize("size", [0, 500])
def test_a_damaged_library_is_refused(tmp_path, monkeypatch, size):
    (tmp_path / "libmultinest.so").write_bytes(OTHER.read_bytes()[:size])
    monkeypatch.setenv("ASTROEMU_MULTINEST", str(tmp_path))
    with pytest.raises(PluginError, match="it cannot be loaded"):
        MultiNest().check(Gaussian())


def test_a_library_that_crashes_or_hangs_harms_nothing(tmp_path, monkeypatch):
    library = tmp_path / "lib.so"
    library.write_text("")
    monkeypatch.setattr(multinest_library, "_TRY", "import os; os.kill(os.getpid(), 11)")
    assert tried(str(library))[1] == "loading it ended with -11"
    library.write_text("another")
    monkeypatch.setattr(multinest_library, "_TRY", "import time; time.sleep(60)")
    monkeypatch.setattr(multinest_library, "_TIMEOUT_S", 0.2)
    assert "took more than 0.2 s" in tried(str(library))[1]


@pytest.mark.attack("samplers", "MultiNest 2, whose function takes other arguments")
def test_a_version_with_other_arguments_is_refused(tmp_path, monkeypatch):
    library = tmp_path / "lib.so"
    library.write_bytes(content(version="2.18"))
    monkeypatch.setattr(multinest_library, "_TRY", "import sys; print(sys.argv[1])")
    assert tried(str(library)) == (str(library), "it is MultiNest 2.18, and 3.0 or later is needed")


def test_a_library_is_tried_once(tmp_path, monkeypatch):
    library = tmp_path / "lib.so"
    library.write_text("once")
    monkeypatch.setattr(multinest_library, "_TRY", "import sys; print(sys.argv[1])")
    assert tried(str(library))[1] == ""
    monkeypatch.setattr(multinest_library, "_TRY", "raise SystemExit('twice')")
    assert tried(str(library))[1] == ""
    os.utime(library, ns=(1, 1))
    assert tried(str(library))[1] == "twice"
