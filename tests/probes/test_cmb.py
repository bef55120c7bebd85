"""The CMB likelihoods against the values that their packages publish, and against brute force."""

from __future__ import annotations

import h5py
import numpy as np
import pytest
from scipy import stats

from astroemu.core.array_namespace import NUMPY
from astroemu.core.catalog import load_catalog
from astroemu.core.observable import Axis, Observable
from astroemu.core.provider import Prediction
from astroemu.errors import ConfigurationError, DataError
from astroemu_probes.act_dr6_lite import ActDr6Lite
from astroemu_probes.cmb_bandpowers import read_spectra
from astroemu_probes.cmb_forecast import CmbForecast
from astroemu_probes.planck_low_ell import PlanckLowEll
from astroemu_probes.planck_plik_lite import PlanckPlikLite
from astroemu_probes.spt3g_2018_lite import Spt3g2018Lite

NAMES = ("TT", "TE", "EE")


@pytest.fixture(scope="module")
def best_fit():
    return read_spectra(load_catalog("planck2018_best_fit"))


@pytest.fixture(scope="module")
def plik(shared_data):
    return shared_data / "planck2018_plik_lite.h5"


def spectra(path, group="test"):
    with h5py.File(path) as file:
        return file[group]["ell"][()], dict(zip(NAMES, file[group]["D_ell"][()].astype(float), strict=True))


def windowed(probe, ell, table):
    """What the engine hands to a probe for spectra given at every multipole; zero beyond them."""
    found = {}
    for name, band in probe.bands.items():
        curve = np.interp(band.ell, ell, table[name], left=0.0, right=0.0)
        found[name] = Prediction((band.window @ curve)[None])
    return found


def log_likelihood(probe, ell, table, **parameters):
    given = {p.name: np.array([parameters.get(p.name, 1.0)]) for p in probe.parameters}
    return probe.log_likelihood(windowed(probe, ell, table), given, NUMPY)[0]


def test_act_gives_the_value_of_its_package():
    probe = ActDr6Lite()
    value = log_likelihood(probe, *spectra(load_catalog("act_dr6_lite").path), a_act=1.01, p_act=0.95)
    assert -2 * value == pytest.approx(695.58704104, rel=1e-9)


def test_spt_gives_the_value_of_its_package():
    probe = Spt3g2018Lite()
    given = {"t_cal_spt": 1.001, "e_cal_spt": 1.001}
    value = log_likelihood(probe, *spectra(load_catalog("spt3g_2018_lite").path), **given)
    prior = probe.log_prior({name: np.array([1.001]) for name in given}, NUMPY)[0]
    assert -2 * (value - prior) == pytest.approx(141.74004888, rel=1e-7)
    with load_catalog("spt3g_2018_lite").hdf5() as file:
        expected = stats.multivariate_normal([1, 1], file["calibration_covariance"][()])
    assert prior == pytest.approx(expected.logpdf([1.001, 1.001]) - expected.logpdf([1, 1]))


def test_plik_lite_gives_the_published_value(plik):
    ell, table = spectra(plik)
    assert log_likelihood(PlanckPlikLite(str(plik)), ell, table) == pytest.approx(-291.33481235418, abs=1e-6)
    only = PlanckPlikLite(str(plik), spectra=("TT",))
    assert log_likelihood(only, ell, table) == pytest.approx(-101.58123068723, abs=1e-6)


def test_the_best_fit_of_planck_fits(plik, best_fit):
    ell, table = best_fit
    assert -2 * log_likelihood(PlanckPlikLite(str(plik)), ell, table) == pytest.approx(584.6, abs=0.5)
    assert -2 * log_likelihood(ActDr6Lite(), ell, table) == pytest.approx(162.8, abs=0.5)


def test_spt_without_aberration_fits(best_fit):
    probe = Spt3g2018Lite()
    with load_catalog("spt3g_2018_lite").hdf5() as file:
        model = np.concatenate(
            [
                file[f"window/{n}/W"][()] @ np.interp(file[f"window/{n}/ell"][()], best_fit[0], best_fit[1][n])
                for n in NAMES
            ]
        )
    residual = model - probe.data
    assert residual @ np.linalg.solve(probe.covariance, residual) == pytest.approx(139.4, abs=0.5)


