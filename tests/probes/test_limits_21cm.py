"""Published 21-cm limits: the form of a limit, bins and units, errors that a redshift shares, and double use."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
from astropy.table import MaskedColumn, Table
from helpers import POWER, K, Stub, uniform
from scipy.integrate import quad
from scipy.special import log_ndtr
from scipy.stats import kstest, norm

from astroemu.core.array_namespace import NUMPY
from astroemu.core.catalog import load_catalog
from astroemu.core.provider import Prediction
from astroemu.errors import ConfigurationError, DataError, DoubleCountingWarning, ResolutionError
from astroemu.model.backends.base import BACKENDS, load_backend
from astroemu.model.model import Model
from astroemu.testing import check_probe
from astroemu_catalogs import LIMITS_21CM
from astroemu_probes.limits_21cm import Limits21cm
from astroemu_probes.limits_21cm_table import read

SMALL = {"references": ("Mertens2025",)}
#: Ln L of a model at its limit, less that of no power.
AT_THE_LIMIT = {"flat_systematic": log_ndtr(-2.0) - log_ndtr(0.0), "half_gaussian": -2.0, "step": np.log(0.5)}


_BLANK = MaskedColumn([0.2, 0.3], mask=[False, True])


def log_l(probe, values, error=None, modes=None):
    """Return ln L of powers ``(n, rows)``."""
    values = np.atleast_2d(np.asarray(values, dtype=float))
    return probe.log_likelihood({"delta21_sq": Prediction(values, error, modes)}, {}, NUMPY)


def one_by_one(values):
    """Return rows in which one limit has its value, and all others zero."""
    return np.diag(values)


def flat_spectrum(theta):
    return theta[:, 0, None, None] * np.ones((60, len(K)))


def model(power=flat_spectrum, **options):
    probe = Limits21cm(**options)
    return Model(uniform(amplitude=(0.0, 1e12)), {"stub": Stub(("amplitude",), {POWER: power})}, {"limits": probe})


def mine(tmp_path, unit="1 / Mpc", **columns):
    """Write a catalog of two limits at one redshift, with some columns replaced, and return its path."""
    given = {
        "reference": ["Mine2026", "Mine2026"],
        "z": [8.0, 8.0],
        "k": [0.2, 0.3],
        "delta2_limit": [100.0, 400.0],
    } | columns
    table = Table({name: values for name, values in given.items() if values is not None})
    for name in table.colnames:
        its = unit if name.startswith("k") else "mK2" if name.startswith(("delta2", "sigma")) else ""
        if its:
            table[name].unit = its
    path = tmp_path / "mine.ecsv"
    table.write(path, format="ascii.ecsv", overwrite=True)
    return str(path)


def own(tmp_path, unit="1 / Mpc", columns=None, **options):
    return Limits21cm(mine(tmp_path, unit, **(columns or {})), references=("Mine2026",), **options)


# The form of a limit.


@pytest.mark.parametrize("form", AT_THE_LIMIT)
@pytest.mark.parametrize("correlation", ["common", "independent"])
def test_every_limit_has_the_stated_likelihood_at_the_limit(form, correlation):
    probe = Limits21cm(form=form, modelling_fraction=0.0, modelling_correlation=correlation)
    found = log_l(probe, one_by_one(probe.limit)) - log_l(probe, 0.0 * probe.limit)
    np.testing.assert_allclose(found, AT_THE_LIMIT[form], rtol=1e-9)


def test_the_default_allows_five_per_cent_at_the_limit():
    assert np.exp(AT_THE_LIMIT["flat_systematic"]) == pytest.approx(0.0455, abs=5e-5)


@pytest.mark.parametrize("fraction", [0.05, 0.25, 0.5])
def test_a_smaller_error_is_the_form_of_hera_with_a_datum_below_the_limit(fraction):
    probe = Limits21cm(**SMALL, sigma_fraction=fraction, modelling_fraction=0.0)
    levels = np.array([0.0, 0.5, 1.0, 1.5])
    sigma = fraction * probe.limit
    expected = [np.sum(norm.logcdf(probe.limit - 2 * sigma, level * probe.limit, sigma)) for level in levels]
    np.testing.assert_allclose(log_l(probe, np.outer(levels, probe.limit)), expected, rtol=1e-9)


def test_a_step_with_a_common_error_is_the_probability_that_no_limit_is_passed():
    probe = Limits21cm(**SMALL, form="step")
    for level in (0.3, 0.8, 1.0, 1.4):
        m = level * probe.limit.min() * np.linspace(0.7, 1.3, len(probe.limit))
        reach = (probe.limit - m) / (0.2 * m)
        expected = sum(log_ndtr(reach[rows].min()) for rows in probe._groups.members)
        assert log_l(probe, m)[0] == pytest.approx(expected, rel=1e-9)


def test_measured_values_in_a_catalog_replace_those_from_the_limit(tmp_path):
    columns = {"delta2": [40.0, -20.0], "sigma": [30.0, 200.0]}
    for form in ("flat_systematic", "half_gaussian"):
        probe = own(tmp_path, columns=columns, form=form, modelling_fraction=0.0)
        np.testing.assert_array_equal(probe.data, [40.0, -20.0])
        m = np.array([50.0, 60.0])
        x = (probe.data - m) / [30.0, 200.0]
        expected = np.sum(log_ndtr(x) if form == "flat_systematic" else -0.5 * x**2)
        assert log_l(probe, m)[0] == pytest.approx(expected, rel=1e-9)


# Errors of the model.


def brute_force(probe, m, mode):
    """Return ln L by the trapezoidal rule over the amplitude of each redshift."""
    a = np.linspace(-9.0, 9.0, 20001)
    total = 0.0
    for rows in probe._groups.members:
        power = np.maximum(m[rows] + a[:, None] * mode[rows], 0.0)
        log_f = np.sum(log_ndtr((probe.data[rows] - power) / probe.sigma[rows]), axis=1) + norm.logpdf(a)
        total += log_f.max() + np.log(np.trapezoid(np.exp(log_f - log_f.max()), a))
    return total


@pytest.mark.parametrize("level", [0.1, 0.5, 1.0, 3.0, 30.0])
def test_all_limits_at_one_redshift_share_the_error_of_the_model(level):
    probe = Limits21cm()
    m = level * np.sqrt(probe.limit.min() * probe.limit) * np.linspace(0.8, 1.2, len(probe.limit))
    expected = brute_force(probe, m, 0.2 * m)
    assert log_l(probe, m)[0] == pytest.approx(expected, abs=0.02, rel=1e-4)


def test_limits_of_several_telescopes_at_one_redshift_share_one_amplitude(tmp_path):
    probe = own(tmp_path, columns={"telescope": ["HERA", "LOFAR"], "z": [8.0, 8.0]})
    assert len(probe._groups.members) == 1
    assert len(Limits21cm()._groups.members) == len(np.unique(Limits21cm().z))


@pytest.mark.parametrize("form", ["flat_systematic", "half_gaussian"])
def test_independent_errors_are_added_to_the_variance(form):
    probe = Limits21cm(**SMALL, form=form, modelling_correlation="independent")
    m = 0.7 * probe.limit
    error = 0.3 * m
    s = np.sqrt(probe.sigma**2 + (0.2 * m) ** 2 + error**2)
    gauss = norm.logpdf(m, 0.0, s) - norm.logpdf(0.0, 0.0, probe.sigma)
    expected = np.sum(log_ndtr(-m / s) if form == "flat_systematic" else gauss)
    assert log_l(probe, m, error[None])[0] == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize("form", AT_THE_LIMIT)
@pytest.mark.parametrize("correlation", ["common", "independent"])
def test_a_larger_power_is_never_likelier_and_never_infinite(form, correlation):
    probe = Limits21cm(form=form, modelling_correlation=correlation)
    found = log_l(probe, np.outer(np.append(0.0, np.geomspace(1.0, 1e15, 80)), np.ones(len(probe.limit))), None)
    assert np.all(np.isfinite(found)) and np.all(np.diff(found) <= 2e-2)


def test_the_error_of_an_emulator_is_common_as_well():
    probe, without = Limits21cm(**SMALL), Limits21cm(**SMALL, modelling_fraction=0.5)
    m = 0.4 * probe.limit
    half = Limits21cm(**SMALL, modelling_fraction=0.0)
    assert log_l(half, m, 0.5 * m[None])[0] == pytest.approx(log_l(without, m)[0], rel=1e-6)
    assert log_l(probe, m, 0.5 * m[None])[0] != pytest.approx(log_l(probe, m)[0], abs=1e-3)


def test_a_half_gaussian_is_normalised_with_common_errors():
    """A Gaussian of all rows with the covariance of errors that they share."""
    from scipy.stats import multivariate_normal

    probe = Limits21cm(**SMALL, form="half_gaussian")
    m, total = 0.6 * probe.limit, 0.0
    for rows in probe._groups.members:
        noise = np.diag(probe.sigma[rows] ** 2)
        total += multivariate_normal.logpdf(m[rows], None, noise + 0.04 * np.outer(m[rows], m[rows]))
        total -= multivariate_normal.logpdf(0.0 * m[rows], None, noise)
    assert log_l(probe, m)[0] == pytest.approx(total, rel=1e-9)


# Wavenumbers and bins.


def test_wavenumbers_are_converted_with_the_h_of_the_paper():
    table = read(load_catalog("limits_21cm"), 0.7)
    published = LIMITS_21CM.table()
    hera = np.char.startswith(np.asarray(table["reference"]).astype(str), "HERA")
    np.testing.assert_allclose(table["k"][hera], 0.6727 * np.asarray(published["k"])[hera])
    np.testing.assert_allclose(table["k"][~hera], 0.7 * np.asarray(published["k"])[~hera])
    edges = ~np.isnan(table["k_lo"])
    np.testing.assert_allclose(
        np.asarray(table["k_lo"] / table["k"])[edges], np.asarray(published["k_lo"] / published["k"])[edges]
    )


def test_the_option_h_moves_the_bins_of_papers_without_their_own():
    a, b = (Limits21cm(**SMALL, h=h).requires["delta21_sq"].at["k"] for h in (0.6774, 0.7))
    np.testing.assert_allclose(b / a, 0.7 / 0.6774)


@pytest.mark.parametrize(("unit", "factor"), [("1 / Mpc", 1.0), ("h / Mpc", 0.65), ("Mpc-1", 1.0), ("1 / Gpc", 1e-3)])
def test_a_file_may_state_another_unit_of_k(tmp_path, unit, factor):
    probe = own(tmp_path, unit, h=0.65)
    np.testing.assert_allclose(probe.requires["delta21_sq"].at["k"], factor * np.array([0.2, 0.3]))


def power_law(theta):
    return theta[:, 0, None, None] * np.ones((60, 1)) * (K / 0.3) ** 2


@pytest.mark.parametrize("reference", ["HERA2023", "Mertens2020", "Trott2020"])
def test_a_bin_is_the_average_of_the_model_over_it(reference):
    options = {"references": (reference,), "k_max": 0.6}
    tested = model(power_law, **options)
    probe = tested.probes["limits"]
    found = tested.predict_for({"it": probe.requires["delta21_sq"]}, np.array([[7.0]]))["it"][0]
    low, high = (np.asarray(probe._table[name]) for name in ("k_lo", "k_hi"))
    inside = (low > K[0]) & (high < K[-1])
    assert inside.sum() > 3
    for row in np.flatnonzero(inside)[:6]:
        expected = quad(lambda k: 7.0 * (k / 0.3) ** 2, low[row], high[row])[0] / (high[row] - low[row])
        assert found[row] == pytest.approx(expected, rel=2e-3)
    centre = model(power_law, **options, bins="centre").probes["limits"]
    np.testing.assert_allclose(centre.requires["delta21_sq"].at["k"], np.asarray(probe._table["k"]))


def test_the_weights_of_a_bin_add_up_to_one():
    weights = Limits21cm(references=("HERA2023",)).requires["delta21_sq"].weights
    np.testing.assert_allclose(weights.sum(axis=1), 1.0)
    assert Limits21cm(**SMALL).requires["delta21_sq"].weights is None


def test_k_beyond_the_emulator_is_held_or_refused():
    with pytest.raises(ResolutionError, match=r"axis 'k'.*HERA2026 at z = 7\.05.*k_max.*beyond_k = \"hold\""):
        model(references=("HERA2026",), beyond_k="error")
    cut = model(references=("HERA2026",), beyond_k="error", k_max=1.0).probes["limits"]
    assert cut._table["k"].max() <= 1.0
    assert model().log_likelihood(np.array([[0.0]]))[0] == pytest.approx(106 * np.log(0.5))


# The choice of limits.


def test_the_default_is_one_independent_set_without_warnings():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        probe = Limits21cm()
    table = probe._table
    counts = {name: int(np.sum(table["reference"] == name)) for name in dict.fromkeys(table["reference"].tolist())}
    assert counts == {"Nunhokee2025": 21, "HERA2026": 52, "Mertens2025": 21, "Munshi2025": 12}
    assert set(table["tag"][table["reference"] == "Nunhokee2025"]) == {"Pol E-W"}
    assert (table["z"].min(), table["z"].max()) == (6.5, 20.3)
    assert set(probe.papers) == {"2505.09097", "2503.05576", "2507.10533", "2108.07282"}


@pytest.mark.parametrize(
    ("options", "size"),
    [
        ({"telescopes": ("LOFAR", "NenuFAR")}, 33),
        ({"references": ("HERA2026",), "z_min": 5.0, "z_max": 30.0}, 69),
        ({"references": ("HERA2023",), "tags": {"HERA2023": ("Field C",)}}, 69),
        ({"references": ("Trott2025",)}, 3),
        ({"references": ("Nunhokee2025",), "tags": {"Nunhokee2025": ("Pol N-S",)}, "z_max": 6.6}, 7),
        ({"z_max": 8.0, "k_min": 0.1, "k_max": 0.2}, 12),
    ],
)
def test_limits_are_chosen_by_paper_telescope_redshift_tag_and_k(options, size):
    assert len(Limits21cm(**options).limit) == size


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"references": ("Mertens25",)}, r"references: 'limits_21cm' has no 'Mertens25'. Did you mean 'Mertens2025'"),
        ({"telescopes": ("NENUFAR",)}, r"telescopes: 'limits_21cm' has no 'NENUFAR'.*'NenuFAR'"),
        ({"tags": {"HERA2023": ("Field C",)}}, "tags: 'HERA2023' is not in use; the references are 'HERA2026'"),
        ({"references": ("HERA2023",), "tags": {"HERA2023": ("Field F",)}}, r"tags.HERA2023: .*'Field F'.*'Field A'"),
        ({"references": ("Munshi2025",), "z_max": 10.0}, r"z_max = 10.*'Munshi2025'.*has z = 17, 20\.3"),
        ({"z_min": 30.0, "z_max": 40.0}, r"leave nothing of 'HERA2026', .*HERA2026 has z = 5\.56"),
        ({"h": 67.7}, "h = 67.7 must lie between 0.4 and 1.2"),
        ({"sigma_fraction": 0.0}, "sigma_fraction = 0"),
        ({"sigma_fraction": 0.6}, "sigma_fraction = 0.6 must be above 0 and at most 0.5"),
        ({"form": "step", "sigma_fraction": 0.2}, 'sigma_fraction is for form = "flat_systematic"'),
        ({"modelling_fraction": -0.1}, "modelling_fraction = -0.1"),
    ],
)
def test_options_that_cannot_be_met_are_refused(options, message):
    with pytest.raises(ConfigurationError, match=message):
        Limits21cm(**options)


def test_redshifts_beyond_the_emulator_are_refused_by_name_and_can_be_left_out():
    with pytest.raises(
        ResolutionError,
        match=r"'limits'.*'delta21_sq', axis 'z': 5\.56, 24\.37 lies outside the grid \[5\.9\d*, \d+\.\d+\]. "
        r"In use are HERA2026 at z = 5\.56, 7\.05, .*24\.37; .*with z_min, z_max",
    ):
        model(z_min=0.0, z_max=30.0)
    assert len(model(z_min=6.0, z_max=20.0).probes["limits"].limit) < 106


def test_a_file_without_the_default_papers_needs_references(tmp_path):
    with pytest.raises(ConfigurationError, match=r"references: name those of 'mine.ecsv' to use. It has 'Mine2026'"):
        Limits21cm(mine(tmp_path))


# Double use.


@pytest.mark.parametrize(
    ("references", "tags", "message"),
    [
        (("HERA2022", "HERA2023"), {}, r"HERA2022.*HERA2023.*\(HERA Phase I\) at z = 7\.93, 10\.37.*in `references`"),
        (("Mertens2020", "Mertens2025"), {}, r"\(LOFAR: north celestial pole\) at z = 9\.1"),
        (("Mertens2025", "Patil2017"), {}, r"at z = 8\.3, 9\.1, 9\.15, 10\.1"),
        (("Nunhokee2025", "Trott2025"), {}, r"\(MWA: EoR0\) at z = 6\.5, 6\.8, 7"),
        (("Rahimi2021", "Trott2020"), {}, r"\(MWA: EoR1\)"),
        (("Li2019",), {}, r'Li2019.*Keep in `tags.Li2019` "Pol E-W" or "Pol N-S"'),
        (("Nunhokee2025",), {"Nunhokee2025": ("Pol E-W", "Pol N-S")}, r'"Pol E-W" or "Pol N-S"'),
        (("Yoshiura2021",), {}, r'"EoR0 E-W" or "EoR0 N-S" and "EoR1 E-W" or "EoR1 N-S"'),
    ],
)
def test_double_use_of_observations_is_named(references, tags, message):
    with pytest.warns(DoubleCountingWarning, match=message) as caught:
        Limits21cm(references=references, tags=tags)
    assert len(caught) == 1


@pytest.mark.parametrize(
    "references",
    [
        ("HERA2023",),
        ("HERA2023", "HERA2026"),
        ("Munshi2024", "Munshi2025"),
        ("Nunhokee2025", "Rahimi2021"),
        ("Barry2019",),
    ],
)
def test_independent_limits_raise_no_warning(references):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert np.all(Limits21cm(references=references).limit > 0)


def test_limits_that_were_superseded_are_named():
    with pytest.warns(UserWarning, match=r"row 759 \(Parsons2014\): .*Kolopanis2019 supersedes them.*Remove"):
        Limits21cm(references=("Parsons2014",))


def test_two_tags_of_a_file_of_ones_own_are_one_sky_unless_it_says_otherwise(tmp_path):
    columns = {"k": [0.2, 0.2], "tag": ["XX", "YY"]}
    with pytest.warns(DoubleCountingWarning, match=r'rows? 1 .*row 2 .*`data`.*tags.Mine2026` "XX" or "YY"'):
        own(tmp_path, columns=columns)
    own(tmp_path, columns=columns | {"data": ["Mine: field 1", "Mine: field 2"]})


def test_a_model_with_two_probes_of_the_same_data_is_told():
    prior = uniform(amplitude=(0.0, 1e12))
    probes = {"a": Limits21cm(references=("Nunhokee2025",)), "b": Limits21cm(references=("Trott2025",))}
    with pytest.warns(DoubleCountingWarning, match="21-cm power spectra of MWA near z = "):
        Model(prior, {"stub": Stub(("amplitude",), {POWER: flat_spectrum})}, probes)
    hera = Limits21cm(references=("HERA2023",)).contains
    assert hera == {f"21-cm power spectra of HERA Phase I near z = {z}" for z in (8, 10)}
    assert not hera & Limits21cm().contains


# Files.


@pytest.mark.parametrize(
    ("unit", "columns", "message"),
    [
        (
            "1 / Mpc",
            {"k": _BLANK},
            r"row 2 \(Mine2026\): no number in the column 'k'",
        ),
        ("1 / Mpc", {"z": [8.0, np.nan]}, r"row 2 \(Mine2026\): no number in the column 'z'"),
        ("1 / Mpc", {"k": None}, "the table has no column 'k'"),
        ("", {}, "the column 'k' is needed in '1 / Mpc' but states no unit"),
        ("mK2", {}, r"the column 'k' is needed in '1 / Mpc' but has the unit 'mK2'"),
        ("h / Mpc", {"h": [0.7, 70.0]}, r"row 2 .*the column 'h' is 70; it must lie between 0\.4 and 1\.2"),
        ("1 / Mpc", {"k": [0.2, 0.2]}, r"rows 1, 2 \(Mine2026\): two limits for one bin"),
        ("1 / Mpc", {"k": [0.2, 0.2001]}, r"rows 1, 2 .*two limits for one bin"),
        ("1 / Mpc", {"delta2_limit": [100.0, 0.0]}, r"row 2 .*the column 'delta2_limit' is 0; it must be above 0"),
        ("1 / Mpc", {"delta2_limit": [-1.0, 5.0]}, r"row 1 .*the column 'delta2_limit' is -1"),
        ("1 / Mpc", {"k_lo": [0.1, 0.25], "k_hi": [0.3, np.nan]}, "row 2 .*both edges"),
        ("1 / Mpc", {"k_lo": [0.1, 0.31], "k_hi": [0.3, 0.4]}, "row 2 .*enclose its 'k'"),
        ("1 / Mpc", {"sigma": [10.0, 10.0]}, "rows 1, 2 .*both 'delta2' and 'sigma'"),
        ("1 / Mpc", {"delta2": [1.0, 1.0], "sigma": [10.0, 0.0]}, "row 2 .*'sigma' is 0"),
        ("1 / Mpc", {"reference": ["Mine2026", ""]}, "row 2.*no text in the column 'reference'"),
    ],
)
def test_a_file_that_would_be_misread_is_refused(tmp_path, unit, columns, message):
    with pytest.raises(DataError, match=rf"mine\.ecsv.*{message}"):
        own(tmp_path, unit, columns)


def test_a_limit_in_the_wrong_unit_is_refused_and_another_scale_is_converted(tmp_path):
    path = mine(tmp_path)
    table = Table.read(path)
    for unit, expected in (("K2", 1e8), ("mK", None)):
        table["delta2_limit"].unit = unit
        table.write(path, format="ascii.ecsv", overwrite=True)
        if expected is None:
            with pytest.raises(DataError, match=r"'delta2_limit' is needed in 'mK\^2' but has the unit 'mK'"):
                Limits21cm(path, references=("Mine2026",))
        else:
            assert Limits21cm(path, references=("Mine2026",)).limit[0] == pytest.approx(expected)


def test_the_catalog_has_the_numbers_of_its_source(shared_data):
    found, source = LIMITS_21CM.table(), Table.read(shared_data / "limits_21cm.ecsv")
    for name in ("reference", "telescope", "doi"):
        assert found[name].tolist() == source[name].tolist()
    for name in ("z", "z_lo", "z_hi", "k", "k_lo", "k_hi", "delta2_limit"):
        np.testing.assert_array_equal(np.asarray(found[name]), np.asarray(source[name], dtype=float))
    tags = ["-" if tag in ("", "N/A") else tag for tag in source["tag"].filled("").tolist()]
    assert found["tag"].tolist() == tags


@pytest.mark.parametrize(
    ("reference", "z", "limit", "k"),
    [
        ("HERA2022", 7.93, 30.76**2, 0.192),
        ("HERA2022", 10.37, 95.74**2, 0.256),
        ("HERA2023", 7.93, 457.0, 0.337),
        ("HERA2023", 10.37, 3496.0, 0.356),
        ("Rahimi2021", 6.5, 73.78**2, 0.135),
        ("Nunhokee2025", 6.5, 30.2**2, 0.177),
        ("Nunhokee2025", 7.0, 39.1**2, 0.212),
        ("Mertens2025", 8.3, 65.5**2, 0.083),
        ("Mertens2025", 9.1, 54.3**2, 0.076),
        ("Mertens2025", 10.1, 68.7**2, 0.076),
        ("Munshi2024", 20.3, 2.4e7, 0.041),
        ("Munshi2025", 17.0, 5.0e6, 0.041),
        ("Munshi2025", 20.3, 4.6e5, 0.038),
    ],
)
def test_the_lowest_limits_are_those_of_the_abstracts(reference, z, limit, k):
    table = LIMITS_21CM.table()
    rows = table[(table["reference"] == reference) & (table["z"] == z)]
    best = rows[int(np.argmin(rows["delta2_limit"]))]
    assert best["delta2_limit"] == pytest.approx(limit, rel=1e-3) and best["k"] == pytest.approx(k)


# Mock data.

FORMS = {
    "default": {},
    "independent": {"modelling_correlation": "independent"},
    "half_gaussian": {"form": "half_gaussian"},
    "bins": {"references": ("HERA2023",), "tags": {"HERA2023": ("Field C",)}, "k_max": 0.5, "sigma_fraction": 0.2},
}


@pytest.mark.parametrize("name", FORMS)
def test_what_is_drawn_is_written_and_read_again(name, tmp_path):
    options = FORMS[name]
    probe = Limits21cm(**options)
    truth = {"delta21_sq": Prediction(np.full((1, len(probe.limit)), 300.0))}
    mock = probe.simulate(truth, {}, np.random.default_rng(1))
    written = mock.save(tmp_path, "mine")
    again = Limits21cm(**{**options, **written, "catalog": str(tmp_path / written["catalog"])})
    values = np.outer([0.0, 10.0, 400.0], np.ones(len(probe.limit)))
    np.testing.assert_allclose(log_l(again, values), log_l(mock, values), rtol=1e-9)
    assert not np.allclose(log_l(mock, values), log_l(probe, values), rtol=1e-3)
    assert [panel.title for panel in again.panels()] == [panel.title for panel in probe.panels()]
    with pytest.raises(DataError, match="not overwritten"):
        mock.save(tmp_path, "mine")


def test_without_noise_the_datum_is_the_truth():
    probe = Limits21cm()
    truth = {"delta21_sq": Prediction(np.linspace(1.0, 500.0, len(probe.limit))[None])}
    mock = probe.simulate(truth, {}, None)
    np.testing.assert_array_equal(mock.data, truth["delta21_sq"].value[0])
    np.testing.assert_allclose(mock.limit, mock.data + 2 * probe.sigma)


def test_a_step_draws_no_data():
    probe = Limits21cm(form="step")
    with pytest.raises(NotImplementedError, match="a step has no density"):
        probe.simulate({"delta21_sq": Prediction(np.ones((1, len(probe.limit))))}, {}, np.random.default_rng(1))


@pytest.mark.parametrize(
    "options",
    [
        SMALL,
        {**SMALL, "form": "half_gaussian"},
        {**SMALL, "modelling_correlation": "independent"},
        pytest.param(
            {"references": ("HERA2023",), "tags": {"HERA2023": ("Field C",)}, "k_max": 0.5, "sigma_fraction": 0.2},
            marks=pytest.mark.slow,
        ),
        {**SMALL, "form": "step"},
    ],
    ids=["default", "half_gaussian", "independent", "bins", "step"],
)
def test_every_form_conforms_and_draws_what_it_assumes(options):
    report = check_probe(Limits21cm(**options))
    report.demand()
    outcome = {f.check: f.outcome for f in report.findings}
    wanted = "skipped" if options.get("form") == "step" else "passed"
    assert outcome["simulate, then fit"] == outcome["with emulator error"] == wanted


def test_ranks_of_truths_are_uniform():
    probe, rng = Limits21cm(**SMALL, telescopes=("LOFAR",), z_max=8.5), np.random.default_rng(5)
    levels = np.linspace(0.0, 3e4, 161)
    values = np.outer(levels, np.ones(len(probe.limit)))
    log_norm = probe.log_normalisation({"delta21_sq": Prediction(values)}, {})
    weight = np.exp(log_norm - log_norm.max())
    shares = []
    for i in rng.choice(len(levels), size=300, p=weight / weight.sum()):
        found = log_l(probe.simulate({"delta21_sq": Prediction(values[i : i + 1])}, {}, rng), values)
        posterior = np.exp(found - found.max())
        cumulative = np.cumsum(posterior)
        shares.append((cumulative[i] - rng.random() * posterior[i]) / cumulative[-1])
    assert kstest(shares, "uniform").pvalue > 1e-3


def test_panels_show_every_limit_once():
    probe = Limits21cm()
    panels = probe.panels()
    assert len(panels) == 14
    assert sorted(np.concatenate([panel.y for panel in panels])) == sorted(probe.limit)
    assert {kind for panel in panels for kind in panel.kind} == {"upper"}


@pytest.mark.slow
@pytest.mark.parametrize("name", list(BACKENDS))
@pytest.mark.parametrize("form", [*AT_THE_LIMIT, "independent"])
def test_compiled_values_and_gradients_are_those_of_numpy(form, name, monkeypatch):
    pytest.importorskip(BACKENDS[name][1])
    monkeypatch.setenv("KERAS_BACKEND", name)
    options = {"modelling_correlation": "independent"} if form == "independent" else {"form": form}
    backend, probe, rng = load_backend(), Limits21cm(**SMALL, **options), np.random.default_rng(0)
    x = np.abs(rng.normal(0.5, 0.2, (6, len(probe.limit)))) * probe.limit * np.linspace(0.2, 2, 6)[:, None]
    error, modes = 0.1 * x, 0.05 * x[:, None, :] * rng.normal(1, 0.2, (6, 2, len(probe.limit)))

    def of(values, xp):
        return probe.log_likelihood({"delta21_sq": Prediction(values, error, modes)}, {}, xp)

    value, gradient = backend.compile(backend.with_gradient(lambda values: of(values, backend.xp)), (x,))(x)
    np.testing.assert_allclose(value, of(x, NUMPY), rtol=1e-7)
    step = 1e-6 * x * rng.normal(size=x.shape)
    expected = (of(x + step, NUMPY) - of(x - step, NUMPY)) / 2
    np.testing.assert_allclose(np.sum(gradient * step, axis=1), expected, rtol=5e-3, atol=1e-8)
