"""The style of figures: the user's settings neither spoil a figure nor change, and what cannot be drawn is named."""

from __future__ import annotations

import os
import subprocess
import sys

import matplotlib as mpl
import numpy as np
import pytest
from matplotlib import image

from astroemu.core.distributions import Uniform
from astroemu.core.parameter import Parameter
from astroemu.core.prior import Prior
from astroemu.errors import DataError, ReportWarning
from astroemu.inference.fisher import FisherForecast
from astroemu.model.benchmark import Timing
from astroemu.report.benchmark import draw_speed
from astroemu.report.corner import draw_corner
from astroemu.report.fisher import draw_ellipses
from astroemu.report.style import drawn, picture, plain_where_unsettable, settable, style, symbol
from astroemu.report.trace import draw_trace

#: Settings of a user that would spoil a figure: LaTeX without LaTeX, fonts that nobody has, a dark style.
UNUSUAL = {
    "text.usetex": True,
    "font.family": ["NoSuchFontAnywhere"],
    "mathtext.fontset": "custom",
    "figure.constrained_layout.use": True,
    "figure.facecolor": "black",
    "savefig.format": "svg",
    "savefig.transparent": True,
    "axes.formatter.use_mathtext": True,
}


def state():
    """The settings of Matplotlib, read without a choice of a backend."""
    return {key: dict.__getitem__(mpl.rcParams, key) for key in dict.keys(mpl.rcParams)}


def draw_line(label, path):
    with picture(path, figsize=(2, 2), layout="tight") as figure:
        axis = figure.subplots()
        axis.plot([0, 1], [0, 1])
        axis.set(xlabel=label, title="x" * 20)


@pytest.mark.case(18)
def test_the_settings_of_the_user_do_not_spoil_a_picture(tmp_path):
    draw_line(r"$\alpha$", tmp_path / "plain.png")
    with mpl.rc_context(UNUSUAL):
        before = state()
        draw_line(r"$\alpha$", tmp_path / "unusual.png")
        assert state() == before
    assert (tmp_path / "plain.png").read_bytes() == (tmp_path / "unusual.png").read_bytes()


@pytest.mark.case(24)
def test_nothing_of_the_users_matplotlib_changes(tmp_path):
    with mpl.rc_context({"lines.linewidth": 7.0}):
        dict.__setitem__(mpl.rcParams, "backend", "svg")
        before = state()
        with style() as pyplot:
            assert pyplot.rcParams["legend.frameon"] is False and pyplot.rcParams["lines.linewidth"] == 1.5
        draw_line("a", tmp_path / "a.png")
        assert state() == before and mpl.rcParams["lines.linewidth"] == 7.0
        assert dict.__getitem__(mpl.rcParams, "backend") == "svg"
    from matplotlib import pyplot as plt

    assert plt.get_fignums() == []


@pytest.mark.case(18)
@pytest.mark.slow
@pytest.mark.parametrize("backend", ["module://matplotlib_inline.backend_inline", "nonsense"])
def test_a_backend_that_is_not_installed_does_not_matter(backend, tmp_path):
    code = (
        "from pathlib import Path; from astroemu.report.style import picture, settable\n"
        "assert settable('x')\n"
        f"with picture(Path({str(tmp_path / 'a.png')!r}), figsize=(1, 1)) as figure: figure.subplots()\n"
        "import os; print(os.environ['MPLBACKEND'])"
    )
    environment = {**os.environ, "MPLBACKEND": backend}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, timeout=100)
    assert done.returncode == 0 and done.stdout.strip() == backend, done.stderr
    assert image.imread(tmp_path / "a.png").ndim == 3


@pytest.mark.attack("pictures", "a plugin's title and label that are no LaTeX, hold codes, or are in another script")
def test_a_text_that_cannot_be_set_is_shown_as_it_is(tmp_path):
    for i, label in enumerate((r"$\notlatex{$", "\x1b[31m$5$ \u202e", "宇宙 $x$", "two\nlines $\\frac{$", "a $ sign")):
        draw_line(label, tmp_path / f"{i}.png")
        assert image.imread(tmp_path / f"{i}.png")[:, :, :3].std() > 0.02


def test_a_symbol_that_cannot_be_set_is_a_name():
    assert symbol("a_b", r"\alpha", "keV") == r"$\alpha$ [keV]" and symbol("a_b", r"\frac{", "") == "a_b"


def test_a_picture_that_fails_costs_itself_and_a_line(tmp_path):
    def fail(path):
        raise ValueError("no such\nthing \x1b[2J")

    with pytest.warns(ReportWarning) as caught:
        assert drawn(fail, path=tmp_path / "a.png") is False
    assert str(caught[0].message) == rf"{tmp_path / 'a.png'} was not written: ValueError: no such thing \x1b[2J"
    assert drawn(lambda path: False, path=tmp_path / "a.png") is False  # nothing to draw: no line
    assert drawn(draw_line, "a", path=tmp_path / "a.png") is True
    with pytest.warns(ReportWarning, match="a.png was not written: cannot write"):
        drawn(draw_line, "a", path=tmp_path / "gone" / "a.png")


@pytest.mark.attack("report", "a picture in a run folder that is a link to a file of the user")
def test_a_picture_replaces_a_link_and_not_what_it_points_to(tmp_path):
    (tmp_path / "mine").write_text("mine")
    (tmp_path / "a.png").symlink_to(tmp_path / "mine")
    draw_line("a", tmp_path / "a.png")
    assert (tmp_path / "mine").read_text() == "mine" and not (tmp_path / "a.png").is_symlink()
    (tmp_path / "b.png").mkdir()
    with pytest.raises(DataError):
        draw_line("a", tmp_path / "b.png")


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
