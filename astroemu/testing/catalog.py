"""What every catalog must state."""

from __future__ import annotations

from astroemu.core.catalog import Catalog
from astroemu.testing.findings import Report, Skipped, ensure


def check_catalog(catalog: Catalog, name: str = "") -> Report:
    """Examine a catalog: its file, its checksum, its origin, the units of its columns."""
    report = Report(f"catalog {name or catalog.name!r}")
    report.run("checksum", lambda: _checksum(catalog))
    report.run("origin", lambda: _origin(catalog))
    report.run("units", lambda: _units(catalog))
    return report


def _checksum(catalog: Catalog) -> str:
    digest = catalog.sha256
    if catalog.checksum is None:
        raise Skipped(f"none is stated; the file has {digest}")
    return digest[:12]


def _origin(catalog: Catalog) -> str:
    if catalog.checksum is None and not catalog.reference:
        raise Skipped("a file of the user")
    ensure(bool(catalog.reference), "no reference: what should be cited?")
    ensure(bool(catalog.licence), "no licence: may it be passed on?")
    return catalog.reference


def _units(catalog: Catalog) -> str:
    """ECSV columns that are numbers have a description; HDF5 datasets have `units`."""
    if catalog.path.suffix in (".h5", ".hdf5"):
        with catalog.hdf5() as file:
            bare: list[str] = []

            def visit(name: str, item: object) -> None:
                if hasattr(item, "shape") and "units" not in item.attrs:  # type: ignore[attr-defined]
                    bare.append(name)

            file.visititems(visit)
        ensure(not bare, f"datasets without the attribute `units`: {', '.join(bare[:5])}")
        return "every dataset states one"
    if catalog.path.suffix != ".ecsv":
        raise Skipped(f"the kit does not read {catalog.path.suffix or 'this file'}")
    table = catalog.table()
    bare = [
        c for c in table.colnames if table[c].dtype.kind in "fiu" and not table[c].unit and not table[c].description
    ]
    ensure(not bare, f"columns with neither unit nor description: {', '.join(bare)}")
    return f"{len(table)} rows, {len(table.colnames)} columns"
