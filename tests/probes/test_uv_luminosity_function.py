"""UV luminosity functions: hand-computed values, 21CMMC's 27 bins, limits, overlapping sets."""

from __future__ import annotations

import math
import warnings

import numpy as np
import pytest
from helpers import M_UV, UV_LF, Stub, uniform
from scipy.interpolate import CubicSpline

from astroemu.core.array_namespace import NUMPY
from astroemu.core.provider import Prediction
from astroemu.errors import ConfigurationError, DoubleCountingWarning, ResolutionError
from astroemu.inference.configuration import load_configuration
from astroemu.model.model import Model
from astroemu_catalogs import UV_LUMINOSITY_FUNCTION
from astroemu_probes.uv_luminosity_function import UVLuminosityFunction

REDSHIFTS = np.array([6.0, 7.0, 8.0, 10.0])


def log10_phi(theta):
    """log10 phi (n, 4, 16): a curved function of M_UV that falls with redshift."""
    height, slope = theta[:, 0, None, None], theta[:, 1, None, None]
    x = M_UV + 18
    return height + slope * x - 0.02 * x**2 + 0.002 * x**3 - 0.3 * (REDSHIFTS[:, None] - 6)


def model(error=None, **options):
    errors = {} if error is None else {"log10_uv_lf": lambda theta: np.full((len(theta), 4, 16), error)}
    stub = Stub(("height", "slope"), {UV_LF: log10_phi}, errors=errors)
    probe = UVLuminosityFunction(**options)
    return Model(uniform(height=(-6.0, 6.0), slope=(-1.0, 1.0)), {"stub": stub}, {"uv": probe})


def phi_at(theta, z, m_uv):
    """The model's phi at one bin: cubic spline in M_UV at an emulated redshift."""
    row = log10_phi(np.array([theta]))[0, int(np.flatnonzero(z == REDSHIFTS)[0])]
    return 10.0 ** float(CubicSpline(M_UV, row)(m_uv))


def rows(*pairs):
    """Rows of the shipped catalog of stated reference and redshift, fainter than M_UV = -20."""
    table = UV_LUMINOSITY_FUNCTION.table()
    return [r for r in table for ref, z in pairs if r["reference"] == ref and r["z"] == z and -20 < r["M_UV"] < -10]


THETA = [(-2.2, 0.4), (-2.0, 0.6), (-3.0, 0.2)]
SETS = {"Bouwens+2021": (6.0, 8.0)}


def split(residual, low, high):
    return -0.5 * (residual / (high if residual > 0 else low)) ** 2


def symmetric(residual, low, high):
    return -0.5 * (residual / (0.5 * (low + high))) ** 2


def barlow(residual, low, high):
    return -0.5 * residual**2 / max(low * high + (high - low) * residual, 0.01 * low * high)


@pytest.mark.parametrize("form", [split, symmetric, barlow])
@pytest.mark.parametrize("theta", THETA)
def test_every_treatment_of_errors_by_hand(theta, form):
    expected = sum(
        form(phi_at(theta, r["z"], r["M_UV"]) - r["phi"], r["err_lo"], r["err_up"])
        for r in rows(("Bouwens+2021", 6.0), ("Bouwens+2021", 8.0))
    )
    found = model(sets=SETS, errors=form.__name__).log_likelihood(np.array([theta]))[0]
    assert found == pytest.approx(expected, rel=1e-9)


def test_the_three_treatments_differ_where_errors_are_asymmetric():
    theta = np.array([THETA[0]])
    options = ("split", "symmetric", "barlow")
    found = {model(errors=e, sets={"Oesch+2018": (10.0,)}).log_likelihood(theta)[0] for e in options}
    assert len(found) == 3


