"""The installation check finds what is missing or broken, and is itself never stopped by it."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from astroemu.errors import PluginError
from astroemu.runtime import environment
from astroemu.runtime.environment import EnvironmentFinding
from astroemu.runtime.plugins import PluginGroup
from astroemu.sampling.sampler import SystemLibrary


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
def test_a_library_is_loaded_in_a_subprocess(code, state, detail):
    found = environment._run_in_subprocess("Libraries", "thing", code)
    assert found.state == state and detail in found.detail


def test_a_library_that_hangs_is_left_behind(monkeypatch):
    monkeypatch.setattr(environment, "_TIMEOUT_S", 0.5)
    found = environment._run_in_subprocess("Libraries", "thing", "import time; time.sleep(30)")
    assert found.state == "failed" and "more than 0.5 s" in found.detail


@pytest.mark.parametrize(
    ("does", "state", "words"),
    [
        ("echo begun; echo begun; echo sees 2; echo sees 2", "ok", "of the MPI that mpi4py finds"),
        ("echo begun; echo sees 1; echo begun; echo sees 1", "failed", "each process sees only itself"),
        ("echo begun; echo unsupported PMI version >&2; echo ------ >&2; exit 16", "failed", "unsupported PMI version"),
        ("echo not on this node >&2; exit 1", "absent", "cannot start two processes here (not on this node)"),
        ("exit 3", "absent", "(exit code 3)"),
        ("exec sleep 30", "absent", "more than 1 s"),
    ],
)
def test_an_mpiexec_of_another_mpi_is_a_problem(monkeypatch, tmp_path, does, state, words):
    script = tmp_path / "mpiexec"
    script.write_text(f"#!/bin/sh\n{does}\n")
    script.chmod(0o755)
    monkeypatch.setattr(environment, "_TIMEOUT_S", 1)
    monkeypatch.setattr(environment.shutil, "which", lambda *_, **__: str(script))
    found = environment._check_mpiexec()
    assert found.state == state and words in found.detail and str(script) in found.detail


def test_without_mpiexec_the_finding_names_the_remedy(monkeypatch):
    monkeypatch.setattr(environment.shutil, "which", lambda *_, **__: None)
    found = environment._check_mpiexec()
    assert found.state == "absent" and "pip install mpich" in found.detail


def test_in_a_job_of_another_mpi_it_says_so(monkeypatch):
    def alone():
        raise PluginError("mpi4py sees one")

    monkeypatch.setattr(environment, "processes", alone)
    assert environment._check_mpi_job() == EnvironmentFinding("Libraries", "mpi4py", "failed", "mpi4py sees one")


def test_an_mpi_library_that_is_not_there_is_absent_with_the_remedy(monkeypatch):
    monkeypatch.setenv("MPI4PY_LIBMPI", "/nowhere/libmpi.so")
    found = environment._check_mpi4py()
    assert found.state == "absent" and "pip install mpich" in found.detail and "/nowhere/libmpi.so" in found.detail


def test_multinest_is_where_it_is_said_to_be(monkeypatch, tmp_path):
    monkeypatch.setenv("ASTROEMU_MULTINEST", str(tmp_path / "libmultinest.so"))
    [absent] = environment._system_libraries()
    assert absent.state == "absent" and f"ASTROEMU_MULTINEST = {tmp_path}" in absent.detail
    (tmp_path / "libmultinest.so").write_text("")
    [empty] = environment._system_libraries()
    assert empty.state == "failed" and f"{tmp_path}/libmultinest.so: it cannot be loaded" in empty.detail


@pytest.mark.parametrize(
    ("fault", "state", "detail"), [("", "ok", "/here, of them"), ("is broken", "failed", "/here: is broken; mend it")]
)
def test_a_library_of_a_sampler_says_who_installed_it(monkeypatch, fault, state, detail):
    library = SystemLibrary("libthing", "/here", "mend it", "of them", fault)
    sampler = SimpleNamespace(component=lambda: library)
    monkeypatch.setattr(environment, "SAMPLERS", SimpleNamespace(entries=["one"], load=lambda name: sampler))
    assert list(environment._system_libraries()) == [EnvironmentFinding("Libraries", "libthing", state, detail)]


def test_a_missing_package_says_how_to_get_it(monkeypatch):
    lines = ["nobody-has-this>=1.0", "nor-this>=2; extra == 'some'"]
    monkeypatch.setattr(environment, "requires", lambda _: lines)
    found = {f.name: f for f in environment._packages()}
    assert found["nobody-has-this"].state == "failed" and "pip install 'nobody-has-this>=1.0'" in str(found)
    assert found["nor-this"].state == "absent" and "astroemu-inference[some]" in found["nor-this"].detail


def test_a_package_that_may_be_left_out_is_no_problem(monkeypatch):
    monkeypatch.setattr(environment, "requires", lambda _: ["tensorflow>=2.18", "numpy>=2.0"])

    def version(name):
        raise environment.PackageNotFoundError(name)

    monkeypatch.setattr(environment, "version", version)
    found = {f.name: f for f in environment._packages()}
    assert found["tensorflow"].state == "absent" and found["numpy"].state == "failed"
    assert found["tensorflow"].detail.startswith("left out; for the training of networks")
    assert "pip install 'tensorflow>=2.18'" in found["tensorflow"].detail


def test_a_full_disk_is_a_problem(monkeypatch):
    monkeypatch.setattr(environment, "_LEAST_FREE_GIB", 1e9)
    assert {f.state for f in environment._folders()} == {"failed"}


def test_a_folder_that_is_not_writable_is_a_problem(monkeypatch):
    def refuse(**_):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(environment.tempfile, "TemporaryFile", refuse)
    found = list(environment._folders())
    assert [f.name for f in found] == ["runs", "temporary", "cache"]
    assert all(f.state == "failed" and "cannot be written to: Permission denied" in f.detail for f in found)


@pytest.mark.attack("doctor", "TMPDIR names a folder that does not exist")
def test_a_temporary_folder_that_is_not_there_is_a_problem(monkeypatch, tmp_path):
    monkeypatch.setenv("TMPDIR", str(tmp_path / "gone"))
    found = {f.name: f for f in environment._folders()}["temporary"]
    assert found.state == "failed" and f"TMPDIR is {tmp_path / 'gone'}" in found.detail
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    assert {f.name: f for f in environment._folders()}["temporary"].state == "ok" and not list(tmp_path.iterdir())


def test_the_threads_are_those_of_the_environment(monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "3")
    assert "OMP_NUM_THREADS=3" in environment._threads().detail
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "TF_NUM_INTRAOP_THREADS"):
        monkeypatch.delenv(name, raising=False)
    assert "no limit in the environment" in environment._threads().detail


def test_a_broken_plugin_is_one_finding_among_good_ones(monkeypatch):
    from importlib.metadata import EntryPoint

    group = PluginGroup("astroemu.tests", "thing", "builtins.dict")
    values = {"broken": "a_module_that_nobody_has:X", "good": "collections:OrderedDict"}
    group.__dict__["entries"] = {name: [EntryPoint(name, value, group.name)] for name, value in values.items()}
    monkeypatch.setattr(environment, "GROUPS", (group,))
    broken, good = environment._plugins()
    assert (broken.part, broken.name, broken.state) == ("things", "broken", "failed")
    assert "ModuleNotFoundError" in broken.detail
    assert (good.name, good.state) == ("good", "ok")
