"""SPT-3G 2018 lite: the value of its package, its calibration, the scatter of simulated bandpowers."""

from __future__ import annotations

import numpy as np
import pytest
from cmb_spectra import NAMES, log_likelihood, spectra
from scipy import stats

from astroemu.core.array_namespace import NUMPY
from astroemu.core.catalog import load_catalog
from astroemu.core.provider import Prediction
from astroemu.testing.synthetic import middle
from astroemu_probes.spt3g_2018_lite import Spt3g2018Lite


def test_spt_gives_the_value_of_its_package():
    probe = Spt3g2018Lite()
    given = {"t_cal_spt": 1.001, "e_cal_spt": 1.001}
    value = log_likelihood(probe, *spectra(load_catalog("spt3g_2018_lite").path), **given)
    prior = probe.log_prior({name: np.array([1.001]) for name in given}, NUMPY)[0]
    assert -2 * (value - prior) == pytest.approx(141.74004888, rel=1e-7)
    with load_catalog("spt3g_2018_lite").hdf5() as file:
        expected = stats.multivariate_normal([1, 1], file["calibration_covariance"][()])
    assert prior == pytest.approx(expected.logpdf([1.001, 1.001]) - expected.logpdf([1, 1]))


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


def test_bandpowers_scatter_as_their_covariance_says():
    probe = Spt3g2018Lite(l_min={"TE": 800.0})
    truth = {name: Prediction(band.data[None]) for name, band in probe.bands.items()}
    nuisance, rng = middle(probe, 1), np.random.default_rng(2)
    drawn = np.array([probe.simulate(truth, nuisance, rng).data for _ in range(200)])
    residual = (drawn - drawn.mean(axis=0)) @ probe._whitening
    assert np.mean(residual**2) == pytest.approx(199 / 200, abs=5 * np.sqrt(2 / residual.size))
    calibration = {"t_cal_spt": np.array([1.0, 1.02]), "e_cal_spt": np.ones(2)}
    twice = {key: Prediction(np.repeat(p.value, 2, axis=0)) for key, p in truth.items()}
    found = probe.log_normalisation(twice, calibration)
    assert found[0] == 0.0 and found[1] < -5.0
