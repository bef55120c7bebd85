"""Mock data: drawn at a truth, written, read and fitted; and truths drawn with the normalisation of the likelihood."""

from __future__ import annotations

import json
import tomllib

import h5py
import numpy as np
import pytest
from helpers import TAU, X_HI, Stub, StubProbe, assert_provenance, command, uniform

from astroemu.core.requirement import Requirement
from astroemu.errors import ConfigurationError, ProbeError, SamplingError
from astroemu.inference.configuration import load_model
from astroemu.io.ecsv import read_ecsv
from astroemu.model.model import Model
from astroemu.validation.mock import (
    TruthSampler,
    complete_point,
    log_normalisations,
    mock_probes,
    unlikely_probes,
    usual_normalisations,
)
from astroemu_probes.neutral_fraction import NeutralFraction
from astroemu_probes.optical_depth import OpticalDepth

AT = {
    "log10_f_star10": -1.3,
    "alpha_star": 0.5,
    "log10_f_esc10": -1.0,
    "alpha_esc": -0.5,
    "log10_m_turn": 8.7,
    "t_star": 0.5,
    "log10_l_x": 40.5,
    "e_0_keV": 0.5,
    "alpha_x": 1.0,
}


def tau_model(error=None, probes=None, **others):
    errors = {} if error is None else {"tau_e": lambda theta: np.full(len(theta), error)}
    stub = Stub(("tau",), {TAU: lambda theta: theta[:, 0], **others}, errors=errors)
    return Model(uniform(tau=(0.0, 0.2)), {"stub": stub}, probes or {"tau": OpticalDepth()})


def test_data_scatter_by_all_errors_of_the_likelihood():
    model, rng = tau_model(error=0.01), np.random.default_rng(1)
    drawn = np.array([mock_probes(model, np.array([0.1]), rng)["tau"].tau for _ in range(2000)])
    assert drawn.mean() == pytest.approx(0.1, abs=4 * 0.0124 / np.sqrt(2000))
    assert drawn.std() == pytest.approx(np.hypot(0.0073, 0.01), rel=0.07)
    assert mock_probes(model, np.array([0.1]), None)["tau"].tau == 0.1


def test_a_model_with_mock_data_peaks_at_the_truth():
    model = tau_model()
    mock = model.with_probes(mock_probes(model, np.array([0.123]), None))
    assert mock.log_likelihood(np.array([[0.123], [0.1]]))[0] == 0.0
    assert mock.names == model.names and model.log_likelihood(np.array([[0.123]]))[0] < -10


def test_truths_follow_the_prior_times_the_normalisation():
    """x_HI(z) = tau: a limit c between 0 and 1, flat above the truth, is likelier for a small x_HI."""
    stub = Stub(("x",), {X_HI: lambda theta: np.repeat(theta, 84, axis=1)})
    probe = NeutralFraction(references=("McGreer+2015",), z_min=6.0)
    model = Model(uniform(x=(0.0, 1.0)), {"stub": stub}, {"x": probe})
    grid = np.linspace(0, 1, 2001)
    norm = np.exp(log_normalisations(model, grid[:, None])["x"])
    expected = 1 - grid + 0.2 * np.sqrt(np.pi / 2) * (2 * _phi(grid / 0.2) - 1)
    np.testing.assert_allclose(norm / norm[0], expected / expected[0], rtol=2e-3)
    truths, rng = TruthSampler(model, 4), np.random.default_rng(5)
    drawn = np.array([truths.draw(rng)[0] for _ in range(3000)])
    assert drawn.mean() == pytest.approx(np.average(grid, weights=expected), abs=0.02)
    assert 8_000 < truths.effective < 10_000


def _phi(x):
    from scipy.special import ndtr

    return ndtr(x)


def test_truths_of_a_normalised_likelihood_are_prior_draws():
    truths = TruthSampler(tau_model(), 1)
    assert truths.effective == pytest.approx(10_000)


