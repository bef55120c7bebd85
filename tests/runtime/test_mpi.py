"""The processes of a job: their number, their threads, and errors of their MPI library."""

from __future__ import annotations

import inspect
import os
import sys
from importlib import import_module
from subprocess import run
from types import ModuleType, SimpleNamespace

import pytest

from astroemu import cli
from astroemu.errors import PluginError
from astroemu.runtime import mpi as module
from astroemu.runtime.mpi import Processes, cores, launched


@pytest.fixture(autouse=True)
def alone(monkeypatch):
    """Remove every trace of a launcher, and replace the environment by a copy."""
    monkeypatch.setattr(os, "environ", dict(os.environ))
    for name in (*module._LAUNCHER_VARIABLES, "OMP_NUM_THREADS", "PJRT_NPROC"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(module, "processes", module.processes.__wrapped__)
    monkeypatch.setattr(sys, "excepthook", sys.excepthook)


def mpi(monkeypatch, size):
    """Replace mpi4py by a stub that sees the given number of processes, and return its communicator."""
    module, comm = ModuleType("mpi4py"), SimpleNamespace(Get_rank=lambda: 0, Get_size=lambda: size)
    module.MPI = SimpleNamespace(COMM_WORLD=comm)
    monkeypatch.setitem(sys.modules, "mpi4py", module)
    return comm


@pytest.mark.parametrize("name", ["OMPI_COMM_WORLD_SIZE", "PMI_SIZE", "MV2_COMM_WORLD_SIZE", "SLURM_STEP_NUM_TASKS"])
def test_every_launcher_is_heard(monkeypatch, name):
    assert launched() == 1
    monkeypatch.setenv(name, "3")
    assert launched() == 3
    comm = mpi(monkeypatch, 3)
    assert module.processes() == Processes(0, 3, comm)


def test_mpi_is_left_alone_without_a_launcher(monkeypatch):
    monkeypatch.setitem(sys.modules, "mpi4py", None)  # importing it would fail
    assert module.processes() == Processes()


def test_an_mpi_that_sees_one_of_several_processes_is_refused(monkeypatch):
    monkeypatch.setenv("PMI_SIZE", "4")
    mpi(monkeypatch, 1)
    with pytest.raises(PluginError, match="started 4 processes, but mpi4py sees one: it belongs to another MPI"):
        module.processes()


def test_without_mpi4py_a_job_is_refused(monkeypatch):
    monkeypatch.setenv("PMI_SIZE", "2")
    monkeypatch.setitem(sys.modules, "mpi4py", None)
    with pytest.raises(PluginError, match="has 2 processes, but mpi4py cannot be used"):
        module.processes()


def test_without_an_mpi_library_a_job_is_refused_and_a_run_alone_goes_on(tmp_path):
    """mpi4py raises RuntimeError then, not ImportError."""
    pytest.importorskip("mpi4py")
    missing = {**os.environ, "MPI4PY_LIBMPI": str(tmp_path / "libmpi.so")}
    command = [sys.executable, "-m", "astroemu", "fit", "--out", str(tmp_path / "run"), "--set", "samplers.emcee.no=1"]
    for more, words in (({"PMI_SIZE": "2"}, "mpi4py cannot be used"), ({}, "samplers.emcee")):
        done = run(command, env={**missing, **more}, capture_output=True, text=True, timeout=60, check=False)
        assert done.returncode == 2 and words in done.stderr and "Traceback" not in done.stderr
        assert ("libmpi.so" in done.stderr) == bool(more)


@pytest.mark.parametrize(("stated", "given"), [(None, "1"), ("3", "3")])
def test_ranks_have_one_thread_each_unless_more_are_stated(monkeypatch, stated, given):
    heard = {}
    monkeypatch.setattr(cli, "app", lambda: heard.update(os.environ))
    monkeypatch.setattr("signal.signal", lambda *_: None)
    monkeypatch.setenv("PMI_SIZE", "2")
    if stated:
        monkeypatch.setenv("OMP_NUM_THREADS", stated)
    cli.main()
    assert heard["OMP_NUM_THREADS"] == heard["PJRT_NPROC"] == given
    assert cores() == min(int(given), len(os.sched_getaffinity(0)))


def test_threads_are_set_before_any_numerical_library_is_loaded():
    code = "import sys, astroemu.cli; print([n for n in ('numpy', 'jax', 'tensorflow', 'mpi4py') if n in sys.modules])"
    done = run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.strip() == "[]"


def test_a_process_alone_keeps_all_of_its_threads(monkeypatch):
    monkeypatch.setattr(cli, "app", lambda: None)
    monkeypatch.setattr("signal.signal", lambda *_: None)
    cli.main()
    assert "OMP_NUM_THREADS" not in os.environ and cores() == len(os.sched_getaffinity(0))


def test_an_exception_that_nothing_catches_ends_all_processes(monkeypatch):
    """The hook is set once; a process alone has none."""
    told, codes = [], []
    monkeypatch.setattr(sys, "excepthook", lambda *error: told.append(error[0]))
    before = sys.excepthook
    module.abort_on_uncaught(Processes())
    assert sys.excepthook is before
    everyone = Processes(0, 2, SimpleNamespace(Abort=codes.append))
    module.abort_on_uncaught(everyone)
    hook = sys.excepthook
    module.abort_on_uncaught(everyone)
    assert sys.excepthook is hook
    hook(KeyError, KeyError("mine"), None)
    assert told == [KeyError] and codes == [1]


@pytest.mark.parametrize("caller", ["emulation.simulation", "inference.fitting", "validation.sbc"])
def test_what_all_processes_call_sets_the_hook(caller):
    """A script that fails between two such calls must not leave the other processes waiting."""
    source = inspect.getsource(import_module(f"astroemu.{caller}"))
    assert source.count("abort_on_uncaught(") == source.count("= processes()") == 1