def test_low_multipoles_give_the_values_of_their_package(plik):
    with h5py.File(plik) as file:
        ell, (tt, ee) = file["test_low_ell/ell"][()], file["test_low_ell/C_ell"][()]
    spectrum = {"TT": tt * ell * (ell + 1) / (2 * np.pi), "EE": ee * ell * (ell + 1) / (2 * np.pi)}
    # The numbers of the bins are kept to nine digits.
    for name, expected in (("TT", -11.660802), ("EE", 9.656235)):
        probe = PlanckLowEll(spectra=(name,))
        requirement = probe.requires[name]
        value = requirement.weights @ np.interp(requirement.at["ell"], ell, spectrum[name])
        assert probe.log_likelihood({name: Prediction(value[None])}, {}, NUMPY)[0] == pytest.approx(expected, abs=2e-6)


def test_low_multipoles_of_no_power_are_impossible():
    probe = PlanckLowEll(spectra=("EE",))
    value = np.array([[-0.01, 0.02, 0.03], [0.03, 0.02, 0.03]])
    found = probe.log_likelihood({"EE": Prediction(value)}, {}, NUMPY)
    assert found[0] == -np.inf and np.isfinite(found[1])
    wider = probe.log_likelihood({"EE": Prediction(value, 0.01 * np.ones((2, 3)))}, {}, NUMPY)
    assert np.isfinite(wider[1]) and wider[1] != found[1]


def test_cuts_are_cuts_of_the_covariance(best_fit):
    whole, cut = ActDr6Lite(), ActDr6Lite(spectra=("TT", "EE"), l_min={"TT": 800}, l_max={"TT": 2000, "EE": 3000})
    ell_eff = np.concatenate([whole.bands[n].ell_eff for n in NAMES])
    sizes = [len(whole.bands[n].data) for n in NAMES]
    names = np.repeat(NAMES, sizes)
    rows = ((names == "TT") & (ell_eff >= 800) & (ell_eff <= 2000)) | ((names == "EE") & (ell_eff <= 3000))
    np.testing.assert_array_equal(cut.covariance, whole.covariance[np.ix_(rows, rows)])
    np.testing.assert_array_equal(cut.data, whole.data[rows])
    assert cut.bands["TT"].ell[-1] < 4000 < whole.bands["TT"].ell[-1]
    model = np.concatenate([windowed(whole, *best_fit)[n].value[0] for n in NAMES])[rows]
    chi2 = (model - cut.data) @ np.linalg.solve(cut.covariance, model - cut.data)
    # Windows lose a share below 1e-5 beyond the last multipole that is needed.
    assert -2 * log_likelihood(cut, *best_fit) == pytest.approx(chi2, abs=2e-3)


def test_the_error_of_the_provider_is_added(best_fit):
    probe = ActDr6Lite(spectra=("EE",))
    value = windowed(probe, *best_fit)["EE"].value
    error = 0.3 * np.sqrt(np.diag(probe.covariance))[None]
    given = {p.name: np.ones(1) for p in probe.parameters}
    found = probe.log_likelihood({"EE": Prediction(value, error)}, given, NUMPY)[0]
    wide = stats.multivariate_normal(value[0], probe.covariance + np.diag(error[0] ** 2))
    narrow = stats.multivariate_normal(probe.data, probe.covariance)
    assert found == pytest.approx(wide.logpdf(probe.data) - narrow.logpdf(probe.data), rel=1e-9)


@pytest.mark.parametrize(("factor", "unit"), [(1e-12, "uK2"), (None, "uK2"), (1.0, "K2"), (1.0, "Jy"), (1.0, None)])
def test_spectra_in_another_unit_are_refused_or_converted(tmp_path, factor, unit):
    path = tmp_path / "mine.h5"
    path.write_bytes(load_catalog("act_dr6_lite").path.read_bytes())
    with h5py.File(path, "r+") as file:
        ell = file["ell_eff"][()]
        file["bandpower"][...] *= 2 * np.pi / (ell * (ell + 1)) if factor is None else factor
        if unit is None:
            del file["bandpower"].attrs["units"]
        else:
            file["bandpower"].attrs["units"] = unit
    message = "not C_ell, nor K" if unit in ("uK2", "K2") else "states units"
    with pytest.raises(DataError, match=message):
        ActDr6Lite(str(path))


