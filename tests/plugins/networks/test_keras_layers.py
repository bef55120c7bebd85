"""Layers that run through Keras: the standardisation around the model, and what does not fit."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from astroemu.core.array_namespace import NUMPY
from astroemu.errors import DataError
from astroemu_plugins.networks.keras_layers import KerasLayers
from astroemu_plugins.networks.keras_models import build_model

# TensorFlow and Keras warn about their own dependencies when they are imported.
pytestmark = pytest.mark.filterwarnings("default")

SPEC = {
    "architecture": "conv1d", "hidden": [6], "activation": "silu", "batch_norm": False, "residual": False,
    "n_inputs": 2, "steps": 4, "widths": [1],
}  # fmt: skip


@pytest.fixture(scope="module")
def model():
    return build_model(SPEC)


@pytest.fixture(scope="module")
def layers(model):
    centre, width, mean, std = (np.float32(a) for a in ([1, 2], [2, 0.5], np.arange(4), [1, 2, 3, 4]))
    return KerasLayers(SPEC, model.get_weights(), centre, width, mean, std)


def test_inputs_and_outputs_are_standardised_around_the_model(model, layers):
    x = np.random.default_rng(1).normal(size=(5, 2))
    raw = np.asarray(model(np.float32((x - [1, 2]) / [2, 0.5])), dtype=float)
    found = layers.forward(np.array([3, 1]))(x, NUMPY)
    assert (layers.n_inputs, layers.n_outputs) == (2, 4) and found.dtype == float
    np.testing.assert_allclose(found, raw[:, [3, 1]] * [4, 2] + [3, 1], rtol=1e-5, atol=1e-5)


def test_header_and_arrays_make_the_same_layers(layers):
    again, x = KerasLayers.rebuilt(layers.header(), layers.arrays()), np.zeros((1, 2))
    np.testing.assert_array_equal(again.forward(np.arange(4))(x, NUMPY), layers.forward(np.arange(4))(x, NUMPY))


def test_an_unknown_architecture_is_refused(layers):
    with pytest.raises(DataError, match=r"unknown architecture 'lambda'\. Known: 'conv1d', 'gru', 'lstm'"):
        replace(layers, spec={**SPEC, "architecture": "lambda"})


def test_weights_of_another_architecture_are_refused(layers):
    with pytest.raises(DataError, match="do not fit their architecture"):
        replace(layers, weights=layers.weights[:-1]).forward(np.arange(4))


@pytest.mark.attack(
    "emulator files", "Keras layers whose specification lacks a part, or is far larger than the weights"
)
@pytest.mark.parametrize(
    ("spec", "words"),
    [
        ({"hidden": [100_000, 100_000]}, "weights are too few"),
        ({"hidden": []}, "no list 'hidden'"),
        ({"hidden": [6.5]}, "whole numbers from 1"),
        ({"widths": [0]}, "whole numbers from 1"),
        ({"steps": None}, "whole numbers from 1"),
        ({"activation": "eval"}, "'activation'"),
        ({"batch_norm": 0}, "'batch_norm'"),
        ({"steps": 5}, r"'mean' has the shape \(4,\), not \(5,\)"),
        ({"n_inputs": 3}, r"'centre' has the shape \(2,\), not \(3,\)"),
    ],
)
def test_an_odd_specification_is_refused_before_a_model_is_built(layers, spec, words):
    with pytest.raises(DataError, match=words):
        replace(layers, spec={**SPEC, **spec})


def test_a_width_of_zero_is_refused(layers):
    with pytest.raises(DataError, match="holds a zero"):
        replace(layers, width=np.float32([0, 1]))
