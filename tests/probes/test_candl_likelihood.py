"""Data sets of candl: published values, priors, JAX, mock data, and refusals."""

from __future__ import annotations

import copy
import sys
from pathlib import Path

import numpy as np
import pytest
import yaml
from candl_files import ACT_MODEL, ACT_PRIORS, from_bands, needs_candl, small, small_lensing
from cmb_spectra import spectra

import astroemu
from astroemu.core.array_namespace import NUMPY
from astroemu.core.catalog import load_catalog
from astroemu.core.distributions import Normal, Uniform
from astroemu.core.parameter import Parameter
from astroemu.core.prior import Prior
from astroemu.core.probe import Probe
from astroemu.core.provider import Prediction
from astroemu.errors import ConfigurationError, DataError, PluginError, ResolutionError
from astroemu.model.model import Model
from astroemu.testing import check_probe
from astroemu_probes.act_dr6_lite import ActDr6Lite
from astroemu_probes.candl_likelihood import Candl
from astroemu_probes.spt3g_2018_lite import Spt3g2018Lite, _calibration

jax = pytest.importorskip("jax")
pytestmark = needs_candl

SPT_MODEL = [
    {"Module": "common.AberrationCorrection", "aberration_coefficient": -0.0004826},
    {
        "Module": "common.CalibrationCross",
        "spec_param_dict": {
            "TT lxl": ["Tcal"] * 4,
            "TE lxl": ["Tcal", "Ecal", "Tcal", "Ecal"],
            "EE lxl": ["Ecal"] * 4,
        },
    },
]


@pytest.fixture(scope="module")
def act(tmp_path_factory):
    """The folder of ACT DR6, whose numbers are those of our catalog."""
    probe = ActDr6Lite()
    return from_bands(tmp_path_factory.mktemp("candl") / "act", probe, probe.covariance, ACT_MODEL, ACT_PRIORS)


@pytest.fixture(scope="module")
def act_probe(act):
    return Candl(str(act))


@pytest.fixture(scope="module")
def spt(tmp_path_factory):
    """The folder of SPT-3G 2018, whose numbers are those of our catalog."""
    from astroemu_probes.cmb_bandpowers import Bandpowers, read_windows

    class Plain(Bandpowers):
        def calibration(self, parameters):
            raise NotImplementedError

    source = load_catalog("spt3g_2018_lite")
    bands, covariance = read_windows(source)
    probe = Plain(source, bands, covariance, ("TT", "TE", "EE"), {}, {})
    folder = tmp_path_factory.mktemp("candl") / "spt"
    folder.mkdir()
    np.savetxt(folder / "calibration.txt", _calibration(source)[1])
    priors = [
        {"par_names": "tau", "central_value": 0.054, "prior_std": 0.0074},
        {"par_names": ["Tcal", "Ecal"], "central_value": [1.0, 1.0], "prior_covariance": "calibration.txt"},
    ]
    return from_bands(folder, probe, covariance, SPT_MODEL, priors)


@pytest.fixture
def three(tmp_path):
    """The small data set."""
    return small(tmp_path / "small")


def predictions(probe, ell, table, **numbers):
    """Return what a probe gets for spectra given at every multipole, and for numbers without a prior."""
    return {
        name: Prediction(np.interp(r.at["ell"], ell, table[name])[None])
        if r.at
        else Prediction(np.array([[numbers[name]]]))
        for name, r in probe.requires.items()
    }


def log_likelihood(probe, ell, table, **numbers):
    given = {p.name: np.array([numbers[p.name]]) for p in probe.parameters}
    return probe.log_likelihood(predictions(probe, ell, table, **numbers), given, NUMPY)[0]


def test_act_has_the_published_value(act_probe):
    ell, table = spectra(load_catalog("act_dr6_lite").path)
    found = log_likelihood(act_probe, ell, table, A_act=1.01, P_act=0.95)
    assert -2 * found == pytest.approx(695.58704104, rel=1e-9)


