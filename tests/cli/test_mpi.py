"""Real MPI: two processes do what one does, and one that fails ends both."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from astroemu.training_set import TrainingSet

MPIEXEC = shutil.which("mpiexec", path=os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")]))
pytestmark = pytest.mark.skipif(MPIEXEC is None, reason="there is no mpiexec: pip install mpich")

RECIPE = """
[simulation]
simulator = "park19"
n = {n}

[parameters]
log10_f_star10 = {{ distribution = "uniform", low = -3.0, high = 0.0 }}
alpha_star = {{ distribution = "uniform", low = -0.5, high = 1.0 }}
log10_f_esc10 = {{ distribution = "uniform", low = -3.0, high = 0.0 }}
alpha_esc = {{ distribution = "uniform", low = -1.0, high = 0.5 }}
log10_m_turn = {{ distribution = "uniform", low = 8.0, high = 10.0 }}
t_star = {{ distribution = "uniform", low = 0.01, high = 1.0 }}
clumping = {{ distribution = "uniform", low = 1.0, high = 6.0 }}
h = {{ distribution = "uniform", low = 0.6, high = 0.75 }}
omega_m = {{ distribution = "uniform", low = 0.25, high = 0.36 }}
omega_b = {{ distribution = "uniform", low = 0.04, high = 0.06 }}
sigma_8 = {{ distribution = "uniform", low = 0.7, high = 0.95 }}
n_s = {{ distribution = "uniform", low = 0.9, high = 1.02 }}
"""


def arguments(recipe, out, ranks):
    start = [] if ranks == 1 else [MPIEXEC, "-n", str(ranks)]
    return [*start, sys.executable, "-m", "astroemu", "simulate", str(recipe), "--out", str(out)]


def run(recipe, out, ranks):
    return subprocess.run(arguments(recipe, out, ranks), capture_output=True, text=True, timeout=120, check=False)


@pytest.fixture
def recipe(tmp_path):
    (tmp_path / "recipe.toml").write_text(RECIPE.format(n=1000))
    return tmp_path / "recipe.toml"


def test_two_processes_simulate_what_one_does(recipe, tmp_path):
    for ranks in (1, 2):
        done = run(recipe, tmp_path / f"{ranks}.h5", ranks)
        assert done.returncode == 0, done.stderr
        assert done.stdout.count("Written") == 1 and "(1000 points, 0 failed)" in done.stdout
    one, two = (TrainingSet.load(tmp_path / f"{ranks}.h5") for ranks in (1, 2))
    np.testing.assert_array_equal(one.theta, two.theta)
    for name in one.values:
        np.testing.assert_array_equal(one.values[name], two.values[name])


def test_an_error_of_one_process_ends_all_at_once(recipe, tmp_path):
    (tmp_path / "set.h5").write_text("mine")
    started = time.monotonic()
    done = run(recipe, tmp_path / "set.h5", 2)
    assert done.returncode != 0 and time.monotonic() - started < 20
    assert done.stderr.count("is not overwritten") == 1 and "Traceback" not in done.stderr


def test_killed_and_started_again_nothing_is_lost_or_doubled(tmp_path):
    recipe, out = tmp_path / "recipe.toml", tmp_path / "set.h5"
    recipe.write_text(RECIPE.format(n=20_000))
    job = subprocess.Popen(
        arguments(recipe, out, 2), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True
    )
    parts = tmp_path / "set.h5.parts"
    while len(list(parts.glob("[0-9]*.h5"))) < 10 and job.poll() is None:
        time.sleep(0.02)
    os.killpg(job.pid, signal.SIGKILL)
    job.wait()
    assert not out.exists() and 10 <= len(list(parts.glob("[0-9]*.h5"))) < 100
    done = run(recipe, out, 2)
    assert done.returncode == 0, done.stderr
    resumed = TrainingSet.load(out)
    assert len(resumed) == 20_000 and len(np.unique(resumed.theta, axis=0)) == 20_000
    assert not parts.exists()


def two(*command):
    """Run something on two processes: the finished job and how long it took."""
    started = time.monotonic()
    done = subprocess.run(
        [MPIEXEC, "-n", "2", sys.executable, *command], capture_output=True, text=True, timeout=60, check=False
    )
    return done, time.monotonic() - started


def test_what_all_processes_refuse_is_said_once(tmp_path):
    done, _ = two("-m", "astroemu", "fit", "nothing-of-this-name", "--out", str(tmp_path / "run"))
    assert done.returncode != 0 and done.stderr.count("no configuration") == 1


def test_what_a_script_does_not_catch_ends_all_processes(tmp_path):
    (tmp_path / "script.py").write_text(
        "from astroemu.parallel import world\nif world().rank == 1:\n    raise KeyError('mine')\nworld().wait()\n"
    )
    done, seconds = two(str(tmp_path / "script.py"))
    assert done.returncode != 0 and "KeyError: 'mine'" in done.stderr and seconds < 30


def test_a_launcher_of_another_mpi_is_noticed(tmp_path):
    done = subprocess.run(
        [sys.executable, "-m", "astroemu", "fit", "--out", str(tmp_path / "run")],
        capture_output=True,
        text=True,
        env={**os.environ, "OMPI_COMM_WORLD_SIZE": "2"},
        timeout=60,
        check=False,
    )
    assert done.returncode == 2 and ("mpi4py sees one" in done.stderr or "mpi4py cannot be used" in done.stderr)
    assert not (tmp_path / "run").exists()
