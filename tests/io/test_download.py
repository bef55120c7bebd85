"""Downloads from servers that are slow, lie, lead elsewhere or send too much."""

from __future__ import annotations

import gzip
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from astroemu.errors import DataError
from astroemu.io import download as module
from astroemu.io.download import download

CONTENT = b"1 2 3\n" * 100


class Server(BaseHTTPRequestHandler):
    """Answers by the name of the file that is asked for."""

    def log_message(self, *arguments):
        """Say nothing."""

    def do_GET(self):
        getattr(self, self.path.strip("/"), self.whole)()

    def head(self, status=200, **headers):
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), str(value))
        self.end_headers()

    def whole(self):
        self.head(Content_Length=len(CONTENT))
        self.wfile.write(CONTENT)

    def without_a_length(self):
        self.head()
        self.wfile.write(CONTENT)

    def missing(self):
        self.send_error(404)

    def shorter(self):
        self.head(Content_Length=len(CONTENT) + 50)
        self.wfile.write(CONTENT)

    def longer(self):
        self.head(Content_Length=50)
        self.wfile.write(CONTENT)

    def closed(self):
        self.connection.close()

    def slow(self):
        self.head(Content_Length=1000)
        for _ in range(200):
            self.wfile.write(b"x")
            time.sleep(0.02)

    def slow_head(self):
        for _ in range(200):
            self.wfile.write(b"HTTP/1.1 200 OK\r\n" if _ == 0 else b"x: y\r\n")
            time.sleep(0.02)

    def silent(self):
        self.server.stop.wait(5)

    def bomb(self):
        content = gzip.compress(bytes(1 << 22))
        self.head(Content_Encoding="gzip", Content_Length=len(content))
        self.wfile.write(content)

    def endless(self):
        self.head()
        while not self.server.stop.is_set():
            self.wfile.write(bytes(1 << 16))

    def moved(self):
        self.head(302, Location="/whole")

    def round_and_round(self):
        self.head(302, Location="/round_and_round")

    def elsewhere(self):
        self.head(302, Location="http://example.org/whole")

    def local_file(self):
        self.head(302, Location="file:///etc/hostname")

    def other_port(self):
        self.head(302, Location="http://127.0.0.1:1/whole")


@pytest.fixture(scope="module")
def address():
    with ThreadingHTTPServer(("127.0.0.1", 0), Server) as server:
        server.stop, server.handle_error = threading.Event(), lambda *_: None
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.stop.set()
        server.shutdown()


def get(address, name):
    return download(f"{address}/{name}", ("127.0.0.1",), "Do it by hand")


@pytest.mark.parametrize("name", ["whole", "without_a_length", "moved"])
def test_a_file_is_obtained(address, name):
    assert get(address, name) == CONTENT


def test_a_server_that_sends_more_than_it_stated_gives_what_it_stated(address):
    """The checksum finds this."""
    assert get(address, "longer") == CONTENT[:50]


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("missing", "404"),
        ("shorter", "IncompleteRead"),
        ("closed", "ConnectionError"),
        ("bomb", "sent compressed, which was not asked for"),
        ("round_and_round", "leads on more than 5 times"),
        ("elsewhere", "leads to http://example.org/whole, which is not https at 127.0.0.1"),
        ("local_file", "leads to file:///etc/hostname"),
        ("other_port", "leads to http://127.0.0.1:1/whole"),
    ],
)
@pytest.mark.attack("fetch", "a server that ends early, sends a gzip bomb, lies on its length or leads elsewhere")
def test_what_is_not_the_file_is_refused_with_a_remedy(address, name, words):
    with pytest.raises(DataError) as caught:
        get(address, name)
    message = str(caught.value)
    assert f"cannot download {address}/{name}" in message and words in message and message.endswith("Do it by hand")


@pytest.mark.parametrize("name", ["slow", "slow_head", "silent"])
@pytest.mark.attack("fetch", "a server that dribbles: a byte now and then, in the content or in the headers")
def test_a_download_ends_after_its_total_time(address, name, monkeypatch):
    assert (module.LONGEST, module.SILENCE) == (600.0, 30.0)
    monkeypatch.setattr(module, "LONGEST", 0.2)
    began = time.monotonic()
    with pytest.raises(DataError, match=r"not complete after 0\.2 s"):
        get(address, name)
    assert time.monotonic() - began < 2


@pytest.mark.attack("fetch", "a server that never stops sending")
def test_a_download_ends_at_its_largest_size(address, monkeypatch):
    assert module.LARGEST == 256 << 20
    monkeypatch.setattr(module, "LARGEST", 1 << 20)
    with pytest.raises(DataError, match="it has more than 1048576 bytes"):
        get(address, "endless")


@pytest.mark.parametrize("to", ["https://data.org/x", "https://cdn.org/x", "http://127.0.0.1:80/y"])
def test_redirects_to_named_hosts_are_followed(to):
    assert module._followed(to, "http://127.0.0.1:80/x", ("data.org", "cdn.org")) == to


@pytest.mark.parametrize(
    "to", ["http://data.org/x", "https://data.org.evil/x", "https://data.org@evil/x", "ftp://data.org/"]
)
def test_redirects_to_look_alikes_are_not(to):
    with pytest.raises(ValueError, match=r"which is not https at data\.org"):
        module._followed(to, "https://data.org/x", ("data.org",))
