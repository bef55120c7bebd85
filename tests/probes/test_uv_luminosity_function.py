"""UV luminosity functions: hand-computed values, 21CMMC's 27 bins, counts, common errors, overlapping sets."""

from __future__ import annotations

import math
import warnings

import numpy as np
import pytest
from astropy.table import MaskedColumn, QTable, Table
from helpers import M_UV, UV_LF, Stub, uniform
from scipy.interpolate import CubicSpline
from scipy.special import logsumexp

from astroemu.core.array_namespace import NUMPY
from astroemu.core.provider import Prediction
from astroemu.emulation.loading import load_emulator
from astroemu.errors import ConfigurationError, DataError, DoubleCountingWarning, ResolutionError
from astroemu.inference.configuration import load_configuration
from astroemu.model.backends.base import BACKENDS, load_backend
from astroemu.model.model import Model
from astroemu.runtime.plugins import TRAINED, locate
from astroemu_catalogs import UV_LUMINOSITY_FUNCTION
from astroemu_probes.uv_bins import attenuation, conversion, nodes
from astroemu_probes.uv_luminosity_function import UVLuminosityFunction

REDSHIFTS = np.array([6.0, 7.0, 8.0, 10.0])


def log10_phi(theta):
    """log10 phi (n, 4, 16): a curved function of M_UV that falls with redshift."""
    height, slope = theta[:, 0, None, None], theta[:, 1, None, None]
    x = M_UV + 18
    return height + slope * x - 0.02 * x**2 + 0.002 * x**3 - 0.3 * (REDSHIFTS[:, None] - 6)


#: The published form of 21CMMC and of earlier versions: centres, Gaussian non-detections, independent errors.
PUBLISHED = {"bins": "centre", "non_detections": "gaussian", "cosmic_variance": 0.0, "correlation": "independent"}


def model(error=None, **options):
    errors = {} if error is None else {"log10_uv_lf": lambda theta: np.full((len(theta), 4, 16), error)}
    stub = Stub(("height", "slope"), {UV_LF: log10_phi}, errors=errors)
    probe = UVLuminosityFunction(**{**PUBLISHED, **options})
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
    probe, dex = UVLuminosityFunction(sets=SETS, errors="symmetric", **PUBLISHED), 0.05
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
        UVLuminosityFunction(bins="centre", sets={first: (z,), second: (z,)}, m_uv_min=-25.0)
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


OWN = {"Mine+2026": (7.0,)}
NAN = math.nan


OPTIONS = ("bins", "non_detections", "poisson_counts", "model_cosmology", "data_cosmology", "m_uv_min")


def own(tmp_path, *, drop=(), as_type=Table, units=True, **changes):
    """The probe of a user's own file of two measurements and a limit, with other columns."""
    options = {name: changes.pop(name) for name in OPTIONS if name in changes}
    columns = {
        "reference": ["Mine+2026"] * 3,
        "z": [7.0, 7.0, 7.0],
        "M_UV": [-19.5, -18.5, -17.5],
        "phi": [8e-4, 2e-3, 9e-3],
        "err_up": [1e-4, 3e-4, NAN],
        "err_lo": [2e-4, 3e-4, NAN],
        "kind": ["measurement", "measurement", "upper"],
        "n_sigma": [NAN, NAN, 2.0],
    } | changes
    table = as_type({name: values for name, values in columns.items() if name not in drop})
    for name in ("M_UV", "dM", "phi", "err_up", "err_lo"):
        if units and name in table.colnames and table[name].unit is None:
            table[name].unit = "mag" if name in ("M_UV", "dM") else "1 / (mag Mpc3)"
    path = tmp_path / "mine.ecsv"
    table.write(path, format="ascii.ecsv", overwrite=True)
    return model(catalog=str(path), sets=OWN, **options)


def value(tested):
    return tested.log_likelihood(np.array([THETA[0]]))[0]


def blank(values, *rows):
    return MaskedColumn(values, mask=[row in rows for row in range(len(values))])


def by_hand():
    phi = [phi_at(THETA[0], 7.0, m) for m in (-19.5, -18.5, -17.5)]
    return split(phi[0] - 8e-4, 2e-4, 1e-4) + split(phi[1] - 2e-3, 3e-4, 3e-4) + split(phi[2], 1, 4.5e-3)


