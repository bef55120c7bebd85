"""Midpoint, duration and patchy kSZ power of a history."""

from __future__ import annotations

import numpy as np
import pytest

from astroemu.core.array_namespace import NUMPY
from astroemu.core.provider import Prediction
from astroemu.errors import ConfigurationError
from astroemu_plugins.derived.patchy_ksz import PatchyKsz

NAMES = ("z_50", "delta_z", "d_pksz")


def of(x_hi, error=None, modes=None, **options):
    """The three numbers of a history, a function of redshift."""
    provider = PatchyKsz(**options)
    z = provider.requires[0].at["z"]
    values = np.array([x_hi(z)])
    e = None if error is None else np.array([error(z)])
    evaluate = provider.evaluator({name: np.array([0]) for name in NAMES})
    found = evaluate(np.zeros((1, 0)), {"x_hi": Prediction(values, e, None if modes is None else modes(z))}, NUMPY)
    return [found[name] for name in NAMES]


def line(z):
    """Ionized from z = 9 to z = 7."""
    return np.clip((z - 7.0) / 2.0, 0.0, 1.0)


def test_a_line_by_hand():
    z_50, delta_z, power = (each.value[0, 0] for each in of(line))
    assert z_50 == pytest.approx(8.0) and delta_z == pytest.approx(1.0)
    assert power == pytest.approx(2.03 * (9.0 / 11.0 - 0.12) * (1.0 / 1.05) ** 0.51)


def test_the_powers_of_the_simulations():
    """Battaglia+13 find 0.6 to 2.8 uK^2, for midpoints of 8 to 12 and durations of 0.2 to 3 about."""
    short, long = (of(lambda z, w=w, m=m: np.clip((z - m) / w + 0.5, 0, 1)) for m, w in ((8.0, 0.6), (11.0, 4.2)))
    assert 0.6 < short[2].value[0, 0] < long[2].value[0, 0] < 3.0


def test_a_tanh_is_found_between_the_nodes():
    found = of(lambda z: 0.5 * (1.0 + np.tanh((z - 7.777) / 0.9)))
    assert found[0].value[0, 0] == pytest.approx(7.777, abs=2e-3)
    assert found[1].value[0, 0] == pytest.approx(0.9 * 2.0 * np.arctanh(0.5), rel=5e-3)


def test_a_history_that_rises_and_falls_is_below_a_level_for_the_sum_of_its_parts():
    z_50, *_ = of(lambda z: np.where((z > 7.0) & (z < 7.5), 1.0, np.where(z > 10.0, 1.0, 0.0)))
    assert z_50.value[0, 0] == pytest.approx(9.5, abs=0.2)


def test_an_unfinished_history_ends_at_the_grid_or_is_excluded():
    late = lambda z: np.clip((z - 5.0) / 2.0, 0.0, 1.0)  # noqa: E731
    held = of(late)
    assert held[0].value[0, 0] == pytest.approx(6.0) and held[1].value[0, 0] == pytest.approx(0.6)  # 6.5 to 5.9
    for each in of(late, unfinished="exclude"):
        assert np.isnan(each.value[0, 0])
    assert of(line, unfinished="exclude")[1].value[0, 0] == pytest.approx(1.0)


def test_a_shift_of_the_whole_history_moves_the_midpoint():
    """An error of 0.05 on a slope of 0.5 is an error of 0.1 of the midpoint."""
    z_50, delta_z, power = of(line, error=lambda z: np.full(len(z), 0.05))
    assert z_50.error[0, 0] == pytest.approx(0.1) and delta_z.error[0, 0] < 0.01
    assert power.error[0, 0] == pytest.approx(2.03 * 0.1 / 11.0 * (1 / 1.05) ** 0.51, rel=0.05)
    modes = lambda z: np.full((1, 2, len(z)), 0.03)  # noqa: E731
    both = of(line, error=lambda z: np.full(len(z), 0.05), modes=modes)
    # Two modes of 0.03, and the rest of 0.0265, which is taken as a mode as well: 0.05 in all.
    assert both[0].error[0, 0] == pytest.approx(0.1)


def test_a_prediction_of_nan_gives_nan():
    assert np.isnan(of(lambda z: np.full(len(z), np.nan))[2].value[0, 0])


@pytest.mark.parametrize("options", [{"z_min": 8.0, "z_max": 7.0}, {"z_min": -1.0}])
def test_options_without_meaning_are_refused(options):
    with pytest.raises(ConfigurationError, match="z_min"):
        PatchyKsz(**options)
