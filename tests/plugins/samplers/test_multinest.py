"""MultiNest: with the real library where there is one, and the rest with a stand-in for its process."""

from __future__ import annotations

import ctypes.util
import os
import sys
import tempfile
import time
from pathlib import Path
from subprocess import PIPE, Popen, run

import numpy as np
import pytest
from known_gaussian import LOG_Z, Gaussian, check_moments
from scipy.special import ndtr

from astroemu.errors import ConfigurationError, PluginError, ProbeError, SamplingError
from astroemu.runtime.plugins import SAMPLERS
from astroemu_plugins.samplers import multinest
from astroemu_plugins.samplers.multinest import FLOOR, MultiNest
from astroemu_plugins.samplers.multinest_process import count_consistently

real = pytest.mark.skipif(not MultiNest.component().usable, reason="needs libmultinest")


class Flat:
    """Equal in half of a unit square and impossible in the other."""

    names = ("a", "b")

    def prior_transform(self, u):
        return u

    def log_prior(self, theta):
        return np.zeros(len(theta))

    def log_likelihood(self, theta):
        distance = np.sum((theta - 0.25) ** 2, axis=1)
        return np.where(theta[:, 0] < 0.5, -0.5 * distance / 0.02**2, -np.inf)


class Failing(Gaussian):
    """Raises after some points, or returns what no data give."""

    def __init__(self, after, what):
        super().__init__()
        self.left, self.what = after, what

    def log_likelihood(self, theta):
        self.left -= len(theta)
        if self.left < 0:
            if isinstance(self.what, BaseException):
                raise self.what
            return np.full(len(theta), self.what)
        return super().log_likelihood(theta)


@real
def test_evidence_and_moments():
    samples = MultiNest().run(Gaussian(), seed=1)
    assert samples.converged and "ln Z" in samples.reason
    assert abs(samples.log_evidence - LOG_Z) < 0.1
    plain, error = (samples.diagnostics[f"plain_log_evidence{end}"] for end in ("", "_err"))
    assert samples.log_evidence_err == max(abs(samples.log_evidence - plain), error)
    check_moments(samples)


@real
def test_an_impossible_half_of_the_prior_counts_as_prior():
    samples = MultiNest().run(Flat(), seed=1)
    truth = np.log(2 * np.pi * 0.02**2)
    assert abs(samples.log_evidence - truth) < 0.1  # as if the prior ended there: 0.69 more
    assert np.all(np.isfinite(samples.log_likelihood)) and np.all(samples.theta[:, 0] < 0.5)


@real
def test_the_seed_makes_the_samples():
    one, same, other = (MultiNest(live_points=60).run(Gaussian(), seed=seed) for seed in (1, 1, 2))
    np.testing.assert_array_equal(one.theta, same.theta)
    assert one.log_evidence == same.log_evidence != other.log_evidence


@real
@pytest.mark.parametrize("error", [ProbeError("no"), KeyboardInterrupt(), SystemExit(143)])
def test_an_exception_of_a_likelihood_passes(error):
    started = time.monotonic()
    with pytest.raises(type(error)):
        MultiNest(live_points=60).run(Failing(700, error), seed=1)
    assert time.monotonic() - started < 60


@real
def test_a_model_that_is_nowhere_possible_ends(monkeypatch):
    monkeypatch.setattr(multinest, "_PATIENCE", 1000)
    nowhere = Gaussian()
    nowhere.log_likelihood = lambda theta: np.full(len(theta), -np.inf)
    with pytest.raises(SamplingError, match="none of 1001 prior draws has a finite likelihood"):
        MultiNest(live_points=60).run(nowhere, seed=1)


@real
@pytest.mark.parametrize("value", [np.inf, np.nan, 1e40])
def test_values_that_no_data_give_are_refused(value):
    with pytest.raises(SamplingError, match=r"the highest log-likelihood is 1e\+40|must be finite or minus infinity"):
        MultiNest(live_points=60).run(Failing(700, value), seed=1)