FORMS = {
    "plain": {},
    "no n_sigma where it is not needed": {"n_sigma": blank([1.0, 1.0, 2.0], 0, 1)},
    "blank errors of the limit": {"err_up": blank([1e-4, 3e-4, 1.0], 2), "err_lo": blank([2e-4, 3e-4, 1.0], 2)},
    "big-endian": {"z": np.array([7, 7, 7], ">f8"), "n_sigma": np.array([NAN, NAN, 2.0], ">f4")},
    "integers": {"z": [7, 7, 7], "n_sigma": blank([1, 1, 2], 0)},
    "texts with blanks": {"kind": ["measurement ", "measurement", "upper  "], "reference": [" Mine+2026 "] * 3},
}


@pytest.mark.parametrize("form", FORMS)
def test_a_file_of_an_accepted_form_gives_the_value_of_the_plain_one(tmp_path, form):
    assert value(own(tmp_path, **FORMS[form])) == pytest.approx(by_hand(), rel=1e-9)


@pytest.mark.case(4)
def test_integers_of_a_small_unit_are_not_cut_to_zero(tmp_path):
    columns = {"phi": [800, 2000, 9000], "err_up": [100, 300, 0], "err_lo": [200, 300, 0]}
    table = Table({**columns, "M_UV": [-19.5, -18.5, -17.5], "z": [7, 7, 7], "n_sigma": [0, 0, 2]})
    table["reference"], table["kind"] = ["Mine+2026"] * 3, ["measurement", "measurement", "upper"]
    table["err_up"], table["err_lo"] = blank([100, 300, 0], 2), blank([200, 300, 0], 2)
    table["n_sigma"] = blank([0, 0, 2], 0, 1)
    table["M_UV"].unit = "mag"
    for name in ("phi", "err_up", "err_lo"):
        table[name].unit = "1e-6 / (mag Mpc3)"
    table.write(tmp_path / "mine.ecsv", format="ascii.ecsv")
    assert table["phi"].dtype.kind == "i"
    assert value(model(catalog=str(tmp_path / "mine.ecsv"), sets=OWN)) == pytest.approx(by_hand(), rel=1e-9)


@pytest.mark.attack("data", "a QTable, absolute magnitudes in mag(AB), densities per Gpc3, numbers of Fortran")
def test_tables_of_astropy_with_quantities_and_numbers_of_fortran_are_read(tmp_path):
    assert value(own(tmp_path, as_type=QTable)) == pytest.approx(by_hand(), rel=1e-9)
    own(tmp_path)
    path = tmp_path / "mine.ecsv"
    text = path.read_text()
    for old, new in (("unit: mag,", "unit: mag(AB),"), ("0.0008", "0.8D-03"), ("0.002 ", "2d-3 ")):
        assert old in text
        path.write_text(text := text.replace(old, new))
    assert value(model(catalog=str(path), sets=OWN)) == pytest.approx(by_hand(), rel=1e-9)


@pytest.mark.case(2)
def test_a_blank_density_is_refused_with_file_row_and_column(tmp_path):
    with pytest.raises(
        DataError, match=r"mine\.ecsv: row 2 \(Mine\+2026\): no number in the column 'phi'.*remove the row"
    ):
        own(tmp_path, phi=blank([8e-4, 2e-3, 9e-3], 1))


