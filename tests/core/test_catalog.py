"""Catalogs: refused if damaged, complete if installed."""

from __future__ import annotations

import dataclasses
import gzip
import hashlib

import h5py
import numpy as np
import pytest
from astropy import units
from astropy.table import QTable

from astroemu.core.catalog import Catalog, load_catalog, write_datasets, write_table
from astroemu.core.columns import NumberColumn
from astroemu.core.remote_catalog import RemoteCatalog
from astroemu.core.wheel_catalog import WheelCatalog
from astroemu.errors import DataError, PluginError
from astroemu.runtime.plugins import CATALOGS

# Files that are fetched, or in another wheel, may not be there: test_remote_catalog.py and test_wheel_catalog.py
SHIPPED = [name for name in CATALOGS.names if not isinstance(load_catalog(name), RemoteCatalog | WheelCatalog)]


@pytest.fixture
def ecsv(tmp_path):
    path = tmp_path / "mine.ecsv"
    QTable({"z": [6.0, 7.0], "k": [0.1, 0.2] / units.Mpc}).write(path, format="ascii.ecsv")
    return path


@pytest.fixture
def hdf5(tmp_path):
    path = tmp_path / "mine.h5"
    with h5py.File(path, "w") as file:
        file["power"] = np.arange(3.0)
    return path


def digest(path):
    return hashlib.sha256(path.read_bytes()).hexdigest()


def test_a_file_of_the_expected_checksum_is_read(ecsv):
    catalog = Catalog("mine", ecsv, checksum=digest(ecsv))
    assert catalog.sha256 == digest(ecsv)
    table = catalog.table()
    np.testing.assert_array_equal(table["z"], [6.0, 7.0])
    assert table["k"].unit == 1 / units.Mpc


def test_hdf5_is_opened_for_reading_and_closed(hdf5):
    with Catalog("mine", hdf5, checksum=digest(hdf5)).hdf5() as file:
        np.testing.assert_array_equal(file["power"][()], [0, 1, 2])
        assert file.mode == "r"
    assert not file


@pytest.mark.parametrize("checksum", ["0" * 64, ""])
def test_a_changed_file_is_refused_by_every_reader(ecsv, checksum):
    catalog = Catalog("mine", ecsv, checksum=checksum)
    with pytest.raises(DataError, match=r"'mine'.*has the SHA-256 .*changed or damaged") as caught:
        catalog.table()
    assert digest(ecsv) in str(caught.value)
    with pytest.raises(DataError, match="SHA-256"), catalog.hdf5():
        pass
    with pytest.raises(DataError, match="SHA-256"):
        _ = catalog.sha256


def test_one_changed_byte_is_noticed(hdf5):
    checksum = digest(hdf5)
    content = bytearray(hdf5.read_bytes())
    content[-1] ^= 1
    hdf5.write_bytes(content)
    with pytest.raises(DataError, match="changed or damaged"), Catalog("mine", hdf5, checksum).hdf5():
        pass


def test_a_missing_file_is_refused(tmp_path):
    catalog = Catalog("mine", tmp_path / "none.ecsv")
    with pytest.raises(DataError, match=r"catalog 'mine': there is no file .*none\.ecsv"):
        catalog.table()
    with pytest.raises(DataError, match="there is no file"), catalog.hdf5():
        pass
    with pytest.raises(DataError, match="there is no file"):
        _ = Catalog("folder", tmp_path).sha256


def test_a_file_of_another_kind_is_refused(ecsv, hdf5, tmp_path):
    plain = tmp_path / "plain.ecsv"
    plain.write_text("z,k\n1,2\n")
    for path in (hdf5, plain):
        with pytest.raises(DataError, match=r"'mine'.*(is not an ECSV table|is not UTF-8 text)"):
            Catalog("mine", path).table()
    with pytest.raises(DataError, match="is not the HDF5 file of the catalog"), Catalog("mine", ecsv).hdf5():
        pass


def test_a_dataset_that_is_not_there_is_a_fault_of_the_file(hdf5):
    with pytest.raises(DataError, match=r"mine\.h5 is not the HDF5 file"), Catalog("mine", hdf5).hdf5() as file:
        _ = file["none"]


def test_other_errors_while_a_file_is_open_pass_through(hdf5):
    with pytest.raises(ZeroDivisionError), Catalog("mine", hdf5).hdf5():
        _ = 1 / 0


@pytest.mark.parametrize("text", [False, True])
def test_a_file_of_ones_own_is_read_as_it_is(ecsv, text):
    catalog = load_catalog(str(ecsv) if text else f"{ecsv.parent}/./{ecsv.name}")
    assert (catalog.name, catalog.checksum) == ("mine.ecsv", None)
    assert len(catalog.table()) == 2
    assert catalog.sha256 == digest(ecsv)


def test_ones_own_file_that_is_not_there_is_refused_when_it_is_read(tmp_path):
    with pytest.raises(DataError, match="there is no file"):
        load_catalog(str(tmp_path / "none.ecsv")).table()


def test_an_unknown_name_lists_what_is_installed():
    with pytest.raises(
        PluginError, match=r"no catalog is called 'optical_dept'.*Did you mean 'optical_depth'"
    ) as caught:
        load_catalog("optical_dept")
    assert "'hera_h1c_idr3'" in str(caught.value)


