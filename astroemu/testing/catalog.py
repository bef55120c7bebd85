"""Checks of catalogs."""

from __future__ import annotations

from astroemu.core.catalog import Catalog
from astroemu.core.datasets import check_datasets
from astroemu.core.wheel_catalog import WheelCatalog
from astroemu.testing.findings import Report, Skipped, ensure


def check_catalog(catalog: Catalog, name: str = "") -> Report:
    """Return the report on a catalog: its file, checksum, origin, and the units and values of its columns."""
    report = Report(f"catalog {name or catalog.name!r}")
    report.run("checksum", lambda: _checksum(catalog))
    report.run("origin", lambda: _origin(catalog))
    if report.run("units", lambda: _units(catalog)):
        report.run("values", lambda: _values(catalog))
    return report


def _checksum(catalog: Catalog) -> str:
    digest = catalog.sha256
    if catalog.checksum is None:
        raise Skipped(f"no checksum is stated; that of the file is {digest}")
    return digest[:12]


def _origin(catalog: Catalog) -> str:
    if catalog.checksum is None and not catalog.reference:
        raise Skipped("the catalog is a file of the user")
    ensure(bool(catalog.reference), "no reference: the source to cite must be stated")
    ensure(bool(catalog.licence), "no licence: the right to redistribute the data must be stated")
    return catalog.reference


def _is_hdf5(catalog: Catalog) -> bool:
    return isinstance(catalog, WheelCatalog) or catalog.path.suffix in (".h5", ".hdf5")


def _units(catalog: Catalog) -> str:
    """Demand a unit or description for numeric ECSV columns, and the attribute `units` for HDF5 datasets."""
    if _is_hdf5(catalog):
        with catalog.hdf5() as file:
            bare: list[str] = []

            def visit(name: str, item: object) -> None:
                if hasattr(item, "shape") and "units" not in item.attrs:  # type: ignore[attr-defined]
                    bare.append(name)

            file.visititems(visit)
        ensure(not bare, f"datasets without the attribute `units`: {', '.join(bare[:5])}")
        return "every dataset states its units"
    if catalog.path.suffix != ".ecsv":
        raise Skipped(f"the kit does not read {catalog.path.suffix or 'this file'}")
    table = catalog.table()
    bare = [
        c for c in table.colnames if table[c].dtype.kind in "fiu" and not table[c].unit and not table[c].description
    ]
    ensure(not bare, f"columns with neither unit nor description: {', '.join(bare)}")
    return f"{len(table)} rows, {len(table.colnames)} columns"


def _values(catalog: Catalog) -> str:
    """Demand values that can be read without a guess: no blank cells, no infinite numbers, no complex numbers."""
    if _is_hdf5(catalog):
        with catalog.hdf5() as file:
            return f"{check_datasets(file)} datasets"
    units = {name: str(column.unit or "") for name, column in catalog.table().columns.items()}
    return f"{len(catalog.table(units))} rows without a blank cell or an infinite number"
