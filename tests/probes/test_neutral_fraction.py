"""Neutral fraction: measurements, limits with and without tails, and what overlaps with what."""

from __future__ import annotations

import math

import numpy as np
import pytest
from helpers import TAU, X_HI, Stub, Z, uniform
from scipy.special import erf

from astroemu.errors import ConfigurationError, DoubleCountingWarning, ResolutionError
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
MCGREER = {"z_min": 5.9, "z_max": 5.9}


def test_mcgreer_is_the_definition_of_21cmmc():
    """Flat below 0.06, then a Gaussian of width 0.05 (arXiv:1411.5375)."""
    expected = [0.0 if x <= 0.06 else -0.5 * ((x - 0.06) / 0.05) ** 2 for x in X]
    np.testing.assert_allclose(at(X, **MCGREER), expected, rtol=1e-12)
    assert at(0.06, **MCGREER)[0] == 0 and at(0.059, **MCGREER)[0] == 0
    assert at(0.16, **MCGREER)[0] == pytest.approx(-2.0)


def test_the_default_is_all_of_mcgreer_from_redshift_5_9():
    probe = NeutralFraction()
    assert probe.z.tolist() == [5.9, 6.1] and probe.kind == ("upper", "upper")
    assert probe.x_hi.tolist() == [0.06, 0.38]


def test_a_tail_is_widened_by_the_emulators_error():
    """McGreer+15 at z = 6.1, between two nodes: x < 0.38 with a tail of 0.2."""
    found = at(0.6, error=0.12, z_min=6.0)[0]
    assert found == pytest.approx(-0.5 * 0.22**2 / (0.2**2 + 0.12**2))
    assert at(0.38, error=0.12, z_min=6.0)[0] == 0


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
    with pytest.raises(ResolutionError, match=r"axis 'z': 5\.6 lies outside.*Move z_min and z_max"):
        model(z_min=5.0)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"references": ("McGreer+2051",)}, r"references: 'neutral_fraction' has no .*Did you mean 'McGreer\+2015'"),
        ({"references": ("McGreer+2015", "Wang+2020"), "z_max": 6.5}, r"z_max = 6\.5 leave nothing of 'Wang\+2020'"),
        ({"z_min": 20.0}, r"leave nothing of 'McGreer\+2015'"),
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
    probes = {"one": NeutralFraction(), "two": NeutralFraction(references=("Davies+2026",))}
    with pytest.warns(DoubleCountingWarning, match="quasar dark fraction"):
        Model(uniform(x=(0.0, 1.0)), {"stub": stub}, probes)


def test_its_picture_marks_limits():
    (panel,) = NeutralFraction(references=("McGreer+2015", "Wang+2020")).panels()
    assert panel.kind == ("upper", "upper", "measurement")
    np.testing.assert_allclose(panel.error_high, [0, 0, 0.2])
