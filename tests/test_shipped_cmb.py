"""The shipped CMB emulators and configurations, compared with CAMB at the best fit of Planck, and as joint models."""

from __future__ import annotations

import numpy as np
import pytest

import astroemu
from astroemu.core.array_namespace import NUMPY
from astroemu.core.catalog import load_catalog
from astroemu.core.provider import Prediction
from astroemu.errors import DataError, DoubleCountingWarning, ResolutionError
from astroemu_probes.act_dr6_lite import ActDr6Lite
from astroemu_probes.cmb_bandpowers import SPECTRA, read_spectra
from astroemu_probes.planck_low_ell import PlanckLowEll
from astroemu_probes.planck_plik_lite import PlanckPlikLite
from astroemu_probes.spt3g_2018_lite import Spt3g2018Lite

#: Planck 2018 VI, best fit: the parameters of the catalog `planck2018_best_fit`.
BEST_FIT = {
    "omega_b_h2": 0.0223828,
    "omega_c_h2": 0.1201075,
    "n_s": 0.9660499,
    "ln_10_10_a_s": np.log(21.00549),
    "tau_e": 0.0543084,
}
H = 0.6732117


@pytest.fixture(scope="module")
def theta_mc():
    """The angle theta_mc at which the emulated h equals that of the best fit."""
    background = astroemu.load_emulator("cmb_background")

    def h(theta):
        given = {name: BEST_FIT[name] for name in background.parameters if name != "theta_mc_100"}
        return background.predict({name: np.array([v]) for name, v in {**given, "theta_mc_100": theta}.items()})["h"][0]

    low, high = 1.038, 1.044
    for _ in range(50):
        middle = 0.5 * (low + high)
        low, high = (middle, high) if h(middle) < H else (low, middle)
    return middle


@pytest.fixture(scope="module")
def emulated(theta_mc):
    emulator = astroemu.load_emulator("cmb")
    point = {**BEST_FIT, "theta_mc_100": theta_mc}
    return emulator, emulator.predict({name: np.array([point[name]]) for name in emulator.parameters})


def test_the_angle_is_that_of_planck(theta_mc):
    # CAMB 2.0.5, cosmomc_theta() of these parameters.
    assert theta_mc == pytest.approx(1.0409468, abs=5e-6)


@pytest.mark.parametrize("probe", [ActDr6Lite, Spt3g2018Lite, PlanckLowEll, PlanckPlikLite])
def test_the_log_likelihood_of_the_best_fit_is_that_of_camb(probe, emulated, request):
    if probe is PlanckPlikLite:
        made = probe(str(request.getfixturevalue("shared_data") / "planck2018_plik_lite.h5"))
    else:
        made = probe()
    emulator, found = emulated
    ell, table = read_spectra(load_catalog("planck2018_best_fit"))
    values: tuple[dict, dict] = ({}, {})
    for key, requirement in made.requires.items():
        spectrum = requirement.observable[-2:].upper()
        true = np.interp(requirement.at["ell"], ell, table[spectrum])
        values[0][key] = Prediction((requirement.weights @ true)[None])
        matrix = requirement.matrix(emulator.provides[requirement.observable])
        values[1][key] = Prediction(found[requirement.observable] @ matrix.T)
    ones = {p.name: np.ones(1) for p in made.parameters}
    true, emulated_value = (made.log_likelihood(value, ones, NUMPY)[0] for value in values)
    assert emulated_value == pytest.approx(true, abs=0.1)


def test_spectra_of_the_best_fit_have_no_offset(emulated):
    emulator, found = emulated
    ell, table = read_spectra(load_catalog("planck2018_best_fit"))
    nodes = emulator.provides["d_ell_tt"].axes[0].values
    for name in ("TT", "EE"):
        error = found[f"d_ell_{name.lower()}"][0] / np.interp(nodes, ell, table[name]) - 1
        high = nodes >= 40
        assert abs(error[high].mean()) < 2e-5 and np.abs(error[high]).max() < 5e-4
        # The trough of EE behind the bump of reionization holds 0.002 uK^2.
        assert np.abs(error[~high]).max() < (0.05 if name == "EE" else 5e-4)
    assert set(SPECTRA) == {"TT", "TE", "EE"}


def test_the_background_of_the_best_fit(theta_mc):
    background = astroemu.load_emulator("cmb_background")
    point = {**BEST_FIT, "theta_mc_100": theta_mc}
    found = background.predict({name: np.array([point[name]]) for name in background.parameters})
    # Planck 2018 VI, table 1, best fit with lensing: sigma_8 = 0.8120, r_drag = 147.049.
    assert found["sigma_8"][0] == pytest.approx(0.8120, abs=1.5e-3)
    assert found["r_drag"][0] == pytest.approx(147.05, abs=0.1)


def test_tau_of_the_joint_model_follows_the_galaxies():
    model = astroemu.load_model("reionization_cmb")
    assert "tau_e" not in model.names
    theta = model.prior.sample(200, np.random.default_rng(3))
    values = model.log_likelihood(theta)
    assert np.isfinite(values).mean() > 0.5 and model.counts.not_finite == 0
    inside = np.flatnonzero(np.isfinite(values))[:1]
    more = theta[inside].copy()
    more[:, model.names.index("log10_f_esc10")] += 0.2
    before, after = (model.predict(t)["tau_e"] for t in (theta[inside], more))
    assert after[0] > before[0]


def test_tau_cannot_be_sampled_and_derived():
    with pytest.raises(ResolutionError, match="'tau_e', which 'cmb' takes, has a prior and is computed by"):
        astroemu.load_model("reionization_cmb", ['parameters.tau_e={distribution = "uniform", low = 0.02, high = 0.1}'])


def test_tau_can_be_sampled_instead():
    sampled = 'parameters.tau_e={distribution = "uniform", low = 0.02, high = 0.1}'
    model = astroemu.load_model("reionization_cmb", [sampled, "derived={flat_lambda_cdm = {}}"])
    assert "tau_e" in model.names


def test_a_sampled_tau_can_be_measured_directly():
    model = astroemu.load_model("cmb", ["probes.optical_depth={}", 'probes.planck_low_ell={spectra = ["TT"]}'])
    theta = model.prior.sample(3, np.random.default_rng(1))
    found = model.log_likelihood_by_probe(theta)["optical_depth"]
    tau = theta[:, model.names.index("tau_e")]
    np.testing.assert_allclose(found, -0.5 * ((tau - 0.0544) / 0.0073) ** 2)


def test_the_low_multipoles_and_a_prior_on_tau_count_twice():
    with pytest.warns(DoubleCountingWarning, match="Planck low-l polarisation"):
        astroemu.load_model("cmb", ["probes.optical_depth={}"])


def test_data_that_are_not_here_name_their_command(monkeypatch, tmp_path):
    from astroemu_catalogs import PLANCK2018_PLIK_LITE

    monkeypatch.setitem(PLANCK2018_PLIK_LITE.__dict__, "path", tmp_path / "none.h5")
    PLANCK2018_PLIK_LITE.__dict__.pop("sha256", None)
    with pytest.raises(DataError, match="astroemu catalogs fetch planck2018_plik_lite"):
        astroemu.load_model("cmb_planck")