def test_spt_has_the_published_value_and_that_of_our_probe(spt):
    ell, table = spectra(load_catalog("spt3g_2018_lite").path)
    probe = Candl(str(spt))
    found = log_likelihood(probe, ell, table, Tcal=1.001, Ecal=1.001)
    prior = probe._log_prior({"Tcal": 1.001, "Ecal": 1.001}, NUMPY)
    assert -2 * (found - prior) == pytest.approx(141.74004888, rel=1e-8)
    ours = Spt3g2018Lite()
    given = {
        name: Prediction((band.window @ np.interp(band.ell, ell, table[name]))[None])
        for name, band in ours.bands.items()
    }
    calibration = {"t_cal_spt": np.array([1.001]), "e_cal_spt": np.array([1.001])}
    assert found == pytest.approx(ours.log_likelihood(given, calibration, NUMPY)[0], rel=1e-6)


def test_the_library_of_candl_has_the_published_value():
    pytest.importorskip("candl_data")
    ell, table = spectra(load_catalog("act_dr6_lite").path)
    found = log_likelihood(Candl("ACT_DR6_TTTEEE"), ell, table, A_act=1.01, P_act=0.95)
    assert -2 * found == pytest.approx(695.58704104, rel=1e-9)


def test_spt3g_d1_has_its_published_value():
    library = pytest.importorskip("spt_candl_data")
    folder = Path(library.__file__).parent / "tests"
    stated = yaml.safe_load((folder / "SPT3G_D1_TnE_lite_test.yaml").read_text())
    assert stated["test_logl"] == -83.20924274
    table = np.loadtxt(folder / stated["test_spectrum"])
    columns = dict(zip(("ell", "TT", "TE", "EE"), table.T, strict=False))
    # Their value includes the priors of tau and Tcal. The latter is the default prior of a parameter here.
    probe = Candl("SPT3G_D1_TnE_lite", library="spt_candl_data", priors="all")
    (calibration,) = probe.parameters
    t_cal = stated["param_values"]["Tcal"]
    prior = calibration.prior.log_density(np.array(t_cal)) - calibration.prior.log_density(np.array(1.0))
    found = log_likelihood(probe, columns["ell"], columns, **stated["param_values"]) + prior
    assert found == pytest.approx(stated["test_logl"], rel=1e-6)


def test_priors_of_nuisance_parameters_become_ours(act, act_probe):
    probe = act_probe
    assert probe.parameters == (Parameter("A_act", Normal(1.0, 0.003)),)
    assert {r.observable for r in probe.requires.values()} == {"d_ell_tt", "d_ell_te", "d_ell_ee", "P_act"}
    everything = Candl(str(act), priors="all")
    assert "tau_e" in {r.observable for r in everything.requires.values()}
    none = Candl(str(act), priors="none")
    assert none.parameters == () and "A_act" in none.requires


def test_a_prior_of_a_cosmological_parameter_counts_if_wanted(act, act_probe, best_fit):
    with_tau, without = Candl(str(act), priors="all"), act_probe
    numbers = {"A_act": 1.0, "P_act": 1.0, "tau": 0.0566 + 0.0058}
    difference = log_likelihood(with_tau, *best_fit, **numbers) - log_likelihood(without, *best_fit, **numbers)
    assert difference == pytest.approx(-0.5, abs=1e-9)


def test_a_joint_prior_stays_in_the_likelihood(spt):
    probe = Candl(str(spt))
    assert [type(p.prior) for p in probe.parameters] == [Uniform, Uniform]
    low, high = probe.parameters[1].prior.support
    assert low < 0.99 and high > 1.01


def test_a_parameter_without_a_prior_needs_one(act_probe):
    base = astroemu.load_model("cmb", ['engine="numpy"'])
    ours = [p for p in base.prior.parameters if p.name not in ("a_act", "p_act")]
    providers = {"cmb": base.providers["cmb"]}
    with pytest.raises(ResolutionError, match="'P_act', which nobody provides"):
        Model(Prior(tuple(ours)), providers, {"act": act_probe})
    prior = Prior((*ours, Parameter("P_act", Uniform(0.9, 1.1))))
    model = Model(prior, providers, {"act": act_probe, "ours": ActDr6Lite()}, engine="numpy")
    theta = model.prior.sample(3, np.random.default_rng(1))
    for theirs, name in (("A_act", "a_act"), ("P_act", "p_act")):
        theta[:, model.names.index(theirs)] = theta[:, model.names.index(name)]
    found = model.log_likelihood_by_probe(theta)
    np.testing.assert_allclose(found["act"], found["ours"], rtol=1e-10)


