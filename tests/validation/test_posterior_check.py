"""The check of a posterior with the truth: likelihoods, weights, and shifts of the means."""

from __future__ import annotations

import json

import h5py
import numpy as np
import pytest
from helpers import TAU, Stub, assert_provenance, command, uniform

from astroemu.errors import DataError
from astroemu.inference.run_folder import RunFolder
from astroemu.model.model import Model
from astroemu.sampling.samples import Samples
from astroemu.validation.posterior_check import PosteriorCheck, compare_likelihoods
from astroemu.validation.truth import TruthModel, with_truth
from astroemu_probes.optical_depth import OpticalDepth

FIX = ("clumping=3.0", "h=0.6774", "omega_m=0.3075", "omega_b=0.0486", "sigma_8=0.82", "n_s=0.97")


def tau(shift=0.0):
    stub = Stub(("tau",), {TAU: lambda theta: theta[:, 0] + shift})
    return Model(uniform(tau=(0.0, 0.2)), {"stub": stub}, {"tau": OpticalDepth()})


def exact(n, seed=1):
    theta = np.random.default_rng(seed).normal(0.0544, 0.0073, (n, 1))
    zero = np.zeros(n)
    return Samples(("tau",), theta, zero, zero, zero, "exact", float(n), True, "", n)


def test_a_biased_emulator_moves_the_mean_by_its_bias():
    model, samples = tau(), exact(4000)
    truth = with_truth(model, Stub(("tau",), {TAU: lambda theta: theta[:, 0] + 0.3 * 0.0073}))
    found = compare_likelihoods(model, truth, samples, samples.theta[:1000])
    row = found["parameters"]["tau"]
    assert row["shift"] == pytest.approx(-0.3, abs=4 * row["error"]) and row["error"] < 0.03
    assert found["efficiency"] == pytest.approx(np.exp(-0.09), abs=0.05)
    x = (samples.theta[:1000, 0] - 0.0544) / 0.0073
    expected = np.abs(-0.5 * (x + 0.3) ** 2 + 0.5 * x**2)
    assert found["delta_log_likelihood"]["tau"]["median"] == pytest.approx(np.median(expected))
    assert found["far"] == {} and found["impossible"] == 0


def test_the_stated_error_is_the_scatter_of_the_shift():
    model = tau()
    truth = with_truth(model, Stub(("tau",), {TAU: lambda theta: theta[:, 0] + 0.3 * 0.0073}))
    samples = exact(50 * 200, seed=2)
    rows = [
        compare_likelihoods(model, truth, samples, part)["parameters"]["tau"] for part in np.split(samples.theta, 200)
    ]
    shifts, errors = (np.array([row[key] for row in rows]) for key in ("shift", "error"))
    assert shifts.std() == pytest.approx(errors.mean(), rel=0.25)


def test_a_perfect_emulator_moves_nothing():
    model, samples = tau(), exact(100)
    found = compare_likelihoods(model, model, samples, samples.theta)
    assert found["parameters"]["tau"] == {
        "shift": pytest.approx(0.0, abs=1e-12),
        "error": pytest.approx(0.0, abs=1e-12),
    }
    assert found["efficiency"] == pytest.approx(1.0) and found["delta_log_likelihood"]["total"]["max"] == 0.0


def test_an_impossible_truth_is_an_error():
    model, samples = tau(), exact(20)
    truth = with_truth(model, Stub(("tau",), {TAU: lambda theta: np.full(len(theta), np.nan)}))
    with pytest.raises(DataError, match="no finite likelihood at any"):
        compare_likelihoods(model, truth, samples, samples.theta)


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A short run of galaxies and reionization, with the emulator."""
    folder = tmp_path_factory.mktemp("check") / "run"
    short = [part for text in ("max_steps=150", "starting_draws=1000") for part in ("--set", f"samplers.emcee.{text}")]
    options = ("--without", "power_spectrum_21cm", "--no-report", "--out", str(folder))
    code, _, err = command("fit", *short, *options)
    assert code == 0, err
    return folder


@pytest.mark.slow
def test_the_command_runs_the_simulator_once_and_goes_on(run, tmp_path):
    fixed = [part for text in FIX for part in ("--fix", text)]
    words = (
        "check-posterior",
        str(run),
        "--simulator",
        "park19",
        "--n",
        "20",
        "--out",
        str(tmp_path / "check"),
        *fixed,
    )
    code, said, err = command(*words)
    assert code == 0, err
    assert "effective fraction of the 20 draws" in said and "distance to the training points of 'acg'" in said
    made = (tmp_path / "check" / "simulations.h5").stat().st_mtime_ns
    found = json.loads((tmp_path / "check" / "check.json").read_text())
    assert set(found["parameters"]) == set(RunFolder.open(run).samples().names)
    assert_provenance(found["provenance"], "emulator acg", engine="numpy")
    # Park+19 is 21cmFAST's own luminosity function, and nearly its histories.
    assert found["delta_log_likelihood"]["uv_luminosity_function"]["median"] < 1.0
    assert command(*words)[0] == 0 and (tmp_path / "check" / "simulations.h5").stat().st_mtime_ns == made
    code, _, err = command(*words, "--seed", "2")
    assert code == 2 and "holds a check of another run or truth" in err and "seed was 1 and is 2" in err
    code, _, err = command("check-posterior", str(run), "--simulator", "park19")
    assert code == 2 and "--fix clumping=VALUE" in err and not (run / "check_park19").exists()
    code, _, err = command("check-posterior", str(run))
    assert code == 2 and "no truth is given" in err


def test_simulations_made_elsewhere_at_the_points_that_it_writes(run, tmp_path):
    file, points = tmp_path / "made.h5", tmp_path / "points.h5"
    code, said, err = command("check-posterior", str(run), "--points", str(points), "--n", "12")
    assert code == 0 and "points.h5" in said, err
    model = RunFolder.open(run).configuration().model()
    with h5py.File(points) as given, h5py.File(file, "w") as made:
        theta = given["theta"][()]
        made["theta"] = theta
        made["theta"].attrs["names"] = list(given["theta"].attrs["names"])
        for name, values in model.predict(theta).items():
            made[name] = values
            for axis in model.observables[name].axes:
                if f"{axis.name}_{name}" not in made:
                    made[f"{axis.name}_{name}"] = axis.values
    found = PosteriorCheck(RunFolder.open(run), TruthModel(simulations=str(file))).check(tmp_path / "check")
    assert found["n"] == 12 and found["efficiency"] > 0.5
    assert all(abs(row["shift"]) < 4 * row["error"] for row in found["parameters"].values())
    with h5py.File(file, "r+") as made:
        made["theta"][3] = theta[3] + 1e-3
    with pytest.raises(
        DataError, match=r"truth\.simulations was \w{8}\.\.\. and is \w{8}"
    ):  # another file of this name
        PosteriorCheck(RunFolder.open(run), TruthModel(simulations=str(file))).check(tmp_path / "check")
    with pytest.raises(DataError, match="is no sample of this run"):
        PosteriorCheck(RunFolder.open(run), TruthModel(simulations=str(file))).check(tmp_path / "other")