def test_a_prior_that_could_not_have_given_such_data_is_refused(monkeypatch):
    monkeypatch.setattr("astroemu.validation.mock._LARGEST_POOL", 40_000)
    probe = OpticalDepth()
    probe.__class__ = type(
        "Narrow", (OpticalDepth,), {"log_normalisation": lambda *_: -1e8 * (_[1]["tau_e"].value[:, 0] - 0.1) ** 2}
    )
    with pytest.raises(SamplingError, match="are compatible with data like these"):
        TruthSampler(tau_model(probes={"tau": probe}), 1)


def test_truths_keep_to_the_range_of_computed_parameters():
    """tau_e of one provider is a parameter of the other, which holds on a part of its range only."""
    first = Stub(("tau",), {TAU: lambda theta: theta[:, 0]})
    second = Stub(("tau_e",), {X_HI: lambda theta: np.repeat(theta, 84, axis=1)}, bounds={"tau_e": (0.05, 0.1)})
    probe = NeutralFraction(references=("Davies+2018",))
    model = Model(uniform(tau=(0.0, 0.2)), {"first": first, "second": second}, {"x": probe})
    theta = np.array([[0.04], [0.06], [0.11]])
    assert model.in_range(theta).tolist() == [False, True, False] and model.in_range(theta, check_derived=False).all()
    truths = TruthSampler(model, 1)
    assert truths.theta.min() >= 0.05 and truths.theta.max() <= 0.1 and 2_000 < len(truths.theta) < 3_000


def test_a_truth_that_the_limits_exclude_is_told_from_others():
    model = load_model("reionization", ["emulator_error=false"])
    usual = usual_normalisations(model, 1)
    assert set(usual) == {"power_spectrum_21cm", "uv_luminosity_function", "neutral_fraction", "optical_depth"}
    assert unlikely_probes(model, complete_point(model, AT), usual) == []
    cold = {"log10_f_star10": -2.9, "log10_f_esc10": -2.8, "log10_l_x": 39.0, "e_0_keV": 1.3, "alpha_x": 2.8}
    cold = complete_point(model, {**AT, **cold, "alpha_star": -0.4, "log10_m_turn": 8.1})
    assert unlikely_probes(model, cold, usual) == ["power_spectrum_21cm"]


def test_a_probe_that_cannot_draw_is_named():
    probe = StubProbe(Requirement("tau_e"))
    with pytest.raises(ConfigurationError, match="'odd' has no mock data: StubProbe does not simulate"):
        mock_probes(tau_model(probes={"odd": probe}), np.array([0.1]), None)
    probe.simulate = lambda *_: 1 / 0
    with pytest.raises(ProbeError, match="'odd': simulate raised ZeroDivisionError"):
        mock_probes(tau_model(probes={"odd": probe}), np.array([0.1]), None)


def test_a_point_is_checked():
    model = tau_model()
    assert complete_point(model, {"tau": 0.1}) == [0.1] and complete_point(model, {}, np.array([0.2])) == [0.2]
    with pytest.raises(ConfigurationError, match=r"'tua' is not a sampled parameter.*Did you mean 'tau'"):
        complete_point(model, {"tua": 0.1})
    with pytest.raises(ConfigurationError, match="add --at tau=VALUE, or --draw"):
        complete_point(model, {})
    with pytest.raises(ConfigurationError, match=r"tau = 0\.3 is not in"):
        complete_point(model, {"tau": 0.3})


