"""Neutral fraction: measurements, limits with and without tails, and what overlaps with what."""

from __future__ import annotations

import math

import numpy as np
import pytest
from astropy.table import MaskedColumn, Table
from helpers import TAU, X_HI, Stub, Z, uniform
from scipy.special import erf

from astroemu.errors import ConfigurationError, DataError, DoubleCountingWarning, ResolutionError
from astroemu.model.model import Model
from astroemu_probes.neutral_fraction import NeutralFraction
from astroemu_probes.optical_depth import OpticalDepth


def model(error=None, **options):
    """A history that is flat in redshift, so that x is the one parameter."""
    errors = {} if error is None else {"x_hi": lambda theta: np.full((len(theta), len(Z)), error)}
    stub = Stub(("x",), {X_HI: lambda theta: np.repeat(theta, len(Z), axis=1)}, errors=errors)
    return Model(uniform(x=(0.0, 1.0)), {"stub": stub}, {"x_hi": NeutralFraction(**options)})


def at(x, **options):
    return model(**options).log_likelihood(np.atleast_1d(x)[:, None])


X = np.linspace(0.0, 1.0, 41)
MCGREER = {"references": ("McGreer+2015",), "z_min": 5.9, "z_max": 5.9}


def test_mcgreer_is_the_definition_of_21cmmc():
    """Flat below 0.06, then a Gaussian of width 0.05 (arXiv:1411.5375)."""
    expected = [0.0 if x <= 0.06 else -0.5 * ((x - 0.06) / 0.05) ** 2 for x in X]
    np.testing.assert_allclose(at(X, **MCGREER), expected, rtol=1e-12)
    assert at(0.06, **MCGREER)[0] == 0 and at(0.059, **MCGREER)[0] == 0
    assert at(0.16, **MCGREER)[0] == pytest.approx(-2.0)


def test_mcgreer_has_two_rows_from_redshift_5_9():
    probe = NeutralFraction(references=("McGreer+2015",))
    assert probe.z.tolist() == [5.9, 6.1] and probe.kind == ("upper", "upper")
    assert probe.x_hi.tolist() == [0.06, 0.38]


def test_the_default_is_the_newest_dark_pixel_limit_that_the_shipped_emulator_reaches():
    """Davies+26: x(6.043) < 0.199 + 0.087. Their z = 5.831 is just below half a step under the first node."""
    probe = NeutralFraction()
    assert probe.z.tolist() == [6.043] and probe.x_hi.tolist() == [0.199] and probe.kind == ("upper",)
    assert at(0.199 + 0.087)[0] == pytest.approx(-0.5)
    assert 5.831 < Z[0] - 0.5 * (Z[1] - Z[0]) < 5.9


def test_a_tail_is_widened_by_the_emulators_error():
    """McGreer+15 at z = 6.1, between two nodes: x < 0.38 with a tail of 0.2."""
    mcgreer = {"references": ("McGreer+2015",), "z_min": 6.0}
    found = at(0.6, error=0.12, **mcgreer)[0]
    assert found == pytest.approx(-0.5 * 0.22**2 / (0.2**2 + 0.12**2))
    assert at(0.38, error=0.12, **mcgreer)[0] == 0


def test_a_history_is_linear_between_nodes_and_reaches_half_a_step_below_the_first():
    slope = 0.1
    stub = Stub(("x",), {X_HI: lambda theta: theta + slope * (Z - Z[0])})
    probe = NeutralFraction(references=("Wang+2020",), z_max=7.0)
    tested = Model(uniform(x=(0.0, 1.0)), {"stub": stub}, {"x_hi": probe})
    x = 0.5 + slope * (7.0 - Z[0])
    expected = -0.5 * ((x - 0.7) / (0.2 if x > 0.7 else 0.23)) ** 2
    assert tested.log_likelihood(np.array([[0.5]]))[0] == pytest.approx(expected, rel=1e-9)
    below = Model(uniform(x=(0.0, 1.0)), {"stub": stub}, {"x_hi": NeutralFraction(**MCGREER)})
    x = 0.2 + slope * (5.9 - Z[0])  # 0.0006 below the first node
    assert below.log_likelihood(np.array([[0.2]]))[0] == pytest.approx(-0.5 * ((x - 0.06) / 0.05) ** 2, rel=1e-9)


def test_a_measurement_is_two_half_gaussians():
    """Wang+20 at z = 7: 0.70 +0.20 -0.23."""
    expected = [-0.5 * ((x - 0.7) / (0.2 if x > 0.7 else 0.23)) ** 2 for x in X]
    np.testing.assert_allclose(at(X, references=("Wang+2020",)), expected, rtol=1e-12, atol=1e-12)


