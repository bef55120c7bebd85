"""The style of figures: symbols that matplotlib cannot draw are replaced by names, in every figure."""

from __future__ import annotations

import numpy as np
from matplotlib import image

from astroemu.core.distributions import Uniform
from astroemu.core.parameter import Parameter
from astroemu.core.prior import Prior
from astroemu.inference.fisher import FisherForecast
from astroemu.model.benchmark import Timing
from astroemu.report.benchmark import draw_speed
from astroemu.report.corner import draw_corner
from astroemu.report.fisher import draw_ellipses
from astroemu.report.style import plain_where_unsettable, settable
from astroemu.report.trace import draw_trace


def test_what_can_be_set_is(prior):
    assert settable(r"\log_{10} f_{*,10}") and not settable(r"\notlatex{")
    assert plain_where_unsettable(prior["b"]).latex == r"\beta_{\rm x}"
    assert plain_where_unsettable(Parameter("c", Uniform(0, 1), r"\frac{")).label == "c"


def test_every_picture_is_drawn_all_the_same(prior, made_samples, tmp_path):
    bad = Prior((Parameter("a", Uniform(0, 1), r"\frac{"), prior["b"]))
    draw_corner(made_samples(1), bad, tmp_path / "corner.png")
    draw_trace(made_samples(1), bad, tmp_path / "chain.png")
    draw_trace(made_samples(1, weighted=True), bad, tmp_path / "nested.png")
    for path in tmp_path.glob("*.png"):
        assert image.imread(path)[:, :, :3].std() > 0.02, path
    assert len(list(tmp_path.glob("*.png"))) == 3


def test_forecasts_and_timings_are_drawn(tmp_path):
    prior = Prior((Parameter("a", Uniform(0, 1)), Parameter("b", Uniform(0, 1))))
    covariance = np.array([[0.01, 0.005], [0.005, 0.04]])
    inverse = np.linalg.inv(covariance)
    forecast = FisherForecast(("a", "b"), np.array([0.5, 0.5]), inverse, np.zeros((2, 2)), covariance)
    draw_ellipses(forecast, prior, tmp_path / "ellipses.png")
    rows = [
        Timing(engine, "cpu", batch, 1.0, 1.0, 0.5, 0.5, 1e3, 0.0, 3)
        for engine in ("numpy", "keras")
        for batch in (1, 100)
    ]
    draw_speed(rows, tmp_path / "speed.png")
    for name in ("ellipses", "speed"):
        assert image.imread(tmp_path / f"{name}.png")[:, :, :3].std() > 0.02