def test_a_unit_that_can_be_converted_is(tmp_path):
    path = tmp_path / "mine.h5"
    path.write_bytes(load_catalog("act_dr6_lite").path.read_bytes())
    with h5py.File(path, "r+") as file:
        file["bandpower"][...] *= 1e-12
        file["bandpower"].attrs["units"] = "K2"
    np.testing.assert_allclose(ActDr6Lite(str(path)).data, ActDr6Lite().data, rtol=1e-12)


def test_an_emulator_that_ends_too_early_is_named():
    short = Observable("d_ell_tt", (Axis("ell", np.arange(2.0, 3001.0, 10.0)),), "uK^2")
    with pytest.raises(DataError, match=r"'d_ell_tt', axis 'ell'.*Set l_max to cut the data"):
        ActDr6Lite().requires["TT"].matrix(short)
    assert ActDr6Lite(l_max={"TT": 2000}).requires["TT"].matrix(short).shape[1] == 300


@pytest.mark.parametrize(
    ("probe", "options", "message"),
    [
        (ActDr6Lite, {"spectra": ("BB",)}, "spectra: 'BB'"),
        (ActDr6Lite, {"l_max": {"TT": 3}, "spectra": ("TT",)}, "leave no bandpower"),
        (PlanckLowEll, {"spectra": ("TE",)}, "'TE' is not in"),
        (PlanckLowEll, {"spectra": ()}, "at least one"),
        (CmbForecast, {"f_sky": 1.5}, "f_sky"),
        (CmbForecast, {"l_max": 9000}, "not from 30 to 9000"),
    ],
)
def test_options_without_meaning_are_refused(probe, options, message):
    with pytest.raises((ConfigurationError, DataError), match=message):
        probe(**options)


class TestForecast:
    def at(self, probe, best_fit, **factors):
        ell, table = best_fit
        return {n: Prediction(factors.get(n, 1.0) * np.interp(probe.ell, ell, table[n])[None]) for n in probe.requires}

    def test_the_fiducial_spectra_are_the_peak(self, best_fit):
        probe = CmbForecast()
        assert probe.log_likelihood(self.at(probe, best_fit), {}, NUMPY)[0] == pytest.approx(0.0, abs=1e-8)
        for name in NAMES:
            for factor in (0.99, 1.01):
                assert probe.log_likelihood(self.at(probe, best_fit, **{name: factor}), {}, NUMPY)[0] < -1

    def test_it_is_the_wishart_distribution_of_the_modes(self, best_fit):
        """Against scipy's Wishart density of the same number of modes, multipole by multipole."""
        probe = CmbForecast(f_sky=1.0, l_min=40, l_max=60, noise=30.0)
        found = self.at(probe, best_fit, TT=1.02, TE=0.97, EE=1.05)
        expected = 0.0
        for i, ell in enumerate(probe.ell.astype(int)):

            def matrix(tt, te, ee):
                return np.array([[tt, te], [te, ee]])

            data = matrix(*(probe.data[n][i] for n in NAMES))
            model = matrix(*(found[n].value[0, i] + probe.noise[n][i] for n in NAMES))
            modes = 2 * ell + 1
            density = stats.wishart.logpdf(data * modes, modes, model)
            expected += density - stats.wishart.logpdf(data * modes, modes, data)
        assert probe.log_likelihood(found, {}, NUMPY)[0] == pytest.approx(expected, rel=1e-9)

    def test_one_spectrum_is_a_special_case(self, best_fit):
        """With no correlation the joint likelihood is the sum of the two."""
        probes = {key: CmbForecast(spectra=key) for key in ("TT", "EE")}
        for name, probe in probes.items():
            value = probe.log_likelihood(self.at(probe, best_fit, **{name: 1.01}), {}, NUMPY)[0]
            ratio = probe.data[name] / (1.01 * (probe.data[name] - probe.noise[name]) + probe.noise[name])
            assert value == pytest.approx(-0.5 * 0.4 * np.sum((2 * probe.ell + 1) * (ratio - np.log(ratio) - 1)))

    def test_an_error_that_it_cannot_take_is_refused(self, best_fit):
        probe = CmbForecast()
        given = {n: Prediction(p.value, 0 * p.value) for n, p in self.at(probe, best_fit).items()}
        with pytest.raises(ConfigurationError, match="emulator_error = false"):
            probe.log_likelihood(given, {}, NUMPY)