def test_jax_traces_the_likelihood_and_its_gradient(three):
    probe = Candl(str(three))
    values = np.linspace(900.0, 1100.0, probe.requires["TT"].size) * np.array([[1.0], [1.1]])
    numbers = {"A_cal": np.array([1.0, 1.01])}
    expected = probe.log_likelihood({"TT": Prediction(values)}, numbers, NUMPY)

    def evaluate(scale):
        given = {"TT": Prediction(scale[:, None] * values)}
        return probe.log_likelihood(given, jax.tree.map(jax.numpy.asarray, numbers), NUMPY)

    with jax.enable_x64(True):
        found = jax.jit(evaluate)(jax.numpy.ones(2))
        slope = jax.grad(lambda scale: evaluate(scale).sum())(jax.numpy.ones(2))
    np.testing.assert_allclose(found, expected, rtol=1e-12)
    step = 1e-6
    sides = [probe.log_likelihood({"TT": Prediction((1 + s) * values)}, numbers, NUMPY) for s in (step, -step)]
    np.testing.assert_allclose(slope, (sides[0] - sides[1]) / (2 * step), rtol=1e-5)


@pytest.mark.skipif(not hasattr(Probe, "traced_by"), reason="the engine calls every host_only probe on the host")
@pytest.mark.parametrize("backend", ["jax", "tensorflow"])
def test_the_compiled_engines_give_the_same(three, backend, monkeypatch):
    pytest.importorskip(backend)
    monkeypatch.setenv("KERAS_BACKEND", backend)
    base = astroemu.load_model("cmb", ['engine="numpy"'])
    parameters = tuple(p for p in base.prior.parameters if p.name not in ("a_act", "p_act"))
    parts = (Prior(parameters), {"cmb": base.providers["cmb"]}, {"candl": Candl(str(three))})
    host, compiled = Model(*parts, engine="numpy"), Model(*parts, engine="keras")
    theta = host.prior.sample(4, np.random.default_rng(1))
    np.testing.assert_allclose(compiled.log_likelihood(theta), host.log_likelihood(theta), rtol=1e-10)
    assert ("host_only" in "".join(compiled.compile_report())) is (backend == "tensorflow")
    if backend == "jax":
        value, slope = compiled.value_and_grad(theta)
        np.testing.assert_allclose(value, host.log_likelihood(theta), rtol=1e-10)
        assert np.isfinite(slope).all()


def test_a_batch_is_its_points(three):
    probe = Candl(str(three))
    rng = np.random.default_rng(2)
    values = rng.uniform(800.0, 1200.0, (133, probe.requires["TT"].size))
    numbers = rng.normal(1.0, 0.01, 133)
    whole = probe.log_likelihood({"TT": Prediction(values)}, {"A_cal": numbers}, NUMPY)
    for i in (0, 127, 128, 132):
        one = probe.log_likelihood({"TT": Prediction(values[[i]])}, {"A_cal": numbers[[i]]}, NUMPY)
        assert one[0] == pytest.approx(whole[i], rel=1e-12)


def test_the_probe_conforms(three):
    report = check_probe(Candl(str(three)))
    report.demand()
    assert {f.check: f.outcome for f in report.findings}["simulate, then fit"] == "passed"


def test_a_lensing_data_set_takes_the_deflection(tmp_path):
    probe = Candl(str(small_lensing(tmp_path / "lensing")))
    assert [(r.observable, r.unit) for r in probe.requires.values()] == [("d_ell_pp", "")]
    flat = np.full((1, probe.requires["pp"].size), 1e-7)
    found = probe.log_likelihood({"pp": Prediction(flat)}, {}, NUMPY)[0]
    model = 1e-7 * np.pi / 2
    assert found == pytest.approx(-0.5 * ((model - 1e-7) ** 2 / 1e-16 + (model - 2e-7) ** 2 / 4e-16), rel=1e-9)
    (panel,) = probe.panels()
    np.testing.assert_allclose(panel.y, np.array([1e-7, 2e-7]) * 2 / np.pi)


