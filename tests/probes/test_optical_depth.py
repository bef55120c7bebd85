"""CMB optical depth: two treatments of its errors, and what Qin+20 already contains."""

from __future__ import annotations

import math

import numpy as np
import pytest
from astropy.table import MaskedColumn, Table
from helpers import TAU, UV_LF, Stub, uniform

from astroemu.errors import ConfigurationError, DataError, DoubleCountingWarning
from astroemu.model.model import Model
from astroemu_probes.optical_depth import OpticalDepth
from astroemu_probes.uv_luminosity_function import UVLuminosityFunction

QIN = (0.0569, 0.0081, 0.0066)


def model(error=None, **options):
    errors = {} if error is None else {"tau_e": lambda theta: np.full(len(theta), error)}
    stub = Stub(("tau",), {TAU: lambda theta: theta[:, 0]}, errors=errors)
    return Model(uniform(tau=(0.0, 1.0)), {"stub": stub}, {"tau": OpticalDepth(**options)})


def at(tau, **options):
    return model(**options).log_likelihood(np.atleast_1d(tau)[:, None])


def test_planck_is_a_gaussian():
    tau = np.linspace(0.01, 0.12, 23)
    np.testing.assert_allclose(at(tau), -0.5 * ((tau - 0.0544) / 0.0073) ** 2, rtol=1e-12)


def test_the_barlow_form_is_that_of_21cmmc():
    mu, up, low = QIN
    # Up to 0.99 of the way to the pole, which lies at mu - low up / (up - low) = 0.0213.
    tau = np.linspace(0.022, 0.2, 50)
    expected = -0.5 * (mu - tau) ** 2 / (up * low + (up - low) * (tau - mu))
    np.testing.assert_allclose(at(tau, reference="Qin+2020", errors="barlow"), expected, rtol=1e-10)


@pytest.mark.parametrize("error", [None, 0.002])
def test_the_barlow_form_is_guarded_beyond_its_pole(error):
    """21CMMC gives +360 at 0.02 and +65 at 0.01; here it is never positive and keeps falling."""
    tau = np.linspace(0.001, 0.0569, 400)
    found = at(tau, reference="Qin+2020", errors="barlow", error=error)
    assert np.all(np.isfinite(found)) and np.all(found <= 0) and np.all(np.diff(found) > 0)


def test_two_half_gaussians():
    mu, up, low = QIN
    tau = np.linspace(0.001, 0.2, 50)
    expected = [-0.5 * ((t - mu) / (up if t > mu else low)) ** 2 for t in tau]
    np.testing.assert_allclose(at(tau, reference="Qin+2020"), expected, rtol=1e-12)


def test_the_emulators_error_is_added_in_quadrature():
    mu, up, low, e = *QIN, 0.004
    wide_low, wide_high = math.hypot(low, e), math.hypot(up, e)
    tau = np.linspace(0.03, 0.09, 13)
    norm = math.log((wide_low + wide_high) / (low + up))
    expected = [-0.5 * ((t - mu) / (wide_high if t > mu else wide_low)) ** 2 - norm for t in tau]
    np.testing.assert_allclose(at(tau, reference="Qin+2020", error=e), expected, rtol=1e-12)
    variance = wide_low * wide_high + (wide_high - wide_low) * (tau - mu)
    found = at(tau, reference="Qin+2020", errors="barlow", error=e)
    np.testing.assert_allclose(found, -0.5 * (tau - mu) ** 2 / variance, rtol=1e-12)


@pytest.mark.parametrize("errors", ["split", "barlow"])
def test_a_batch_is_its_points(errors):
    tested = model(reference="Qin+2020", errors=errors, error=0.001)
    tau = np.linspace(0.001, 0.2, 20)[:, None]
    np.testing.assert_allclose([tested.log_likelihood(t[None])[0] for t in tau], tested.log_likelihood(tau), rtol=1e-12)
    assert tested.log_likelihood(np.zeros((0, 1))).shape == (0,)