@real
def test_a_run_that_is_cut_off_says_so():
    samples = MultiNest(live_points=60, max_iterations=100).run(Gaussian(), seed=1)
    assert not samples.converged and "max_iterations = 100" in samples.reason and samples.log_evidence is None


class Wide:
    """A posterior as wide as its prior, in five dimensions; at a centre of 0, it is highest in a corner."""

    names = tuple("abcde")

    def __init__(self, centre):
        self.centre = centre
        one = 0.3 * np.sqrt(2 * np.pi) * (ndtr((1 - centre) / 0.3) - ndtr(-centre / 0.3))
        self.log_evidence = 5 * np.log(one)

    def prior_transform(self, u):
        return u

    def log_prior(self, theta):
        return np.zeros(len(theta))

    def log_likelihood(self, theta):
        return -0.5 * np.sum(((theta - self.centre) / 0.3) ** 2, axis=1)


@real
@pytest.mark.parametrize("centre", [0.5, 0.0])
def test_a_posterior_as_wide_as_the_prior_has_the_right_evidence(centre):
    samples = MultiNest().run(Wide(centre), seed=1)
    assert abs(samples.log_evidence - Wide(centre).log_evidence) < 0.06  # four standard deviations of ten seeds


@real
@pytest.mark.slow
@pytest.mark.parametrize("centre", [0.5, 0.0])
def test_the_evidence_of_ten_seeds_has_no_bias(centre):
    """If MultiNest counts points outside the cube, but no volume there, the mean is 0.054 too low at the centre."""
    runs = [MultiNest().run(Wide(centre), seed=seed) for seed in range(1, 11)]
    off = np.array([samples.log_evidence for samples in runs]) - Wide(centre).log_evidence
    assert abs(off.mean()) < 0.02 and off.std() < 0.03
    assert all(abs(one) < samples.log_evidence_err for one, samples in zip(off, runs, strict=True))


def test_the_run_before_asks_nobody_and_writes_nothing():
    given = {}

    class Library:
        @staticmethod
        def run(log_likelihood, prior, **settings):
            given.update(settings, value=log_likelihood([0.51], 1, 1))

    count_consistently(Library)
    assert given["value"] == pytest.approx(-0.5) and given["write_output"] is False and given["n_dims"] == 1


#: One point of four dimensions, as the process asks for it.
ONE_QUESTION = "question = (1).to_bytes(8, 'little') + bytes(32)\n"


def process(tmp_path, monkeypatch, text):
    """Put a script in the place of MultiNest's process."""
    script = tmp_path / "process.py"
    script.write_text("import os, sys\nask, answer = int(sys.argv[1]), int(sys.argv[2])\n" + ONE_QUESTION + text)
    monkeypatch.setattr(multinest.MultiNest, "_library", lambda _: "somewhere")
    starts = multinest.subprocess.Popen

    def popen(command, **how):
        return starts([sys.executable, str(script), *command[3:]], **how)

    monkeypatch.setattr(multinest.subprocess, "Popen", popen)


def test_a_process_that_dies_is_an_error_with_its_words(tmp_path, monkeypatch):
    process(tmp_path, monkeypatch, "print('no memory'); sys.exit(2)")
    with pytest.raises(SamplingError, match=r"(?s)exit code 2 and no result.*no memory"):
        MultiNest().run(Gaussian(), seed=1)


def test_a_success_without_a_result_is_an_error(tmp_path, monkeypatch):
    process(tmp_path, monkeypatch, "os.write(ask, question); os.read(answer, 8)")
    with pytest.raises(SamplingError, match="exit code 0 and no result"):
        MultiNest().run(Gaussian(), seed=1)


def test_a_process_that_dies_while_it_is_answered_is_an_error(tmp_path, monkeypatch):
    process(tmp_path, monkeypatch, "os.write(ask, question * 1000); os.close(answer); sys.exit(3)")
    with pytest.raises(SamplingError, match="exit code 3"):
        MultiNest().run(Gaussian(), seed=1)


