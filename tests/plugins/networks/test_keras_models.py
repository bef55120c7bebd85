"""Keras models by specification: their shapes, their starting weights, and what they do along an axis."""

from __future__ import annotations

import numpy as np
import pytest

from astroemu_plugins.networks.keras_models import build_model

# TensorFlow and Keras warn about their own dependencies when they are imported.
pytestmark = pytest.mark.filterwarnings("default")

SPEC = {"hidden": [12, 12], "activation": "silu", "batch_norm": False, "residual": False, "n_inputs": 2}


@pytest.mark.parametrize("architecture", ["dense", "conv1d", "gru", "lstm"])
def test_outputs_are_flat_observables_one_after_the_other(architecture):
    steps = 1 if architecture == "dense" else 8
    model = build_model({**SPEC, "architecture": architecture, "steps": steps, "widths": [1, 3]})
    assert np.asarray(model(np.zeros((5, 2), np.float32))).shape == (5, 4 * steps)


def test_a_convolution_knows_where_it_is():
    """The same inputs at every step give other outputs, since the position is one more input."""
    model = build_model({**SPEC, "architecture": "conv1d", "steps": 8, "widths": [1]})
    assert len(np.unique(np.asarray(model(np.ones((1, 2), np.float32))))) == 8


def test_the_first_layer_starts_as_wide_as_stated():
    """He initialisation: a variance of 2 / (inputs of the layer), and in the first layer that times the scale squared.

    Keras draws from a truncated normal distribution of this variance.
    """
    spec = {**SPEC, "hidden": [400, 400], "architecture": "dense", "steps": 1, "widths": [1]}
    model = build_model(spec, "he", 3.0)
    first, second = (model.get_layer(f"dense{i}").get_weights() for i in (0, 1))
    assert np.std(first[0]) == pytest.approx(3.0 * np.sqrt(2 / 2), rel=0.1)
    assert np.std(second[0]) == pytest.approx(np.sqrt(2 / 400), rel=0.02)
    assert 2.9 < np.abs(first[1]).max() <= 3.0 and np.all(second[1] == 0)
