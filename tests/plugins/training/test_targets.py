"""What networks are trained on: the split, standardised targets, and residuals in units of the data's errors."""

from __future__ import annotations

import numpy as np
import pytest
from small_training import ERRORS, data, settings, targets

from astroemu.core.observable import Axis, Observable
from astroemu.emulation.training_set import TrainingSet
from astroemu.emulation.transforms import Asinh, Fraction, IdentityTransform, Log10
from astroemu.errors import DataError
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


@pytest.mark.attack("training", "an observable that varies in its ninth digit, such as a Julian date")
def test_what_float32_cannot_resolve_is_refused_with_a_transform_that_helps():
    spread = 0.0045 * np.random.default_rng(1).normal(size=50)
    points = TrainingSet(("a",), spread[:, None], {"t": Observable("t")}, {"t": 2459000.5 + spread})
    with pytest.raises(DataError, match=r"'t' varies by 0\.00\d+ about 2459000\.5.* cannot resolve.*asinh"):
        Targets(points, ["t"], [IdentityTransform()], np.arange(50))
    found = Targets(points, ["t"], [Asinh(2459000.5, 0.0045)], np.arange(50))
    assert abs(np.corrcoef(found.values[:, 0], spread)[0, 1] - 1) < 0.1


def test_a_constant_output_and_a_small_part_of_an_observable_are_no_reason():
    y = np.random.default_rng(1).normal(size=(50, 3)) * [1.0, 0.0, 1e-9] + 5.0
    points = TrainingSet(("a",), y[:, :1], {"y": Observable("y", (Axis("x", np.arange(3.0)),))}, {"y": y})
    assert np.isfinite(Targets(points, ["y"], [IdentityTransform()], np.arange(50)).values).all()
