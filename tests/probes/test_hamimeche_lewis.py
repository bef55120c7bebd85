"""The transformation of Hamimeche & Lewis, against the eigenvalues of NumPy."""

from __future__ import annotations

import numpy as np
import pytest

from astroemu.core.array_namespace import NUMPY
from astroemu_probes.hamimeche_lewis import diagonalised, distance, transformed


def positive(n, size, scale=0.0, seed=0):
    """Return positive definite matrices (n, size, size), whose rows differ by up to 10^scale."""
    rng = np.random.default_rng(seed)
    factors = rng.standard_normal((n, size, size + 1))
    weight = 10.0 ** rng.uniform(-scale, scale, (n, size))
    return factors @ np.swapaxes(factors, 1, 2) * weight[:, :, None] * weight[:, None, :]


def rows(matrices):
    """Return matrices (n, m, m) as a list of rows of arrays (n,)."""
    return [[matrices[:, i, j] for j in range(matrices.shape[2])] for i in range(matrices.shape[1])]


@pytest.mark.parametrize("scale", [0.0, 1.0, 6.0])
@pytest.mark.parametrize("size", [1, 2, 3])
def test_eigenvalues_and_eigenvectors(size, scale):
    a = positive(2000, size, scale)
    values, vectors = diagonalised(rows(a), NUMPY)
    expected = np.linalg.eigvalsh(a)
    assert np.max(np.abs(np.sort(np.transpose(values), axis=1) - expected) / expected[:, -1:]) < 1e-14
    v = np.moveaxis(np.array(vectors), -1, 0)
    again = (v * np.transpose(values)[:, None, :]) @ np.swapaxes(v, 1, 2)
    assert np.max(np.abs(again - a) / expected[:, -1, None, None]) < 2e-14


def test_equal_eigenvalues_are_no_problem():
    a = np.repeat(2.0 * np.eye(3)[None], 2, 0)
    values, _ = diagonalised(rows(a), NUMPY)
    np.testing.assert_array_equal(values, 2.0)


def test_the_distance_from_one():
    x = np.concatenate([1 + np.linspace(-0.2, 0.2, 401), np.logspace(-8, 8, 200)])
    direct = np.sign(x - 1) * np.sqrt(np.maximum(2.0 * ((x - 1.0) - np.log1p(x - 1.0)), 0.0))
    far = np.abs(x - 1) > 1e-3
    np.testing.assert_allclose(distance(x, NUMPY)[0][far], direct[far], rtol=1e-9)
    np.testing.assert_allclose(distance(x, NUMPY)[0][~far], (x - 1)[~far], rtol=1e-3)
    np.testing.assert_array_equal(distance(-x, NUMPY)[0], -distance(x, NUMPY)[0])


def test_the_slope_is_the_derivative():
    x = np.concatenate([1 + np.linspace(-0.2, 0.2, 401), np.logspace(-8, 8, 200)])
    x = np.concatenate([x, -x])
    step = 1e-6 * np.abs(x)
    expected = (distance(x + step, NUMPY)[0] - distance(x - step, NUMPY)[0]) / (2 * step)
    np.testing.assert_allclose(distance(x, NUMPY)[1], expected, rtol=1e-6)


def test_no_difference_is_no_distance():
    c = positive(50, 3)
    root = positive(1, 3)
    found = transformed(rows(c + 0.3), rows(c), rows(root), 0.3, [(0, 0), (1, 2)], NUMPY)
    np.testing.assert_allclose(found, 0.0, atol=1e-12)


def test_it_is_that_of_the_matrices():
    measured, model, root = positive(100, 3, 1.0, 1), positive(100, 3, 1.0, 2), positive(1, 3)
    values, vectors = np.linalg.eigh(model)
    inverse = (vectors / np.sqrt(values)[:, None, :]) @ np.swapaxes(vectors, 1, 2)
    values, vectors = np.linalg.eigh(inverse @ measured @ inverse)
    g = np.sign(values - 1) * np.sqrt(2 * (values - np.log(values) - 1))
    expected = root @ (vectors * g[:, None, :]) @ np.swapaxes(vectors, 1, 2) @ root
    pairs = [(i, j) for i in range(3) for j in range(3)]
    found = transformed(rows(measured), rows(model - 0.1), rows(root), 0.1, pairs, NUMPY)
    np.testing.assert_allclose(np.transpose(found).reshape(-1, 3, 3), expected, rtol=1e-8, atol=1e-8)
