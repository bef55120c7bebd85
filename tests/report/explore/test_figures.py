"""The pictures of a page: their data, their curves, and their axes."""

from __future__ import annotations

import numpy as np
import pytest
from exploring import panel, single
from helpers import LINE_X

pytest.importorskip("bokeh")

from bokeh.models import BoxAnnotation, Scatter, Segment, Span, VArea

from astroemu.report.explore.figures import Figures

TYPICAL = np.linspace(0.0, 5.0, 11)[:, None] + np.zeros(len(LINE_X))


def figures(*panels, typical=TYPICAL, bands=None):
    return Figures(panels, [typical] * len(panels), bands)


def glyphs(plot, kind):
    return [renderer for renderer in plot.renderers if isinstance(renderer.glyph, kind)]


def test_all_curves_are_one_message():
    found = figures(panel(), single())
    found.show([np.arange(10.0), np.array([0.7])])
    np.testing.assert_array_equal(found.curves.data["y0"], np.arange(10.0))
    np.testing.assert_array_equal(found.curves.data["x0"], LINE_X)
    np.testing.assert_array_equal(found.curves.data["x1"], [0.7] * 10)
    assert set(found.curves.data) == {"x0", "y0", "x1", "y1"}


def test_data_have_error_bars_and_limits_have_triangles():
    (plot,) = figures(panel()).models
    (bars,) = glyphs(plot, Segment)
    np.testing.assert_array_equal(bars.data_source.data["y0"], [0.5, -1.0])
    np.testing.assert_array_equal(bars.data_source.data["y1"], [1.5, 5.0])
    points = {r.glyph.marker: r.data_source.data["y"].tolist() for r in glyphs(plot, Scatter)}
    assert points == {"circle": [1.0, 2.0], "inverted_triangle": [4.0]}


def test_a_logarithmic_axis_holds_only_what_is_above_zero():
    found = figures(panel(y_log=True, y=np.array([1.0, 2.0, -4.0])))
    (plot,) = found.models
    (bars,) = glyphs(plot, Segment)
    np.testing.assert_allclose(bars.data_source.data["y0"], [0.5, 0.002])
    assert np.isnan(glyphs(plot, Scatter)[1].data_source.data["y"]).all()
    found.show([np.array([-1.0, 0.0, *np.arange(1.0, 9.0)])])
    assert np.isnan(found.curves.data["y0"][:2]).all()
    assert 0 < plot.y_range.start < 1.0 < 4.0 < plot.y_range.end


def test_an_axis_holds_the_data_and_typical_curves_and_does_not_follow_a_curve():
    found = figures(panel())
    (plot,) = found.models
    before = plot.y_range.start, plot.y_range.end
    assert before[0] == pytest.approx(-1.0 - 0.05 * 6) and before[1] == pytest.approx(5.0 + 0.05 * 6)
    found.show([np.full(10, 1e6)])
    assert (plot.y_range.start, plot.y_range.end) == before


def test_a_logarithmic_axis_ends_two_decades_below_the_data():
    typical = np.full((5, 10), 1e-9)
    (plot,) = figures(panel(y_log=True), typical=typical).models
    assert 1e-3 < plot.y_range.start < 1e-2


def test_a_logarithmic_axis_of_limits_follows_the_model():
    limits = {"kind": ("upper",) * 3, "y": np.full(3, 1e5)}
    (plot,) = figures(panel(y_log=True, **limits), typical=np.full((5, 10), 1e-1)).models
    assert 1e-2 < plot.y_range.start < 1e-1
    (plot,) = figures(panel(y_log=True, **limits), typical=np.full((5, 10), 1e-9)).models
    assert 1e-4 < plot.y_range.start < 1e-3


def test_the_bands_of_a_posterior_are_behind():
    bands = np.random.default_rng(1).normal(3.0, 0.5, (4000, 10))
    (plot,) = figures(panel(), bands=[bands]).models
    wide, narrow = (renderer.data_source.data for renderer in glyphs(plot, VArea))
    np.testing.assert_allclose(wide["y1"], 3.0 - 1.96 * 0.5, atol=0.06)
    np.testing.assert_allclose(narrow["y2"], 3.0 + 0.5, atol=0.06)


@pytest.mark.parametrize("x_log", [True, False])
def test_a_model_of_one_point_is_a_short_line(x_log):
    one = np.array([[2.0]])
    found = figures(panel(curve_x=np.array([2.5]), x_log=x_log), typical=one, bands=[one])
    found.show([np.array([2.0])])
    x = found.curves.data["x0"]
    assert x[0] < 2.5 < x[1] < 2.7 and found.curves.data["y0"] == [2.0, 2.0]
    assert len(glyphs(found.models[0], Segment)) == 3


def test_a_single_number_is_a_line_over_its_datum():
    bands = np.random.default_rng(1).normal(1.0, 0.2, (500, 1))
    found = figures(single(), typical=bands, bands=[bands])
    (plot,) = found.models
    box = next(part for part in plot.center if isinstance(part, BoxAnnotation))
    assert (box.left, box.right) == (0.5, 1.5) and any(isinstance(part, Span) for part in plot.center)
    (density,) = glyphs(plot, VArea)
    assert density.data_source.data["y2"].max() == 1.0


@pytest.mark.parametrize("bands", [np.full((5, 1), np.nan), np.ones((5, 1))])
def test_a_single_number_without_a_spread_has_no_density(bands):
    (plot,) = figures(single(), typical=bands, bands=[bands]).models
    assert not glyphs(plot, VArea)


def test_a_panel_whose_model_is_never_defined_shows_its_data():
    nothing = np.full((5, 10), np.nan)
    found = figures(panel(), typical=nothing, bands=[nothing])
    found.show([nothing[0]])
    assert np.isfinite(found.models[0].y_range.start)


def test_pins_have_their_colours():
    found = figures(panel(), single())
    found.pin([("red", [np.zeros(10), np.ones(1)]), ("green", [np.ones(10), np.zeros(1)])])
    source = found.models[0].renderers[-2].data_source
    assert source.data["colour"] == ["red", "green"] and len(source.data["ys"]) == 2
    found.pin([])
    assert found.models[0].renderers[-2].data_source.data["ys"] == []


def test_formulas_have_the_delimiters_of_bokeh():
    (plot,) = figures(panel()).models
    assert plot.yaxis[0].axis_label == r"$$\bar{y}$$ [mK]"
