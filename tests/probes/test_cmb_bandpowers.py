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
    message = "not C_ell, nor K" if unit in ("uK2", "K2") else "needed in .uK.2. but (has the unit .Jy.|states no unit)"
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


def changed(tmp_path, change):
    """ACT's file after a change."""
    path = tmp_path / "mine.h5"
    path.write_bytes(load_catalog("act_dr6_lite").path.read_bytes())
    with h5py.File(path, "r+") as file:
        change(file)
    return str(path)


def put(name, index, value):
    def change(file):
        file[name][index] = value

    return change


def number(group, **attributes):
    return lambda file: file[group].attrs.update(attributes)


REFUSED = {
    "a missing bandpower": (put("bandpower", 7, np.nan), "'bandpower': has no number .* at index 7"),
    "an asymmetric covariance": (put("covariance", (3, 5), 1e9), r"'covariance': is not symmetric at index \(3, 5\)"),
    "a variance of zero": (put("covariance", (3, 3), 0.0), "'covariance': .* not above 0 at index 3"),
    "a window that is not finite": (put("window/EE/W", (0, 9), np.inf), r"'window/EE/W': .*infinite.*\(0, 9\)"),
    "spectra in another order": (number("window/TE", first=90, last=134), "'window/TE' is for .* 90 to 134"),
    "spectra that overlap": (number("window/TE", first=44), "'window/TE' is for the bandpowers 44 to 89"),
    "too few windows": (number("window/EE", last=120), r"'window/EE/W' has the shape \(45, 8500\)"),
    "no windows of a spectrum": (lambda file: file.__delitem__("window/EE"), "windows for 90 of 135 bandpowers"),
    "multipoles that fall": (put("window/TT/ell", 5, 2), "'window/TT/ell': must increase"),
}


@pytest.mark.attack("data", "spectra of the CMB: windows in another order, overlapping, short; half a covariance; NaN")
@pytest.mark.parametrize("what", REFUSED)
def test_a_file_that_would_be_misread_is_refused(tmp_path, what):
    change, message = REFUSED[what]
    path = changed(tmp_path, change)
    with pytest.raises(DataError, match=r"mine\.h5: .*" + message):
        ActDr6Lite(path)


@pytest.mark.attack("data", "spectra of the CMB that are packed, or in a unit with a Greek letter")
def test_packed_bandpowers_are_unpacked(tmp_path):
    def pack(file):
        values = file["bandpower"][()]
        file["bandpower"][...] = 2.0 * values
        file["bandpower"].attrs.update({"scale_factor": 0.5, "units": "\u03bcK2"})

    np.testing.assert_allclose(ActDr6Lite(changed(tmp_path, pack)).data, ActDr6Lite().data, rtol=1e-12)
