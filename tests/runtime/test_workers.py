"""Jobs in worker processes. They are spawned, because a process forked after the import of TensorFlow hangs."""

from __future__ import annotations

import ast
import multiprocessing
import os
import signal
import sys
import time
from pathlib import Path

import pytest

from astroemu.errors import ProbeError, Terminated, WorkerError
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


def ending(how):
    """End or wait, as the job says."""
    if how == "works":
        return how
    if how == "waits":
        time.sleep(60)
    if isinstance(how, int):
        os.kill(os.getpid(), how)
    if how == "os._exit":
        os._exit(0)
    raise SystemExit(0)


@pytest.mark.parametrize(
    ("how", "kind", "message"),
    [
        (signal.SIGKILL, WorkerError, r"job 9: its worker process \d+ was killed by SIGKILL.*use fewer workers"),
        (signal.SIGSEGV, ProbeError, r"job 11: compiled code has crashed its process \(SIGSEGV\)"),
        ("os._exit", ProbeError, r"job os\._exit: the plugin has ended its process with exit code 0"),
        ("sys.exit", ProbeError, r"job sys\.exit: the plugin called sys\.exit\(0\); it must raise"),
    ],
)
@pytest.mark.attack("workers", "a worker that is killed, crashes, or is ended by its plugin, while another one works")
def test_a_worker_that_ends_is_named_with_its_job_and_the_others_end_at_once(how, kind, message):
    started = time.monotonic()
    with pytest.raises(kind, match=message):
        list(run_jobs(ending, ["waits", how], 2, lambda job: f"job {job}"))
    assert time.monotonic() - started < 30 and not multiprocessing.active_children()


def test_a_job_in_this_process_cannot_end_it():
    with pytest.raises(ProbeError, match=r"job 3: the plugin called sys\.exit\('bye'\)"):
        list(run_jobs(lambda _: sys.exit("bye"), [3], 1, lambda job: f"job {job}"))

    def terminated(_):
        raise Terminated(143)

    with pytest.raises(Terminated):
        list(run_jobs(terminated, [3], 1))


def test_the_environment_of_the_caller_stays(monkeypatch):
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    jobs = run_jobs(ending, ["works", "works"], 2)
    assert next(jobs) == "works" and "OMP_NUM_THREADS" not in os.environ
    jobs.close()
    assert not multiprocessing.active_children()


class Odd(Exception):
    """An exception that cannot be made again from its text."""

    def __init__(self, one, two):
        super().__init__(f"{one} and {two}")


def odd(_):
    raise Odd("salt", "pepper")


@pytest.mark.attack("workers", "an exception that cannot be sent to another process")
def test_an_exception_that_cannot_be_sent_is_told():
    with pytest.raises(RuntimeError, match="Odd: salt and pepper"):
        list(run_jobs(odd, range(2), 2))


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
