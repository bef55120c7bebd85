"""Real MPI: several processes do what one does, and one that fails ends all."""

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
from helpers import FIT_OF_TAU, command

from astroemu.emulation.training_set import TrainingSet
from astroemu.runtime.plugins import SAMPLERS as INSTALLED
from astroemu.sampling.samples import Samples
from astroemu.testing.problems import Gaussian
from astroemu_plugins.samplers.multinest import MultiNest

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


def arguments(recipe, out):
    return [MPIEXEC, "-n", "2", sys.executable, "-m", "astroemu", "simulate", str(recipe), "--out", str(out)]


def run(recipe, out):
    return subprocess.run(arguments(recipe, out), capture_output=True, text=True, timeout=120, check=False)


@pytest.fixture
def recipe(tmp_path):
    (tmp_path / "recipe.toml").write_text(RECIPE.format(n=1000))
    return tmp_path / "recipe.toml"


def test_two_processes_simulate_what_one_does(recipe, tmp_path):
    code, said, error = command("simulate", str(recipe), "--out", str(tmp_path / "1.h5"))
    done = run(recipe, tmp_path / "2.h5")
    assert (code, done.returncode) == (0, 0), (error, done.stderr)
    for output in (said, done.stdout):
        assert output.count("Written") == 1 and "(1000 points, 0 failed)" in output
    one, two = (TrainingSet.load(tmp_path / f"{ranks}.h5") for ranks in (1, 2))
    np.testing.assert_array_equal(one.theta, two.theta)
    for name in one.values:
        np.testing.assert_array_equal(one.values[name], two.values[name])


def test_an_error_of_one_process_ends_all_at_once(recipe, tmp_path):
    (tmp_path / "set.h5").write_text("mine")
    started = time.monotonic()
    done = run(recipe, tmp_path / "set.h5")
    assert done.returncode != 0 and time.monotonic() - started < 20
    assert done.stderr.count("is not overwritten") == 1 and "Traceback" not in done.stderr


@pytest.mark.slow
def test_killed_and_started_again_nothing_is_lost_or_doubled(tmp_path):
    recipe, out = tmp_path / "recipe.toml", tmp_path / "set.h5"
    recipe.write_text(RECIPE.format(n=8000))
    job = subprocess.Popen(
        arguments(recipe, out), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True
    )
    parts = tmp_path / "set.h5.parts"
    while len(list(parts.glob("[0-9]*.h5"))) < 8 and job.poll() is None:
        time.sleep(0.02)
    os.killpg(job.pid, signal.SIGKILL)
    job.wait()
    assert not out.exists() and 8 <= len(list(parts.glob("[0-9]*.h5"))) < 40
    done = run(recipe, out)
    assert done.returncode == 0, done.stderr
    resumed = TrainingSet.load(out)
    assert len(resumed) == 8000 and len(np.unique(resumed.theta, axis=0)) == 8000
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
        "from astroemu.runtime.mpi import abort_on_uncaught, processes\nabort_on_uncaught(processes())\n"
        "if processes().rank == 1:\n    raise KeyError('mine')\nprocesses().barrier()\n"
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


#: Those that can run here, with options that make them quick.
SAMPLERS = {
    "emcee": {"walkers": 16, "max_steps": 100, "starting_draws": 500},
    "nautilus": {"live_points": 100, "max_calls": 600},
    "pmc": {"effective_samples": 200.0, "batch": 100, "walkers": 16, "starting_draws": 500},
    "ultranest": {"live_points": 40},
} | ({"multinest": {"live_points": 40, "tolerance": 5.0}} if MultiNest.component().usable else {})
#: Every sampler on the kit's Gaussian, half of which is impossible.
ALIKE = f"""
import sys
from astroemu.runtime.mpi import processes
from astroemu.sampling.mpi_target import MPITarget
from astroemu.runtime.plugins import SAMPLERS
from astroemu.testing.problems import Gaussian
for name, options in {SAMPLERS}.items():
    pool = MPITarget(Gaussian(wall=True), processes())
    if not processes().is_root:
        pool.serve()
        continue
    with pool.serving():
        SAMPLERS.load(name)(**options).run(pool, seed=1).save(sys.argv[1] + "/" + name + ".h5")
"""


@pytest.fixture(scope="module")
def alone():
    """What each sampler finds in this process."""
    gaussian = Gaussian(wall=True)
    return {name: INSTALLED.load(name)(**options).run(gaussian, seed=1) for name, options in SAMPLERS.items()}


