import numpy as np
from scipy import special

from astroemu.core.rough_log_ndtr import rough_log_ndtr


def test_it_is_that_of_scipy():
    rng = np.random.default_rng(1)
    x = np.concatenate([rng.uniform(-60, 12, 200_000), rng.normal(size=50_000), [-1e4, -50.0, 8.999, 9.0, 1e30]])
    np.testing.assert_allclose(rough_log_ndtr(x), special.log_ndtr(x), rtol=0, atol=1e-6)


def test_it_rises_across_the_edges_of_its_table():
    for edge in (-50.0, 9.0):
        found = rough_log_ndtr(np.linspace(edge - 1, edge + 1, 10_001))
        assert np.all(np.diff(found) >= -1e-6)


def test_infinities_and_nan_are_kept():
    found = rough_log_ndtr(np.array([[-np.inf, np.inf, np.nan, 0.0]]))
    np.testing.assert_array_equal(found[0, :3], [-np.inf, 0.0, np.nan])
    assert found.shape == (1, 4)


def test_a_value_does_not_depend_on_the_others():
    x = np.random.default_rng(2).normal(0, 30, 1000)
    assert np.array_equal(rough_log_ndtr(x), np.array([rough_log_ndtr(x[i : i + 1])[0] for i in range(len(x))]))
