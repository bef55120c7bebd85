"""Models whose predictions come from a simulator or from finished simulations."""

from __future__ import annotations

import h5py
import numpy as np
import pytest
from helpers import TAU, X_HI, KnownEmulator, Stub, StubProbe, uniform

from astroemu.core.requirement import Requirement
from astroemu.errors import ConfigurationError, DataError, PluginError
from astroemu.inference.configuration import load_model
from astroemu.model.model import Model
from astroemu.validation.mock import complete_point
from astroemu.validation.truth import TruthModel, simulating, with_simulations, with_truth
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
LINE = Requirement("line", {"x": KnownEmulator.X}, "mK")
NUISANCE = uniform(nuisance=(0, 1)).free
POINTS = np.array([[0.2, 0.7], [0.9, 0.1], [0.4, 0.4]])


def tau_model(error):
    stub = Stub(("tau",), {TAU: lambda theta: theta[:, 0]}, errors={"tau_e": lambda theta: np.full(len(theta), error)})
    return Model(uniform(tau=(0.0, 0.2)), {"stub": stub}, {"tau": OpticalDepth()})


def test_the_truth_replaces_what_it_gives_and_leaves_the_rest():
    model = tau_model(0.01)
    truth = Stub(("tau",), {TAU: lambda theta: theta[:, 0] + 0.02})
    found = with_truth(model, truth)
    predictions, _ = found.probe_inputs(np.array([[0.1]]))["tau"]
    assert predictions["tau_e"].value == pytest.approx(0.12) and predictions["tau_e"].error is None
    with pytest.raises(ConfigurationError, match="gives any of 'x_hi', so none can be replaced; it has 'tau_e'"):
        with_truth(model, Stub(("tau",), {X_HI: lambda theta: theta}))


def test_a_simulator_can_be_the_truth_of_what_it_has():
    model = load_model("reionization")
    fixed = {"clumping": 3.0, "h": 0.6774, "omega_m": 0.3075, "omega_b": 0.0486, "sigma_8": 0.82, "n_s": 0.97}
    truth, rows = TruthModel("park19", fixed=fixed).of(model)
    theta = complete_point(model, AT)[None]
    (ours, _), (theirs, _) = (m.probe_inputs(theta)["uv_luminosity_function"] for m in (model, truth))
    assert rows is None and theirs["log10_uv_lf"].error is None
    np.testing.assert_allclose(ours["log10_uv_lf"].value, theirs["log10_uv_lf"].value, atol=0.1)
    (ours, _), (theirs, _) = (m.probe_inputs(theta)["power_spectrum_21cm"] for m in (model, truth))
    np.testing.assert_array_equal(ours["delta21_sq"].value, theirs["delta21_sq"].value)
    with pytest.raises(ConfigurationError, match="--fix clumping=VALUE --fix"):
        TruthModel("park19").of(model)
    with pytest.raises(ConfigurationError, match="'nothing' cannot be fixed"):
        TruthModel("park19", fixed={"nothing": 1.0}).of(model)


def test_a_simulator_that_is_not_installed_is_named():
    with pytest.raises(PluginError, match="no_such"):
        simulating(load_model("galaxies"), TruthModel("no_such"))


def line_model(providers):
    return Model(
        uniform(b=(0, 1), nuisance=(0, 1), a=(0, 1)), providers, {"line": StubProbe(LINE, parameters=NUISANCE)}
    )


@pytest.fixture
def file(tmp_path):
    """Simulations of the known emulator's line, half as high, at three points."""
    with h5py.File(tmp_path / "sims.h5", "w") as made:
        made["theta"] = POINTS
        made["theta"].attrs["names"] = ["a", "b"]
        made["line"] = 0.5 * (POINTS[:, :1] + POINTS[:, 1:] * KnownEmulator.X)
        made["x"] = KnownEmulator.X
    return tmp_path / "sims.h5"


def test_finished_simulations_are_the_truth_at_their_points(file):
    model, theta = with_simulations(line_model({"known": KnownEmulator()}), file)
    assert model.names == ("b", "nuisance", "a")
    np.testing.assert_array_equal(theta[:, [2, 0]], POINTS)
    assert np.isnan(theta[:, 1]).all()
    whole = np.where(np.isnan(theta), 0.5, theta)
    predictions, _ = model.probe_inputs(whole)["line"]
    np.testing.assert_allclose(predictions["it"].value, 0.5 * (POINTS[:, :1] + POINTS[:, 1:] * KnownEmulator.X))
    same, again = TruthModel(simulations=str(file)).of(line_model({"known": KnownEmulator()}))
    np.testing.assert_array_equal(again, theta)
    assert same.names == model.names
    with pytest.raises(DataError, match="there is no simulation at"):
        model.probe_inputs(whole + 0.01)


def test_simulations_need_an_emulator_that_they_fit(file):
    model = tau_model(0.01)
    with pytest.raises(ConfigurationError, match="has no emulator that simulations could replace"):
        with_simulations(model, file)
    with h5py.File(file, "r+") as made:
        made["theta"].attrs["names"] = ["a", "c"]
    with pytest.raises(ConfigurationError, match="c"):
        with_simulations(line_model({"known": KnownEmulator()}), file)


def test_without_a_source_the_truth_is_the_model():
    model = tau_model(0.01)
    assert TruthModel().of(model) == (model, None)