@pytest.mark.case(2)
def test_the_whole_table_finds_its_star_formation(tmp_path):
    """The number in place of the blank cell (whole.toml): log10_f_star10 = -1.30."""
    text = UV_LUMINOSITY_FUNCTION.path.read_text()
    whole = tmp_path / "whole.ecsv"
    whole.write_text(text)
    emulator = load_emulator(locate(TRAINED, "acg"))
    fixed = {"alpha_star": 0.5, "log10_f_esc10": -1.0, "alpha_esc": -0.5, "log10_m_turn": 8.7, "t_star": 0.5,
             "log10_l_x": 40.0, "e_0_keV": 0.5, "alpha_x": 1.0}  # fmt: skip
    prior = uniform(log10_f_star10=(-3.0, 0.0), **{name: (x - 1e-9, x + 1e-9) for name, x in fixed.items()})
    tested = Model(prior, {"acg": emulator}, {"uv": UVLuminosityFunction(str(whole), sets={"Bouwens+2021": (6.0,)})})
    grid = np.linspace(-2.0, -0.5, 151)
    theta = np.array([[{**fixed, "log10_f_star10": x}[name] for name in tested.names] for x in grid])
    assert grid[np.argmax(tested.log_likelihood(theta))] == pytest.approx(-1.30, abs=0.02)
    cell = "2.82e-3" if "2.82e-3" in text else "0.00282"
    whole.write_text(text.replace(f"-18.77 1.0 {cell}", '-18.77 1.0 ""'))
    with pytest.raises(DataError, match="no number in the column 'phi'"):
        UVLuminosityFunction(str(whole), sets={"Bouwens+2021": (6.0,)})


REFUSED = {
    "a blank redshift": ({"z": blank([7.0, 7.0, 7.0], 0)}, "row 1 .*'z'"),
    "a blank magnitude": ({"M_UV": blank([-19.5, -18.5, -17.5], 2)}, "row 3 .*'M_UV'"),
    "a blank reference": ({"reference": blank(["Mine+2026"] * 3, 1)}, "row 2: no text in the column 'reference'"),
}


@pytest.mark.case(3)
@pytest.mark.parametrize("what", REFUSED)
def test_a_blank_that_is_needed_is_refused(tmp_path, what):
    changes, message = REFUSED[what]
    with pytest.raises(DataError, match=message):
        own(tmp_path, **changes)


ERRORS = {
    "zero": ({"err_up": [1e-4, 0.0, NAN]}, "row 2 .*'err_up' is 0; it must be above 0"),
    "negative": ({"err_lo": [-2e-4, 3e-4, NAN]}, "row 1 .*'err_lo' is -0.0002"),
    "NaN": ({"err_lo": [NAN, 3e-4, NAN]}, "row 1 .*no number in the column 'err_lo'"),
    "infinite": ({"err_up": [1e-4, math.inf, NAN]}, "row 2 .*'err_up' is infinite"),
    "no significance of a limit": ({"n_sigma": [1.0, 1.0, NAN]}, "row 3 .*'n_sigma'"),
    "no column of it": ({"drop": ("n_sigma",)}, "row 3 .*no number in the column 'n_sigma'"),
    "a limit of zero": ({"phi": [8e-4, 2e-3, 0.0]}, "row 3 .*an upper limit on phi must be above 0"),
    "an unknown kind": ({"kind": ["measurement", "measurment", "upper"]}, r"row 2 .*Did you mean 'measurement'\?"),
    "no unit": ({"units": False}, "'M_UV' is needed in 'mag' but states no unit.*'phi' is needed in"),
}


@pytest.mark.case(8)
@pytest.mark.parametrize("what", ERRORS)
def test_an_error_or_a_kind_without_meaning_is_refused(tmp_path, what):
    changes, message = ERRORS[what]
    with pytest.raises(DataError, match=message):
        own(tmp_path, **changes)


def test_a_measurement_that_is_there_twice_warns(tmp_path):
    with pytest.warns(DoubleCountingWarning, match=r"mine\.ecsv: rows 1 and 2 are the same measurement"):
        own(tmp_path, M_UV=[-19.5, -19.5, -17.5], phi=[8e-4, 8e-4, 9e-3])


@pytest.mark.case(29)
def test_the_curve_of_a_single_bin_has_a_width():
    options = {"sets": {"Bouwens+2015": (10.0,)}, "m_uv_min": -19.5, "m_uv_max": -19.0, "bins": "centre"}
    (panel,) = UVLuminosityFunction(**options).panels()
    assert np.all(np.diff(panel.curve_x) > 0) and panel.curve_x[0] < panel.x[0] < panel.curve_x[-1]
    np.testing.assert_array_equal(panel.curve.at["m_uv"], panel.curve_x)
    # Also for a bin at the last node of the emulator.
    tested = model(sets={"Bouwens+2021": (6.0,)}, m_uv_min=-17.0, m_uv_max=-16.0)
    (panel,) = tested.probes["uv"].panels()
    assert tested.predict_for({"it": panel.curve}, np.array([THETA[0]]))["it"].shape == (1, 50)
    assert np.ptp(panel.curve_x) == pytest.approx(0.5)


