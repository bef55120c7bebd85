"""Downloads that end: after a total time, at a largest size, and at the hosts that were named."""

from __future__ import annotations

import threading
import time
from collections.abc import Collection
from typing import Any
from urllib.parse import urljoin, urlsplit

from astroemu.errors import DataError

#: Seconds that a download may take in all, and seconds without a byte.
LONGEST, SILENCE = 600.0, 30.0
#: Largest file, in bytes.
LARGEST = 256 << 20
MOST_REDIRECTS = 5


def download(address: str, hosts: Collection[str], remedy: str) -> bytes:
    """Return the content of a file at an address, as it was sent.

    Parameters
    ----------
    address : str
        URL.
    hosts : collection of str
        Hosts to which it may lead, by https.
    remedy : str
        What to do if it fails, for the error message.

    Raises
    ------
    DataError
        If it cannot be obtained within the limits of this module, or is not complete.
    """
    found: list[bytes | Exception] = []

    def get() -> None:
        try:
            found.append(_content(address, hosts, time.monotonic() + LONGEST))
        except Exception as error:  # the transport may raise anything: no network, a proxy, a page that was removed
            found.append(error)

    # A server that sends one byte a minute blocks a reader for ever. So it is read in a thread that can be left.
    thread = threading.Thread(target=get, daemon=True)
    thread.start()
    thread.join(LONGEST)
    result = found[0] if found else TimeoutError(f"not complete after {LONGEST:g} s")
    if isinstance(result, Exception):
        raise DataError(f"cannot download {address} ({type(result).__name__}: {result}). {remedy}")
    return result


def _content(address: str, hosts: Collection[str], deadline: float) -> bytes:
    import requests

    first = address
    with requests.Session() as session:
        for _ in range(MOST_REDIRECTS + 1):
            # Nothing is unpacked: what is sent is what is stored, and a small answer cannot become a large one.
            headers = {"Accept-Encoding": "identity"}
            with session.get(address, stream=True, allow_redirects=False, timeout=SILENCE, headers=headers) as response:
                if not response.is_redirect:
                    response.raise_for_status()
                    return _read(response, deadline)
                address = _followed(urljoin(address, response.headers["location"]), first, hosts)
    raise ValueError(f"it leads on more than {MOST_REDIRECTS} times")


def _followed(address: str, first: str, hosts: Collection[str]) -> str:
    """Return an address to which another one leads, if it may be followed."""
    to, start = urlsplit(address), urlsplit(first)
    if (to.scheme == "https" and to.hostname in hosts) or (to.scheme, to.netloc) == (start.scheme, start.netloc):
        return address
    raise ValueError(f"it leads to {address}, which is not https at {' or '.join(sorted(hosts))}")


def _read(response: Any, deadline: float) -> bytes:
    if response.headers.get("Content-Encoding", "identity") != "identity":
        raise ValueError("it is sent compressed, which was not asked for")
    content = bytearray()
    for block in response.iter_content(1 << 16):
        content += block
        if len(content) > LARGEST:
            raise ValueError(f"it has more than {LARGEST} bytes")
        if time.monotonic() > deadline:
            raise TimeoutError(f"not complete after {LONGEST:g} s")
    return bytes(content)