def test_an_evidence_that_is_none_is_an_error(tmp_path, monkeypatch):
    process(
        tmp_path,
        monkeypatch,
        "open('.txt', 'w').write('1 2 3 4 5 6\\n'); open('ev.dat', 'w'); open('stats.dat', 'w').write('NaN')",
    )
    with pytest.raises(SamplingError, match=r"without an evidence.*'NaN'"):
        MultiNest().run(Gaussian(), seed=1)


def test_the_process_does_not_outlive_an_error(tmp_path, monkeypatch):
    process(
        tmp_path, monkeypatch, "import time; print(os.getpid(), flush=True); os.write(ask, question); time.sleep(60)"
    )
    started = []

    class Broken(Gaussian):
        def log_likelihood(self, theta):
            raise ProbeError("broken")

    popen = multinest.subprocess.Popen
    monkeypatch.setattr(multinest.subprocess, "Popen", lambda *a, **k: started.append(popen(*a, **k)) or started[0])
    with pytest.raises(ProbeError, match="broken"):
        MultiNest().run(Broken(), seed=1)
    assert started[0].poll() is not None


def test_points_without_a_likelihood_are_ranked_and_lie_below_all_others():
    u = np.random.default_rng(1).random((1000, 9))
    values = multinest._ranked(np.full(1000, -np.inf), u)
    assert len(set(values)) == 1000 and np.all(values <= FLOOR) and np.all(values > -1e90)
    assert abs(np.corrcoef(values, u[:, 0])[0, 1]) < 0.1


#: Climbs to a higher and higher likelihood, as MultiNest does, and asks as its process does.
CLIMBER = """
import ctypes, json, random
from pathlib import Path
from astroemu_plugins.samplers.multinest_process import Questions

Path("ahead").mkdir()
questions = Questions(ask, answer, 4, json.loads(sys.argv[3])["batch"], Path("ahead"))
rng, rows = random.Random(1), []
while len(rows) < 30:
    width = 0.5 * 0.7 ** len(rows)
    point = [0.5 + width * (2 * rng.random() - 1) for _ in range(4)]
    value = questions.log_likelihood((ctypes.c_double * 4)(*point))
    if not rows or value > rows[-1][0]:
        rows.append((value, point))
        print(value, "accepted", file=open("accepted", "a"))
assert not questions.forked
Path(".txt").write_text("".join(f"1 {-2 * value} {' '.join(map(repr, point))}\\n" for value, point in rows))
Path("ev.dat").write_text("line\\n" * len(rows))
lines = [f"{kind} Sampling Global Log-Evidence : -1.0 +/- 0.1" for kind in ("Nested", "Importance")]
Path("stats.dat").write_text("\\n".join(lines))
assert len(Path("accepted").read_text().splitlines()) == len(rows)  # what forks write lies elsewhere
"""


class Centred(Gaussian):
    """Highest in the middle of the cube."""

    def log_likelihood(self, theta):
        return -np.sum(theta**2, axis=1)


def test_batches_ask_less_often_and_change_nothing(tmp_path, monkeypatch):
    process(tmp_path, monkeypatch, CLIMBER)
    sizes = {}

    class Heard(Centred):
        def log_likelihood(self, theta):
            sizes[batch].append(len(theta))
            return super().log_likelihood(theta)

    runs = {}
    for batch in (1, 4, 64):
        sizes[batch] = []
        runs[batch] = MultiNest(batch=batch).run(Heard(), seed=1)
    assert set(sizes[1]) == {1} and max(sizes[4]) == 4 and max(sizes[64]) > 8
    assert len(sizes[64]) < len(sizes[4]) < len(sizes[1]) / 2
    for batch in (4, 64):
        np.testing.assert_array_equal(runs[batch].theta, runs[1].theta)
        assert runs[batch].n_likelihood == sum(sizes[batch])


def test_a_fork_that_fails_costs_nothing_but_speed(tmp_path, monkeypatch):
    failing = CLIMBER.replace("width = ", "_ = questions.forked and os._exit(9)\n    width = ")
    thetas = []
    for text in (failing, CLIMBER):
        with monkeypatch.context() as patch:
            process(tmp_path, patch, text)
            thetas.append(MultiNest(batch=16).run(Centred(), seed=1).theta)
    np.testing.assert_array_equal(*thetas)