# The errors that bins share, counts, averages over bins, dust and cosmology. Right values come from brute force.

AMPLITUDES = np.linspace(-30.0, 30.0, 60_001)
PRIOR = -0.5 * AMPLITUDES**2 - 0.5 * math.log(2 * math.pi)


def averaged(log_l):
    """ln of the average likelihood over the amplitude, from ``(amplitudes,)``."""
    return logsumexp(log_l + PRIOR) + math.log(AMPLITUDES[1] - AMPLITUDES[0])


def at(probe, log10_phi, error=None, modes=None):
    """ln L of one value of log10 phi per bin, ``(bins,)`` or ``(n, bins)``."""
    q = probe._weights.shape[1]
    value = np.repeat(np.atleast_2d(log10_phi), q, axis=1)
    error = None if error is None else np.full(value.shape, error)
    modes = None if modes is None else np.repeat(np.asarray(modes), q, axis=-1)
    return probe.log_likelihood({"log10_uv_lf": Prediction(value, error, modes)}, {}, NUMPY)


def test_a_bin_is_the_average_of_linear_phi():
    theta = THETA[1]
    tested = model(sets=SETS, bins="average")
    expected = 0.0
    for r in rows(("Bouwens+2021", 6.0), ("Bouwens+2021", 8.0)):
        m_uv = r["M_UV"] + r["dM"] * (np.arange(2000) / 2000 + 1 / 4000 - 0.5)
        spline = CubicSpline(M_UV, log10_phi(np.array([theta]))[0, int(np.flatnonzero(r["z"] == REDSHIFTS)[0])])
        expected += split(np.mean(10.0 ** spline(m_uv)) - r["phi"], r["err_lo"], r["err_up"])
    assert tested.log_likelihood(np.array([theta]))[0] == pytest.approx(expected, rel=1e-3)
    # A power law of 0.6 dex / mag in a bin of one magnitude: sinh(x) / x with x = 0.3 ln 10.
    x = 0.3 * math.log(10)
    wide = nodes(np.array([-18.0]), np.array([1.0]), True)
    assert np.sum(wide[1] * 10.0 ** (0.6 * (wide[0] + 18))) == pytest.approx(math.sinh(x) / x, rel=1e-4)


def test_bins_of_unknown_width_or_beyond_the_cuts_are_taken_at_their_centre_with_a_warning(tmp_path):
    with pytest.warns(UserWarning, match=r"rows 1, 3 \(Mine\+2026\) have no bin width 'dM'.*bins = \"centre\""):
        tested = own(tmp_path, dM=[NAN, 0.5, NAN], bins="average")
    probe = tested.probes["uv"]
    at_nodes = probe.requires["log10_uv_lf"].at["m_uv"].reshape(3, -1)
    assert np.all(at_nodes[0] == -19.5) and np.ptp(at_nodes[1]) > 0.3 and np.all(at_nodes[2] == -17.5)
    with pytest.warns(UserWarning, match=r"row 1 .*reach beyond m_uv_min = -20"):
        own(tmp_path, dM=[1.5, 0.5, 0.5], bins="average")
    with pytest.raises(DataError, match=r"row 2 .*'dM' is 0; it must be above 0"):
        own(tmp_path, dM=[0.5, 0.0, 0.5])


@pytest.mark.parametrize(("n_sigma", "galaxies"), [(1.0, 1.841), (2.0, 3.783), (3.0, 6.608)])
def test_a_non_detection_is_a_poisson_count_of_zero(tmp_path, n_sigma, galaxies):
    """ln L = -N(l) phi / l: at the limit -1.84 (one sigma), at twice the limit -3.7."""
    kinds = {"kind": ["upper"] * 3, "n_sigma": [n_sigma] * 3}
    probe = own(tmp_path, **kinds, non_detections="poisson").probes["uv"]
    for factor in (1.0, 2.0):
        assert at(probe, np.log10(factor * probe.limit))[0] == pytest.approx(-3 * galaxies * factor, abs=3e-3 * factor)


