"""Runs that are killed, terminated or shared between processes: the same samples as an undisturbed one.

What is killed, terminated or short of disk space is a process of its own. Undisturbed and resumed runs take place in
this process: that their samples agree shows too that no run depends on the process that made it.
"""

from __future__ import annotations

import json
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

from astroemu.runtime.plugins import CATALOGS
from astroemu.sampling import replay
from astroemu.sampling.samples import Samples
from astroemu_plugins.samplers.multinest import MultiNest

MPIEXEC = shutil.which("mpiexec", path=os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")]))
needs_mpiexec = pytest.mark.skipif(MPIEXEC is None, reason="there is no mpiexec: pip install mpich")
FIT = (
    "seed = 3"
    + FIT_OF_TAU
    + """
[probes.neutral_fraction]
references = ["McGreer+2015"]
[samplers.emcee]
walkers = 16
starting_draws = 500
max_steps = 200
autocorrelation_times = 1e6
[samplers.ultranest]
live_points = 60
batch = 64
[samplers.multinest]
live_points = 60
batch = 8
[samplers.nautilus]
live_points = 100
batch = 64
effective_samples = 300
[samplers.pmc]
walkers = 16
starting_draws = 500
batch = 128
effective_samples = 300
[samplers.nuts]
chains = 8
warmup = 2
max_draws = 100
starting_draws = 2000
"""
)
# TensorFlow, which computes the gradients for nuts, warns about its own dependencies when it is imported.
_SLOW = (pytest.mark.slow, pytest.mark.filterwarnings("default"))
#: Those that can run here. The slow ones repeat with their own libraries what the others show.
SAMPLERS = ["emcee", "ultranest", *(pytest.param(name, marks=_SLOW) for name in ("nautilus", "nuts", "pmc"))]
SAMPLERS += ["multinest"] * MultiNest.component().usable
#: The command line, with everything put on the disk at once.
EAGER = "import astroemu.sampling.replay as r; r.EVERY = 0.0; from astroemu.cli import main; main()"
#: The same; it kills itself as soon as its record is larger than the first argument.
KILLED = """
import os, signal, sys
import astroemu.sampling.replay as replay
from astroemu.cli import main

replay.EVERY = 0.0
size, sync = int(sys.argv.pop(1)), replay.LikelihoodReplay._sync

def sync_and_die(self):
    sync(self)
    if os.fstat(self._file.fileno()).st_size > size:
        os.kill(os.getpid(), signal.SIGKILL)

replay.LikelihoodReplay._sync = sync_and_die
main()
"""


def words(file, out, *options):
    """Arguments of a fit without pictures."""
    return ["fit", str(file), "--out", str(out), "--no-report", *options]


def started(file, out, *options, ranks=1):
    """Start a fit in a process of its own, or in several that share it."""
    start = [] if ranks == 1 else [MPIEXEC, "-n", str(ranks)]
    return subprocess.Popen(
        [*start, sys.executable, "-c", EAGER, *words(file, out, *options)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def finished(*given, **more):
    """Run a fit in processes of its own to the end: exit code, standard output, standard error."""
    job = started(*given, **more)
    said = job.communicate(timeout=120)
    return job.returncode, *said


def here(file, out, *options):
    """Run a fit in this process: exit code, standard output, standard error."""
    return command(*words(file, out, *options))


def until_it_works(job, out, size):
    """Wait until a run has written so many bytes of its record."""
    record = out / "likelihoods.record"
    while not (record.exists() and record.stat().st_size > size):
        assert job.poll() is None, job.communicate()
        time.sleep(0.02)


def same(one, other):
    one, other = (Samples.load(folder / "samples.h5") for folder in (one, other))
    for name in ("theta", "log_likelihood", "log_weight"):
        np.testing.assert_array_equal(getattr(one, name), getattr(other, name))


def assert_same_posterior(one, other):
    """Compare means, and the evidence where there is one, in units of their errors."""
    one, other = (Samples.load(folder / "samples.h5") for folder in (one, other))
    spread = one.std() * np.sqrt(2 / min(one.ess, other.ess))
    assert np.all(np.abs(one.mean() - other.mean()) < 4 * spread)
    if one.log_evidence is not None:
        assert abs(one.log_evidence - other.log_evidence) < 3 * np.hypot(one.log_evidence_err, other.log_evidence_err)


@pytest.fixture(autouse=True)
def eager(monkeypatch):
    """Put everything on the disk at once, in this process too."""
    monkeypatch.setattr(replay, "EVERY", 0.0)


@pytest.fixture(scope="module")
def file(tmp_path_factory):
    path = tmp_path_factory.mktemp("resume") / "fit.toml"
    path.write_text(FIT)
    return path


@pytest.fixture(scope="module")
def whole(file):
    """Return the folder of an undisturbed run of a sampler, which is made when it is first requested."""

    def folder(sampler="emcee"):
        out = file.parent / sampler
        if not out.exists():
            code, _, error = here(file, out, "--sampler", sampler)
            assert code == 0, error
            converged = json.loads((out / "summary.json").read_text())["converged"]
            assert (out / "likelihoods.record").exists() is not converged  # an unconverged run can go on
        return out

    return folder


@pytest.mark.parametrize(
    "sampler", [name if name == "emcee" else pytest.param(name, marks=pytest.mark.slow) for name in SAMPLERS]
)
def test_killed_twice_it_ends_as_if_nothing_had_happened(file, whole, tmp_path, sampler):
    out = tmp_path / "run"
    undisturbed = json.loads((whole(sampler) / "summary.json").read_text())
    size = 0
    for share in (0.3, 0.6):
        killed = [sys.executable, "-c", KILLED, str(int(share * 8 * undisturbed["n_likelihood"]))]
        job = subprocess.run(
            [*killed, *words(file, out, "--sampler", sampler, "--resume")], capture_output=True, text=True, timeout=120
        )
        assert job.returncode == -signal.SIGKILL, job.stderr
        assert not (out / "summary.json").exists() and (out / "likelihoods.record").stat().st_size > size
        size = (out / "likelihoods.record").stat().st_size
    code, _, error = here(file, out, "--sampler", sampler, "--resume")
    assert code == 0, error
    same(out, whole(sampler))
    summary = json.loads((out / "summary.json").read_text())
    assert summary["evaluations"].pop("recalled") > 0 and undisturbed["evaluations"].pop("recalled") == 0
    for key in ("parameters", "derived", "evaluations", "n_likelihood", "log_evidence", "diagnostics"):
        assert summary[key] == undisturbed[key], key


def test_terminated_it_says_so_and_goes_on(file, whole, tmp_path):
    out = tmp_path / "run"
    job = started(file, out)
    until_it_works(job, out, 2_000)
    job.send_signal(signal.SIGTERM)
    _, error = job.communicate(timeout=20)
    assert job.returncode == 143 and "terminated" in error and "Traceback" not in error
    assert here(file, out, "--resume")[0] == 0
    same(out, whole())


def test_a_run_that_another_process_writes_is_left_alone(file, tmp_path):
    out, long = tmp_path / "run", ("--set", "samplers.emcee.max_steps=40000")
    job = started(file, out, *long)
    try:
        until_it_works(job, out, 2_000)
        code, _, error = here(file, out, *long, "--resume")
        assert code == 2 and "is in use by another run" in error
        size = (out / "likelihoods.record").stat().st_size
        until_it_works(job, out, size)  # it goes on
    finally:
        os.killpg(job.pid, signal.SIGKILL)
        job.communicate()


def test_a_disk_that_fills_up_is_said_and_the_run_goes_on_later(file, whole, tmp_path):
    out = tmp_path / "run"
    limited = "import resource, signal; signal.signal(signal.SIGXFSZ, signal.SIG_IGN); "
    limited += "resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000)); "
    fit = [sys.executable, "-c", limited + EAGER, *words(file, out)]
    done = subprocess.run(fit, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 2 and "what was written before is intact" in done.stderr
    assert done.stderr.count("astroemu: ") == 1 and "Traceback" not in done.stderr
    code, _, error = here(file, out, "--resume")
    assert code == 0, error
    same(out, whole())
    assert json.loads((out / "summary.json").read_text())["evaluations"]["recalled"] > 1000


def test_a_finished_run_is_left_as_it_is(file, whole):
    before = {path.name: path.read_bytes() for path in whole().rglob("*") if path.is_file()}
    code, said, error = here(file, whole(), "--resume")
    assert code == 0 and "likelihoods in" in said, error
    assert {path.name: path.read_bytes() for path in whole().rglob("*") if path.is_file()} == before


def test_another_problem_is_refused(file, whole, tmp_path):
    changed = tmp_path / "fit.toml"
    changed.write_text(FIT.replace("high = -0.5", "high = -0.6"))
    code, _, error = command("fit", str(changed), "--out", str(whole()), "--resume", "--seed", "4")
    assert code == 2 and "seed: 3 in the folder, 4 now" in error
    assert "configuration.parameters.log10_f_star10.high: -0.5 in the folder, -0.6 now" in error


def test_a_finished_run_is_never_the_answer_to_other_data(file, tmp_path):
    """The name of a data file is the same, its bytes are not."""
    mine, data = tmp_path / "mine.toml", tmp_path / "tau.ecsv"
    shutil.copy(CATALOGS.load("optical_depth").path, data)
    mine.write_text(file.read_text().replace("[probes.optical_depth]", '[probes.optical_depth]\ncatalog = "tau.ecsv"'))
    first = command("fit", str(mine), "--out", str(tmp_path / "run"), "--no-report")
    assert first[0] == 0, first
    before = {path: path.read_bytes() for path in (tmp_path / "run").rglob("*") if path.is_file()}
    data.write_text(data.read_text().replace("0.0544 0.0073", "0.0644 0.0073"))
    code, _, error = command("fit", str(mine), "--out", str(tmp_path / "run"), "--no-report", "--resume")
    assert code == 2 and "sha256" in error and "tau.ecsv" in error and " in the folder, " in error
    assert {path: path.read_bytes() for path in (tmp_path / "run").rglob("*") if path.is_file()} == before


def test_without_resume_nothing_is_touched(file, tmp_path):
    (tmp_path / "notes.txt").write_text("mine")
    for option in ([], ["--resume"]):
        code, _, error = command("fit", str(file), "--out", str(tmp_path), *option)
        assert code == 2 and ("already holds" in error or "holds no run that could be resumed" in error)
    assert [path.name for path in tmp_path.iterdir()] == ["notes.txt"]


@needs_mpiexec
@pytest.mark.slow  # tests/cli/test_mpi.py compares three ranks with one, to the last bit
@pytest.mark.parametrize("sampler", [name for name in SAMPLERS if name != "emcee"])
def test_two_processes_find_the_same_posterior(file, whole, tmp_path, sampler):
    code, said, error = finished(file, tmp_path / "run", "--sampler", sampler, ranks=2)
    assert code == 0 and said.count("likelihoods in") == 1, error
    assert_same_posterior(whole(sampler), tmp_path / "run")


@needs_mpiexec
def test_two_processes_are_killed_and_go_on_to_the_same_posterior(file, whole, tmp_path):
    out = tmp_path / "run"
    job = started(file, out, ranks=2)
    until_it_works(job, out, 2_000)
    os.killpg(job.pid, signal.SIGKILL)
    job.communicate()
    code, said, error = finished(file, out, "--resume", ranks=2)
    assert code == 0 and said.count("likelihoods in") == 1, error
    assert json.loads((out / "summary.json").read_text())["evaluations"]["recalled"] > 0
    assert_same_posterior(whole(), out)


@needs_mpiexec
def test_an_error_ends_all_processes_with_one_message(file, tmp_path):
    (tmp_path / "notes.txt").write_text("mine")
    begun = time.monotonic()
    code, _, error = finished(file, tmp_path, ranks=2)
    assert code != 0 and error.count("already holds a run or other files") == 1 and "Traceback" not in error
    assert time.monotonic() - begun < 30
