"""Simulation-based calibration, on a model whose posterior is known: the optical depth alone."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from helpers import assert_provenance, command
from scipy.stats import truncnorm

import astroemu.validation.sbc
from astroemu.errors import ConfigurationError, DataError
from astroemu.inference.configuration import load_configuration
from astroemu.report.tables import calibration_table
from astroemu.sampling.samples import Samples
from astroemu.validation.ranks import judge_ranks
from astroemu.validation.sbc import SimulationBasedCalibration, rank_truth, read_fit
from astroemu.validation.verdict import Given, verdict

MPIEXEC = shutil.which("mpiexec", path=os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")]))
TAU = """
[probes.optical_depth]

[parameters.tau_e]
distribution = "uniform"
low = 0.04
high = 0.08

[samplers.emcee]
walkers = 8
effective_samples = 400.0
check_every = 50
starting_draws = 400
"""


@pytest.fixture(scope="module")
def configuration(tmp_path_factory):
    path = tmp_path_factory.mktemp("tau") / "tau.toml"
    path.write_text(TAU)
    return load_configuration(path)


@pytest.fixture(scope="module")
def calibrated(configuration, tmp_path_factory):
    """The folder of a finished calibration with 12 fits, and its result."""
    folder = tmp_path_factory.mktemp("calibrated") / "out"
    return folder, SimulationBasedCalibration(configuration).run(folder, 12)


@pytest.fixture
def out(calibrated, tmp_path):
    """A copy of the finished calibration."""
    return Path(shutil.copytree(calibrated[0], tmp_path / "out"))


def test_the_ranks_are_those_of_the_exact_posterior(calibrated):
    folder, found = calibrated
    assert found["fits"] == 12 and found["unconverged"] == 0 and found["fewer_effective_samples"] == 0
    # The posterior is a Gaussian, truncated by the prior: its mean gives the datum.
    data = np.linspace(0.0, 0.12, 2401)
    means = truncnorm((0.04 - data) / 0.0073, (0.08 - data) / 0.0073, loc=data, scale=0.0073).mean()
    for fit in (read_fit(folder, i) for i in range(12)):
        datum = int(np.argmin(np.abs(means - fit["mean"]["tau_e"])))
        exact = truncnorm((0.04 - data[datum]) / 0.0073, (0.08 - data[datum]) / 0.0073, loc=data[datum], scale=0.0073)
        share = exact.cdf(fit["theta"]["tau_e"])
        assert fit["rank"]["tau_e"] / 200 == pytest.approx(share, abs=0.13)  # 199 draws: 3.5 standard deviations


def test_a_calibration_goes_on_and_can_be_extended(configuration, out):
    before = {path.name: path.read_text() for path in (out / "fits").iterdir()}
    whole = json.loads((out / "fits" / "000004.json").read_text())
    (out / "fits" / "000004.json").unlink()
    assert SimulationBasedCalibration(configuration).run(out, 13)["fits"] == 13
    after = {path.name: path.read_text() for path in (out / "fits").iterdir()}
    assert len(after) == 13 and all(after[name] == text for name, text in before.items() if name != "000004.json")
    again = json.loads(after["000004.json"])
    assert {key: again[key] for key in ("theta", "rank", "mean")} == {
        key: whole[key] for key in ("theta", "rank", "mean")
    }


def test_a_folder_of_something_else_is_refused(configuration, out, tmp_path):
    with pytest.raises(DataError, match="a calibration of another configuration"):
        SimulationBasedCalibration(configuration, seed=2).run(out, 10)
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "mine").write_text("")
    with pytest.raises(DataError, match="something other than a calibration"):
        SimulationBasedCalibration(configuration).run(tmp_path / "full", 10)
    (out / "fits" / "000003.json").write_text("{")
    with pytest.raises(DataError, match=r"000003\.json is not a complete fit"):
        SimulationBasedCalibration(configuration).run(out, 10)
    with pytest.raises(DataError, match="cannot create the folder"):
        SimulationBasedCalibration(configuration).run(tmp_path / "full" / "mine" / "out", 10)
    with pytest.raises(ConfigurationError, match="--n 3: at least 10"):
        SimulationBasedCalibration(configuration).run(tmp_path / "new", 3)


@pytest.mark.slow
def test_data_that_do_not_belong_to_the_likelihood_are_found(configuration, tmp_path, monkeypatch):
    """Noise three times as large as the likelihood says."""
    honest = astroemu.validation.sbc.mock_probes

    def loud(truth, theta, rng):
        drawn = honest(truth, theta, rng)
        drawn["optical_depth"].tau = theta[0] + 3 * (drawn["optical_depth"].tau - theta[0])
        return drawn

    monkeypatch.setattr(astroemu.validation.sbc, "mock_probes", loud)
    found = SimulationBasedCalibration(configuration).run(tmp_path / "out", 40)
    assert not found["passed"] and found["quantities"]["tau_e"]["coverage"]["0.95"]["found"] < 0.85
    assert "NOT uniform" in calibration_table(found)


def test_draws_from_weighted_samples_follow_the_weights():
    rng = np.random.default_rng(1)
    theta = rng.uniform(-5, 5, (20_000, 1))
    log_l = -0.5 * theta[:, 0] ** 2
    samples = Samples(("x",), theta, log_l, np.zeros(20_000), log_l, "nested", 5000.0, True, "", 20_000)

    class Normal:
        def log_likelihood(self, theta):
            return -0.5 * theta[:, 0] ** 2

        def log_prior(self, theta):
            return np.zeros(len(theta))

    truths = rng.standard_normal(300)
    ranks = [rank_truth(samples, np.array([x]), Normal(), 199, rng) for x in truths]
    fits = [
        {
            "theta": {"x": x},
            "rank": r,
            "converged": True,
            "unlikely": [],
            "ess": 5e3,
            "n_likelihood": 1,
            "wall_seconds": 0,
            "cpu_seconds": 0,
        }
        for x, r in zip(truths, ranks, strict=True)
    ]
    found = verdict(fits, 199)
    assert found["passed"] and found["coverage"]["0.68"] == pytest.approx(0.68, abs=0.08)
    assert found["joint"]["0.95"]["found"] == pytest.approx(0.95, abs=0.04)


def made_up(truths, ranks):
    return [
        {
            "theta": {"tau_e": float(x)},
            "rank": {"tau_e": int(r), "log_likelihood": int(r), "log_posterior": int(r)},
            **{"converged": True, "unlikely": [], "ess": 5e3, "n_likelihood": 1, "wall_seconds": 0, "cpu_seconds": 0},
        }
        for x, r in zip(truths, ranks, strict=True)
    ]


@pytest.mark.slow
def test_given_truths_that_are_no_prior_draws_are_judged_by_coverage(configuration):
    setting, rng = (
        astroemu.validation.sbc._setting(SimulationBasedCalibration(configuration)._key()),
        np.random.default_rng(6),
    )
    drawn = made_up(rng.uniform(0.04, 0.08, 50), rng.integers(0, 200, 50))
    given = Given.of(drawn, setting.model, setting.predicting)
    assert given.p_value > 0.01 and np.all(given.weight == 1.0)
    assert "ranks uniform" in calibration_table(verdict(drawn, 199, given))
    middle = made_up(rng.normal(0.06, 0.002, 50), np.clip(rng.normal(100, 20, 50), 0, 199))
    given = Given.of(middle, setting.model, setting.predicting)
    found = verdict(middle, 199, given)
    assert given.p_value < 0.01 and found["passed"] and not verdict(middle, 199)["passed"]
    assert "calibrated: the densest 95 % of the posteriors hold 100" in calibration_table(found)
    out = np.arange(50) < 9
    lost = made_up(rng.normal(0.06, 0.002, 50), np.where(out, 0, 100))
    assert not verdict(lost, 199, given)["passed"] and "NOT calibrated" in calibration_table(verdict(lost, 199, given))
    hardly = Given(given.p_value, np.where(out, 1e-5, 1.0))  # truths that could hardly have given such data
    found = verdict(lost, 199, hardly)
    assert found["passed"] and found["joint"]["0.95"]["found"] == pytest.approx(41 / 50)
    assert found["weighted_joint"]["0.95"]["effective"] == pytest.approx(41.0, rel=1e-3)


@pytest.mark.attack("calibrate", "an input edited between the start and the load in a worker")
def test_a_worker_with_other_inputs_than_those_of_the_start_is_refused(configuration):
    with pytest.raises(DataError, match="an input of the calibration was changed after its start"):
        astroemu.validation.sbc._fit((SimulationBasedCalibration(configuration)._key(), "0" * 64, 0))


@pytest.mark.slow
def test_the_command_shows_a_verdict_and_pictures(configuration, out):
    code, said, err = command("calibrate", str(configuration.path), "--n", "14", "--out", str(out), "--workers", "2")
    assert code == 0, err
    assert "too few fits to tell" in said and "50 fits are needed" in said and "14 fits, 0 unconverged" in said
    for name in ("ranks.png", "ecdf.png", "coverage.png"):
        assert (out / name).stat().st_size > 10_000
    content = json.loads((out / "calibration.json").read_text())
    assert content["passed"] is None and content["of"]["seed"] == 1
    code, _, err = command("calibrate", str(configuration.path), "--n", "5", "--out", str(out))
    assert code == 2 and "--n 5: at least 10 fits are needed, and 100 for a verdict" in err
    for block in (content, json.loads((out / "calibration_of.json").read_text())):
        assert_provenance(block["provenance"], engine="numpy")


@pytest.mark.slow
def test_simulations_are_the_truth_one_a_fit(tmp_path, shared_data):
    """Two real simulations, fitted with few steps: the truths are the rows of the file."""
    file = shared_data.parent / "validation" / "real_21cmfast_sims.h5"
    task = SimulationBasedCalibration(
        load_configuration("reionization"), astroemu.validation.sbc.TruthModel(simulations=str(file))
    )
    setting = astroemu.validation.sbc._setting(task._key())
    assert setting.truths is None and setting.rows.shape == (50, 9)
    rng = np.random.default_rng(1)
    np.testing.assert_array_equal(setting.theta(7, rng), setting.rows[7])
    with pytest.raises(ConfigurationError, match="holds 50 simulations"):
        task.run(tmp_path / "out", 51)


@pytest.mark.slow
@pytest.mark.skipif(MPIEXEC is None, reason="there is no mpiexec: pip install mpich")
def test_two_processes_calibrate_what_one_does(configuration, tmp_path):
    for ranks in (1, 2):
        start = [] if ranks == 1 else [MPIEXEC, "-n", str(ranks)]
        words = ["calibrate", str(configuration.path), "--n", "12", "--out", str(tmp_path / str(ranks))]
        done = subprocess.run(
            [*start, sys.executable, "-m", "astroemu", *words], capture_output=True, text=True, timeout=300, check=False
        )
        assert done.returncode == 0, done.stderr
        assert done.stdout.count("calibration.json") == 1
    one, two = ([read_fit(tmp_path / ranks, i)["rank"] for i in range(12)] for ranks in "12")
    assert one == two


@pytest.mark.slow
def test_short_chains_do_not_bias_the_ranks():
    """The settings of docs/calibration.md, on seven correlated parameters, two of which reach an edge of the prior."""
    from scipy.special import ndtr, ndtri

    rng = np.random.default_rng(1)
    d, root = 7, np.linalg.cholesky(0.02 * (0.3 * np.eye(7) + 0.7))

    class Target:
        names = tuple("abcdefg")

        def __init__(self, datum):
            self.datum = datum

        def prior_transform(self, u):
            scores = ndtri(np.clip(u, 1e-300, 1 - 1e-16))
            return np.concatenate([u[:, :2], 0.5 + 0.3 * scores[:, 2:]], axis=1)

        def log_prior(self, theta):
            return -0.5 * np.sum(((theta[:, 2:] - 0.5) / 0.3) ** 2, axis=1)

        def log_likelihood(self, theta):
            return -0.5 * np.sum(np.linalg.solve(root, (theta - self.datum).T) ** 2, axis=0)

    from astroemu_plugins.samplers.emcee import Emcee

    sampler = Emcee(autocorrelation_times=20.0, effective_samples=400.0, burn_in=5.0, check_every=100)
    fits = []
    for number in range(120):
        theta = Target(None).prior_transform(ndtr(rng.standard_normal((1, d))))[0]
        target = Target(theta + root @ rng.standard_normal(d))
        samples = sampler.run(target, seed=number)
        fits.append(rank_truth(samples, theta, target, 199, rng))
        assert samples.converged and samples.ess > 400
    ranks = {name: np.array([fit[name] for fit in fits]) for name in (*Target.names, "log_likelihood")}
    found = judge_ranks(ranks, 199)
    assert found["p_value"] > 0.01
    coverage = np.mean([found["quantities"][name]["coverage"]["0.68"]["found"] for name in Target.names])
    assert coverage == pytest.approx(0.68, abs=0.06)