@pytest.mark.parametrize("ranks", [2, *(pytest.param(n, marks=pytest.mark.slow) for n in (3, 4))])
def test_several_processes_find_what_one_finds_to_the_last_bit(alone, tmp_path, ranks):
    """With three the points of a batch cannot be shared out evenly."""
    job = [MPIEXEC, "-n", str(ranks), sys.executable, "-c", ALIKE, str(tmp_path)]
    one_thread = {**os.environ, "OMP_NUM_THREADS": "1"}
    done = subprocess.run(job, capture_output=True, text=True, env=one_thread, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    for name, one in alone.items():
        other = Samples.load(tmp_path / f"{name}.h5")
        for what in ("theta", "log_likelihood", "log_weight", "log_evidence", "n_likelihood"):
            np.testing.assert_array_equal(getattr(one, what), getattr(other, what), f"{what} of {name}")


#: A fit whose probe does something bad in one of the processes, after some calls, and notes when.
FAULTY = """
import os, signal, sys
from pathlib import Path
from astroemu.cli import main
from astroemu.runtime.mpi import processes
from astroemu_probes.optical_depth import OpticalDepth
rank, fault, mark, calls = int(sys.argv.pop(1)), sys.argv.pop(1), Path(sys.argv.pop(1)), []
plain = OpticalDepth.log_likelihood
def faulty(*given):
    calls.append(1)
    if len(calls) > 5 and processes().rank == rank and not mark.exists():
        mark.touch()
        exec(fault)
    return plain(*given)
OpticalDepth.log_likelihood = faulty
main()
"""
FIT = (
    FIT_OF_TAU
    + """
[samplers.emcee]
starting_draws = 500
autocorrelation_times = 1e6
"""
)
KEY, EXIT, TERM, INT, KILL = (
    "raise KeyError('mine')",
    "sys.exit()",
    "os.kill(os.getpid(), signal.SIGTERM)",
    "os.kill(os.getpid(), signal.SIGINT)",
    "os.kill(os.getpid(), signal.SIGKILL)",
)


@pytest.mark.parametrize(
    ("sampler", "rank", "fault", "code", "words"),
    [
        ("emcee", 1, KEY, 1, "'optical_depth'"),
        ("emcee", 0, KEY, 1, "KeyError: 'mine'"),
        pytest.param("emcee", 1, EXIT, 1, "raised SystemExit", marks=pytest.mark.slow),
        pytest.param("emcee", 0, TERM, 143, "terminated", marks=pytest.mark.slow),
        ("emcee", 1, TERM, 143, "terminated"),
        pytest.param("emcee", 1, INT, 130, "interrupted", marks=pytest.mark.slow),
        ("emcee", 1, KILL, 9, ""),
        # MultiNest may ask for so few points at once that none is left for the second process.
        *(
            pytest.param(sampler, int(sampler != "multinest"), KEY, 1, "'optical_depth'", marks=pytest.mark.slow)
            for sampler in SAMPLERS
            if sampler != "emcee"
        ),
    ],
)
def test_whatever_befalls_one_process_ends_all_within_ten_seconds(tmp_path, sampler, rank, fault, code, words):
    file, mark = tmp_path / "fit.toml", tmp_path / "mark"
    file.write_text(FIT)
    given = ["--sampler", sampler, "--out", str(tmp_path / "run"), "--no-report"]
    done, _ = two("-c", FAULTY, str(rank), fault, str(mark), "fit", str(file), *given)
    assert time.time() - mark.stat().st_mtime < 10
    assert done.returncode == code and "Traceback" not in done.stderr, done.stderr
    assert done.stderr.count("astroemu: ") == bool(words) and words in done.stderr, done.stderr
    assert not (tmp_path / "run" / "summary.json").exists()


@pytest.mark.parametrize(
    "other", ["changed.toml", pytest.param("fit.toml --seed 2", marks=pytest.mark.slow), "nowhere.toml"]
)
def test_processes_of_different_problems_are_refused(tmp_path, other):
    (tmp_path / "fit.toml").write_text(FIT)
    (tmp_path / "changed.toml").write_text(FIT.replace("high = -0.5", "high = -0.6"))
    fit = [sys.executable, "-m", "astroemu", "fit"]
    command = [MPIEXEC, "-n", "1", *fit, "fit.toml", "--out", "run", ":", "-n", "1", *fit, *other.split()]
    done = subprocess.run(
        [*command, "--out", "run"], cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 2 and done.stderr.count("astroemu: ") == 1 and not (tmp_path / "run").exists()
    assert ("nowhere.toml" if other == "nowhere.toml" else "processes [1] of this job have another") in done.stderr


def test_the_doctor_speaks_once_and_knows_the_job():
    quick = (
        "import astroemu.runtime.environment as d; d._TENSORFLOW_CODE = d._JAX_CODE = 'print(1)'; "
        "from astroemu.cli import main; main()"
    )
    done, _ = two("-c", quick, "doctor")
    assert done.stdout.count("interpreter") == 1, done.stderr
    assert "2 processes that see each other" in done.stdout


def test_what_is_not_shared_is_done_once(tmp_path):
    new = ("-m", "astroemu", "new", "probe", "mine", "--out", str(tmp_path / "mine"))
    done, _ = two(*new)
    assert done.returncode == 0 and (tmp_path / "mine").is_dir(), done.stderr
    again, _ = two(*new)
    assert again.returncode == 2 and again.stderr.count("astroemu: ") == 1
    listed, _ = two("-m", "astroemu", "list")
    assert listed.stdout.count("probes\n") == 1