def test_the_emulators_error_is_carried_to_linear_units():
    """e = ln 10 phi e_dex, added in quadrature, and its normalisation kept."""
    probe, dex = UVLuminosityFunction(sets=SETS, errors="symmetric"), 0.05
    log10 = np.log10(probe.phi) + np.linspace(-0.2, 0.3, len(probe.phi))
    expected = 0.0
    for value, datum, low, high in zip(10.0**log10, probe.phi, probe.error_low, probe.error_high, strict=True):
        sigma = 0.5 * (low + high)
        variance = sigma**2 + (math.log(10) * value * dex) ** 2
        expected += -0.5 * (value - datum) ** 2 / variance - 0.5 * math.log(variance / sigma**2)
    given = {"log10_uv_lf": Prediction(log10[None], np.full((1, len(log10)), dex))}
    assert probe.log_likelihood(given, {}, NUMPY)[0] == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize("errors", ["split", "symmetric", "barlow"])
def test_a_batch_is_its_points(errors):
    theta = np.array([*THETA, (2.0, 0.1)])
    tested = model(error=0.03, errors=errors)
    batch = tested.log_likelihood(theta)
    assert batch.shape == (4,) and np.all(np.isfinite(batch))
    np.testing.assert_allclose([tested.log_likelihood(t[None])[0] for t in theta], batch, rtol=1e-12)
    assert tested.log_likelihood(np.zeros((0, 2))).shape == (0,)


@pytest.mark.parametrize("errors", ["split", "symmetric", "barlow"])
def test_it_falls_away_from_the_data(errors):
    theta = np.column_stack([np.linspace(-1.0, 6.0, 40), np.full(40, 0.45)])
    found = model(errors=errors).log_likelihood(theta)
    assert np.all(np.isfinite(found)) and np.all(np.diff(found) < 0)


def test_like_21cmmc_has_its_27_bins():
    probe = load_configuration("like_21cmmc").probes()["uv_luminosity_function"]
    assert len(probe.z) == 27 and np.all(probe.m_uv > -20)
    assert [int(np.sum(probe.z == z)) for z in REDSHIFTS] == [15, 5, 4, 3]
    # Numbers of 21CMMC 1.0.0 (shared/reference/21cm-peers.md, 1.2), z = 10.
    ten = probe.z == 10
    np.testing.assert_allclose(probe.m_uv[ten], [-19.25, -18.25, -17.25])
    np.testing.assert_allclose(probe.phi[ten], [3.4e-5, 1.9e-4, 6.3e-4])
    np.testing.assert_allclose(probe.error_low[ten], [3.54e-5, 1.96e-4, 1.12e-3], rtol=5e-3)
    np.testing.assert_array_equal(probe.error_low, probe.error_high)


@pytest.mark.parametrize("theta", THETA)
def test_like_21cmmc_is_its_formula(theta):
    probe = load_configuration("like_21cmmc").probes()["uv_luminosity_function"]
    stub = Stub(("height", "slope"), {UV_LF: log10_phi})
    tested = Model(uniform(height=(-6.0, 6.0), slope=(-1.0, 1.0)), {"stub": stub}, {"uv": probe})
    expected = sum(
        -0.5 * ((phi - phi_at(theta, z, m)) / sigma) ** 2
        for z, m, phi, sigma in zip(probe.z, probe.m_uv, probe.phi, probe.error_low, strict=True)
    )
    assert tested.log_likelihood(np.array([theta]))[0] == pytest.approx(expected, rel=1e-9)


def test_a_non_detection_is_a_measurement_of_zero():
    """Bouwens+15 at z = 10, M_UV = -19.23: phi < 4.9e-5 at one sigma."""
    tested = model(sets={"Bouwens+2015": (10.0,)}, m_uv_min=-19.5, m_uv_max=-19.0)
    probe = tested.probes["uv"]
    assert probe.is_limit.tolist() == [True] and probe.limit[0] == 4.9e-5
    for theta in THETA:
        phi = phi_at(theta, 10.0, -19.23)
        assert tested.log_likelihood(np.array([theta]))[0] == pytest.approx(-0.5 * (phi / 4.9e-5) ** 2, rel=1e-9)
    assert probe.panels()[0].kind == ("upper",) and probe.panels()[0].y[0] == 4.9e-5


