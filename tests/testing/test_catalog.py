"""The kit's checks of catalogs: a file that somebody would misread fails."""

from __future__ import annotations

import h5py
import numpy as np
import pytest
from astropy.table import MaskedColumn, Table

from astroemu.core.catalog import Catalog, load_catalog, write_datasets
from astroemu.testing import check_catalog


def outcomes(catalog):
    return {finding.check: finding.outcome for finding in check_catalog(catalog).findings}


@pytest.mark.parametrize("name", ["neutral_fraction", "uv_luminosity_function", "hera_h1c_idr3", "planck2018_low_ell"])
def test_a_shipped_catalog_passes_every_check(name):
    assert set(outcomes(load_catalog(name)).values()) == {"passed"}


@pytest.mark.case(2)
@pytest.mark.parametrize(
    ("column", "message"),
    [
        (MaskedColumn([1.0, 2.0], mask=[False, True]), "the column 'x' has blank cells"),
        (MaskedColumn(["a", "b"], mask=[False, True]), "the column 'x' has blank cells"),
        ([1.0, np.inf], "row 2: the column 'x' is infinite"),
    ],
)
def test_a_table_with_a_value_that_is_none_fails(tmp_path, column, message):
    path = tmp_path / "mine.ecsv"
    table = Table({"x": column, "y": [1, 2]})
    for name in table.colnames:
        table[name].description = "a number"
    table.write(path, format="ascii.ecsv")
    report = check_catalog(Catalog("mine", path))
    assert [f.check for f in report.failures] == ["values"] and message in report.failures[0].detail


@pytest.mark.parametrize(
    ("values", "message"),
    [([1.0, np.inf], "infinite number"), ([1j, 2.0], "complex numbers"), (None, "nothing was written")],
)
def test_a_dataset_with_a_value_that_is_none_fails(tmp_path, values, message):
    path = tmp_path / "mine.h5"
    write_datasets(path, {"good": (np.array([1.0, np.nan]), ""), "name": (np.array([b"a"]), "")}, {})
    assert outcomes(Catalog("mine", path))["values"] == "passed"
    with h5py.File(path, "r+") as file:
        if values is None:
            file.create_dataset("x", shape=(2,), dtype="f8")
        else:
            file["x"] = values
        file["x"].attrs["units"] = ""
    report = check_catalog(Catalog("mine", path))
    assert [f.check for f in report.failures] == ["values"] and "dataset 'x': " in report.failures[0].detail
    assert message in report.failures[0].detail