def test_the_shipped_catalogs_are_installed():
    assert {
        "hera_h1c_idr3",
        "neutral_fraction",
        "optical_depth",
        "uv_luminosity_function",
        "uv_luminosity_function_21cmmc",
    } <= set(CATALOGS.names)


@pytest.mark.parametrize("name", SHIPPED)
def test_an_installed_catalog_is_whole_named_and_cited(name):
    catalog = load_catalog(name)
    assert catalog.name == name
    assert catalog.checksum == catalog.sha256 == digest(catalog.path)
    assert catalog.reference and catalog.licence and catalog.arxiv


@pytest.mark.parametrize("name", SHIPPED)
def test_an_installed_catalog_can_be_read_and_describes_itself(name):
    catalog = load_catalog(name)
    if catalog.path.suffix == ".h5":
        with catalog.hdf5() as file:
            assert len(file) > 0
        return
    table = catalog.table()
    assert len(table) > 0
    assert all(column.info.description for column in table.itercols())


@pytest.mark.parametrize("name", SHIPPED)
def test_a_damaged_copy_of_an_installed_catalog_is_refused(name, tmp_path):
    catalog = load_catalog(name)
    copy = tmp_path / catalog.path.name
    copy.write_bytes(catalog.path.read_bytes() + b"\n")
    with pytest.raises(DataError, match="changed or damaged"):
        _ = dataclasses.replace(catalog, path=copy).sha256


def test_columns_come_in_the_unit_that_is_asked_for(ecsv):
    table = Catalog("mine", ecsv).table({"z": "", "k": "1 / kpc"})
    assert table["k"].unit == 1 / units.kpc
    np.testing.assert_allclose(table["k"], [1e-4, 2e-4])


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ({"kk": ""}, r"has no column 'kk'\. Did you mean 'k'\? It has 'k', 'z'"),
        ({"k": "mag"}, r"mine\.ecsv: the column 'k' is needed in 'mag' but has the unit '1 / Mpc'"),
        ({"k": ""}, r"mine\.ecsv: the column 'k' is needed in 'no unit' but has the unit '1 / Mpc'"),
        ({"z": "Mpc"}, r"mine\.ecsv: the column 'z' is needed in 'Mpc' but states no unit"),
        ({"kk": "", "zz": "", "k": "mag"}, r"no column 'kk', 'zz'\..*; the column 'k' is needed in 'mag'"),
    ],
)
def test_a_column_that_is_missing_or_of_another_unit_is_refused(ecsv, columns, message):
    with pytest.raises(DataError, match=message):
        Catalog("mine", ecsv).table(columns)


def test_rows_are_refused_by_number_and_file(ecsv):
    catalog = Catalog("mine", ecsv)
    table = catalog.table({"z": NumberColumn(above=0)})
    catalog.refuse_rows(table, np.array([False, False]), "never")
    with pytest.raises(DataError, match=r"catalog 'mine': .*mine\.ecsv: row 2: z is odd; leave it out"):
        catalog.refuse_rows(table, table["z"] % 2 == 1, "z is odd; leave it out")


def test_an_ecsv_file_is_not_unpacked_and_makes_no_objects(tmp_path):
    packed, code = tmp_path / "packed.ecsv", tmp_path / "code.ecsv"
    packed.write_bytes(gzip.compress(b"# %ECSV 1.0\n"))
    mark = tmp_path / "mark"
    code.write_text(
        "# %ECSV 1.0\n# ---\n# datatype:\n# - {name: z, datatype: float64}\n"
        f"# meta: !!python/object/apply:os.mkdir ['{mark}']\n# schema: astropy-2.0\nz\n1.0\n"
    )
    for path in (packed, code):
        with pytest.raises(DataError, match=path.name):
            Catalog(path.name, path).table()
    assert not mark.exists()


def test_a_table_is_written_once_with_its_units(tmp_path):
    table, path = QTable({"z": [6.0, 7.0], "k": [0.1, 0.2] / units.Mpc}), tmp_path / "new" / "mine.ecsv"
    write_table(path, table)
    found = Catalog("mine", path).table({"k": "1/Mpc"})
    np.testing.assert_array_equal(found["z"], [6.0, 7.0])
    np.testing.assert_array_equal(found["k"], [0.1, 0.2])
    with pytest.raises(DataError, match="is not overwritten"):
        write_table(path, table)


def test_datasets_are_written_once_with_units_and_attributes(tmp_path):
    path = tmp_path / "mine.h5"
    write_datasets(path, {"power": (np.arange(3.0), "mK^2"), "band/k": (1.5, "1/Mpc")}, {"n": 2, "band/redshift": 7.9})
    with Catalog("mine", path).hdf5() as file:
        np.testing.assert_array_equal(file["power"][()], [0.0, 1.0, 2.0])
        assert file["power"].attrs["units"] == "mK^2" and file["band/k"].attrs["units"] == "1/Mpc"
        assert file["band/k"][()] == 1.5 and file.attrs["n"] == 2 and file["band"].attrs["redshift"] == 7.9
    with pytest.raises(DataError, match="is not overwritten"):
        write_datasets(path, {}, {})
