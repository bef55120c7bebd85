"""Catalogs that are downloaded: from a folder, and from a server on this machine."""

from __future__ import annotations

import threading
from functools import partial
from hashlib import sha256
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer

import pytest

from astroemu.core.remote_catalog import RemoteCatalog, cache_folder
from astroemu.errors import DataError

CONTENT = {"a.txt": b"1 2 3\n", "b.txt": b"4 5\n"}


def join(folder, path):
    path.write_bytes(b"".join((folder / name).read_bytes() for name in sorted(CONTENT)))


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *arguments):
        """Say nothing."""


@pytest.fixture
def source(tmp_path):
    folder = tmp_path / "source"
    folder.mkdir()
    for name, content in CONTENT.items():
        (folder / name).write_bytes(content)
    return folder


@pytest.fixture
def address(source):
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(source))) as server:
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/"
        server.shutdown()


def catalog(tmp_path, address="http://127.0.0.1:9/nowhere"):
    hashes = {name: sha256(content).hexdigest() for name, content in CONTENT.items()}
    return RemoteCatalog("mine", tmp_path / "cache" / "mine.txt", address=address, files=hashes, convert=join)


def test_fetched_from_an_address(tmp_path, address):
    mine = catalog(tmp_path, address)
    assert mine.fetch() and mine.path.read_bytes() == b"1 2 3\n4 5\n"
    assert not mine.fetch()
    assert [p.name for p in mine.path.parent.iterdir()] == ["mine.txt"]


def test_taken_from_a_folder(tmp_path, source):
    mine = catalog(tmp_path)
    assert mine.fetch(source) and mine.sha256 == sha256(b"1 2 3\n4 5\n").hexdigest()


def test_a_wrong_file_is_refused_and_not_kept(tmp_path, source, address):
    (source / "b.txt").write_bytes(b"4 6\n")
    for given in (None, source):
        mine = catalog(tmp_path, address)
        with pytest.raises(DataError, match=r"b.txt has the SHA-256 [0-9a-f]{64}, not [0-9a-f]{64}; it is refused"):
            mine.fetch(given)
        assert not mine.path.exists() and not list(mine.path.parent.rglob("b.txt"))
    # What was right is kept, and the rest is fetched once it is right.
    (source / "b.txt").write_bytes(CONTENT["b.txt"])
    (source / "a.txt").unlink()
    assert catalog(tmp_path, address).fetch()


def test_no_network_says_what_to_do(tmp_path):
    with pytest.raises(DataError, match=r"cannot download .*--from FOLDER"):
        catalog(tmp_path).fetch()


def test_a_missing_file_names_the_command(tmp_path):
    with pytest.raises(DataError, match="astroemu catalogs fetch mine"):
        _ = catalog(tmp_path).sha256


def test_a_folder_that_lacks_a_file(tmp_path, source):
    (source / "a.txt").unlink()
    with pytest.raises(DataError, match=r"there is no file .*a.txt. Download a.txt, b.txt from"):
        catalog(tmp_path).fetch(source)


def test_the_cache_folder_can_be_chosen(monkeypatch, tmp_path):
    monkeypatch.setenv("ASTROEMU_CACHE", str(tmp_path))
    assert cache_folder() == tmp_path
    monkeypatch.delenv("ASTROEMU_CACHE")
    assert cache_folder().name == "astroemu"
