"""An observational data set: one file, its origin, its licence and its checksum.

A catalog that comes with a plugin states the SHA-256 of its file and is refused if the file
differs. A user's own file is read as it is; its checksum is recorded with the run.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from astroemu.errors import DataError, closest, listing
from astroemu.io.files import new_file, sha256, write_atomically
from astroemu.io.paths import looks_like_path
from astroemu.io.untrusted import open_hdf5, read_text
from astroemu.runtime.plugins import CATALOGS


@dataclass(frozen=True)
class Catalog:
    """One file of observations.

    Attributes
    ----------
    name : str
    path : Path
        An ECSV or HDF5 file whose columns or datasets carry units and descriptions.
    checksum : str, optional
        Expected SHA-256.
    reference, licence : str
        What to cite, and under which terms the file is passed on.
    arxiv : tuple of str
        Identifiers of the papers.
    """

    name: str
    path: Path
    checksum: str | None = None
    reference: str = ""
    arxiv: tuple[str, ...] = ()
    licence: str = ""

    @property
    def remedy(self) -> str:
        """What a user can do when the file is missing."""
        return ""

    @cached_property
    def sha256(self) -> str:
        """SHA-256 of the file.

        Raises
        ------
        DataError
            If there is no file, or it is not the expected one.
        """
        if not self.path.is_file():
            raise DataError(f"catalog {self.name!r}: there is no file {self.path}. {self.remedy}".rstrip())
        found = sha256(self.path)
        if self.checksum is not None and found != self.checksum:
            raise DataError(
                f"catalog {self.name!r}: {self.path} has the SHA-256 {found}, not {self.checksum}; the file was "
                "changed or damaged. Reinstall the package that brings it, or name your own file instead."
            )
        return found

    def table(self, columns: Mapping[str, str] | None = None) -> Any:
        """Read an ECSV file as an :class:`astropy.table.Table`.

        Parameters
        ----------
        columns : mapping of str to str, optional
            Columns that must be there, and the unit in which each is returned (empty for a text
            or a plain number). Further columns come as they are.

        Raises
        ------
        DataError
            If the checksum fails, the file is not ECSV, or a column is missing or of another unit.
        """
        from astropy.table import Table

        _ = self.sha256
        try:
            text = read_text(self.path)  # astropy would unpack a compressed file of any size
            table = Table.read(text.splitlines(), format="ascii.ecsv")
        except Exception as error:
            raise DataError(f"catalog {self.name!r}: {self.path} is not an ECSV table ({error})") from None
        for name, unit in (columns or {}).items():
            if name not in table.colnames:
                raise DataError(
                    f"catalog {self.name!r}: {self.path} has no column {name!r}.{closest(name, table.colnames)} "
                    f"It has {listing(table.colnames)}"
                )
            self._convert(table, name, unit)
        return table

    def _convert(self, table: Any, name: str, unit: str) -> None:
        if not unit and table[name].unit is None:
            return
        try:
            table[name].convert_unit_to(unit)
        except Exception as error:
            raise DataError(
                f"catalog {self.name!r}: the column {name!r} of {self.path} is needed in {unit or 'no unit'!r} but "
                f"has the unit {str(table[name].unit)!r} ({error}); state the right one in the header of the file"
            ) from None

    @contextmanager
    def hdf5(self) -> Iterator[Any]:
        """Open an HDF5 file for reading.

        Raises
        ------
        DataError
            If the checksum fails, the file is not HDF5, or it lacks what is read from it.
        """
        _ = self.sha256
        with open_hdf5(self.path, f"the HDF5 file of the catalog {self.name!r}") as file:
            yield file


def write_table(path: Path, table: Any) -> None:
    """Write an :class:`astropy.table.Table` as a new ECSV file."""
    from astropy.io import ascii as ecsv

    write_atomically(new_file(path), lambda temporary: ecsv.write(table, temporary, format="ecsv"))


def write_datasets(path: Path, datasets: Mapping[str, tuple[Any, str]], attributes: Mapping[str, Any]) -> None:
    """Write a new HDF5 file: datasets with their units by name, and attributes.

    A name of an attribute may begin with that of a group and a slash.
    """
    import h5py

    def write(temporary: Path) -> None:
        with h5py.File(temporary, "w") as file:
            for name, (values, unit) in datasets.items():
                file[name] = values
                file[name].attrs["units"] = unit
            for name, value in attributes.items():
                group, _, key = name.rpartition("/")
                (file[group] if group else file).attrs[key] = value

    write_atomically(new_file(path), write)


def load_catalog(name_or_path: str) -> Catalog:
    """Return a catalog by the name of an installed one or by the path of a file.

    Raises
    ------
    PluginError
        If no installed catalog has this name.
    """
    if looks_like_path(name_or_path):
        path = Path(name_or_path)
        return Catalog(name=path.name, path=path)
    catalog = CATALOGS.load(name_or_path)
    assert isinstance(catalog, Catalog)
    return catalog
