"""Catalogs in the wheels of other distributions: what is installed, what is missing, and what has changed."""

from __future__ import annotations

from hashlib import sha256

import numpy as np
import pytest

from astroemu.core import wheel_catalog
from astroemu.core.wheel_catalog import WheelCatalog
from astroemu.errors import DataError

FILES = {"thing/a.txt": b"1 2 3\n", "thing/b.txt": b"4 5 6\n"}


class Installed:
    """What importlib.metadata says of a distribution in a folder."""

    version = "2.0"

    def __init__(self, folder):
        self.locate_file = folder.joinpath


@pytest.fixture
def folder(tmp_path, monkeypatch):
    for name, content in FILES.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(content)
    monkeypatch.setattr(wheel_catalog, "distribution", lambda name: Installed(tmp_path))
    return tmp_path


def stacked(paths, file):
    file["numbers"] = np.stack([np.loadtxt(path) for path in paths])


def mine():
    files = {name: sha256(content).hexdigest() for name, content in FILES.items()}
    return WheelCatalog(
        "mine", distribution="thing", version="1.0", files=files, convert=stacked, extra="thing", reference="Me"
    )


def test_the_files_become_one_catalog_in_memory(folder):
    catalog = mine()
    with catalog.hdf5() as file:
        np.testing.assert_array_equal(file["numbers"], [[1, 2, 3], [4, 5, 6]])
    assert catalog.path == folder / "thing" / "a.txt" and catalog.sha256 == catalog.checksum
    assert {path.name for path in folder.rglob("*")} == {"thing", "a.txt", "b.txt"}


def test_the_checksum_is_that_of_all_files(folder):
    other = {**mine().files, "thing/b.txt": "0" * 64}
    assert WheelCatalog("mine", distribution="thing", files=other).checksum != mine().checksum


def test_a_missing_distribution_is_named_with_the_command():
    catalog = WheelCatalog(
        "mine", distribution="no-such-thing", version="1.0", files={"thing/a.txt": "0" * 64}, extra="thing"
    )
    assert not catalog.path.is_file()
    for use in (lambda: catalog.sha256, lambda: catalog.hdf5().__enter__()):
        with pytest.raises(DataError, match=r"'mine': no-such-thing is not installed.*astroemu-inference\[thing\]"):
            use()
    assert "pip install --no-deps no-such-thing==1.0" in catalog.remedy


@pytest.mark.parametrize("content", [b"1 2 4\n", None])
def test_another_version_is_refused(folder, content):
    path = folder / "thing" / "b.txt"
    path.unlink() if content is None else path.write_bytes(content)
    found = "no file" if content is None else sha256(content).hexdigest()
    with pytest.raises(DataError, match=rf"b\.txt of thing 2\.0 is not that of 1\.0: its SHA-256 is {found}, not"):
        mine().sha256  # noqa: B018