def test_a_measurement_with_an_emulator_error_keeps_its_norm():
    low, high, e = 0.23, 0.2, 0.1
    wide_low, wide_high = math.hypot(low, e), math.hypot(high, e)
    expected = [
        -0.5 * ((x - 0.7) / (wide_high if x > 0.7 else wide_low)) ** 2 - math.log((wide_low + wide_high) / (low + high))
        for x in X
    ]
    np.testing.assert_allclose(at(X, error=e, references=("Wang+2020",)), expected, rtol=1e-12)


def test_a_lower_limit_with_a_tail_is_the_mirror_image():
    """Umeda+26 at z = 8.6: x > 1.0 with a tail of 0.2 below."""
    found = at(X, references=("Umeda+2026",), z_min=8.0, z_max=9.0)
    np.testing.assert_allclose(found, -0.5 * ((1.0 - X) / 0.2) ** 2, rtol=1e-12)
    assert found[-1] == 0


def half_normal(x, limit, level):
    """Width by bisection, so that the half-normal at zero holds ``level`` below ``limit``."""
    low, high = 1e-3, 1e3
    for _ in range(200):
        middle = math.sqrt(low * high)
        low, high = (middle, high) if erf(limit / (middle * math.sqrt(2))) > level else (low, middle)
    return -0.5 * (x / low) ** 2


def test_a_bare_upper_limit_is_a_half_normal_at_zero():
    """Sobacchi & Mesinger 15 at z = 7: x < 0.5 at 68 %."""
    found = at(X, references=("Sobacchi+Mesinger2015",))
    np.testing.assert_allclose(found, [half_normal(x, 0.5, 0.68) for x in X], rtol=1e-9)
    mass = np.exp(at(np.linspace(0, 1, 2001), references=("Sobacchi+Mesinger2015",)))
    # The half-normal reaches beyond x = 1, where there is no model.
    assert 0.68 < mass[:1001].sum() / mass.sum() < 0.75


def test_a_bare_lower_limit_is_a_half_normal_at_one():
    """Mason+19 at z = 8: x > 0.76 at 68 %."""
    found = at(X, references=("Mason+2019",))
    np.testing.assert_allclose(found, [half_normal(1 - x, 0.24, 0.68) for x in X], rtol=1e-9, atol=1e-15)
    assert found[-1] == 0 and np.all(np.diff(found) > 0)


def test_all_kinds_together_add_up():
    references = ("Mason+2019", "Wang+2020", "Sobacchi+Mesinger2015", "McGreer+2015")
    together = at(X, references=references, error=0.02)
    np.testing.assert_allclose(together, sum(at(X, references=(r,), error=0.02) for r in references), rtol=1e-12)
    assert np.all(np.isfinite(together))


def test_every_row_of_the_catalog_is_finite_for_every_history():
    table = NeutralFraction().catalogs[0].table()
    probe = NeutralFraction(references=tuple(sorted(set(table["reference"][table["z"] >= 5.9].tolist()))))
    assert len(probe.z) == np.sum(table["z"] >= 5.9) > 30
    stub = Stub(("x",), {X_HI: lambda theta: np.repeat(theta, len(Z), axis=1)})
    tested = Model(uniform(x=(0.0, 1.0)), {"stub": stub}, {"x_hi": probe})
    assert np.all(np.isfinite(tested.log_likelihood(X[:, None])))


def test_a_batch_is_its_points():
    tested = model(error=0.05, references=("Wang+2020", "McGreer+2015"))
    batch = tested.log_likelihood(X[:, None])
    np.testing.assert_allclose([tested.log_likelihood(np.array([[x]]))[0] for x in X], batch, rtol=1e-12)
    assert tested.log_likelihood(np.zeros((0, 1))).shape == (0,)


def test_redshifts_beyond_the_emulator_are_refused_with_the_remedy():
    with pytest.raises(ResolutionError, match=r"axis 'z': 5\.481, .* outside.*Move z_min and z_max"):
        model(z_min=5.0)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"references": ("McGreer+2051",)}, r"references: 'neutral_fraction' has no .*Did you mean 'McGreer\+2015'"),
        ({"references": ("McGreer+2015", "Wang+2020"), "z_max": 6.5}, r"z_max = 6\.5 leave nothing of 'Wang\+2020'"),
        ({"z_min": 20.0}, r"leave nothing of 'Davies\+2026'"),
        ({"references": ()}, "leave nothing"),
    ],
)
def test_what_the_catalog_does_not_have_is_refused(options, message):
    with pytest.raises(ConfigurationError, match=message):
        NeutralFraction(**options)


