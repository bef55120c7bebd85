"""The density of draws of one number."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

from astroemu.report.density import draw_density, smooth_density


def test_the_density_is_that_of_the_draws():
    x, density = smooth_density(np.random.default_rng(1).normal(3.0, 0.5, 5000))
    assert np.trapezoid(density, x) == pytest.approx(1.0, abs=1e-3)
    assert np.interp(3.0, x, density) == pytest.approx(0.798, rel=0.08)
    assert ((np.diff(np.sign(np.diff(density))) < 0).sum()) <= 3  # smooth: few maxima


@pytest.mark.attack("pictures", "a number that is NaN or infinite at some draws, or the same at all")
def test_draws_without_a_density_are_drawn_all_the_same():
    calls = []
    names = ("fill_between", "plot", "axvline", "set_ylim", "set_yticks")
    axis = SimpleNamespace(**{name: lambda *_, name=name, **__: calls.append(name) for name in names})
    draw_density(axis, np.array([np.nan, np.inf, 1.0, 2.0, 3.0]))
    assert "fill_between" in calls
    calls.clear()
    draw_density(axis, np.full(10, 0.3))
    assert "axvline" in calls
    calls.clear()
    draw_density(axis, np.full(10, np.nan))
    assert calls == ["set_ylim", "set_yticks"]
