"""Jobs in worker processes. They are spawned, because a process forked after the import of TensorFlow hangs."""

from __future__ import annotations

import ast
import multiprocessing
import os
import sys
from pathlib import Path

import pytest

from astroemu.runtime.workers import run_jobs

REPOSITORY = Path(__file__).parents[2]
#: The process of MultiNest, in which no array library that starts threads is loaded.
APART = {"plugins/astroemu_plugins/samplers/multinest_process.py"}
#: Calls that may start processes by forking this one.
STARTERS = {"fork", "forkpty", "Process", "ProcessPoolExecutor", "set_start_method", "get_context"}


def here(_):
    """Return the process of a job, its start method, and True if a module of the caller is loaded in it."""
    return os.getpid(), multiprocessing.get_start_method(allow_none=True), "tests_marker" in sys.modules


def raising(number):
    if number == 2:
        raise ValueError("two")
    return number


def test_workers_are_spawned_with_one_thread(monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    monkeypatch.setitem(sys.modules, "tests_marker", sys)  # a fork would inherit it
    for process, method, inherited in run_jobs(here, range(3), 2):
        assert process != os.getpid() and method == "spawn" and not inherited


@pytest.mark.parametrize(("work", "workers"), [(range(3), 1), (range(1), 4)])
def test_one_worker_or_one_job_needs_no_process(work, workers):
    assert {process for process, _, _ in run_jobs(here, work, workers)} == {os.getpid()}


@pytest.mark.parametrize("workers", [1, 2])
def test_an_error_of_a_worker_reaches_the_caller(workers):
    with pytest.raises(ValueError, match="two"):
        list(run_jobs(raising, range(4), workers))


def forks(text):
    """Return the calls in a source that start processes in another way than by spawning."""
    found = []
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.ImportFrom):
            bad = node.module == "multiprocessing" and any(name.name != "get_context" for name in node.names)
        elif isinstance(node, ast.Call):
            name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
            pool = ast.unparse(node.func) in ("multiprocessing.Pool", "mp.Pool")
            bad = pool or (name in STARTERS and "spawn" not in ast.unparse(node))
        else:
            continue
        found += [f"{node.lineno}: {ast.unparse(node)}"] if bad else []
    return found


def test_nothing_forks():
    sources = [
        path
        for root in ("astroemu", "plugins", "probes", "catalogs")
        for path in (REPOSITORY / root).rglob("*.py")
        if str(path.relative_to(REPOSITORY)) not in APART
    ]
    assert len(sources) > 80
    found = {str(path): forks(path.read_text()) for path in sources}
    assert {path: lines for path, lines in found.items() if lines} == {}


def test_what_forks_is_found():
    assert forks("import os\nos.fork()") and forks("multiprocessing.Pool(4)") and forks("ProcessPoolExecutor(2)")
    assert forks("from multiprocessing import Pool") and not forks("Pool(model)")
    assert not forks("ProcessPoolExecutor(2, mp_context=multiprocessing.get_context('spawn'))")
