"""What networks are trained on: the split, standardised targets, and residuals in units of the data's errors."""

from __future__ import annotations

import numpy as np
from small_training import ERRORS, data, settings, targets

from astroemu.emulation.transforms import Fraction, Log10
from astroemu.runtime.options import validate_options
from astroemu_plugins.training.settings import Settings
from astroemu_plugins.training.targets import Split, Targets, in_data_errors


def test_the_split_has_no_row_twice_and_can_be_cut():
    chosen = validate_options(Settings, settings(), "[training]")
    split = Split.drawn(1000, chosen, seed=3)
    assert np.array_equal(np.sort(np.concatenate([split.train, split.validation, split.test])), np.arange(1000))
    chosen.train_points = 50
    cut = Split.drawn(1000, chosen, seed=3)
    np.testing.assert_array_equal(cut.train, split.train[:50])
    np.testing.assert_array_equal(cut.test, split.test)


def test_a_common_scale_is_the_mean_of_those_of_the_outputs():
    points = data(50)
    each, common = (
        Targets(points, ["x", "power"], [Fraction(), Log10()], np.arange(50), s) for s in ("each", "common")
    )
    np.testing.assert_allclose(common.std[8:], np.sqrt(np.mean(each.std[8:] ** 2)))
    np.testing.assert_array_equal(common.std[:8], 1.0)
    np.testing.assert_allclose(common.values * common.std, each.values * each.std, atol=1e-5)


def test_chi2_factors_turn_a_residual_into_one_of_the_datas_errors():
    points, which = targets()
    errors = validate_options(Settings, settings(loss="chi2", data_errors=ERRORS), "").networks["all"].data_errors
    factor = in_data_errors(points, which, {"x": Fraction(), "power": Log10()}, errors)
    np.testing.assert_allclose(factor[:, :8], 20.0, rtol=1e-6)
    y, step = points.values["power"].reshape(50, -1), 1e-4
    moved = 10 ** (np.log10(y) + step * which.std[8:])
    np.testing.assert_allclose(factor[:, 8:] * step, (moved - y) / (0.1 * y), rtol=1e-3)
