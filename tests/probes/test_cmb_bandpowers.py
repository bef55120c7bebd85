"""The common part of likelihoods of bandpowers, with ACT's data: the provider's error, units, missing multipoles."""

from __future__ import annotations

import h5py
import numpy as np
import pytest
from cmb_spectra import windowed
from scipy import stats

from astroemu.core.array_namespace import NUMPY
from astroemu.core.catalog import load_catalog
from astroemu.core.observable import Axis, Observable
from astroemu.core.provider import Prediction
from astroemu.errors import ConfigurationError, DataError
from astroemu_probes.act_dr6_lite import ActDr6Lite


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
    ],
)
def test_options_without_meaning_are_refused(probe, options, message):
    with pytest.raises((ConfigurationError, DataError), match=message):
        probe(**options)