def test_the_dark_fraction_and_an_optical_depth_that_contains_it_warn():
    stub = Stub(("x",), {X_HI: lambda t: np.repeat(t, len(Z), axis=1)})
    stub_tau = Stub(("x",), {TAU: lambda theta: 0.1 * theta[:, 0]})
    probes = {"x_hi": NeutralFraction(), "tau": OpticalDepth(reference="Qin+2020")}
    with pytest.warns(DoubleCountingWarning, match="'x_hi' and 'tau' both use 'quasar dark fraction'"):
        Model(uniform(x=(0.0, 1.0)), {"a": stub, "b": stub_tau}, probes)
    # Damping wings are no dark pixels, and Planck's own value contains none (warnings are errors here).
    for probes in (
        {"x_hi": NeutralFraction(references=("Wang+2020",)), "tau": OpticalDepth(reference="Qin+2020")},
        {"x_hi": NeutralFraction(), "tau": OpticalDepth()},
    ):
        Model(uniform(x=(0.0, 1.0)), {"a": stub, "b": stub_tau}, probes)


def test_two_samples_of_dark_pixels_warn():
    stub = Stub(("x",), {X_HI: lambda t: np.repeat(t, len(Z), axis=1)})
    probes = {"one": NeutralFraction(), "two": NeutralFraction(references=("McGreer+2015",))}
    with pytest.warns(DoubleCountingWarning, match="quasar dark fraction"):
        Model(uniform(x=(0.0, 1.0)), {"stub": stub}, probes)


def test_its_picture_marks_limits():
    (panel,) = NeutralFraction(references=("McGreer+2015", "Wang+2020")).panels()
    assert panel.kind == ("upper", "upper", "measurement")
    np.testing.assert_allclose(panel.error_high, [0, 0, 0.2])


NAN = math.nan


def own(tmp_path, *, drop=(), **changes):
    """The log-likelihood at x_HI = 0.1 of a user's own file: a measurement, a tail, two bare limits; other columns."""
    columns = {
        "reference": ["Mine+2026"] * 4,
        "z": [7.0, 7.2, 7.4, 8.0],
        "x_HI": [0.3, 0.06, 0.44, 0.05],
        "err_up": [0.1, 0.05, NAN, NAN],
        "err_lo": [0.2, NAN, NAN, NAN],
        "kind": ["measurement", "upper", "upper", "lower"],
        "cl": [NAN, NAN, 0.68, 0.95],
        "method": ["mine"] * 4,
    } | changes
    path = tmp_path / "mine.ecsv"
    Table({name: values for name, values in columns.items() if name not in drop}).write(
        path, format="ascii.ecsv", overwrite=True
    )
    return at(0.1, catalog=str(path), references=("Mine+2026",))[0]


def blank(values, *rows):
    return MaskedColumn(values, mask=[row in rows for row in range(len(values))])


BY_HAND = (
    -0.5 * (0.2 / 0.2) ** 2 - 0.5 * (0.04 / 0.05) ** 2 + half_normal(0.1, 0.44, 0.68) + half_normal(0.9, 0.95, 0.95)
)
FORMS = {
    "plain": {},
    "blanks for NaN": {
        "err_up": blank([0.1, 0.05, 1.0, 1.0], 2, 3),
        "err_lo": blank([0.2, 1.0, 1.0, 1.0], 1, 2, 3),
        "cl": blank([1.0, 1.0, 0.68, 0.95], 0, 1),
    },
    "no method": {"drop": ("method",)},
    "blank methods": {"method": blank(["mine"] * 4, 1)},
    "float32": {"z": np.array([7.0, 7.2, 7.4, 8.0], "f4")},
    "words with blanks": {"kind": ["measurement", "upper ", " upper", "lower"]},
}


@pytest.mark.case(3)
@pytest.mark.parametrize("form", FORMS)
def test_a_file_of_an_accepted_form_gives_the_value_of_the_plain_one(tmp_path, form):
    assert own(tmp_path, **FORMS[form]) == pytest.approx(BY_HAND, rel=1e-6)


