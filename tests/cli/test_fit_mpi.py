"""``astroemu fit`` under real MPI: the same posterior, one run folder, and no rank that waits for ever."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from astroemu.errors import ConfigurationError
from astroemu.fitting import _check_processes
from astroemu.parallel import World
from astroemu.run import RunFolder
from astroemu.sampler import Sampler

MPIEXEC = shutil.which("mpiexec", path=os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")]))
mpi = pytest.mark.skipif(MPIEXEC is None, reason="there is no mpiexec: pip install mpich")

FIT = ["fit", "reionization", "--no-report", "--without", "power_spectrum_21cm"]
SHORT = ["--set", "samplers.emcee.walkers=18", "--set", "samplers.emcee.max_steps=60"]
#: The command line, in which something happens on one rank only.
SCRIPT = """
import sys
from astroemu.cli import main
from astroemu.parallel import world
from astroemu_probes.optical_depth import OpticalDepth

before = OpticalDepth.log_likelihood


def log_likelihood(self, *arguments):
    {likelihood}
    return before(self, *arguments)


OpticalDepth.log_likelihood = log_likelihood
{start}
main()
"""


def run(*arguments, ranks=2, script=None, timeout=120):
    """Run the command line on some ranks: the finished process and how long it took."""
    start = [] if ranks == 1 else [MPIEXEC, "-n", str(ranks)]
    program = ["-m", "astroemu"] if script is None else [str(script)]
    began = time.monotonic()
    done = subprocess.run(
        [*start, sys.executable, *program, *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=timeout,
        check=False,
    )
    return done, time.monotonic() - began


def script(folder, *, likelihood="pass", start=""):
    path = folder / "script.py"
    path.write_text(SCRIPT.format(likelihood=likelihood, start=start))
    return path


@pytest.fixture(scope="module")
def alone(tmp_path_factory):
    out = tmp_path_factory.mktemp("alone") / "run"
    done, _ = run(*FIT, *SHORT, "--out", out, ranks=1)
    assert done.returncode == 0, done.stderr
    return RunFolder.open(out)


@mpi
@pytest.mark.parametrize("ranks", [2, 4])
def test_a_pool_gives_the_samples_of_one_process(alone, tmp_path, ranks):
    done, _ = run(*FIT, *SHORT, "--set", "samplers.emcee.mpi=pool", "--out", tmp_path / "run", ranks=ranks)
    assert done.returncode == 0, done.stderr
    together = RunFolder.open(tmp_path / "run")
    assert together.samples().theta.shape == alone.samples().theta.shape
    # Batches of other sizes round differently in float32; a step rarely notices.
    np.testing.assert_allclose(np.median(together.samples().theta - alone.samples().theta, axis=0), 0, atol=1e-3)
    summary = together.summary()
    assert summary["processes"] == ranks and summary["n_likelihood"] == alone.summary()["n_likelihood"]


@mpi
def test_ensembles_add_up_and_one_process_speaks(alone, tmp_path):
    done, _ = run(*FIT, *SHORT, "--out", tmp_path / "run")
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("emcee, seed 1") == 1
    both, one = RunFolder.open(tmp_path / "run").samples(), alone.samples()
    assert len(np.unique(both.theta, axis=0)) > 1.5 * len(np.unique(one.theta, axis=0))
    assert both.diagnostics["ensembles"] == 2 and set(both.diagnostics["r_hat"]) == set(both.names)
    assert both.n_likelihood > 1.5 * one.n_likelihood


@mpi
def test_an_exception_on_one_rank_ends_all_with_one_message(tmp_path):
    raising = script(tmp_path, likelihood='if world().rank == 1: raise ZeroDivisionError("on purpose")')
    done, seconds = run(*FIT, *SHORT, "--out", tmp_path / "run", script=raising)
    assert done.returncode != 0 and seconds < 40  # most of it imports, on a busy machine
    assert done.stderr.count("on purpose") == 1 and "Traceback" not in done.stderr
    assert not (tmp_path / "run" / "summary.json").exists()


@mpi
def test_a_wrong_command_is_answered_once(tmp_path):
    done, _ = run("fit", "nothing-of-this-name", "--out", tmp_path / "run")
    assert done.returncode != 0 and done.stderr.count("no configuration") == 1


@mpi
def test_what_a_script_does_not_catch_ends_all_ranks(tmp_path):
    (tmp_path / "script.py").write_text(
        "from astroemu.parallel import world\nif world().rank == 1:\n    raise KeyError('mine')\nworld().wait()\n"
    )
    done, seconds = run(script=tmp_path / "script.py", timeout=60)
    assert done.returncode != 0 and "KeyError: 'mine'" in done.stderr and seconds < 30


@mpi
def test_ranks_with_different_problems_are_refused(tmp_path):
    other = script(tmp_path, start="sys.argv += ['--seed', str(world().rank)]")
    done, _ = run(*FIT, *SHORT, "--out", tmp_path / "run", script=other)
    assert done.returncode != 0 and "have another problem than process 0" in done.stderr
    assert not (tmp_path / "run").exists()


def test_a_launcher_of_another_mpi_is_noticed(tmp_path):
    environment = {**os.environ, "OMPI_COMM_WORLD_SIZE": "2"}
    done = subprocess.run(
        [sys.executable, "-m", "astroemu", *FIT, "--out", str(tmp_path / "run")],
        capture_output=True,
        text=True,
        env=environment,
        timeout=60,
        check=False,
    )
    assert done.returncode == 2 and ("mpi4py sees one" in done.stderr or "mpi4py cannot be used" in done.stderr)
    assert not (tmp_path / "run").exists()


def test_a_sampler_of_one_process_is_not_run_by_several():
    class Alone(Sampler):
        """Knows of one process."""

        name = "alone"

        def run(self, target, *, seed, folder=None, report=None):
            raise AssertionError("never")

    _check_processes(Alone(), "alone", World())
    with pytest.raises(ConfigurationError, match="without mpiexec"):
        _check_processes(Alone(), "alone", World(0, 2, object()))


HOST_BOUND = """
import time
from astroemu.parallel import world
from astroemu.testing.problems import Gaussian
from astroemu_plugins.samplers.emcee import Emcee


