"""Building MultiNest: from a small archive of the same form, and what is said if it cannot be built."""

from __future__ import annotations

import io
import shutil
import subprocess
import sys
import tarfile
from hashlib import sha256
from pathlib import Path

import pytest

from astroemu.errors import DataError, PluginError
from astroemu.io.lock import temporary_folder
from astroemu_plugins.samplers import multinest_install, multinest_library
from astroemu_plugins.samplers.multinest_install import MultiNestInstaller

NAME = "cosmosis-3.26"
#: What stands in for MultiNest: the same modules, and a run that calls the likelihood once.
SMALL = {
    "utils1": "module utils1\n  integer, parameter :: root_max_len = 1000\nend module\n",
    "nested": """
module nested
contains
  subroutine nestrun(is, mm, ce, nl, tol, ef, nd, np, nc, mx, up, nz, root, seed, wrap, fb, re, out, mpi, lz, mi, &
    loglike, dumper, context)
    logical :: is, mm, ce, fb, re, out, mpi
    integer :: nl, nd, np, nc, mx, up, seed, wrap(*), mi, context
    double precision :: tol, ef, nz, lz, value, cube(np)
    character(len=1000) :: root
    external :: loglike, dumper
    print *, "MultiNest v3.10"
    cube = 0.5d0
    call loglike(cube, nd, np, value, context)
    open(unit=7, file=trim(root)//"value"); write(7, *) value; close(7)
  end subroutine
end module
""",
}


def archive(path, files=None, licence="Academic use only.", inside=multinest_install._INSIDE):
    """Write an archive in the form of the real one, whose build system must not run."""
    parts = {f"{inside}/{stem}.f90": SMALL.get(stem, "") for stem in multinest_install._FILES}
    parts |= {f"{inside}/LICENCE": licence, "setup.py": "raise SystemExit('the build system was run')"}
    parts |= {"pyproject.toml": "[build-system]\nrequires = ['nobody-has-this']\n", "PKG-INFO": "Name: other\n"}
    with tarfile.open(path, "w:gz") as made:
        for name, text in (parts if files is None else files).items():
            info = tarfile.TarInfo(f"{NAME}/{name}")
            info.size = len(text.encode())
            made.addfile(info, io.BytesIO(text.encode()))
    return path, MultiNestInstaller(sha256(path.read_bytes()).hexdigest())


@pytest.fixture
def small(tmp_path):
    (tmp_path / "links").mkdir()
    return archive(tmp_path / "links" / f"{NAME}.tar.gz")


@pytest.fixture
def prefix(monkeypatch, tmp_path):
    """An empty Python environment."""
    monkeypatch.setattr(sys, "prefix", str(tmp_path / "prefix"))
    monkeypatch.delenv("ASTROEMU_MULTINEST", raising=False)
    return tmp_path / "prefix"


@pytest.fixture
def only_links(monkeypatch, tmp_path):
    """Let pip look into a folder only."""
    for name, value in {"NO_INDEX": "1", "FIND_LINKS": str(tmp_path / "links"), "CONFIG_FILE": "/dev/null"}.items():
        monkeypatch.setenv(f"PIP_{name}", value)


def fake_compiler(monkeypatch, tmp_path, does="exit 1"):
    """Put a script in the place of the compiler."""
    script = tmp_path / "compiler"
    script.write_text(f'#!/bin/sh\n[ "$1" = --version ] && echo GNU Fortran && exit 0\n{does}\n')
    script.chmod(0o755)
    monkeypatch.setenv("FC", str(script))


def can_build():
    try:
        MultiNestInstaller().demand_tools()
    except PluginError:
        return False
    return True


@pytest.mark.skipif(not can_build(), reason="needs gfortran and LAPACK")
def test_a_library_is_built_and_found(small, prefix, tmp_path):
    path, installer = small
    assert installer.library().found is None
    with temporary_folder() as folder:
        assert "Academic use only." in installer.fetch(folder, path)
        made = installer.build(folder)
    assert made == multinest_library.installed_path() and installer.library().usable
    assert sorted(file.name for file in made.parent.iterdir()) == ["libmultinest.LICENCE", "libmultinest.so"]
    assert made.with_suffix(".LICENCE").read_text() == "Academic use only."
    stack = subprocess.run(["readelf", "-lW", made], capture_output=True, text=True, check=False).stdout
    assert not [line for line in stack.splitlines() if "GNU_STACK" in line and "RWE" in line]


@pytest.mark.skipif(not can_build(), reason="needs gfortran and LAPACK")
def test_the_wrapper_hands_the_likelihood_on(small, prefix, tmp_path):
    path, installer = small
    with temporary_folder() as folder:
        installer.fetch(folder, path)
        made = installer.build(folder)
    code = "import sys; from astroemu_plugins.samplers.multinest_process import load\n"
    code += "load(sys.argv[1]).run(lambda cube, n, m: cube[0] + n, None, n_dims=3, outputfiles_basename='here_')"
    subprocess.run([sys.executable, "-c", code, made], cwd=tmp_path, check=True, capture_output=True)
    assert float((tmp_path / "here_value").read_text()) == 3.5


def test_pip_downloads_and_runs_nothing(small, only_links, tmp_path):
    _, installer = small
    with temporary_folder() as folder:
        assert "Academic use only." in installer.fetch(folder)
        assert (folder / "nested.f90").read_text() == SMALL["nested"]


