"""Catalogs that may not be redistributed. They are downloaded from a public address into a cache folder."""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from platformdirs import user_cache_path

from astroemu.core.catalog import Catalog
from astroemu.errors import DataError
from astroemu.io.download import download
from astroemu.io.files import make_folder, reading, sha256, write_atomically, write_bytes


def cache_folder() -> Path:
    """Return the folder of downloaded files: ``ASTROEMU_CACHE``, or the cache folder of the user."""
    chosen = os.environ.get("ASTROEMU_CACHE")
    return Path(chosen) if chosen else user_cache_path("astroemu")


@dataclass(frozen=True)
class RemoteCatalog(Catalog):
    """A catalog made from files at a public address.

    Attributes
    ----------
    address : str
        URL of the folder of the files. It should contain a version.
    files : mapping of str to str
        SHA-256 of each file, by its name in that folder.
    convert : callable
        ``convert(folder, path)`` writes the catalog from the files in a folder.
    hosts : tuple of str
        Hosts to which the address may lead, beside its own one.
    """

    address: str = ""
    files: Mapping[str, str] = field(default_factory=dict)
    convert: Callable[[Path, Path], None] | None = None
    hosts: tuple[str, ...] = ()

    @property
    def remedy(self) -> str:
        return (
            f"It may not be redistributed with astroemu; get it with `astroemu catalogs fetch {self.name}`, or name "
            "your own copy with `catalog`"
        )

    def fetch(self, folder: str | Path | None = None) -> bool:
        """Write the catalog from its files, after downloading them and comparing their checksums.

        Parameters
        ----------
        folder : str or Path, optional
            Copy the files from this folder, without a download.

        Returns
        -------
        bool
            False if the catalog existed already.

        Raises
        ------
        DataError
            If a file cannot be obtained, or its checksum is not the expected one.
        """
        if self.path.is_file():
            return False
        raw = self.path.with_suffix(".files")
        make_folder(raw)
        for name, checksum in self.files.items():
            if not (raw / name).is_file() or sha256(raw / name) != checksum:
                self._get(name, checksum, raw / name, folder)
        assert self.convert is not None
        convert = self.convert
        write_atomically(self.path, lambda temporary: convert(raw, temporary))
        shutil.rmtree(raw, ignore_errors=True)
        return True

    def _get(self, name: str, checksum: str, path: Path, source: str | Path | None) -> None:
        """Write one file, after comparing its checksum."""
        if source is None:
            address = f"{self.address.rstrip('/')}/{name}"
            content = download(address, (urlsplit(address).hostname or "", *self.hosts), self._by_hand)
        elif (given := Path(source) / name).is_file():
            with reading(given):
                content = given.read_bytes()
        else:
            raise DataError(f"catalog {self.name!r}: there is no file {given}. {self._by_hand}")
        found = hashlib.sha256(content).hexdigest()
        if found != checksum:
            raise DataError(
                f"catalog {self.name!r}: {name} has the SHA-256 {found}, not {checksum}; it is refused. "
                "Fetch it again. If that does not help, the file at its address was changed; tell the maintainers"
            )
        write_bytes(path, content)

    @property
    def _by_hand(self) -> str:
        return (
            f"Download {', '.join(self.files)} from {self.address} by hand into a folder, and run "
            f"`astroemu catalogs fetch {self.name} --from FOLDER`"
        )
