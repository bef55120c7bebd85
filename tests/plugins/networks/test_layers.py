"""Dense layers against a naive forward pass, their arrays, and arrays that do not fit."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from scipy.special import expit

from astroemu.core.array_namespace import NUMPY
from astroemu.errors import DataError
from astroemu_plugins.networks.layers import ACTIVATIONS, DenseLayers

NAIVE = {
    "alsing": lambda x, alpha, beta: x * (beta + (1 - beta) * expit(alpha * x)),
    "elu": lambda x: np.where(x > 0, x, np.expm1(np.minimum(x, 0))),
    "leaky_relu": lambda x: np.where(x > 0, x, 0.2 * x),
    "maxout": lambda x: np.maximum(*np.split(x, 2, axis=1)),
    "relu": lambda x: np.maximum(x, 0),
    "sigmoid": expit,
    "silu": lambda x: x * expit(x),
    "tanh": np.tanh,
}


def made(activation, residual=False, widths=(3, 6, 6, 4)):
    rng = np.random.default_rng(1)
    doubled = 2 if activation == "maxout" else 1
    sizes = [*((a, b * doubled) for a, b in itertools.pairwise(widths[:-1])), widths[-2:]]
    kernels = tuple(rng.normal(0, 0.6, size).astype(np.float32) for size in sizes)
    biases = tuple(rng.normal(0, 0.3, width).astype(np.float32) for _, width in sizes)
    shapes = tuple(rng.normal(0, 1, (2, width)).astype(np.float32) for _, width in sizes[:-1])
    return DenseLayers(activation, residual, kernels, biases, shapes if activation == "alsing" else ())


def naive(layers, x):
    for i, (kernel, bias) in enumerate(zip(layers.kernels[:-1], layers.biases[:-1], strict=True)):
        g = NAIVE[layers.activation](x @ kernel.astype(float) + bias, *(layers.shapes[i] if layers.shapes else ()))
        x = x + g if layers.residual and i else g
    return x @ layers.kernels[-1].astype(float) + layers.biases[-1]


def test_every_activation_is_tested():
    assert set(NAIVE) == set(ACTIVATIONS)


@pytest.mark.parametrize("n", [20, 600])
@pytest.mark.parametrize("residual", [False, True])
@pytest.mark.parametrize("activation", NAIVE)
def test_layers_are_the_naive_forward_pass(activation, residual, n):
    """Some points at once, and so many that they are evaluated in blocks."""
    layers, x = made(activation, residual), np.random.default_rng(2).normal(size=(n, 3))
    assert (layers.n_inputs, layers.n_outputs) == (3, 4)
    found = layers.forward(np.array([3, 0]))(x, NUMPY)
    np.testing.assert_allclose(found, naive(layers, x)[:, [3, 0]], rtol=1e-5, atol=1e-6)


def test_wide_layers_are_evaluated_in_float32_and_agree():
    layers, x = made("silu", widths=(3, 256, 256, 4)), np.random.default_rng(2).normal(size=(20, 3))
    found = layers.forward(np.arange(4))(x, NUMPY)
    assert found.dtype == float
    np.testing.assert_allclose(found, naive(layers, x), rtol=1e-4, atol=1e-3 * np.abs(found).max())


@pytest.mark.parametrize("activation", ["silu", "alsing", "maxout"])
def test_header_and_arrays_make_the_same_layers(activation):
    layers = made(activation, residual=True)
    again = DenseLayers.rebuilt(layers.header(), layers.arrays())
    x = np.random.default_rng(2).normal(size=(5, 3))
    columns = np.arange(4)
    np.testing.assert_array_equal(again.forward(columns)(x, NUMPY), layers.forward(columns)(x, NUMPY))
    assert again.n_weights == layers.n_weights == sum(array.size for array in layers.arrays().values())


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"activation": "swish"}, "unknown activation 'swish'"),
        ({"kernels": ()}, "0 kernels and 3 biases"),
        ({"biases": tuple(np.zeros(5, np.float32) for _ in range(3))}, r"layer 0 has the shape \(3, 6\)"),
        ({"shapes": (np.zeros((2, 6), np.float32),)}, "needs shape parameters"),
    ],
)
def test_arrays_that_do_not_fit_are_refused(change, message):
    layers = made("silu")
    fields = {name: getattr(layers, name) for name in ("activation", "residual", "kernels", "biases", "shapes")}
    with pytest.raises(DataError, match=message):
        DenseLayers(**{**fields, **change})
