"""Catalogs that may not be redistributed. They are downloaded from a public address into a cache folder."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from platformdirs import user_cache_path

from astroemu.core.catalog import Catalog
from astroemu.errors import DataError
from astroemu.io.files import sha256, write_atomically


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
    """

    address: str = ""
    files: Mapping[str, str] = field(default_factory=dict)
    convert: Callable[[Path, Path], None] | None = None

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
        try:
            raw.mkdir(parents=True, exist_ok=True)
            for name, checksum in self.files.items():
                if not (raw / name).is_file() or sha256(raw / name) != checksum:
                    self._get(name, checksum, raw, folder)
        except OSError as error:
            raise DataError(f"catalog {self.name!r}: cannot write into {raw}: {error.strerror}") from None
        assert self.convert is not None
        convert = self.convert
        write_atomically(self.path, lambda temporary: convert(raw, temporary))
        shutil.rmtree(raw)
        return True

    def _get(self, name: str, checksum: str, folder: Path, source: str | Path | None) -> None:
        if source is None:
            _download(f"{self.address.rstrip('/')}/{name}", folder / name, self._by_hand)
        elif (given := Path(source) / name).is_file():
            shutil.copyfile(given, folder / name)
        else:
            raise DataError(f"catalog {self.name!r}: there is no file {given}. {self._by_hand}")
        found = sha256(folder / name)
        if found != checksum:
            (folder / name).unlink()
            raise DataError(
                f"catalog {self.name!r}: {name} has the SHA-256 {found}, not {checksum}; it is refused. "
                "Fetch it again. If that does not help, the file at its address was changed; tell the maintainers"
            )

    @property
    def _by_hand(self) -> str:
        return (
            f"Download {', '.join(self.files)} from {self.address} by hand into a folder, and run "
            f"`astroemu catalogs fetch {self.name} --from FOLDER`"
        )


def _download(address: str, path: Path, remedy: str) -> None:
    import pooch

    pooch.get_logger().setLevel("ERROR")
    try:
        pooch.retrieve(address, known_hash=None, fname=path.name, path=path.parent)
    except Exception as error:  # the transport may raise anything: no network, a proxy, a page that was removed
        raise DataError(f"cannot download {address} ({type(error).__name__}: {error}). {remedy}") from None
