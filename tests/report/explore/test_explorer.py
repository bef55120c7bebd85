"""The page in a script and in a notebook."""

from __future__ import annotations

import sys
import webbrowser

import numpy as np
import pytest
from exploring import explored_model, samples_of

import astroemu
from astroemu.errors import ConfigurationError, PluginError
from astroemu.report.explore import Explorer, explorer


class Server:
    """A server that serves nothing."""

    url, port = "http://127.0.0.1:1/token/", 1


@pytest.fixture
def shown():
    return Explorer(Server())


def test_a_notebook_shows_the_page(shown):
    assert '<iframe src="http://127.0.0.1:1/token/"' in shown._repr_html_()
    assert repr(shown) == "<Explorer at http://127.0.0.1:1/token/>"


def test_a_browser_is_opened(shown, monkeypatch):
    opened = []

    class Browser:
        def open(self, url):
            opened.append(url)
            return True

    monkeypatch.setattr(webbrowser, "get", Browser)
    assert shown.open() is True and opened == [shown.url]


def test_no_browser_is_no_error(shown, monkeypatch):
    def none():
        raise webbrowser.Error("could not locate runnable browser")

    monkeypatch.setattr(webbrowser, "get", none)
    assert shown.open() is False


def test_a_browser_in_the_terminal_is_used_only_if_it_is_named(shown, monkeypatch):
    opened = []
    monkeypatch.setattr(webbrowser.GenericBrowser, "open", lambda self, url: opened.append(url) is None)
    monkeypatch.setattr(webbrowser, "get", lambda: webbrowser.GenericBrowser("w3m"))
    monkeypatch.delenv("BROWSER", raising=False)
    assert shown.open() is False and not opened
    monkeypatch.setenv("BROWSER", "w3m")
    assert shown.open() is True and opened


def test_samples_that_lack_a_parameter_are_refused():
    pytest.importorskip("bokeh")
    samples = samples_of(("slope", "other"), [0.0, 0.0])
    message = "the samples have no 'noise', 'offset', which the model needs; they are of 'other', 'slope'"
    with pytest.raises(ConfigurationError, match=message):
        astroemu.explore(explored_model(), samples)


def test_columns_are_matched_by_name_and_others_are_left_out():
    pytest.importorskip("bokeh")
    samples = samples_of(("noise", "other", "offset", "slope"), [0.5, 9.0, 1.0, 0.2])
    subject = explorer.subject_of(explored_model(), samples, "it", 1)
    np.testing.assert_array_equal(subject.median, samples.quantile(0.5)[[3, 2, 0]])
    assert np.median(subject.bands[0][:, 0]) == pytest.approx(1.0, abs=0.05)


def test_without_bokeh_the_message_says_how_to_install_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "bokeh", None)
    with pytest.raises(PluginError, match=r"pip install 'astroemu-inference\[explore\]'"):
        explored_model().explore()


def test_a_model_explores_itself():
    pytest.importorskip("bokeh")
    explored = explored_model().explore()
    assert isinstance(explored, Explorer) and explored.url.startswith("http://127.0.0.1:")
    explored.stop()
