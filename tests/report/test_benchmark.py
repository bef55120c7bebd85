"""Table and figure of the speed of a joint model."""

from __future__ import annotations

from astroemu.model.benchmark import Peak, Timing
from astroemu.report.benchmark import benchmark_table


def test_a_benchmark_is_in_points_per_second():
    row = Timing("numpy", "cpu", 100, 2.5, 8.0, 0.5, float("nan"), 2e3, 0.0, 3)
    peak, head, line, _, more, rest = benchmark_table(Peak(2e11, 1e11), [row])
    assert "200 GFLOP/s in float32, 100 in float64" in peak
    assert "us per point" in head and "points per s" in head and "kB per point" in more
    assert line.split() == ["numpy", "100", "2.50", "400,000", "8.0", "50", "%", "-"]
    assert rest.split() == ["numpy", "2.0"]
    assert max(map(len, (peak, head, line, more, rest))) <= 80