def test_few_galaxies_are_a_poisson_count(tmp_path):
    n_gal = [4.0, 400.0, NAN]
    probe = own(tmp_path, n_gal=n_gal, non_detections="poisson").probes["uv"]
    assert probe.is_count.tolist() == [True, False, True]
    phi = np.array([5e-4, 1.8e-3, 3e-3])
    expected = 4 * math.log(5 / 8) - 4 * (5 / 8 - 1) + split(-2e-4, 3e-4, 3e-4) - 3.7832 / 3
    assert at(probe, np.log10(phi))[0] == pytest.approx(expected, abs=1e-4)
    assert not own(tmp_path, n_gal=n_gal, poisson_counts=0.0).probes["uv"].is_count.any()
    with pytest.raises(DataError, match=r"row 2 .*'n_gal'.*not be negative"):
        own(tmp_path, n_gal=[4.0, -1.0, NAN])
    with pytest.raises(DataError, match=r"row 1 .*n_gal = 0"):
        own(tmp_path, n_gal=[0.0, 4.0, NAN])


def test_cosmic_variance_is_one_factor_for_the_bins_of_a_field():
    """Against a full covariance: fields of Bouwens+21 have Gaussian errors."""
    probe = UVLuminosityFunction(sets=SETS, cosmic_variance=0.1)
    phi = probe.phi * np.linspace(0.8, 1.3, len(probe.phi))
    same = probe.z[:, None] == probe.z
    emulator = 0.03 * math.log(10) * phi
    covariance = np.diag(probe.error_low**2) + 0.01 * np.outer(phi, phi) * same + np.outer(emulator, emulator)
    r = phi - probe.phi
    expected = -0.5 * r @ np.linalg.solve(covariance, r)
    expected -= 0.5 * (np.linalg.slogdet(covariance)[1] - 2 * np.sum(np.log(probe.error_low)))
    assert at(probe, np.log10(phi), 0.03)[0] == pytest.approx(expected, rel=1e-9)
    # Far from the data it has no rounding errors that raise it.
    assert np.all(np.diff(at(probe, np.log10(phi) + np.linspace(2.0, 40.0, 20)[:, None], 0.03)) < 0)


@pytest.mark.parametrize("errors", ["split", "log_split"])
@pytest.mark.parametrize("sets", [{"Oesch+2018": (10.0,)}, {"Harikane+2023": (12.0,)}])
def test_asymmetric_errors_and_counts_are_marginalised_over_the_amplitude_of_their_field(errors, sets):
    probe = UVLuminosityFunction(sets=sets, m_uv_min=-24.0, errors=errors, cosmic_variance=0.2)
    typical = np.where(probe.is_limit, probe.limit, probe.phi)
    for factor in (0.05, 0.5, 1.0, 3.0):
        phi = (factor * typical)[:, None] * np.ones_like(AMPLITUDES)
        moved = phi * np.exp(0.2 * AMPLITUDES)
        linear = phi * (1 + 0.2 * AMPLITUDES)
        total = np.sum(-(1.8410 * moved / probe.limit[:, None])[probe.is_limit], axis=0)
        for j in np.flatnonzero(~probe.is_limit):
            d, low, high = probe.phi[j], probe.error_low[j], probe.error_high[j]
            if errors == "split":
                x = linear[j] - d
            else:
                x, low, high = np.log10(moved[j] / d), -math.log10(1 - min(low / d, 0.827)), math.log10(1 + high / d)
            total += -0.5 * (x / np.where(x > 0, high, low)) ** 2
        assert at(probe, np.log10(factor * typical))[0] == pytest.approx(averaged(total), abs=1e-3)