def test_limits_at_several_sigma_have_the_narrower_error(tmp_path):
    text = UV_LUMINOSITY_FUNCTION.path.read_text()
    row = "Bouwens+2015 1403.4295 10.0 nan nan -19.23 1.0 4.9e-05 nan nan upper 1.0"
    assert row in text
    path = tmp_path / "mine.ecsv"
    path.write_text(text.replace(row, row[:-3] + "3.0"))
    tested = model(catalog=str(path), sets={"Bouwens+2015": (10.0,)}, m_uv_min=-19.5, m_uv_max=-19.0)
    phi = phi_at(THETA[0], 10.0, -19.23)
    found = tested.log_likelihood(np.array([THETA[0]]))[0]
    assert found == pytest.approx(-0.5 * (3 * phi / 4.9e-5) ** 2, rel=1e-9)


def test_between_emulated_redshifts_log10_phi_is_linear():
    sets = {"Finkelstein+2023": (9.0,)}
    tested = model(sets=sets)
    probe, theta = tested.probes["uv"], THETA[0]
    expected = 0.0
    for m, phi, low, high in zip(probe.m_uv, probe.phi, probe.error_low, probe.error_high, strict=True):
        middle = math.sqrt(phi_at(theta, 8.0, m) * phi_at(theta, 10.0, m))
        expected += split(middle - phi, low, high)
    assert tested.log_likelihood(np.array([theta]))[0] == pytest.approx(expected, rel=1e-9)


def test_a_redshift_beyond_the_emulator_is_refused_with_the_remedy():
    with pytest.raises(ResolutionError, match=r"'uv': 'log10_uv_lf', axis 'z': 4 lies outside.*\[6, 10\].*`sets`"):
        model(sets={"Bouwens+2021": (4.0,)})
    with pytest.raises(ResolutionError, match=r"axis 'm_uv'.*m_uv_min"):
        model(m_uv_min=-23.0)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"sets": {"Bouwens+2012": (6.0,)}}, r"sets: .*no 'Bouwens\+2012'.*Did you mean 'Bouwens\+20"),
        ({"sets": {"Bouwens+2021": (6.5,)}}, r"'Bouwens\+2021' has no z = 6\.5; it has z = 4, 5, 6, 7, 8, 9"),
        ({"m_uv_max": -19.9}, r"m_uv_max = -19\.9 leave nothing of '"),
        ({"sets": {}}, "leave nothing"),
    ],
)
def test_what_the_catalog_does_not_have_is_refused(options, message):
    with pytest.raises(ConfigurationError, match=message):
        UVLuminosityFunction(**options)


@pytest.mark.parametrize(
    ("first", "second", "z"),
    [
        ("Bouwens+2015", "Bouwens+2021", 8.0),
        ("Donnan+2024", "McLeod+2024", 11.0),
        ("Donnan+2024", "Finkelstein+2023", 11.0),
        ("Bouwens+2015", "Oesch+2018", 10.0),
    ],
)
def test_sets_of_the_same_galaxies_warn(first, second, z):
    with pytest.warns(DoubleCountingWarning, match=rf"z = {z:g}: .*twice") as caught:
        UVLuminosityFunction(sets={first: (z,), second: (z,)}, m_uv_min=-25.0)
    assert first in str(caught[0].message) and second in str(caught[0].message)


def test_sets_of_other_redshifts_do_not_warn():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        probe = UVLuminosityFunction(sets={"Bouwens+2015": (7.0,), "Bouwens+2021": (8.0,), "Donnan+2024": (11.0,)})
    assert len(probe.panels()) == 3


def test_its_pictures_are_one_a_redshift():
    panels = UVLuminosityFunction().panels()
    assert len(panels) == 4 and all("Mpc" in panel.y_label for panel in panels)
    assert [panel.title.split("z = ")[1].split(" ")[0] for panel in panels] == ["6", "7", "8", "10"]
    np.testing.assert_allclose(panels[0].transform(np.array([-2.0])), 0.01)
