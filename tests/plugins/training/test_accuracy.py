"""The error that an emulator states, for networks whose error is known."""

from __future__ import annotations

import numpy as np
import pytest

from astroemu.core.observable import Axis, Observable
from astroemu.emulation.training_set import TrainingSet
from astroemu.emulation.transforms import Fraction, IdentityTransform, Log10
from astroemu_plugins.networks.layers import DenseLayers
from astroemu_plugins.networks.network import Network, Output
from astroemu_plugins.training.accuracy import measured

N = 20_000
SIGMA = np.array([0.1, 0.3])
#: 68.27, 95 and 50 % of a normal distribution lie within so many standard deviations.
Q68, Q95, MEDIAN = 1.0, 1.959964, 0.67449


def network(transform, unit=""):
    """Two outputs that are the two inputs themselves."""
    layers = DenseLayers("silu", False, (np.eye(2, dtype=np.float32),), (np.zeros(2, np.float32),))
    observable = Observable("y", (Axis("x", np.arange(2.0)),), unit)
    return Network(("a", "b"), (), (Output(observable, transform, np.zeros(2)),), layers)


def error_of(transform, t, values, unit=""):
    """Error ``(2,)`` and accuracy of the network at ``t (n, 2)``, where the truth is ``values (n, 2)``."""
    net = network(transform, unit)
    data = TrainingSet(("a", "b"), t, {"y": net.outputs[0].observable}, {"y": values})
    found, metrics = measured(net, t.astype(np.float32), data, np.arange(len(t)))
    return found.outputs[0].error, metrics["y"]


@pytest.fixture
def normal():
    rng = np.random.default_rng(1)
    return rng.uniform(-1, 1, (N, 2)), SIGMA * rng.normal(size=(N, 2))


def test_the_error_is_the_68_percent_quantile_in_the_space_of_the_transform(normal):
    t, noise = normal
    error, metrics = error_of(IdentityTransform(), t, t + noise)
    np.testing.assert_allclose(error, Q68 * SIGMA, rtol=0.03)
    assert set(metrics) == {"absolute_median", "absolute_q68", "absolute_q95"}
    error, metrics = error_of(Log10(), t, 10 ** (t + noise))
    np.testing.assert_allclose(error, Q68 * SIGMA, rtol=0.03)
    assert "fractional_q95" in metrics and "fractional_q95" not in error_of(Log10(), t, 10**t, "log10(Mpc)")[1]


def test_the_accuracy_is_in_the_unit_of_the_observable():
    rng = np.random.default_rng(2)
    t = rng.uniform(-1, 1, (N, 2))
    _, metrics = error_of(IdentityTransform(), t, t + 0.2 * rng.normal(size=t.shape))
    expected = {"absolute_median": 0.2 * MEDIAN, "absolute_q68": 0.2 * Q68, "absolute_q95": 0.2 * Q95}
    assert metrics == pytest.approx(expected, rel=0.03)


def test_the_error_of_a_fraction_is_divided_by_the_slope_of_the_logistic_function():
    rng = np.random.default_rng(3)
    t = rng.uniform(-2, 2, (N, 2))
    y = 1 / (1 + np.exp(-t))
    error, _ = error_of(Fraction(), t, y + 0.01 * y * (1 - y) * rng.normal(size=t.shape))
    np.testing.assert_allclose(error, 0.01 * Q68, rtol=0.05)


def test_where_hardly_a_point_lies_between_zero_and_one_the_error_is_that_of_all_outputs():
    rng = np.random.default_rng(3)
    t = rng.uniform(-2, 2, (N, 2))
    t[50:, 1] = 20.0  # fifty points of the second output lie between
    y = 1 / (1 + np.exp(-t))
    error, _ = error_of(Fraction(), t, y + 0.01 * y * (1 - y) * rng.normal(size=t.shape))
    assert np.all(error > 0) and error[1] == pytest.approx(error[0], rel=0.02)
