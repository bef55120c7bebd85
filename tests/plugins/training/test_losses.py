"""Losses against their definitions."""

from __future__ import annotations

import numpy as np
import pytest
from small_training import data, targets

from astroemu.emulation.transforms import Asinh, IdentityTransform
from astroemu.errors import DataError
from astroemu_plugins.training.losses import loss_function
from astroemu_plugins.training.targets import Targets

# TensorFlow and Keras warn about their own dependencies when they are imported.
pytestmark = pytest.mark.filterwarnings("default")


def _loss(kind, which, truth, raw):
    import keras

    return float(loss_function(keras.ops, kind, which)(np.float32(truth), np.float32(raw)))


def test_losses_by_hand():
    _, which = targets()
    rng = np.random.default_rng(4)
    truth, raw = which.values.copy(), rng.normal(size=which.values.shape)
    truth[3, 10] = np.nan
    predicted = np.concatenate([1 / (1 + np.exp(-raw[:, :8])), raw[:, 8:]], axis=1)
    residual = np.where(np.isnan(truth), 0.0, predicted - truth)
    assert _loss("mse", which, truth, raw) == pytest.approx(np.mean(residual**2), rel=1e-5)
    assert _loss("mae", which, truth, raw) == pytest.approx(np.mean(np.abs(residual)), rel=1e-5)
    factor = rng.uniform(0.5, 2, truth.shape)
    both = np.concatenate([truth, factor], axis=1)
    assert _loss("chi2", which, both, raw) == pytest.approx(np.mean((residual * factor) ** 2), rel=1e-5)


def test_msle_is_of_the_outputs_before_standardisation():
    points = data(50)
    which = Targets(points, ["power"], [IdentityTransform()], np.arange(50))
    raw = np.random.default_rng(4).normal(size=which.values.shape)
    y, predicted = points.values["power"].reshape(50, -1), np.maximum(raw * which.std + which.mean, 0)
    expected = np.mean((np.log1p(predicted) - np.log1p(y)) ** 2)
    assert _loss("msle", which, which.values, raw) == pytest.approx(expected, rel=1e-4)
    with pytest.raises(DataError, match="not negative"):
        _loss("msle", Targets(points, ["power"], [Asinh(centre=50.0)], np.arange(50)), which.values, raw)
