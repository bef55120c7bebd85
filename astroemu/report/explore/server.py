"""The server of the page: on this machine only, and only for those who know its token."""

from __future__ import annotations

import asyncio
import errno
import secrets
import socket
import threading
from typing import Any

from bokeh.application import Application
from bokeh.application.handlers.function import FunctionHandler
from bokeh.document import Document
from bokeh.resources import Resources
from bokeh.server.server import BaseServer
from bokeh.server.tornado import BokehTornado
from tornado.httpserver import HTTPServer
from tornado.ioloop import IOLoop
from tornado.web import RequestHandler

from astroemu.errors import ConfigurationError
from astroemu.report.explore.page import Page, Subject

ADDRESS = "127.0.0.1"
_LAST_PORT = 65535
_REFUSED = (
    "Refused: the address lacks its token, or has a wrong one.\n"
    "Open the whole address that astroemu explore has printed. A new start has a new token.\n"
)


class _Refused(RequestHandler):  # type: ignore[misc]
    """Every address without the token."""

    def prepare(self) -> None:
        self.set_status(403)
        self.set_header("Content-Type", "text/plain; charset=utf-8")
        self.finish(_REFUSED)


class _Site(BokehTornado):  # type: ignore[misc]
    """Bokeh's site below the token, with the scripts of the installed package, whatever the environment says."""

    def resources(self, absolute_url: Any = None) -> Resources:
        return Resources(mode="server", root_url=f"{self.prefix}/", path_versioner=None)


class PageServer:
    """A server in a thread of its own, which ends with the process.

    Parameters
    ----------
    subject : Subject
    port : int
        0 for any free one.

    Attributes
    ----------
    port : int
    token : str
        The secret part of the address.

    Raises
    ------
    ConfigurationError
        If the port cannot be used.
    """

    def __init__(self, subject: Subject, port: int = 0) -> None:
        self._subject = subject
        self._socket = _bound(port)
        self.port: int = self._socket.getsockname()[1]
        self.token = secrets.token_urlsafe(24)
        self._loop: IOLoop | None = None
        self._failure: BaseException | None = None
        self._ready = threading.Event()
        self._thread = threading.Thread(target=self._serve, name="astroemu explore", daemon=True)
        self._thread.start()
        self._ready.wait()
        if self._failure is not None:
            raise self._failure

    @property
    def url(self) -> str:
        """The address of the page, with its token."""
        return f"http://{ADDRESS}:{self.port}/{self.token}/"

    def _fill(self, document: Document) -> None:
        Page(self._subject, document, f"ws://{ADDRESS}:{self.port}")

    def _serve(self) -> None:
        asyncio.set_event_loop(asyncio.new_event_loop())  # of this thread
        loop = IOLoop.current()
        try:
            site = _Site(
                {"/": Application(FunctionHandler(self._fill))},
                prefix=self.token,
                extra_websocket_origins=[f"{ADDRESS}:{self.port}"],
                ico_path="none",
                default_handler_class=_Refused,
                log_function=lambda _: None,
            )
            http = HTTPServer(site)
            http.add_socket(self._socket)
            server = BaseServer(loop, site, http)
            server.start()
        except BaseException as error:
            self._failure = error
            return
        finally:
            self._loop = loop
            self._ready.set()
        loop.start()
        server.stop()
        loop.close()

    def stop(self) -> None:
        """End the server."""
        if self._loop is not None and self._thread.is_alive():
            self._loop.add_callback(self._loop.stop)
            self._thread.join(5.0)


def _bound(port: int) -> socket.socket:
    """Return a socket that listens on a port of this machine."""
    if not 0 <= port <= _LAST_PORT:
        raise ConfigurationError(f"port {port} must be from 0 to {_LAST_PORT}; 0 is any free one")
    try:
        listening = socket.create_server((ADDRESS, port))
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            raise ConfigurationError(
                f"port {port} of {ADDRESS} is in use by another program; choose another port, or 0 for any free one"
            ) from None
        raise ConfigurationError(f"port {port} of {ADDRESS} cannot be used: {error.strerror}; choose another") from None
    listening.setblocking(False)
    return listening