def test_a_data_combination_can_be_chosen():
    first, other = OpticalDepth(), OpticalDepth(data="TT,TE,EE+lowE")
    assert (first.tau, first.error_high, first.error_low) == (0.0544, 0.0073, 0.0073)
    assert (other.tau, other.error_high, other.error_low) == (0.0544, 0.007, 0.0081)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"reference": "Planck2018-IV"}, r"'optical_depth'.*Did you mean 'Planck2018-VI'"),
        (
            {"reference": "Nobody"},
            r"'Nobody' is not in 'optical_depth'\. It has 'Genesini\+2026', 'Li\+2025', 'Pagano\+2020'",
        ),
        ({"data": "TT,TE,EE+low"}, r"not one of those of Planck2018-VI.*Did you mean 'TT,TE,EE\+lowE'"),
    ],
)
def test_what_the_catalog_does_not_have_is_refused(options, message):
    with pytest.raises(ConfigurationError, match=message):
        OpticalDepth(**options)


def test_qin_and_luminosity_functions_warn():
    stub = Stub(("tau",), {TAU: lambda t: t[:, 0], UV_LF: lambda t: np.zeros((len(t), 4, 16))})
    probes = {"tau": OpticalDepth(reference="Qin+2020"), "uv": UVLuminosityFunction()}
    with pytest.warns(DoubleCountingWarning, match="'tau' and 'uv' both use 'galaxy UV luminosity functions'"):
        Model(uniform(tau=(0.0, 1.0)), {"stub": stub}, probes)
    Model(uniform(tau=(0.0, 1.0)), {"stub": stub}, {**probes, "tau": OpticalDepth()})


def test_two_values_of_planck_warn():
    stub = Stub(("tau",), {TAU: lambda t: t[:, 0]})
    probes = {"one": OpticalDepth(), "two": OpticalDepth(reference="Pagano+2020")}
    with pytest.warns(DoubleCountingWarning, match="Planck low-l polarisation"):
        Model(uniform(tau=(0.0, 1.0)), {"stub": stub}, probes)


def test_its_picture_is_a_histogram_beside_the_value():
    (panel,) = OpticalDepth().panels()
    assert panel.curve_x is None and panel.y[0] == 0.0544 and "Planck2018-VI" in panel.title


def own(tmp_path, probe_options=None, **columns):
    path = tmp_path / "mine.ecsv"
    Table(columns).write(path, format="ascii.ecsv", overwrite=True)
    return OpticalDepth(str(path), **(probe_options or {}))


def test_a_table_of_one_row_needs_tau_and_its_errors_only(tmp_path):
    probe = own(tmp_path, tau=[0.06], err_up=[0.01], err_lo=[0.02])
    assert (probe.tau, probe.error_high, probe.error_low) == (0.06, 0.01, 0.02) and probe.papers == ()
    assert "mine.ecsv" in probe.panels()[0].title
    saved = OpticalDepth(str(tmp_path / probe.save(tmp_path, "again")["catalog"]))
    assert saved.tau == 0.06
    with pytest.raises(ConfigurationError, match=r"reference = 'Mine' is not in 'mine\.ecsv'\. It has none"):
        own(tmp_path, {"reference": "Mine"}, tau=[0.06], err_up=[0.01], err_lo=[0.02])


def test_all_missing_columns_are_told_at_once(tmp_path):
    with pytest.raises(DataError, match=r"no column 'err_lo', 'err_up', 'tau'\. Did you mean 'tau_e'"):
        own(tmp_path, tau_e=[0.06], error=[0.01])


@pytest.mark.case(8)
@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ({"err_up": [0.0]}, r"mine\.ecsv: row 1: the column 'err_up' is 0; it must be above 0"),
        ({"err_lo": [-0.01]}, "row 1: the column 'err_lo' is -0.01"),
        ({"err_lo": [math.nan]}, "row 1: no number in the column 'err_lo'"),
        ({"err_lo": [math.inf]}, "row 1: the column 'err_lo' is infinite"),
        ({"tau": MaskedColumn([0.06], mask=[True])}, "row 1: no number in the column 'tau'"),
        ({"tau": ["0.06 +- 0.01"]}, "the column 'tau' holds text"),
        ({"tau": [0.06] * 2, "err_up": [0.1] * 2, "err_lo": [0.1] * 2}, "rows 1, 2: no text in the column 'reference'"),
    ],
)
def test_a_number_without_meaning_is_refused_with_file_row_and_column(tmp_path, columns, message):
    with pytest.raises(DataError, match=message):
        own(tmp_path, **{"tau": [0.06], "err_up": [0.01], "err_lo": [0.01], **columns})
