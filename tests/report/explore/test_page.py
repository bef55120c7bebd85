"""One open page, without a browser: what happens when a slider or a button is used."""

from __future__ import annotations

import tomllib

import numpy as np
import pytest
from exploring import chained_model, explored_model, samples_of

pytest.importorskip("bokeh")

from bokeh.document import Document
from bokeh.events import ButtonClick

from astroemu.errors import ConfigurationError, ProbeError
from astroemu.inference.best_fit import BestFit
from astroemu.report.explore import page as module
from astroemu.report.explore.explorer import subject_of
from astroemu.report.explore.numbers import COLOURS
from astroemu.report.explore.page import Page

NAMES = ("slope", "offset", "noise")
BEST = BestFit(NAMES, np.array([0.25, -1.0, 0.5]), -1.0, -1.0, {}, np.array([-1.0]), 3, ())


def opened(model=None, samples=None):
    return Page(subject_of(model or explored_model(), samples, "runs/a", 1), Document(), "ws://127.0.0.1:1")


def part(page, name):
    return page.document.get_model_by_name(name)


def tick(page):
    """Run what waits for the next turn of the server."""
    for callback in page.document.session_callbacks:
        callback.callback()


def click(page, name):
    button = part(page, name)
    button._trigger_event(ButtonClick(button))


def test_a_page_starts_in_the_middle_of_the_prior():
    page = opened()
    assert [part(page, f"value_{name}").value for name in NAMES] == ["0", "0", "0.1"]
    assert part(page, "slider_noise").value == pytest.approx(np.log(0.1))
    assert "ln L, total" in part(page, "numbers").text and part(page, "median") is None


def test_a_slider_moves_the_curves_and_the_numbers():
    page = opened()
    before, text = part(page, "curves").data["y0"], part(page, "numbers").text
    part(page, "slider_slope").value = 0.5
    assert part(page, "value_slope").value == "0.5"
    tick(page)
    np.testing.assert_allclose(part(page, "curves").data["y0"], before + 0.5 * np.arange(10))
    assert part(page, "numbers").text != text
    assert page.state.log_likelihood == pytest.approx(page.model.log_likelihood(np.array([[0.5, 0.0, 0.1]]))[0])
    assert "value = 0.5\n" in part(page, "toml").text


def test_several_moves_are_drawn_once():
    page = opened()
    for position in (0.1, 0.2, 0.3):
        part(page, "slider_slope").value = position
    assert len(page.document.session_callbacks) == 1
    tick(page)
    assert page.state.theta[0] == 0.3


def test_a_typed_value_moves_the_slider():
    page = opened()
    part(page, "value_slope").value = "0.123456789"
    assert part(page, "slider_slope").value == page.state.theta[0] == 0.123456789
    part(page, "value_offset").value = "11"  # beyond the slider, within the prior
    assert part(page, "slider_offset").end == 11.0 and page.state.theta[1] == 11.0


@pytest.mark.parametrize("text, message", [("1.5", "outside its prior, -1 to 1"), ("one", "is not a number")])
def test_a_typed_text_that_is_no_value_changes_nothing(text, message):
    page = opened()
    part(page, "value_slope").value = text
    shown = part(page, "message").text
    assert message in shown and "The value stays 0" in shown and 'class="bad"' in shown
    assert part(page, "value_slope").value == "0" and page.state.theta[0] == 0.0


def test_a_slider_may_leave_the_range_of_an_emulator():
    page = opened(chained_model())
    part(page, "slider_a").value = 0.15
    tick(page)
    assert "tau_e = 0.15 is outside the range of &#x27;narrow&#x27;, 0 to 0.1." in part(page, "numbers").text
    assert np.isnan(part(page, "curves").data["y0"]).all()
    part(page, "slider_a").value = 0.05
    tick(page)
    assert "No likelihood" not in part(page, "numbers").text and np.isfinite(part(page, "curves").data["y0"]).all()


def test_a_draw_from_the_prior_is_repeatable():
    first, second = opened(), opened()
    for page in (first, second):
        click(page, "draw")
    assert first.state.theta.tolist() == second.state.theta.tolist() != [0.0, 0.0, 0.1]
    click(first, "draw")
    assert first.state.theta.tolist() != second.state.theta.tolist()


def test_the_median_of_a_run_is_where_a_page_starts_and_returns():
    samples = samples_of(("noise", "slope", "offset"), [0.5, 0.2, 1.0])
    page = opened(samples=samples)
    expected = samples.quantile(0.5)[[1, 2, 0]]
    np.testing.assert_array_equal(page.state.theta, expected)
    click(page, "draw")
    click(page, "median")
    np.testing.assert_array_equal(page.state.theta, expected)
    assert "runs/a" in part(page, "message").text and part(page, "median").label == "posterior median of runs/a"


def test_curves_are_pinned_and_removed():
    page = opened()
    click(page, "pin")
    part(page, "slider_slope").value = 0.5
    tick(page)
    click(page, "pin")
    assert "pin 2" in part(page, "numbers").text
    assert [state.theta[0] for state in page.pins] == [0.0, 0.5]
    click(page, "unpin")
    assert page.pins == [] and "pin 1" not in part(page, "numbers").text


def test_no_more_curves_are_pinned_than_there_are_colours():
    page = opened()
    for _ in range(len(COLOURS) + 1):
        click(page, "pin")
    assert len(page.pins) == len(COLOURS) and "Remove them" in part(page, "message").text


def searched(page, monkeypatch, answer):
    """Search for the best fit; the answer is returned or raised."""

    def find(model, seed):
        assert model is not page.model and model.names == NAMES and seed == 1
        if isinstance(answer, Exception):
            raise answer
        return answer

    class Now:
        def __init__(self, target, daemon):
            assert daemon
            self.start = target

    monkeypatch.setattr(module, "find_best_fit", find)
    monkeypatch.setattr(module.threading, "Thread", Now)
    click(page, "best_fit")
    assert part(page, "best_fit").disabled and "Searching" in part(page, "message").text
    tick(page)
    assert not part(page, "best_fit").disabled


def test_the_best_fit_moves_the_sliders(monkeypatch):
    page = opened()
    searched(page, monkeypatch, BEST)
    assert page.state.theta.tolist() == BEST.theta.tolist() and part(page, "value_slope").value == "0.25"
    assert "1 of 1 starts" in part(page, "message").text


@pytest.mark.parametrize(
    "error, message",
    [
        (ConfigurationError("no gradient goes through it"), "No best fit: no gradient goes through it"),
        (ProbeError("it raised"), "No best fit: it raised"),
        (ZeroDivisionError("by zero"), "No best fit: ZeroDivisionError: by zero"),
    ],
)
def test_a_search_that_fails_is_told(monkeypatch, error, message):
    page = opened()
    searched(page, monkeypatch, error)
    assert message in part(page, "message").text and page.state.theta[0] == 0.0


def test_the_text_to_copy_is_the_point():
    tables = tomllib.loads(part(opened(), "toml").text)["parameters"]
    found = {name: table["value"] for name, table in tables.items()}
    assert found == pytest.approx({"slope": 0.0, "offset": 0.0, "noise": 0.1})