def test_errors_in_log_phi_do_not_saturate():
    """Oesch+18 at M = -21.25: (1.0 +2.2 -0.8) 1e-6. In linear phi, a universe without galaxies costs 0.78."""
    options = {"sets": {"Oesch+2018": (10.0,)}, "m_uv_min": -21.8, "m_uv_max": -20.7, "cosmic_variance": 0.0}
    linear, log = (UVLuminosityFunction(**options, errors=errors) for errors in ("split", "log_split"))
    assert at(linear, [-12.0])[0] == pytest.approx(-0.5 / 0.8**2, rel=1e-3)
    assert at(log, [-12.0])[0] == pytest.approx(-0.5 * (6 / -math.log10(0.2)) ** 2, rel=1e-6)
    assert at(log, [math.log10(3.2e-6)])[0] == pytest.approx(-0.5)


def test_independent_errors_are_those_of_each_bin():
    probe = UVLuminosityFunction(sets=SETS, cosmic_variance=0.1, correlation="independent", errors="symmetric")
    phi = 1.2 * probe.phi
    variance = probe.error_low**2 + phi**2 * (0.1**2 + (0.05 * math.log(10)) ** 2)
    expected = np.sum(-0.5 * (phi - probe.phi) ** 2 / variance - 0.5 * np.log(variance / probe.error_low**2))
    assert at(probe, np.log10(phi), 0.05)[0] == pytest.approx(expected, rel=1e-9)


def test_modes_of_an_emulator_are_common_and_the_rest_is_independent():
    probe = UVLuminosityFunction(sets={"Bouwens+2021": (6.0,)}, cosmic_variance=0.0)
    phi, n = 1.1 * probe.phi, len(probe.phi)
    modes, error = np.array([np.full(n, 0.03), np.linspace(-0.02, 0.02, n)]), 0.05
    rest = error**2 - np.sum(modes**2, axis=0)
    u = math.log(10) * phi * modes
    covariance = np.diag(probe.error_low**2 + rest * (math.log(10) * phi) ** 2) + u.T @ u
    r = phi - probe.phi
    expected = -0.5 * r @ np.linalg.solve(covariance, r) + np.sum(np.log(probe.error_low))
    expected -= 0.5 * np.linalg.slogdet(covariance)[1]
    assert at(probe, np.log10(phi), error, modes[None])[0] == pytest.approx(expected, rel=1e-9)


@pytest.mark.slow
@pytest.mark.parametrize("sets", [{"Bouwens+2021": (6.0,)}, {"Oesch+2018": (10.0,)}, {"Harikane+2023": (12.0,)}])
@pytest.mark.parametrize("errors", ["split", "log_split"])
def test_mock_data_have_the_covariance_of_the_likelihood(sets, errors):
    """The average of L(other) / L(truth) over data drawn at the truth is one."""
    probe = UVLuminosityFunction(sets=sets, m_uv_min=-24.0, errors=errors)
    centre = np.log10(np.where(probe.is_limit, 0.3 * probe.limit, probe.phi))
    truth = {"log10_uv_lf": Prediction(np.repeat(centre, probe._weights.shape[1])[None])}
    rng, ratios = np.random.default_rng(3), []
    for _ in range(500):
        first, second = at(probe.simulate(truth, {}, rng), centre + np.array([[0.0], [0.04]]))
        ratios.append(math.exp(second - first))
    assert np.mean(ratios) == pytest.approx(1.0, abs=4 * np.std(ratios) / math.sqrt(len(ratios)))


def test_counts_that_were_drawn_are_written_and_read_again(tmp_path):
    options = {"sets": {"Harikane+2023": (12.0,)}, "m_uv_min": -24.0}
    probe = UVLuminosityFunction(**options)
    centre = np.log10(np.where(probe.is_limit, 2 * probe.limit, probe.phi))
    truth = {"log10_uv_lf": Prediction(np.repeat(centre, probe._weights.shape[1])[None])}
    mock = probe.simulate(truth, {}, np.random.default_rng(1))
    assert mock.counts.sum() > 0
    written = mock.save(tmp_path, "mine")
    again = UVLuminosityFunction(**{**options, **written, "catalog": str(tmp_path / written["catalog"])})
    np.testing.assert_allclose(again.counts, mock.counts)
    assert at(again, centre)[0] == pytest.approx(at(mock, centre)[0], rel=1e-9)


