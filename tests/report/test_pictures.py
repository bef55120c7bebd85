"""Pictures by one call: what they show, what they refuse, and that nothing of the user's Matplotlib changes."""

from __future__ import annotations

import io
import pickle  # noqa: TID251 - figures are kept so by users
from dataclasses import replace

import matplotlib as mpl
import numpy as np
import pytest
from helpers import datum_probe, line_model
from matplotlib.figure import Figure

from astroemu.core.panel import Panel
from astroemu.core.requirement import Requirement
from astroemu.errors import ConfigurationError

X = np.array([1.0, 2.0, 4.0])
#: Settings of a user that would spoil a figure, also one that is drawn later.
UNUSUAL = {
    "text.usetex": True,
    "mathtext.fontset": "custom",
    "figure.facecolor": "black",
    "savefig.format": "svg",
    "xtick.direction": "out",
    "xtick.major.size": 20.0,
}


class Drawn(type(datum_probe())):
    """A datum with a panel of three."""

    def panels(self):
        one = np.ones(3)
        curve = Requirement("y", {"x": X})
        return (Panel("title", "x", "y", X, X, one, one, ("measurement",) * 3, curve, X),)


@pytest.fixture
def model():
    probe = datum_probe()
    drawn = Drawn(probe._requires["it"], probe.function)
    return line_model({"drawn": drawn, "plain": datum_probe(at=3.0)})


@pytest.fixture
def samples(model, made_samples):
    made = made_samples(1)
    return replace(made, names=("offset", "slope"), prior=model.prior)  # not in the order of the model


def state():
    """The settings of Matplotlib, read without a choice of a backend."""
    return {key: dict.__getitem__(mpl.rcParams, key) for key in dict.keys(mpl.rcParams)}


def png(figure):
    file = io.BytesIO()
    figure.savefig(file, format="png")
    return file.getvalue()


def test_a_corner_plot_has_the_symbols_of_the_prior(made_samples, prior):
    figure = made_samples(1).plot_corner(prior=prior)
    assert isinstance(figure, Figure) and len(figure.axes) == 4
    assert r"\beta" in figure.axes[-1].get_xlabel() and "no such" in figure.axes[2].get_xlabel()
    assert made_samples(1).plot_corner("b").axes[0].get_xlabel() == "b"


def test_posteriors_are_drawn_over_each_other(made_samples):
    other = replace(made_samples(2), names=("b", "c"))
    figure = made_samples(1).plot_corner(against={"other": other}, label="this")
    assert len(figure.axes) == 1  # of the parameter that both have
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["this", "other"]


def test_a_parameter_that_is_not_there_is_refused(made_samples):
    with pytest.raises(ConfigurationError, match="there is no parameter 'c'"):
        made_samples(1).plot_corner(["a", "c"])
    with pytest.raises(ConfigurationError, match="no parameter in common"):
        made_samples(1).plot_corner(against={"other": replace(made_samples(2), names=("c", "d"))})


@pytest.mark.parametrize("weighted", [False, True])
def test_a_trace_has_a_row_per_parameter(made_samples, weighted):
    figure = made_samples(1, weighted).plot_trace()
    assert len(figure.axes) == 6 and figure.axes[0].get_ylabel() == "a"


def test_the_data_are_drawn_with_the_model_by_the_names_of_the_columns(model, samples):
    figure = model.plot_predictive(samples, draws=50)
    (axis,) = [axis for axis in figure.axes if axis.get_visible()]
    median = next(line for line in axis.lines if len(line.get_xdata()) == 3 and line.get_color() != "#111111")
    expected = np.median(samples["slope"]) * X + np.median(samples["offset"])
    np.testing.assert_allclose(median.get_ydata(), expected, atol=0.15)


def test_one_point_is_a_curve(model):
    axis = model.plot_predictive({"slope": 0.5, "offset": 1.0}, "drawn").axes[0]
    assert any(np.allclose(line.get_ydata(), 0.5 * X + 1.0) for line in axis.lines)


def test_what_cannot_be_drawn_is_refused(model, samples):
    with pytest.raises(ConfigurationError, match=r"no probe 'drwn'\. Did you mean 'drawn'"):
        model.plot_predictive(samples, "drwn")
    with pytest.raises(ConfigurationError, match="'plain' have no panels"):
        model.plot_predictive(samples, "plain")
    with pytest.raises(ConfigurationError, match="draws = 0 must be at least 1"):
        model.plot_predictive(samples, draws=0)
    with pytest.raises(ConfigurationError, match="unknown parameter 'a'"):
        model.plot_observables(replace(samples, names=("a", "slope")))


def test_observables_are_drawn(model, samples):
    figure = model.plot_observables(samples, draws=20)
    assert figure.axes[0].get_ylabel() == "y"


def test_the_users_settings_neither_change_nor_spoil_a_picture(made_samples):
    samples = made_samples(1)
    plain = png(samples.plot_corner())
    with mpl.rc_context(UNUSUAL):
        before = state()
        figure = samples.plot_corner()
        drawn = png(figure)
        assert state() == before
    assert drawn == plain and png(figure) == plain


def test_a_notebook_shows_a_picture_and_pyplot_does_not_know_it(made_samples):
    from matplotlib import pyplot as plt

    figure = made_samples(1).plot_trace()
    assert figure._repr_png_().startswith(b"\x89PNG") and plt.get_fignums() == []


def test_a_symbol_that_cannot_be_drawn_does_not_spoil_other_formats(made_samples, prior, tmp_path):
    figure = made_samples(1).plot_trace(prior=prior)
    figure.axes[0].set_title(r"$\nosuch{$")
    assert figure._repr_png_()
    figure.savefig(tmp_path / "trace.pdf")
    assert (tmp_path / "trace.pdf").stat().st_size > 1000


def test_a_figure_can_be_kept(made_samples):
    figure = made_samples(1).plot_trace()
    assert len(pickle.loads(pickle.dumps(figure)).axes) == 6