@pytest.mark.attack("samplers", "a download of MultiNest's source that was changed on its way")
def test_a_download_with_another_checksum_is_refused(small, only_links):
    with temporary_folder() as folder, pytest.raises(DataError, match="its SHA-256 is not the expected one"):
        MultiNestInstaller("0" * 64).fetch(folder)


@pytest.mark.attack("samplers", "an archive of MultiNest's source that is cut off")
def test_a_damaged_archive_is_refused(small):
    path, installer = small
    path.write_bytes(path.read_bytes()[:-20])
    with temporary_folder() as folder:
        with pytest.raises(DataError, match=r"has the SHA-256 .* damaged"):
            installer.fetch(folder, path)
        with pytest.raises(DataError, match=r"cannot read .*nothing"):
            installer.fetch(folder, path.with_name("nothing"))
        assert not list(folder.iterdir())


@pytest.mark.parametrize("files", [{"setup.py": ""}, None])
def test_an_archive_without_the_source_is_refused(tmp_path, files):
    path, installer = archive(tmp_path / "a.tar.gz", files)
    if files is None:
        path.write_text("no archive")
        installer = MultiNestInstaller(sha256(b"no archive").hexdigest())
    with temporary_folder() as folder, pytest.raises(DataError, match="does not hold the source of MultiNest"):
        installer.fetch(folder, path)


@pytest.mark.attack("samplers", "astroemu install without a network")
def test_without_a_network_the_way_by_hand_is_named(monkeypatch, tmp_path):
    for name, value in {"INDEX_URL": "http://127.0.0.1:9/", "CONFIG_FILE": "/dev/null", "RETRIES": "0"}.items():
        monkeypatch.setenv(f"PIP_{name}", value)
    for name in ("PIP_FIND_LINKS", "PIP_EXTRA_INDEX_URL", "PIP_NO_INDEX"):
        monkeypatch.delenv(name, raising=False)
    with temporary_folder() as folder, pytest.raises(DataError) as error:
        MultiNestInstaller().fetch(folder)
    assert "Is there a network? pip said: ERROR: No matching distribution" in str(error.value)
    assert f"astroemu install multinest --from {NAME}.tar.gz" in str(error.value)


def test_an_environment_without_pip_says_so(monkeypatch):
    monkeypatch.setattr(multinest_install, "_output", lambda *_: "python: No module named pip\n")
    with temporary_folder() as folder, pytest.raises(DataError, match="has no pip"):
        MultiNestInstaller().fetch(folder)


@pytest.mark.attack("samplers", "astroemu install without a compiler")
def test_without_a_compiler_its_packages_are_named(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("FC", raising=False)
    with pytest.raises(PluginError, match=r"no Fortran compiler.*apt-get install gfortran.*conda install"):
        MultiNestInstaller().demand_tools()


def test_a_compiler_of_another_make_is_passed_over(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("FC", "/bin/echo ifx")
    with pytest.raises(PluginError, match="no Fortran compiler"):
        MultiNestInstaller().demand_tools()


@pytest.mark.attack("samplers", "astroemu install without LAPACK")
def test_without_lapack_its_packages_are_named(monkeypatch, tmp_path):
    fake_compiler(monkeypatch, tmp_path, "echo cannot find -llapack; exit 1")
    with pytest.raises(PluginError, match=r"finds no LAPACK.*liblapack-dev.*conda install.*cannot find -llapack"):
        MultiNestInstaller().demand_tools()


def test_a_compiler_that_fails_is_an_error_with_its_words(small, prefix, monkeypatch, tmp_path):
    fake_compiler(monkeypatch, tmp_path, '[ "$3" = trial.f90 ] && touch trial && exit 0; echo full disk; exit 1')
    path, installer = small
    with temporary_folder() as folder:
        installer.fetch(folder, path)
        with pytest.raises(PluginError, match=r"cannot be built.*full disk"):
            installer.build(folder)
    assert not prefix.exists()


@pytest.mark.attack("samplers", "a compiler that writes a library that cannot be loaded")
def test_a_library_that_does_not_work_is_not_installed(small, prefix, monkeypatch, tmp_path):
    fake_compiler(monkeypatch, tmp_path, '[ "$3" = trial.f90 ] && touch trial; touch libmultinest.so')
    old = multinest_library.installed_path()
    old.parent.mkdir(parents=True)
    old.write_text("the old one")
    path, installer = small
    with temporary_folder() as folder:
        installer.fetch(folder, path)
        with pytest.raises(PluginError, match=r"it cannot be loaded .* Nothing was installed"):
            installer.build(folder)
    assert old.read_text() == "the old one" and [file.name for file in old.parent.iterdir()] == [old.name]


@pytest.mark.attack("samplers", "astroemu install into an environment that may not be written to")
def test_an_environment_that_cannot_be_written_to_is_an_error(small, prefix, monkeypatch, tmp_path):
    fake_compiler(monkeypatch, tmp_path, '[ "$3" = trial.f90 ] && touch trial; touch libmultinest.so')
    prefix.write_text("a file in the place of the folder")
    path, installer = small
    with temporary_folder() as folder:
        installer.fetch(folder, path)
        with pytest.raises(DataError, match=r"cannot create the folder .*python3 -m venv"):
            installer.build(folder)


def test_the_source_of_the_wheel_has_the_wrapper():
    assert shutil.which("gfortran") is None or multinest_install._WRAPPER.is_file()
    assert Path(multinest_install.__file__).parent == multinest_install._WRAPPER.parent
