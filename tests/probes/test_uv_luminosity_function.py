"""UV luminosity functions: hand-computed values, 21CMMC's 27 bins, limits, overlapping sets."""

from __future__ import annotations

import math
import warnings

import numpy as np
import pytest
from astropy.table import MaskedColumn, QTable, Table
from helpers import M_UV, UV_LF, Stub, uniform
from scipy.interpolate import CubicSpline

from astroemu.core.array_namespace import NUMPY
from astroemu.core.provider import Prediction
from astroemu.emulation.loading import load_emulator
from astroemu.errors import ConfigurationError, DataError, DoubleCountingWarning, ResolutionError
from astroemu.inference.configuration import load_configuration
from astroemu.model.model import Model
from astroemu.runtime.plugins import TRAINED, locate
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


OWN = {"Mine+2026": (7.0,)}
NAN = math.nan


def own(tmp_path, *, drop=(), as_type=Table, units=True, **changes):
    """The probe of a user's own file of two measurements and a limit, with other columns."""
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
    for name in ("M_UV", "phi", "err_up", "err_lo"):
        if units and name in table.colnames and table[name].unit is None:
            table[name].unit = "mag" if name == "M_UV" else "1 / (mag Mpc3)"
    path = tmp_path / "mine.ecsv"
    table.write(path, format="ascii.ecsv", overwrite=True)
    return model(catalog=str(path), sets=OWN)


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
    (panel,) = UVLuminosityFunction(sets={"Bouwens+2015": (10.0,)}, m_uv_min=-19.5, m_uv_max=-19.0).panels()
    assert np.all(np.diff(panel.curve_x) > 0) and panel.curve_x[0] < panel.x[0] < panel.curve_x[-1]
    np.testing.assert_array_equal(panel.curve.at["m_uv"], panel.curve_x)
    # Also for a bin at the last node of the emulator.
    tested = model(sets={"Bouwens+2021": (6.0,)}, m_uv_min=-17.0, m_uv_max=-16.0)
    (panel,) = tested.probes["uv"].panels()
    assert tested.predict_for({"it": panel.curve}, np.array([THETA[0]]))["it"].shape == (1, 50)
    assert np.ptp(panel.curve_x) == pytest.approx(0.5)