def test_a_mock_without_noise_is_the_model(three):
    probe = Candl(str(three))
    flat = {"TT": Prediction(np.full((1, probe.requires["TT"].size), 500.0))}
    mock = probe.simulate(flat, {"A_cal": np.array([1.0])}, None)
    assert mock.log_likelihood(flat, {"A_cal": np.array([1.0])}, NUMPY)[0] == pytest.approx(0.0, abs=1e-20)
    assert probe.log_likelihood(flat, {"A_cal": np.array([1.0])}, NUMPY)[0] < -100
    np.testing.assert_allclose(mock.panels()[0].y, 500.0)
    again = copy.copy(mock)  # made anew from its options, as in another process
    assert again.log_likelihood(flat, {"A_cal": np.array([1.0])}, NUMPY)[0] == pytest.approx(0.0, abs=1e-20)


def test_data_of_another_form_are_not_drawn(tmp_path):
    beam = {"likelihood_form": "gaussian_beam_detcov", "beam_correlation_file": "cov.txt"}
    probe = Candl(str(small(tmp_path / "beam", **beam)))
    given = {"TT": Prediction(np.full((1, probe.requires["TT"].size), 500.0))}
    with pytest.raises(NotImplementedError, match="gaussian_beam_detcov"):
        probe.simulate(given, {"A_cal": np.ones(1)}, None)


def test_a_selection_leaves_data_out(three):
    probe = Candl(str(three), selection=("ell<20 remove",))
    assert [len(panel.x) for panel in probe.panels()] == [2]


def test_what_was_read_and_whom_to_cite_is_recorded(three):
    probe = Candl(str(three), papers=("2506.20707",))
    assert probe.papers == ("2506.20707", "2503.14452", "2401.13433")
    (catalog,) = probe.catalogs
    before = catalog.sha256
    (three / "bdp.txt").write_text("1001.0\n900.0\n1200.0\n")
    assert Candl(str(three)).catalogs[0].sha256 != before


def test_the_settings_of_the_process_stay(three, capsys):
    double = jax.config.jax_enable_x64
    probe = Candl(str(three))
    probe.log_likelihood({"TT": Prediction(np.ones((1, probe.requires["TT"].size)))}, {"A_cal": np.ones(1)}, NUMPY)
    assert jax.config.jax_enable_x64 is double
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize("missing", ["jax", "candl"])
def test_a_missing_package_is_named_with_its_command(three, missing, monkeypatch):
    monkeypatch.setitem(sys.modules, missing, None)
    with pytest.raises(PluginError, match=r"pip install 'astroemu-inference\[candl\]'"):
        Candl(str(three))


def test_a_damaged_data_set_is_refused(three):
    (three / "cov.txt").write_text("1.0 2.0\n2.0 1.0\n")
    with pytest.raises(DataError, match="candl cannot read the data set"):
        Candl(str(three))


def test_it_is_used_in_a_configuration(three, tmp_path):
    (tmp_path / "fit.toml").write_text(
        'emulators.cmb = {}\nprobes.small = { plugin = "candl", data_set = "./small" }\n[parameters]\n'
        + "\n".join(
            f'{name} = {{ distribution = "fixed", value = {value} }}'
            for name, value in {
                "omega_b_h2": 0.0224,
                "omega_c_h2": 0.12,
                "theta_mc_100": 1.041,
                "n_s": 0.965,
                "tau_e": 0.05,
            }.items()
        )
        + '\nln_10_10_a_s = { distribution = "uniform", low = 2.8, high = 3.3 }\n'
    )
    model = astroemu.load_model(tmp_path / "fit.toml")
    assert model.names == ("ln_10_10_a_s", "A_cal")
    with pytest.raises(ConfigurationError, match="unknown key 'dataset'"):
        astroemu.load_model(tmp_path / "fit.toml", ["probes.small.dataset=1"])
