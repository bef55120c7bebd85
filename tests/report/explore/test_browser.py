"""The page in a real browser: sliders move, curves and numbers change, and its console stays clean."""

from __future__ import annotations

import tomllib
from contextlib import contextmanager

import numpy as np
import pytest
from exploring import chromium, explored_model, samples_of

pytest.importorskip("bokeh")
pytest.importorskip("playwright")

from playwright.sync_api import sync_playwright

from astroemu.inference.best_fit import BestFit
from astroemu.report.explore import explore
from astroemu.report.explore import page as page_module

pytestmark = pytest.mark.skipif(chromium() is None, reason="there is no Chromium: apt-get install chromium")

CURVE = "Bokeh.documents[0].get_model_by_name('curves').data"
NUMBERS = "Bokeh.documents[0].get_model_by_name('numbers').text"
SLOPE = "Bokeh.documents[0].get_model_by_name('value_slope').value"
NAMES = ("slope", "offset", "noise")
BEST = BestFit(NAMES, np.array([0.25, -1.0, 0.5]), -1.0, -1.0, {}, np.array([-1.0, -1.0]), 3, ())


@pytest.fixture(scope="module")
def browser():
    with sync_playwright() as driver:
        started = driver.chromium.launch(executable_path=chromium(), args=["--no-sandbox"])
        yield started
        started.close()


@pytest.fixture(scope="module")
def explorer():
    served = explore(explored_model(), samples_of(NAMES, [0.2, 1.0, 0.5]), name="runs/a")
    yield served
    served.stop()


def context_of(browser, **options):
    """A context of the browser that waits for a busy machine: these tests measure no times."""
    context = browser.new_context(**options)
    context.set_default_timeout(180_000)
    return context


@contextmanager
def opened(browser, url, *, allowed=()):
    """Open the page; nothing may be wrong in its console, and nothing may be asked of another address."""
    context = context_of(browser, viewport={"width": 1280, "height": 900}, permissions=list(allowed))
    page = context.new_page()
    wrong, addresses = [], set()
    page.on("console", lambda message: wrong.append(message.text) if message.type in ("error", "warning") else None)
    page.on("pageerror", lambda error: wrong.append(str(error)))
    page.on("request", lambda request: addresses.add(request.url.split("/")[2]))
    page.goto(url)
    page.get_by_text("ln L, total").wait_for()
    yield page
    context.close()
    assert not wrong
    assert addresses == {url.split("/")[2]}


def value(page, name):
    return page.evaluate(f"Bokeh.documents[0].get_model_by_name('{name}').value")


def changed(page, expression, act):
    """Do something, and wait until an expression of the page has another value."""
    before = page.evaluate(f"String({expression})")
    act()
    page.wait_for_function("([code, before]) => String(eval(code)) !== before", arg=[expression, before])


def drag(page, j, fraction):
    """Drag the handle of a slider to a fraction of its length, with the mouse."""
    bar = page.locator(".noUi-base").nth(j)
    bar.scroll_into_view_if_needed()
    box, handle = bar.bounding_box(), page.locator(".noUi-handle").nth(j).bounding_box()
    page.mouse.move(handle["x"] + handle["width"] / 2, handle["y"] + handle["height"] / 2)
    page.mouse.down()
    page.mouse.move(box["x"] + fraction * box["width"], box["y"] + box["height"] / 2, steps=8)
    page.mouse.up()


def test_a_dragged_slider_moves_the_curves_and_the_numbers(browser, explorer):
    with opened(browser, explorer.url) as page:
        boxes = [card.bounding_box() for card in page.locator(".figures .card").all()]
        assert len(boxes) == 3 and all(box["height"] > 200 and box["width"] > 250 for box in boxes)
        assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
        before = page.evaluate(NUMBERS)
        changed(page, f"{CURVE}.y0[9]", lambda: drag(page, 0, 0.75))
        slope = value(page, "slider_slope")
        assert slope == pytest.approx(0.5, abs=0.03)
        page.wait_for_function(f"Math.abs({CURVE}.y0[9] - {CURVE}.y0[0] - 9 * {SLOPE}) < 1e-9")
        page.wait_for_function(f"Math.abs({SLOPE} - {slope}) < 1e-3")
        assert page.evaluate(NUMBERS) != before


def test_a_typed_value_is_taken_and_a_wrong_one_is_refused(browser, explorer):
    with opened(browser, explorer.url) as page:
        box = page.locator("input.bk-input").first
        changed(page, NUMBERS, lambda: (box.fill("0.5"), box.press("Enter")))
        assert value(page, "slider_slope") == 0.5
        assert page.evaluate(f"{CURVE}.y0[9] - {CURVE}.y0[0]") == pytest.approx(4.5)
        box.fill("1.5")
        box.press("Enter")
        page.get_by_text("slope = 1.5 is outside its prior, -1 to 1").wait_for()
        assert box.input_value() == "0.5" and value(page, "slider_slope") == 0.5
        page.evaluate("() => { navigator.clipboard.writeText = () => Promise.reject(); }")
        page.get_by_text("copy as TOML").click()
        page.get_by_text("The browser did not allow it").wait_for()
        page.locator("summary").click()  # the text is there
        page.get_by_text("[parameters.offset]").wait_for()


def test_the_buttons_do_what_they_say(browser, explorer, monkeypatch):
    monkeypatch.setattr(page_module, "find_best_fit", lambda model, seed: BEST)
    with opened(browser, explorer.url, allowed=["clipboard-read", "clipboard-write"]) as page:
        median = value(page, "value_slope")
        changed(page, NUMBERS, lambda: page.get_by_text("draw from prior").click())
        changed(page, NUMBERS, lambda: page.get_by_text("pin this curve to compare").click())
        page.get_by_text("pin 1").wait_for()
        changed(page, SLOPE, lambda: page.get_by_text("best fit", exact=True).click())
        page.get_by_text("where 2 of 2 starts ended").wait_for()
        assert value(page, "value_slope") == "0.25"
        page.get_by_text("copy as TOML").click()
        page.get_by_text("Copied").wait_for()
        copied = tomllib.loads(page.evaluate("navigator.clipboard.readText()"))
        assert copied["parameters"]["noise"] == {"distribution": "fixed", "value": 0.5}
        changed(page, NUMBERS, lambda: page.get_by_text("posterior median of runs/a").click())
        assert value(page, "value_slope") == median
        changed(page, NUMBERS, lambda: page.get_by_text("remove pins").click())
        assert page.get_by_text("pin 1").count() == 0


def test_a_wrong_token_shows_only_that_it_is_refused(browser, explorer):
    context = context_of(browser)
    page = context.new_page()
    answer = page.goto(explorer.url.replace(explorer.url.split("/")[3], "wrong"))
    assert answer.status == 403 and page.locator("body").inner_text().startswith("Refused")
    context.close()


def test_the_frame_of_a_notebook_shows_the_page(browser, explorer):
    context = context_of(browser)
    page = context.new_page()
    page.set_content(explorer._repr_html_())
    total = page.frame_locator("iframe").get_by_text("ln L, total")
    total.wait_for()
    assert total.is_visible()
    context.close()