class HostBound(Gaussian):
    def log_likelihood(self, theta):
        time.sleep(0.02 * len(theta))
        return super().log_likelihood(theta)


world()
began = time.perf_counter()
samples = Emcee(walkers=16, starting_draws=200, max_steps=20, mpi="pool").run(HostBound(), seed=1)
if world().first:
    print(time.perf_counter() - began, samples.theta.sum())
"""


@mpi
@pytest.mark.slow
def test_a_pool_halves_the_time_of_a_host_bound_probe(tmp_path):
    (tmp_path / "script.py").write_text(HOST_BOUND)
    seconds, sums = zip(*(run(script=tmp_path / "script.py", ranks=n)[0].stdout.split() for n in (1, 2)), strict=True)
    assert sums[0] == sums[1]
    assert float(seconds[0]) / float(seconds[1]) >= 1.8


@mpi
@pytest.mark.slow
@pytest.mark.parametrize("mode", ["ensembles", "pool"])
def test_killed_under_mpi_it_goes_on_bit_for_bit(tmp_path, mode):
    options = [*FIT, "--set", "samplers.emcee.walkers=18", "--set", "samplers.emcee.max_steps=1000"]
    options += ["--set", f"samplers.emcee.mpi={mode}", "--set", "samplers.emcee.checkpoint_seconds=0.1", "--resume"]
    ending = script(
        tmp_path,
        start=(
            "import os, signal, threading\n"
            "threading.Timer(float(os.environ['AFTER_S']) + world().rank / 20, os.kill, (os.getpid(), 9)).start()"
        ),
    )
    for seconds in (8.0, 12.0):
        environment = os.environ | {"AFTER_S": str(seconds)}
        subprocess.run(
            [MPIEXEC, "-n", "2", sys.executable, str(ending), *options, "--out", str(tmp_path / "killed")],
            capture_output=True,
            env=environment,
            timeout=120,
            check=False,
        )
    found = []
    for name in ("killed", "whole"):
        done, _ = run(*options, "--out", tmp_path / name, timeout=300)
        assert done.returncode == 0, done.stderr
        found.append(RunFolder.open(tmp_path / name).samples())
    np.testing.assert_array_equal(found[0].theta, found[1].theta)