@pytest.mark.slow
def test_the_command_writes_what_a_fit_reads(tmp_path):
    at = [part for name, value in AT.items() for part in ("--at", f"{name}={value}")]
    code, said, err = command("mock", "--out", str(tmp_path / "mock"), "--no-noise", *at)
    assert code == 0, err
    assert "astroemu fit" in said
    note = json.loads((tmp_path / "mock" / "truth.json").read_text())
    assert note["parameters"] == AT and note["noise"] is False
    assert_provenance(note["provenance"], "reionization.toml")
    for name in ("optical_depth", "uv_luminosity_function", "neutral_fraction"):
        table = read_ecsv(tmp_path / "mock" / f"{name}.ecsv")
        assert table.meta["title"].startswith("Mock data") and set(table["verified"]) == {"mock data"}
        assert json.loads(table.meta["truth"])["parameters"] == AT
    with h5py.File(tmp_path / "mock" / "power_spectrum_21cm.h5") as file:
        assert file.attrs["title"].startswith("Mock data") and json.loads(file.attrs["truth"])["parameters"] == AT
    model = load_model(tmp_path / "mock" / "reionization.toml")
    exact = ["emulator_error=false", "probes.uv_luminosity_function.cosmic_variance=0.0"]
    without_error = load_model(tmp_path / "mock" / "reionization.toml", exact)
    parts = without_error.log_likelihood_by_probe(complete_point(model, AT)[None])
    for name in ("uv_luminosity_function", "neutral_fraction", "optical_depth"):
        assert parts[name][0] == pytest.approx(0.0, abs=1e-9)
    code, _, err = command("mock", "--out", str(tmp_path / "mock"), "--draw")
    assert code == 2 and "already holds" in err


@pytest.mark.slow
def test_the_command_takes_files_beside_the_configuration_along(tmp_path):
    first = tmp_path / "first"
    others = [word for name in ("power_spectrum_21cm", "neutral_fraction") for word in ("--without", name)]
    command("mock", "--out", str(first), "--draw", "--seed", "2", *others)
    code, _, err = command("mock", str(first / "reionization.toml"), "--out", str(tmp_path / "second"), "--draw")
    assert code == 0, err
    assert read_ecsv(tmp_path / "second" / "optical_depth.ecsv")["verified"][0] == "mock data"
    content = tomllib.loads((tmp_path / "second" / "reionization.toml").read_text())
    assert content["probes"]["optical_depth"]["catalog"] == "optical_depth.ecsv"
    again = json.loads((tmp_path / "second" / "truth.json").read_text())
    assert again["parameters"] == json.loads((first / "truth.json").read_text())["parameters"] or again["seed"] == 1


@pytest.mark.slow
def test_a_fit_on_mock_data_recovers_the_truth(tmp_path):
    code, _, err = command("mock", "--out", str(tmp_path / "mock"), "--draw", "--seed", "11")
    assert code == 0, err
    short = ("autocorrelation_times=20", "effective_samples=400", "burn_in=5", "check_every=100")
    words = [part for text in short for part in ("--set", f"samplers.emcee.{text}")]
    words += ["--no-report", "--out", str(tmp_path / "run")]
    code, _, err = command("fit", str(tmp_path / "mock" / "reionization.toml"), *words)
    assert code == 0, err
    truth = json.loads((tmp_path / "mock" / "truth.json").read_text())["parameters"]
    found = json.loads((tmp_path / "run" / "summary.json").read_text())["parameters"]
    pulls = np.array([(found[name]["mean"] - truth[name]) / found[name]["std"] for name in truth])
    assert np.all(np.abs(pulls) < 4.0)
    assert found["alpha_star"]["std"] < 0.3  # the prior's is 0.43: the data say something


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--at", "alpha_x"), "must read NAME=VALUE"),
        (("--at", "alpha_x=text"), "must be a finite number"),
        (("--at", "alpha_x=1", "--at", "alpha_x=2"), "each name once"),
        (("--fix", "h=0.7"), "belong to a --simulator"),
        (("--simulator", "park19", "--simulations", "x.h5"), "choose one"),
        (("--simulations", "x.h5"), "there is no file"),
        (("--row", "2"), "--row 2 chooses a simulation of --simulations FILE, which is not given"),
    ],
)
def test_what_the_command_refuses(options, message, tmp_path):
    code, _, err = command("mock", "--out", str(tmp_path / "mock"), *options)
    assert code == 2 and message in err and not (tmp_path / "mock").exists()
