"""Operations and bytes of matrix products, counted on shapes that are known."""

from __future__ import annotations

import numpy as np

from astroemu.core.array_namespace import NUMPY
from astroemu.model.operation_count import OperationCount, counting_namespace


def test_operations_and_bytes_of_products_are_counted():
    tally = OperationCount()
    xp = counting_namespace(NUMPY, tally)
    a, b = np.ones((3, 4), np.float32), np.ones((4, 5), np.float32)
    xp.matmul(a, b)
    assert (tally.flops, tally.flops_double) == (2 * 3 * 4 * 5, 0)
    assert (tally.bytes_made, tally.bytes_read) == (4 * 15, 4 * (12 + 20))
    xp.matmul(a.astype(float), b.astype(float))
    assert tally.flops_double == 2 * 3 * 4 * 5


def test_other_functions_add_the_bytes_of_their_results():
    tally = OperationCount()
    xp = counting_namespace(NUMPY, tally)
    np.testing.assert_array_equal(xp.exp(np.zeros((2, 3))), np.ones((2, 3)))
    assert (tally.bytes_made, tally.bytes_read, tally.flops, tally.flops_double) == (8 * 6, 0, 0, 0)
    assert xp.float64 == NUMPY.float64 and set(vars(xp)) == set(vars(NUMPY))