@pytest.mark.case(3)
def test_a_blank_error_of_a_bare_limit_is_none(tmp_path):
    """x < 0.44 at 68 % at x = 0.1: -0.0255, not 0."""
    only = {"reference": ["Mine+2026"], "z": [7.0], "x_HI": [0.44], "kind": ["upper"], "cl": [0.68], "method": ["mine"]}
    found = own(tmp_path, **only, err_up=blank([1.0], 0), err_lo=blank([1.0], 0))
    assert found == pytest.approx(half_normal(0.1, 0.44, 0.68), rel=1e-6) and -0.03 < found < -0.025


REFUSED = {
    "a blank redshift": ({"z": blank([7.0, 7.2, 7.4, 8.0], 1)}, "row 2 .*no number in the column 'z'"),
    "a blank reference": ({"reference": blank(["Mine+2026"] * 4, 1)}, "row 2: no text in the column 'reference'"),
    "an error of zero": ({"err_up": [0.1, 0.0, NAN, NAN]}, "row 2 .*'err_up' is 0; it must be above 0"),
    "a negative error": ({"err_lo": [-0.2, NAN, NAN, NAN]}, "row 1 .*'err_lo' is -0.2; it must be above 0"),
    "no error": ({"err_lo": [NAN, NAN, NAN, NAN]}, "row 1 .*no number in the column 'err_lo'"),
    "an infinite error": ({"err_up": [math.inf, 0.1, NAN, NAN]}, "row 1 .*'err_up' is infinite"),
    "a confidence of 68": (
        {"cl": [68.0, 68.0, 68.0, 95.0]},
        "rows 1, 2, 3, 4 .*'cl' is 68; it is a fraction, so give 0.68",
    ),
    "a confidence of one": ({"cl": [NAN, NAN, 1.0, 0.95]}, "row 3 .*'cl' is 1"),
    "no confidence": ({"cl": [NAN, NAN, NAN, 0.95]}, "row 3 .*needs its confidence in the column 'cl'"),
    "no column of it": ({"drop": ("cl",)}, "rows 3, 4 .*needs its confidence"),
    "a percentage": ({"x_HI": [30.0, 0.06, 0.44, 0.05]}, "row 1 .*x_HI is a fraction, not a percentage"),
    "a limit above one": ({"x_HI": [0.3, 0.06, 1.2, 0.05]}, "row 3 .*between 0 and 1"),
    "a bare limit of zero": ({"x_HI": [0.3, 0.06, 0.0, 0.05]}, "row 3 .*must leave a range"),
    "a bare lower limit of one": ({"x_HI": [0.3, 0.06, 0.4, 1.0]}, "row 4 .*must leave a range"),
}


@pytest.mark.case(8)
@pytest.mark.parametrize("what", REFUSED)
def test_a_number_without_meaning_is_refused_with_file_row_and_column(tmp_path, what):
    changes, message = REFUSED[what]
    with pytest.raises(DataError, match=r"mine\.ecsv: " + message):
        own(tmp_path, **changes)


@pytest.mark.case(7)
@pytest.mark.parametrize("word", ["upper limit", "upper_limit", "Upper", "uper"])
def test_an_unknown_kind_is_refused_with_the_nearest_spelling(tmp_path, word):
    message = rf"row 2 .*'kind' is '{word}'\. Did you mean 'upper'\? Known: 'lower', 'measurement', 'upper'"
    with pytest.raises(DataError, match=message):
        own(tmp_path, kind=["measurement", word, "upper", "lower"])


@pytest.mark.attack("data", "per cent as a unit of fractions")
def test_fractions_in_per_cent_are_converted(tmp_path):
    table = Table({"cl": [NAN, NAN, 68.0, 95.0], "x_HI": [30.0, 6.0, 44.0, 5.0]}, units={"cl": "%", "x_HI": "%"})
    errors = Table({"up": [10.0, 5.0, NAN, NAN], "low": [20.0, NAN, NAN, NAN]}, units={"up": "%", "low": "%"})
    changes = {"cl": table["cl"], "x_HI": table["x_HI"], "err_up": errors["up"], "err_lo": errors["low"]}
    assert own(tmp_path, **changes) == pytest.approx(BY_HAND, rel=1e-6)


def test_a_limit_that_is_there_twice_warns(tmp_path):
    changes = {"z": [7.0, 7.4, 7.4, 8.0], "x_HI": [0.3, 0.44, 0.44, 0.05]}
    with pytest.warns(DoubleCountingWarning, match="rows 2 and 3 are the same measurement"):
        own(tmp_path, **changes, err_up=[0.1, NAN, NAN, NAN], cl=[NAN, 0.68, 0.68, 0.95])