def test_dust_is_the_table_of_bouwens_with_the_relation_of_meurer():
    """z = 5.9: beta = -2.00 at -19.5 and -2.20 at -20.5's mirror; <A> = 4.43 + 0.79 ln10 0.34^2 + 1.99 beta."""
    m_uv, z = np.array([[-20.5, -19.5]]), np.array([5.9])
    found, slope = attenuation(m_uv, z, "bouwens2014")
    constant = 4.43 + 0.2 * math.log(10) * (1.99 * 0.34) ** 2
    np.testing.assert_allclose(found[0], [constant - 1.99 * 1.80, constant - 1.99 * 2.00], rtol=1e-12)
    np.testing.assert_allclose(slope[0], -0.2 * 1.99, rtol=1e-12)
    assert attenuation(np.array([[-15.0]]), z, "bouwens2014")[0][0, 0] == pytest.approx(
        max(0.0, constant + 1.99 * (-2.33 + 0.33 * math.exp(-0.2 * 4.5 / 0.33))), abs=1e-12
    )
    step = 1e-6
    for z_i in (4.0, 6.0, 8.0, 12.0):
        for m in (-22.0, -19.0, -17.0):
            low, high = (attenuation(np.array([[m + s]]), np.array([z_i]), "bouwens2014")[0] for s in (-step, step))
            derivative = attenuation(np.array([[m]]), np.array([z_i]), "bouwens2014")[1]
            assert derivative[0, 0] == pytest.approx((high - low)[0, 0] / (2 * step), abs=1e-6)
    # Galaxies are only moved, not lost: phi dM is conserved.
    bright = UVLuminosityFunction(sets=SETS, bins="centre", dust="bouwens2014", m_uv_min=-19.0)
    dimming, change = attenuation(bright.m_uv[:, None], bright.z, "bouwens2014")
    np.testing.assert_allclose(bright.requires["log10_uv_lf"].at["m_uv"], bright.m_uv - dimming[:, 0])
    np.testing.assert_allclose(bright._weights, 1 - change)


def test_magnitudes_and_densities_are_converted_to_the_models_cosmology():
    """From H0 = 70, Om = 0.3 to 67.74, 0.3075: -0.052 mag and phi times 0.934 at z = 8, against astropy."""
    from astropy.cosmology import FlatLambdaCDM

    z = np.array([6.0, 8.0, 10.0])
    shift, factor = conversion(z, [(70.0, 0.3)] * 3, (67.74, 0.3075))
    data, ours = (FlatLambdaCDM(h0, om, Tcmb0=0) for h0, om in ((70, 0.3), (67.74, 0.3075)))
    np.testing.assert_allclose(shift, data.distmod(z).value - ours.distmod(z).value, atol=1e-6)
    ratio = (data.differential_comoving_volume(z) / ours.differential_comoving_volume(z)).value
    np.testing.assert_allclose(1 / factor, ratio, rtol=1e-6)
    assert shift[1] == pytest.approx(-0.052, abs=1e-3) and 1 / factor[1] == pytest.approx(0.934, abs=1e-3)
    planck = {"h0": 67.74, "omega_m": 0.3075}
    plain, converted = (UVLuminosityFunction(sets=SETS, model_cosmology=c) for c in (None, planck))
    moved = converted.requires["log10_uv_lf"].at["m_uv"] - plain.requires["log10_uv_lf"].at["m_uv"]
    assert np.all((moved < -0.051) & (moved > -0.054))
    np.testing.assert_allclose((plain._weights / converted._weights)[plain.z == 8.0], 0.9335, atol=1e-3)
    same = UVLuminosityFunction(sets=SETS, model_cosmology=planck, data_cosmology=planck)
    np.testing.assert_allclose(same._weights, plain._weights, rtol=1e-12)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"cosmic_variance": 1.5}, r"cosmic_variance = 1\.5 .*\[0, 1\]"),
        ({"cosmic_variance": -0.1}, "cosmic_variance"),
        ({"cosmic_variance": NAN}, "cosmic_variance"),
        ({"poisson_counts": -1.0}, "poisson_counts"),
        ({"errors": "barlow", "correlation": "common"}, "independent"),
        ({"errors": "log_split", "non_detections": "gaussian"}, "poisson"),
        ({"model_cosmology": {"h": 0.7}}, r"model_cosmology has the keys \['h'\]; give"),
        ({"model_cosmology": {"h0": 0.7, "omega_m": 0.3}}, r"h0 = 0\.7 km/s/Mpc must be in"),
        ({"data_cosmology": {"h0": 70.0, "omega_m": 0.3}}, "no effect without model_cosmology"),
    ],
)
def test_options_that_mean_nothing_are_refused(options, message):
    with pytest.raises(ConfigurationError, match=message):
        UVLuminosityFunction(**options)