@real
def test_the_real_library_takes_the_same_way_in_batches():
    one, many = (MultiNest(live_points=50, batch=batch).run(Gaussian(), seed=1) for batch in (1, 8))
    np.testing.assert_array_equal(one.theta, many.theta)
    assert one.log_evidence == many.log_evidence and one.n_likelihood < many.n_likelihood


def test_a_wall_of_the_cube_counts_as_impossible():
    """Its normal scores are infinite; MultiNest's generator can return zero."""
    u = np.array([[0.0, 0.5], [0.5, 1.0], [0.5, 0.5]])
    values = multinest._ranked(multinest._log_density(u), u)
    assert np.all(np.isfinite(values)) and np.all(values[:2] <= FLOOR) and values[2] > 0


def test_without_the_library_nothing_starts(monkeypatch, tmp_path):
    monkeypatch.setenv("ASTROEMU_MULTINEST", str(tmp_path))
    with pytest.raises(PluginError, match=r"needs libmultinest: ASTROEMU_MULTINEST = .*conda-forge"):
        MultiNest().check(Gaussian())


def test_pymultinest_is_loaded_without_mpi_even_as_one_of_several_processes():
    """It would load a second library then, and end the interpreter if that is missing. Any library stands in here."""
    code = "import sys, astroemu_plugins.samplers.multinest_process as p; found = p.load(sys.argv[1]); "
    code += "print(found.__name__, [n for n in sys.modules if n.startswith('mpi4py.')])"
    several = {**os.environ, "PMI_SIZE": "2", "OMPI_COMM_WORLD_SIZE": "2"}
    command = [sys.executable, "-c", code, ctypes.util.find_library("c")]
    done = run(command, capture_output=True, text=True, env=several, timeout=60, check=False)
    assert done.stdout.strip() == "pymultinest.run []", done.stdout + done.stderr


@real
def test_a_folder_of_a_long_name_is_none_of_its_business(tmp_path, monkeypatch):
    folder = tmp_path / ("a" * 200) / ("b" * 200)
    folder.mkdir(parents=True)
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    assert MultiNest(live_points=60).run(Gaussian(), seed=1).converged
    assert not list(folder.iterdir())


@real
def test_its_process_ends_with_a_run_that_is_killed():
    code = "import time; from astroemu_plugins.samplers.multinest import MultiNest\n"
    code += (
        "from astroemu.testing.problems import Gaussian\nclass Slow(Gaussian):\n    def log_likelihood(self, theta):\n"
    )
    code += "        print(len(theta), flush=True); time.sleep(0.05); return super().log_likelihood(theta)\n"
    code += "MultiNest().run(Slow(), seed=1)"
    with Popen([sys.executable, "-c", code], stdout=PIPE) as job:
        job.stdout.readline()
        children = Path(f"/proc/{job.pid}/task/{job.pid}/children").read_text().split()
        job.kill()
    stats = [Path(f"/proc/{child}/stat") for child in children]
    until = time.monotonic() + 10
    while alive := [s for s in stats if s.exists() and s.read_text().rpartition(")")[2].split()[0] != "Z"]:
        assert time.monotonic() < until, alive
        time.sleep(0.05)
    assert len(children) == 1


@pytest.mark.parametrize(
    "options", [{"live_points": 10}, {"efficiency": 0.0}, {"tolerance": -1.0}, {"max_iterations": 300}, {"batch": 0}]
)
def test_options_without_meaning_are_refused(options):
    with pytest.raises(ConfigurationError, match=next(iter(options))):
        MultiNest(**options)


def test_it_is_installed_and_its_library_is_not_loaded_by_that():
    code = "from astroemu.runtime.plugins import SAMPLERS; import sys; SAMPLERS.load('multinest').component(); "
    code += "print('pymultinest' in sys.modules)"
    found = run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=dict(os.environ))
    assert found.stdout.strip() == "False" and SAMPLERS.load("multinest") is MultiNest
