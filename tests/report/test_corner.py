"""Corner plots: densities that end where the prior ends."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
import warnings

import matplotlib as mpl
import numpy as np
import pytest
from matplotlib import image
from matplotlib import pyplot as plt
from matplotlib.figure import Figure

from astroemu.core.distributions import Uniform
from astroemu.core.parameter import Parameter
from astroemu.core.prior import Prior
from astroemu.report.corner import Layer, _add, _set_axes, draw_corner, draw_layers
from astroemu.report.style import style
from astroemu.sampling.samples import Samples


def layer(theta, low=0.0, high=1.0, **options):
    names = tuple("abcdefghijklmnop"[: theta.shape[1]])
    zero, n = np.zeros(len(theta)), len(theta)
    samples = Samples(names, theta, zero, zero, np.full(n, -np.log(n)), "made", float(n), True, "", n)
    return Layer(samples, Prior(tuple(Parameter(name, Uniform(low, high)) for name in names)), **options)


def drawn(*layers, limits=None):
    """The axes of a figure as ``[row][column]``."""
    names = layers[0].samples.names
    limits = limits or [layers[0].reach(name) for name in names]
    with style():
        figure = Figure()
        for posterior in layers:
            _add(figure, posterior, names, limits)
        _set_axes(figure, limits)
    return np.reshape(figure.axes, (len(names), len(names)))


def height(axis, line=0):
    """Coordinates and heights of the line of a panel of one parameter."""
    return axis.lines[line].get_xdata(), axis.lines[line].get_ydata()


@pytest.mark.case(33)
def test_a_density_does_not_fall_at_the_edge_of_the_prior():
    u = (np.arange(4000) + 0.5) / 4000
    flat = layer(np.stack([u, np.random.default_rng(1).permutation(u)], axis=1))
    assert flat.reach("a") == (0.0, 1.0)
    axes = drawn(flat)
    x, y = height(axes[0][0])
    assert (x[0], x[-1]) == axes[0][0].get_xlim() == (0.0, 1.0)
    np.testing.assert_allclose(y / y.mean(), 1.0, atol=0.03)
    rising = layer(np.sqrt(u)[:, None])  # density 2 x, largest at the edge
    x, y = height(drawn(rising)[0][0])
    assert y[-1] == y.max() and y[-1] / y.mean() == pytest.approx(2.0, rel=0.1)


def inside(contours, points):
    """Share of points inside the 95 % and the 68 % contours."""
    assert len(contours.levels) == 2
    return [np.mean(path.contains_points(points)) for path in contours.get_paths()]


@pytest.mark.case(33)
def test_the_regions_hold_their_shares_and_have_no_holes_at_the_edges():
    rng = np.random.default_rng(1)
    theta = rng.normal(0.5, 0.1, (8000, 2))
    axis = drawn(layer(theta))[1][0]
    np.testing.assert_allclose(inside(axis.collections[1], theta), (0.96, 0.72), atol=0.03)  # wider by the smoothing
    flat = np.stack([rng.normal(0.5, 0.1, 8000), rng.random(8000)], axis=1)
    paths = drawn(layer(flat))[1][0].collections[1].get_paths()
    assert all(p.vertices[:, 1].min() < 0.0 and p.vertices[:, 1].max() > 1.0 for p in paths)  # through both edges


def test_bins_follow_the_effective_sample_size_and_the_spread():
    u = np.random.default_rng(1).normal(0.5, 0.1, (4000, 1))
    few, many = layer(u[:40]), layer(u)
    assert 40 < few.bins("a", 0.0, 1.0) < 70
    assert many.bins("a", 0.0, 1.0) == pytest.approx(3 / (1.25 * 0.1 * 4000 ** (-1 / 6)), abs=3)
    assert layer(0.5 + 0.1 * (u - 0.5)).bins("a", 0.0, 1.0) == 120  # at most


def test_the_axes_do_not_go_beyond_the_prior_and_hold_the_posterior():
    theta = np.random.default_rng(1).normal(0.2, 0.1, (4000, 1))
    bounded = layer(theta[(theta > 0) & (theta < 1)][:, None])
    low, high = bounded.reach("a")
    assert low == 0.0 and 0.45 < high < 0.65
    assert layer(np.full((50, 1), 0.3)).reach("a")[0] < 0.3 < layer(np.full((50, 1), 0.3)).reach("a")[1]


def test_posteriors_over_each_other_end_at_their_own_priors():
    rng = np.random.default_rng(1)
    wide, narrow = layer(rng.random((3000, 2))), layer(0.6 * rng.random((3000, 2)), 0.0, 0.6)
    axes = drawn(wide, narrow, limits=[(0.0, 1.0), (0.0, 1.0)])
    assert axes[1][0].get_xlim() == axes[1][1].get_xlim() == axes[1][0].get_ylim() == (0.0, 1.0)
    heights = [height(axes[0][0], line) for line in (0, 1)]
    assert [x[-1] for x, _ in heights] == [1.0, 0.6] and [y.max() for _, y in heights] == [1.0, 1.0]
    boxes = [c.get_clip_box().transformed(axes[1][0].transData.inverted()) for c in axes[1][0].collections]
    np.testing.assert_allclose([box.extents for box in boxes], [[0, 0, 1, 1]] * 2 + [[0, 0, 0.6, 0.6]] * 2, atol=1e-9)


@pytest.mark.case(17)
def test_the_title_has_the_digits_of_the_table():
    posterior = layer(0.0225 + 0.0002 * np.random.default_rng(1).normal(size=(2000, 1)))
    title = posterior.title(Parameter("a", Uniform(0, 1), r"\Omega_b h^2"))
    assert title.startswith(r"$\Omega_b h^2 = 0.0225") and "^{+0.000" in title and len(title) < 60
    assert posterior.title(posterior.prior["a"]).startswith("a = $0.0225")


@pytest.mark.case(24)
def test_nothing_of_the_users_process_changes(tmp_path):
    before = dict(mpl.rcParams), list(logging.getLogger().handlers), list(warnings.filters)
    one = layer(np.array([[0.5, 0.5]]))
    draw_layers([one, one], one.samples.names, tmp_path / "corner.png")
    assert (dict(mpl.rcParams), list(logging.getLogger().handlers), list(warnings.filters)) == before
    assert plt.get_fignums() == []


@pytest.mark.case(18)
@pytest.mark.attack("corner", "a cache folder that cannot be written, where ArviZ fails, which corner imports")
@pytest.mark.slow
@pytest.mark.parametrize(
    "variable", [{"MPLBACKEND": "module://nobody.has.this"}, {"XDG_CACHE_HOME": "/dev/null/no", "MPLCONFIGDIR": "{}"}]
)
def test_a_backend_that_is_not_installed_or_a_cache_that_is_not_writable_does_not_matter(variable, tmp_path):
    code = (
        "from pathlib import Path; import numpy as np\n"
        "from astroemu.core.distributions import Uniform; from astroemu.core.parameter import Parameter\n"
        "from astroemu.core.prior import Prior; from astroemu.report.corner import draw_corner\n"
        "from astroemu.sampling.samples import Samples\n"
        "x = np.random.default_rng(1).random((50, 2)); zero = np.zeros(50)\n"
        "samples = Samples(('a', 'b'), x, zero, zero, zero, 'made', 50.0, True, '', 50)\n"
        "prior = Prior(tuple(Parameter(name, Uniform(0, 1)) for name in 'ab'))\n"
        f"draw_corner(samples, prior, Path({str(tmp_path / 'corner.png')!r}))"
    )
    environment = {**os.environ, **{key: value.format(tmp_path) for key, value in variable.items()}}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, timeout=100)
    assert (done.returncode, done.stderr) == (0, "")
    assert image.imread(tmp_path / "corner.png")[:, :, :3].std() > 0.01


@pytest.mark.attack("corner", "one parameter, no spread, one sample, a spread of 1e-300, numbers of 1e40")
@pytest.mark.parametrize(
    "theta",
    [
        np.full((20, 1), 0.5),
        np.array([[0.5, 0.5]]),
        np.random.default_rng(1).normal(0.5, 1e-300, (50, 2)),
        np.random.default_rng(1).normal(5e40, 1e39, (50, 1)),
    ],
)
def test_odd_samples_are_drawn(theta, tmp_path):
    odd = layer(theta, 0.0, 1e42)
    draw_corner(odd.samples, odd.prior, tmp_path / "corner.png")
    assert image.imread(tmp_path / "corner.png")[:, :, :3].std() > 0.01


@pytest.mark.slow
def test_twelve_parameters_fit_a_page(tmp_path):
    many = layer(np.random.default_rng(1).random((2000, 12)))
    draw_layers([many], many.samples.names, tmp_path / "corner.png")
    assert image.imread(tmp_path / "corner.png").shape[1] < 180 * 14
