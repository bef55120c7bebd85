"""Catalogs: observational data sets of one file each, with origin, licence and checksum.

A catalog of a plugin states the SHA-256 of its file and is refused if the file differs. A user's own file is read
without this check. Its checksum is recorded with the run.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from astroemu.core.columns import Column, Rows, check_columns, name_rows
from astroemu.errors import DataError, located
from astroemu.io.ecsv import read_ecsv
from astroemu.io.files import new_file, sha256, write_atomically
from astroemu.io.hdf5 import write_hdf5
from astroemu.io.paths import looks_like_path
from astroemu.io.untrusted import open_hdf5
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
        The paper to cite, and the terms under which the file is redistributed.
    arxiv : tuple of str
        arXiv numbers of the papers.
    """

    name: str
    path: Path
    checksum: str | None = None
    reference: str = ""
    arxiv: tuple[str, ...] = ()
    licence: str = ""

    @property
    def remedy(self) -> str:
        """What a user can do if the file is missing. Empty if there is no advice."""
        return ""

    @cached_property
    def sha256(self) -> str:
        """SHA-256 of the file.

        Raises
        ------
        DataError
            If the file is missing, or its checksum is not the expected one.
        """
        if not self.path.is_file():
            raise DataError(f"catalog {self.name!r}: there is no file {self.path}. {self.remedy}".rstrip())
        found = sha256(self.path)
        if self.checksum is not None and found != self.checksum:
            raise DataError(
                f"catalog {self.name!r}: {self.path} has the SHA-256 {found}, not {self.checksum}; the file was "
                "changed or damaged. Reinstall the package that contains it, or name your own file instead."
            )
        return found

    def table(self, columns: Mapping[str, Column | str] | None = None) -> Any:
        """Return the content of an ECSV file as an :class:`astropy.table.Table`, validated.

        Parameters
        ----------
        columns : mapping of str to NumberColumn, TextColumn or str, optional
            What is needed, by the name of the column, see :mod:`astroemu.core.columns`. A text alone is a unit, for
            numbers that may be NaN; it is empty for texts and pure numbers. Other columns are returned unchanged.

        Raises
        ------
        DataError
            If the checksum differs, the file is not ECSV, or a column is missing or holds what was not declared. The
            message names the rows, of which the first is 1.
        """
        _ = self.sha256
        with self.located():
            table = read_ecsv(self.path)
            check_columns(table, columns or {})
        return table

    def refuse_rows(self, table: Any, wrong: Rows, what: str) -> None:
        """Raise an error that names some rows of a table, unless there are none.

        Parameters
        ----------
        table : Table
        wrong : (rows,) array of bool
        what : str
            What is wrong with them, and what to do.

        Raises
        ------
        DataError
        """
        if wrong.any():
            with self.located():
                raise DataError(f"{name_rows(table, wrong)}: {what}")

    @contextmanager
    def located(self) -> Iterator[None]:
        """Context manager that adds name and path of the catalog to the message of an error raised inside."""
        with located(f"catalog {self.name!r}"), located(str(self.path)):
            yield

    @contextmanager
    def hdf5(self) -> Iterator[Any]:
        """Context manager that opens an HDF5 file for reading.

        Raises
        ------
        DataError
            If the checksum differs, the file is not HDF5, or it lacks a dataset that is read from it.
        """
        _ = self.sha256
        with self.located(), open_hdf5(self.path, f"the HDF5 file of the catalog {self.name!r}") as file:
            yield file


def write_table(path: Path, table: Any) -> None:
    """Write an :class:`astropy.table.Table` to a new ECSV file."""
    from astropy.io import ascii as ecsv

    write_atomically(new_file(path), lambda temporary: ecsv.write(table, temporary, format="ecsv"))


def write_datasets(path: Path, datasets: Mapping[str, tuple[Any, str]], attributes: Mapping[str, Any]) -> None:
    """Write datasets with units, and attributes, to a new HDF5 file.

    Parameters
    ----------
    path : Path
    datasets : mapping of str to (array, str)
        Values and unit of each dataset, by its name.
    attributes : mapping of str to value
        By name. A name of the form ``group/key`` sets an attribute of a group.
    """

    def write(file: Any) -> None:
        for name, (values, unit) in datasets.items():
            file[name] = values
            file[name].attrs["units"] = unit
        for name, value in attributes.items():
            group, _, key = name.rpartition("/")
            (file[group] if group else file).attrs[key] = value

    write_hdf5(new_file(path), write)


def load_catalog(name_or_path: str) -> Catalog:
    """Return an installed catalog by its name, or a catalog of the user by the path of its file.

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
