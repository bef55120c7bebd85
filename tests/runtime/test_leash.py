"""A process ends, with all that it started, when its parent does."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

#: A child on a leash that starts a child of its own, says both numbers, and would work for a minute.
CHILD = """
import os, subprocess, sys, time
from pathlib import Path
from astroemu.runtime.leash import end_with_parent
end_with_parent(0, Path(sys.argv[1]))
helper = subprocess.Popen(["sleep", "60"], stdin=subprocess.DEVNULL)
print(os.getpid(), helper.pid, flush=True)
time.sleep(60)
"""


def ended(process: int, within: float = 5.0) -> bool:
    """Return True if a process ends, or is a zombie, within some seconds."""
    until = time.monotonic() + within
    while time.monotonic() < until:
        try:
            if Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] == "Z":
                return True
            os.kill(process, 0)
        except (ProcessLookupError, FileNotFoundError):
            return True
        time.sleep(0.01)
    return False


@pytest.mark.parametrize("how", ["killed", "closed"])
def test_a_process_on_a_leash_ends_with_its_children_and_its_folder(tmp_path, how):
    place = tmp_path / "work"
    place.mkdir()
    (place / "log").write_text("")
    start = f"subprocess.run([sys.executable, '-c', {CHILD!r}, {str(place)!r}], stdin=pipe)"
    parent = subprocess.Popen(
        [sys.executable, "-c", f"import os, subprocess, sys\npipe, held = os.pipe()\n{start}"]
        if how == "killed"
        else [sys.executable, "-c", CHILD, str(place)],
        stdout=subprocess.PIPE,
        stdin=subprocess.PIPE,
    )
    child, helper = map(int, parent.stdout.readline().split())
    if how == "killed":
        parent.kill()
    else:
        parent.stdin.close()
        parent.stdin = None
    assert ended(child) and ended(helper) and not place.exists()
    parent.communicate()


#: A simulator that starts a helper of its own at every point and waits for it.
SIMULATOR = """
import os, subprocess
from pathlib import Path
from astroemu import Observable, Parameter, Simulator
from astroemu.core.distributions import Uniform

class Waiting(Simulator):
    parameters = (Parameter("a", Uniform(0.0, 1.0)),)
    version = "1"
    settings = {}
    provides = {"y": Observable("y")}

    def simulate(self, theta):
        helper = subprocess.Popen(["sleep", "60"])
        (Path(__file__).parent / f"{os.getpid()}.pids").write_text(f"{os.getpid()} {helper.pid}")
        helper.wait()
        return {"y": theta[:, 0]}
"""
#: Simulates with two workers. The main module of the workers installs the simulator too.
SIMULATE = """
import sys
from importlib.metadata import EntryPoint
from pathlib import Path
from astroemu.core.distributions import Uniform
from astroemu.core.parameter import Parameter
from astroemu.core.prior import Prior
from astroemu.emulation.simulation import SimulationTask, simulate
from astroemu.runtime import plugins

plugins.SIMULATORS.__dict__["entries"] = {"waiting": [EntryPoint("waiting", "waiting:Waiting", "astroemu.simulators")]}
if __name__ == "__main__":
    prior = Prior((Parameter("a", Uniform(0.0, 1.0)),))
    simulate(SimulationTask("waiting", {}, prior, "sobol", 4, 1), Path(sys.argv[1]) / "set.h5", workers=2)
"""


@pytest.mark.slow
@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGINT])
@pytest.mark.attack("simulate", "kill -9, or Ctrl-C, of simulate --workers 2 whose simulator has started programs")
def test_workers_and_what_they_started_end_with_simulate_and_write_nothing(tmp_path, how):
    (tmp_path / "waiting.py").write_text(SIMULATOR)
    (tmp_path / "simulate.py").write_text(SIMULATE)
    parent = subprocess.Popen([sys.executable, str(tmp_path / "simulate.py"), str(tmp_path)], stderr=subprocess.DEVNULL)
    pids = until(lambda: [int(p) for file in tmp_path.glob("*.pids") for p in file.read_text().split()], 4)
    parent.send_signal(how)
    assert parent.wait(timeout=10) != 0
    assert all(ended(process) for process in pids)
    assert [path.name for path in (tmp_path / "set.h5.parts").iterdir()] == ["design.json"]


def until(found, n):
    """Return a list as soon as it has ``n`` members."""
    limit = time.monotonic() + 60
    while len(values := found()) < n and time.monotonic() < limit:
        time.sleep(0.05)
    assert len(values) == n
    return values


#: Runs a sampler whose own process is said; its likelihood kills this process at its first call.
SAMPLE = """
import os, subprocess, sys
import numpy as np
from astroemu_plugins.samplers import {module} as module

class Killing:
    names = ("a", "b")
    counts = None
    def prior_transform(self, u): return u
    def prior_slope(self, u): return np.ones_like(u)
    def log_prior(self, theta): return np.zeros(len(theta))
    def log_likelihood(self, theta):
        if {kills}:
            os.kill(os.getpid(), 9)
        return np.zeros(len(theta))
    def value_and_grad(self, theta): os.kill(os.getpid(), 9)

starts = subprocess.Popen
def popen(command, **how):
    process = starts({command}, **how)
    print(process.pid, how["cwd"], flush=True)
    return process
module.subprocess.Popen = popen
module.{sampler}._library = lambda self: "somewhere"
if __name__ == "__main__":
    module.{sampler}().run(Killing(), seed=1)
"""
#: The process of MultiNest with a library that asks for one point, and then computes for a minute.
MULTINEST = """
import ctypes, json, sys, time
from astroemu_plugins.samplers import multinest_process as own

class Library:
    @staticmethod
    def run(log_likelihood, *_, n_dims, **__):
        log_likelihood((ctypes.c_double * n_dims)(*[0.5] * n_dims))
        time.sleep(60)

own.load = lambda library: Library
own.count_consistently = lambda library: None
own.main(int(sys.argv[1]), int(sys.argv[2]), json.loads(sys.argv[3]))
"""


@pytest.mark.parametrize("sampler", ["multinest", pytest.param("nuts", marks=pytest.mark.slow)])
@pytest.mark.attack("samplers", "kill -9 of a fit whose sampler has a process and a temporary folder of its own")
def test_the_process_of_a_sampler_and_its_folder_end_with_the_fit(tmp_path, sampler):
    (tmp_path / "own.py").write_text(MULTINEST)
    own = f"[sys.executable, {str(tmp_path / 'own.py')!r}, *command[3:]]"
    text = SAMPLE.format(
        module=sampler,
        sampler={"multinest": "MultiNest", "nuts": "Nuts"}[sampler],
        kills=sampler == "multinest",
        command=own if sampler == "multinest" else "command",
    )
    (tmp_path / "sample.py").write_text(text)
    (tmp_path / "temporary").mkdir()
    job = subprocess.run(
        [sys.executable, str(tmp_path / "sample.py")],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "TMPDIR": str(tmp_path / "temporary")},
        timeout=120,
        check=False,
    )
    assert job.returncode == -signal.SIGKILL, job
    process, _, folder = job.stdout.strip().partition(" ")
    assert Path(folder).parent == tmp_path / "temporary"
    assert ended(int(process)) and not list((tmp_path / "temporary").iterdir())
