"""The server: its token, its port, and what it serves."""

from __future__ import annotations

import asyncio
import re
import socket
import urllib.error
import urllib.request

import numpy as np
import pytest
from exploring import explored_model

pytest.importorskip("bokeh")

from bokeh.client import pull_session
from tornado.httpclient import HTTPClientError, HTTPRequest
from tornado.websocket import websocket_connect

from astroemu.errors import ConfigurationError
from astroemu.report.explore import explore


@pytest.fixture(scope="module")
def explorer():
    explorer = explore(explored_model())
    yield explorer
    explorer.stop()


def get(url):
    """Return the status and the text of an address."""
    try:
        with urllib.request.urlopen(url, timeout=20) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


def test_the_page_is_served_with_its_token(explorer):
    status, text = get(explorer.url)
    assert status == 200 and "ln L" not in text and "<aside>" in text
    assert re.fullmatch(r"http://127\.0\.0\.1:\d+/[\w-]{32}/", explorer.url)


def test_everything_that_the_page_loads_is_below_the_token(explorer):
    _, text = get(explorer.url)
    loaded = re.findall(r'(?:src|href)="([^"]+)"', text)
    token = explorer.url.split("/")[3]
    scripts = [address for address in loaded if not address.startswith("data:")]
    assert len(scripts) >= 4 and all(address.startswith(f"/{token}/static/js/") for address in scripts)
    assert all(get(f"http://127.0.0.1:{explorer.port}{address}")[0] == 200 for address in scripts)


@pytest.mark.attack("explore", "an environment that sends Bokeh to its files on the web")
def test_a_setting_of_bokeh_does_not_send_the_page_elsewhere(explorer, monkeypatch):
    monkeypatch.setenv("BOKEH_RESOURCES", "cdn")
    _, text = get(explorer.url)
    assert "cdn.bokeh.org" not in text and "default-src 'self'" in text


@pytest.mark.attack("explore", "requests without the token, or with another one")
@pytest.mark.parametrize(
    "path", ["", "wrong/", "wrong/ws", "static/js/bokeh.min.js", "wrong/static/js/bokeh.min.js", "ws", "autoload.js"]
)
def test_a_request_without_the_token_is_refused(explorer, path):
    status, text = get(f"http://127.0.0.1:{explorer.port}/{path}")
    assert status == 403 and text.startswith("Refused: the address lacks its token") and len(text) < 300


def test_a_token_is_compared_as_a_whole(explorer):
    token = explorer.url.split("/")[3]
    for wrong in (token[:-1], token + "A", token.swapcase(), f"{token[:-1]}%00"):
        assert get(f"http://127.0.0.1:{explorer.port}/{wrong}/")[0] == 403


def test_no_icon_is_served_without_the_token(explorer):
    status, text = get(f"http://127.0.0.1:{explorer.port}/favicon.ico")
    assert status in (403, 404) and len(text) < 300


@pytest.mark.attack("explore", "a page of another site that opens the connection of this one")
def test_a_page_of_another_site_is_refused(explorer):
    async def connect():
        url = explorer.url.replace("http", "ws") + "ws"
        request = HTTPRequest(url, headers={"Origin": "http://elsewhere.example"})
        await websocket_connect(request, subprotocols=["bokeh", "none"])

    with pytest.raises(HTTPClientError, match="403"):
        asyncio.run(connect())


def test_two_servers_have_different_tokens(explorer):
    other = explore(explored_model())
    assert other.url.split("/")[3] != explorer.url.split("/")[3] and other.port != explorer.port
    other.stop()
    with pytest.raises(OSError):
        urllib.request.urlopen(other.url, timeout=5)


def test_a_slider_of_a_client_changes_the_curves(explorer):
    with pull_session(url=explorer.url) as session:
        before = session.document.get_model_by_name("curves").data["y0"]
        text = session.document.get_model_by_name("numbers").text
        session.document.get_model_by_name("slider_slope").value = 0.5
        for _ in range(50):
            session.pull()  # the whole page, as the server has it now
            if session.document.get_model_by_name("numbers").text != text:
                break
        curve = session.document.get_model_by_name("curves").data["y0"]
        np.testing.assert_allclose(curve, before + 0.5 * np.arange(10))
        assert session.document.get_model_by_name("value_slope").value == "0.5"


def test_the_chosen_port_is_used():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    explorer = explore(explored_model(), port=port)
    assert explorer.port == port
    explorer.stop()


def test_a_port_in_use_is_an_error():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(ConfigurationError, match=f"port {port} of 127.0.0.1 is in use by another program; choose"):
            explore(explored_model(), port=port)


@pytest.mark.parametrize("port", [-1, 65536])
def test_a_port_that_is_none_is_an_error(port):
    with pytest.raises(ConfigurationError, match=f"port {port} must be from 0 to 65535"):
        explore(explored_model(), port=port)
