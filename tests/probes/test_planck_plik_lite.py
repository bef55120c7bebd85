"""Planck 2018 plik lite: published values, and Planck's own best fit."""

from __future__ import annotations

import pytest
from cmb_spectra import log_likelihood, spectra

from astroemu_probes.planck_plik_lite import PlanckPlikLite


def test_plik_lite_gives_the_published_value(plik):
    ell, table = spectra(plik)
    assert log_likelihood(PlanckPlikLite(str(plik)), ell, table) == pytest.approx(-291.33481235418, abs=1e-6)
    only = PlanckPlikLite(str(plik), spectra=("TT",))
    assert log_likelihood(only, ell, table) == pytest.approx(-101.58123068723, abs=1e-6)


def test_the_best_fit_of_planck_fits(plik, best_fit):
    assert -2 * log_likelihood(PlanckPlikLite(str(plik)), *best_fit) == pytest.approx(584.6, abs=0.5)