def test_data_of_unknown_cosmology_are_not_converted(tmp_path):
    planck = {"h0": 67.74, "omega_m": 0.3075}
    with pytest.raises(ConfigurationError, match=r"does not state the cosmology of 'Mine\+2026'.*data_cosmology"):
        own(tmp_path, model_cosmology=planck)
    own(tmp_path, model_cosmology=planck, data_cosmology={"h0": 70.0, "omega_m": 0.3}, m_uv_min=-19.9)


@pytest.mark.attack("uv", "several non-detections whose residuals change sign at the same amplitude")
def test_data_that_change_their_side_together_are_counted_once():
    probe = UVLuminosityFunction(
        sets={"Harikane+2023": (12.0,)}, m_uv_min=-24.0, non_detections="gaussian", cosmic_variance=0.5
    )
    phi = np.where(probe.is_limit, probe.limit, probe.phi)
    x = phi[:, None] * (1 + 0.5 * AMPLITUDES) - probe.phi[:, None]
    width = np.where(x > 0, probe.error_high[:, None], probe.error_low[:, None])
    assert at(probe, np.log10(phi))[0] == pytest.approx(averaged(np.sum(-0.5 * (x / width) ** 2, axis=0)), abs=1e-6)


@pytest.mark.attack("uv", "densities between 1e-300 and 1e300, where an emulator has gone wild")
@pytest.mark.parametrize("errors", ["split", "log_split"])
@pytest.mark.parametrize("sets", [{"Bouwens+2021": (6.0,)}, {"Harikane+2023": (12.0,)}])
def test_no_density_gives_an_infinite_likelihood(errors, sets):
    probe = UVLuminosityFunction(sets=sets, m_uv_min=-24.0, errors=errors)
    found = at(probe, np.linspace(-300.0, 300.0, 301)[:, None] * np.ones(len(probe.phi)), 0.05)
    assert np.all(np.isfinite(found)) and np.all(np.diff(found[150:160]) < 0) and found[-1] < -1e6


FORMS_OF_ERRORS = {
    "default": {},
    "counts": {"sets": {"Harikane+2023": (12.0,)}, "m_uv_min": -24.0},
    "log_split": {"errors": "log_split"},
}


@pytest.mark.slow
@pytest.mark.parametrize("name", list(BACKENDS))
@pytest.mark.parametrize("form", FORMS_OF_ERRORS)
def test_compiled_values_and_gradients_are_those_of_numpy(form, name, monkeypatch):
    pytest.importorskip(BACKENDS[name][1])
    monkeypatch.setenv("KERAS_BACKEND", name)
    backend, probe, rng = load_backend(), UVLuminosityFunction(**FORMS_OF_ERRORS[form]), np.random.default_rng(0)
    centre = np.log10(np.where(probe.is_limit, 1e-5, probe.phi)).repeat(probe._weights.shape[1])
    x = centre + rng.normal(0, 0.2, (8, len(centre))) + np.linspace(-4, 3, 8)[:, None]
    error, modes = np.full(x.shape, 0.05), rng.normal(0, 0.02, (8, 2, len(centre)))

    def log_l(values, xp):
        return probe.log_likelihood({"log10_uv_lf": Prediction(values, error, modes)}, {}, xp)

    value, gradient = backend.compile(backend.with_gradient(lambda values: log_l(values, backend.xp)), (x,))(x)
    np.testing.assert_allclose(value, log_l(x, NUMPY), rtol=1e-9)
    step = 1e-5 * rng.normal(size=x.shape)
    expected = (log_l(x + step, NUMPY) - log_l(x - step, NUMPY)) / 2
    np.testing.assert_allclose(np.sum(gradient * step, axis=1), expected, rtol=1e-3, atol=1e-9)
