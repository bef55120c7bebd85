"""Symbols that matplotlib cannot set give way to names."""

from __future__ import annotations

import numpy as np
from matplotlib import image

from astroemu.core.distributions import Uniform
from astroemu.core.parameter import Parameter
from astroemu.core.prior import Prior
from astroemu.report.comparison import draw_corners, draw_evidence
from astroemu.report.corner import draw_corner
from astroemu.report.style import plain_where_unsettable, settable
from astroemu.report.trace import draw_trace
from astroemu.sampling.samples import Samples

PRIOR = Prior(
    (Parameter("a", Uniform(0, 1), r"\text{no such}"), Parameter("b", Uniform(0, 1), r"\beta_{\rm x}", "keV"))
)


def samples(seed, weighted=False):
    rng = np.random.default_rng(seed)
    n = 400
    log_weight = np.log(rng.exponential(size=n)) if weighted else np.zeros(n)
    log_weight -= np.logaddexp.reduce(log_weight)
    theta = rng.normal(0.5, 0.1, (n, 2))
    zero = np.zeros(n)
    return Samples(("a", "b"), theta, zero, zero, log_weight, "emcee", 100.0, True, "", n)


def test_what_can_be_set_is():
    assert settable(r"\log_{10} f_{*,10}") and not settable(r"\notlatex{")
    assert plain_where_unsettable(PRIOR["b"]).latex == r"\beta_{\rm x}"
    assert plain_where_unsettable(Parameter("c", Uniform(0, 1), r"\frac{")).label == "c"


def test_every_picture_is_drawn_all_the_same(tmp_path):
    bad = Prior((Parameter("a", Uniform(0, 1), r"\frac{"), PRIOR["b"]))
    draw_corner(samples(1), bad, tmp_path / "corner.png")
    draw_trace(samples(1), bad, tmp_path / "chain.png")
    draw_trace(samples(1, weighted=True), bad, tmp_path / "nested.png")
    assert draw_corners({"one": samples(1), "two": samples(2)}, bad, tmp_path / "corners.png") == ["a", "b"]
    draw_evidence({"one": (-10.0, 0.2), "two": (-12.0, 0.3)}, tmp_path / "evidence.png")
    for path in tmp_path.glob("*.png"):
        assert image.imread(path)[:, :, :3].std() > 0.02, path
    assert len(list(tmp_path.glob("*.png"))) == 5


def test_runs_without_a_common_parameter_have_no_corner(tmp_path):
    other = samples(2)
    object.__setattr__(other, "names", ("c", "d"))
    assert draw_corners({"one": samples(1), "two": other}, PRIOR, tmp_path / "corners.png") == []
    assert not (tmp_path / "corners.png").exists()
