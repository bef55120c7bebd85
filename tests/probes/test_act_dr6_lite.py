"""ACT DR6 lite: the value of its package, Planck's best fit, cuts."""

from __future__ import annotations

import numpy as np
import pytest
from cmb_spectra import NAMES, log_likelihood, spectra, windowed

from astroemu.core.catalog import load_catalog
from astroemu_probes.act_dr6_lite import ActDr6Lite


def test_act_gives_the_value_of_its_package():
    probe = ActDr6Lite()
    value = log_likelihood(probe, *spectra(load_catalog("act_dr6_lite").path), a_act=1.01, p_act=0.95)
    assert -2 * value == pytest.approx(695.58704104, rel=1e-9)


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


def test_the_best_fit_of_planck_fits(best_fit):
    assert -2 * log_likelihood(ActDr6Lite(), *best_fit) == pytest.approx(162.8, abs=0.5)
