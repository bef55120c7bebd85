"""The doctor names what is here and what is wrong, and never falls ill itself."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest
from helpers import command

from astroemu.errors import PluginError
from astroemu.runtime import environment
from astroemu.runtime.environment import EnvironmentFinding


@pytest.fixture
def quick(monkeypatch):
    """Without the libraries that take seconds to load."""
    ask = environment._asked
    monkeypatch.setattr(environment, "_TENSORFLOW", "print('2.0, devices CPU:0')")
    monkeypatch.setattr(environment, "_JAX", "import jax_is_not_here")
    return ask


def test_a_whole_environment_has_no_problem(quick):
    code, said, _ = command("doctor")
    for words in (
        "Python",
        "Packages",
        "mpi4py",
        "libmultinest",
        "threads",
        "GiB free",
        "optical_depth",
        "2.0, devices",
    ):
        assert words in said
    failed = [line for line in said.splitlines() if line.split()[1:2] == ["failed"]]
    assert code == (3 if failed else 0)
    # A development environment may lack one of the libraries; the plugins have to be whole.
    assert not any("astroemu_" in line for line in failed), failed


@pytest.mark.parametrize(
    ("code", "state", "detail"),
    [
        ("print('1.0')", "ok", "1.0"),
        ("import thing", "absent", "ModuleNotFoundError: No module named 'thing'"),
        ("import os; os.kill(os.getpid(), 11)", "failed", "signal or exit code -11"),
        ("import sys; sys.exit('libthing.so: cannot open')", "failed", "libthing.so: cannot open"),
        ("import thing_inside", "failed", "thing_inside"),
    ],
)
def test_a_library_is_asked_in_a_process_of_its_own(code, state, detail):
    found = environment._asked("Libraries", "thing", code)
    assert found.state == state and detail in found.detail


def test_a_library_that_hangs_is_left_behind(monkeypatch):
    monkeypatch.setattr(environment, "_TIMEOUT_S", 0.5)
    found = environment._asked("Libraries", "thing", "import time; time.sleep(30)")
    assert found.state == "failed" and "more than 0.5 s" in found.detail


@pytest.mark.parametrize(
    ("does", "state", "words"),
    [
        ("echo begun; echo begun; echo sees 2; echo sees 2", "ok", "of the MPI that mpi4py finds"),
        ("echo begun; echo sees 1; echo begun; echo sees 1", "failed", "its processes each see one"),
        ("echo begun; echo unsupported PMI version >&2; echo ------ >&2; exit 16", "failed", "unsupported PMI version"),
        ("echo not on this node >&2; exit 1", "absent", "cannot start two processes here (not on this node)"),
        ("exit 3", "absent", "(exit code 3)"),
        ("exec sleep 30", "absent", "more than 2 s"),
    ],
)
def test_an_mpiexec_of_another_mpi_is_a_problem(monkeypatch, tmp_path, does, state, words):
    script = tmp_path / "mpiexec"
    script.write_text(f"#!/bin/sh\n{does}\n")
    script.chmod(0o755)
    monkeypatch.setattr(environment, "_TIMEOUT_S", 2)
    monkeypatch.setattr(environment.shutil, "which", lambda *_, **__: str(script))
    found = environment._mpiexec()
    assert found.state == state and words in found.detail and str(script) in found.detail


def test_in_a_job_of_another_mpi_it_says_so(monkeypatch):
    def alone():
        raise PluginError("mpi4py sees one")

    monkeypatch.setattr(environment, "processes", alone)
    assert environment._job() == EnvironmentFinding("Libraries", "mpi4py", "failed", "mpi4py sees one")


def test_an_mpi_library_that_is_not_there_is_absent_with_the_remedy(monkeypatch):
    monkeypatch.setenv("MPI4PY_LIBMPI", "/nowhere/libmpi.so")
    found = environment._mpi()
    assert found.state == "absent" and "pip install mpich" in found.detail and "/nowhere/libmpi.so" in found.detail


def test_multinest_is_where_it_is_said_to_be(monkeypatch, tmp_path):
    monkeypatch.setenv("ASTROEMU_MULTINEST", str(tmp_path / "libmultinest.so"))
    [absent] = environment._components()
    assert absent.state == "absent" and f"ASTROEMU_MULTINEST = {tmp_path}" in absent.detail
    (tmp_path / "libmultinest.so").write_text("")
    [found] = environment._components()
    assert found == EnvironmentFinding("Libraries", "libmultinest", "ok", str(tmp_path / "libmultinest.so"))


def test_a_missing_package_says_how_to_get_it(monkeypatch):
    lines = ["nobody-has-this>=1.0", "nor-this>=2; extra == 'some'"]
    monkeypatch.setattr(environment, "requires", lambda _: lines)
    found = {f.name: f for f in environment._packages()}
    assert found["nobody-has-this"].state == "failed" and "pip install 'nobody-has-this>=1.0'" in str(found)
    assert found["nor-this"].state == "absent" and "astroemu-inference[some]" in found["nor-this"].detail


def test_a_full_disk_is_a_problem(monkeypatch):
    monkeypatch.setattr(environment, "_LEAST_FREE_GIB", 1e9)
    assert {f.state for f in environment._places()} == {"failed"}


def test_help_takes_less_than_half_a_second():
    times = []
    for _ in range(3):
        before = os.times()
        subprocess.run([sys.executable, "-m", "astroemu", "--help"], check=True, capture_output=True, timeout=60)
        after = os.times()  # of the processor: what a clock shows depends on who else is there
        times.append(sum(after[2:4]) - sum(before[2:4]))
    assert min(times) < 0.5
