"""Samples: weighted statistics, resampling, and the file."""

from __future__ import annotations

import numpy as np
import pytest

from astroemu.errors import DataError
from astroemu.samples import Samples, kish_ess, weighted_quantile


def made(n=4000, log_weight=None):
    rng = np.random.default_rng(0)
    theta = rng.normal([1.0, -2.0], [0.5, 2.0], (n, 2))
    weight = np.full(n, -np.log(n)) if log_weight is None else log_weight
    return Samples(
        names=("a", "b"),
        theta=theta,
        log_likelihood=-0.5 * theta[:, 0] ** 2,
        log_prior=np.zeros(n),
        log_weight=weight,
        sampler="test",
        ess=float(n),
        converged=True,
        reason="made",
        n_likelihood=n,
        log_evidence=-3.0,
        log_evidence_err=0.1,
        diagnostics={"steps": 5},
    )


def test_moments_and_quantiles_of_a_gaussian():
    table = made().table()
    assert table["a"]["mean"] == pytest.approx(1.0, abs=0.04) and table["a"]["std"] == pytest.approx(0.5, abs=0.03)
    assert table["b"]["q84"] - table["b"]["q16"] == pytest.approx(4.0, abs=0.2)
    assert table["b"]["q975"] - table["b"]["q025"] == pytest.approx(7.84, abs=0.5)


def test_weights_move_the_statistics():
    samples = made()
    tilted = made(log_weight=samples["a"] - np.logaddexp.reduce(samples["a"]))
    assert tilted.mean()[0] == pytest.approx(1.25, abs=0.04)  # a Gaussian tilted by exp(x) moves by its variance
    drawn = tilted.equal_weight(4000, np.random.default_rng(1))
    assert drawn[:, 0].mean() == pytest.approx(tilted.mean()[0], abs=0.01)
    assert kish_ess(tilted.log_weight) == pytest.approx(4000 * np.exp(-0.25), rel=0.1)


def test_weighted_quantile_of_equal_weights_is_the_plain_one():
    x = np.random.default_rng(2).random(1001)
    assert weighted_quantile(x, np.ones(1001), 0.3) == pytest.approx(np.quantile(x, 0.3), abs=2e-3)


def test_the_highest_density_region_of_a_gaussian_is_one_sigma():
    low, high = made(200_000).highest_density("a", 0.6827)
    assert low == pytest.approx(0.5, abs=0.06) and high == pytest.approx(1.5, abs=0.06)


def test_the_file_gives_the_same_back(tmp_path):
    samples = made()
    samples.save(tmp_path / "s.h5")
    again = Samples.load(tmp_path / "s.h5")
    np.testing.assert_array_equal(again.theta, samples.theta)
    assert again.names == samples.names and again.log_evidence == -3.0 and again.diagnostics == {"steps": 5}


def test_a_damaged_or_missing_file_is_refused(tmp_path):
    samples = made()
    samples.save(tmp_path / "s.h5")
    content = (tmp_path / "s.h5").read_bytes()
    (tmp_path / "s.h5").write_bytes(content[: len(content) // 2])
    for name in ("s.h5", "none.h5"):
        with pytest.raises(DataError, match=name):
            Samples.load(tmp_path / name)


def test_shapes_that_differ_are_refused():
    with pytest.raises(DataError, match="log_weight"):
        made(log_weight=np.zeros(3))
