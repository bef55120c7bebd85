"""The forecast of a CMB survey: its peak, and the Wishart distribution of its modes."""

from __future__ import annotations

import numpy as np
import pytest
from cmb_spectra import NAMES
from scipy import stats

from astroemu.core.array_namespace import NUMPY
from astroemu.core.provider import Prediction
from astroemu.errors import ConfigurationError, DataError
from astroemu_probes.cmb_forecast import CmbForecast


def at(probe, best_fit, **factors):
    ell, table = best_fit
    return {n: Prediction(factors.get(n, 1.0) * np.interp(probe.ell, ell, table[n])[None]) for n in probe.requires}


def test_the_fiducial_spectra_are_the_peak(best_fit):
    probe = CmbForecast()
    assert probe.log_likelihood(at(probe, best_fit), {}, NUMPY)[0] == pytest.approx(0.0, abs=1e-8)
    for name in NAMES:
        for factor in (0.99, 1.01):
            assert probe.log_likelihood(at(probe, best_fit, **{name: factor}), {}, NUMPY)[0] < -1


def test_it_is_the_wishart_distribution_of_the_modes(best_fit):
    """Against scipy's Wishart density of the same number of modes, multipole by multipole."""
    probe = CmbForecast(f_sky=1.0, l_min=40, l_max=60, noise=30.0)
    found = at(probe, best_fit, TT=1.02, TE=0.97, EE=1.05)
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


def test_one_spectrum_is_a_special_case(best_fit):
    """With no correlation the joint likelihood is the sum of the two."""
    probes = {key: CmbForecast(spectra=key) for key in ("TT", "EE")}
    for name, probe in probes.items():
        value = probe.log_likelihood(at(probe, best_fit, **{name: 1.01}), {}, NUMPY)[0]
        ratio = probe.data[name] / (1.01 * (probe.data[name] - probe.noise[name]) + probe.noise[name])
        assert value == pytest.approx(-0.5 * 0.4 * np.sum((2 * probe.ell + 1) * (ratio - np.log(ratio) - 1)))


def test_an_error_that_it_cannot_take_is_refused(best_fit):
    probe = CmbForecast()
    given = {n: Prediction(p.value, 0 * p.value) for n, p in at(probe, best_fit).items()}
    with pytest.raises(ConfigurationError, match="emulator_error = false"):
        probe.log_likelihood(given, {}, NUMPY)


def test_the_modes_of_a_survey_have_the_mean_and_the_scatter_of_a_wishart():
    probe = CmbForecast(l_max=200)
    rng = np.random.default_rng(3)
    truth = {name: Prediction((probe.data[name] - probe.noise[name])[None]) for name in probe.requires}
    drawn = np.array([list(probe.simulate(truth, {}, rng).data.values()) for _ in range(400)])  # (400, 3, ell)
    tt, te, ee = (probe.data[name] for name in ("TT", "TE", "EE"))
    expected = np.array([2 * tt**2, te**2 + tt * ee, 2 * ee**2]) / probe._modes
    z = (drawn.mean(axis=0) - np.array([tt, te, ee])) / np.sqrt(expected / 400)
    assert np.sqrt(np.mean(z**2)) == pytest.approx(1.0, abs=0.15)
    np.testing.assert_allclose(np.mean(drawn.var(axis=0) / expected, axis=1), 1.0, atol=0.05)
    few = CmbForecast(l_min=2, l_max=100, f_sky=0.1)
    with pytest.raises(NotImplementedError, match="too few"):
        few.simulate({k: Prediction((few.data[k] - few.noise[k])[None]) for k in few.requires}, {}, rng)


@pytest.mark.parametrize(
    ("probe", "options", "message"),
    [
        (CmbForecast, {"f_sky": 1.5}, "f_sky"),
        (CmbForecast, {"l_max": 9000}, "not from 30 to 9000"),
    ],
)
def test_options_without_meaning_are_refused(probe, options, message):
    with pytest.raises((ConfigurationError, DataError), match=message):
        probe(**options)
