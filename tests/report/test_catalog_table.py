"""What is in a catalog, as text of 80 columns."""

from __future__ import annotations

import h5py
import pytest
from astropy.table import Table

from astroemu.core.catalog import Catalog, load_catalog
from astroemu.core.remote_catalog import RemoteCatalog
from astroemu.errors import ConfigurationError, DataError
from astroemu.report.catalog_table import catalog_text
from astroemu.runtime.plugins import CATALOGS


def own(tmp_path, table, meta=None):
    path = tmp_path / "mine.ecsv"
    made = Table(table)
    made.meta.update(meta or {})
    made.write(path, format="ascii.ecsv")
    return load_catalog(str(path))


@pytest.mark.parametrize("name", CATALOGS.names)
def test_every_catalog_is_shown_in_80_columns(name):
    catalog = load_catalog(name)
    if isinstance(catalog, RemoteCatalog) or not catalog.path.is_file():
        pytest.skip("it is fetched on request")
    text = catalog_text(catalog)
    words = [line.strip() for line in text.splitlines() if len(line) > 80]
    assert not [line for line in words if " " in line]  # only a word without a blank may be longer
    assert name in text and catalog.sha256 in text and all(number in text for number in catalog.arxiv)


def test_a_table_is_summed_up_by_paper():
    lines = catalog_text(load_catalog("neutral_fraction")).splitlines()
    head = next(line.split() for line in lines if line.startswith("reference"))
    assert head == ["reference", "upper", "lower", "measurement", "z", "arXiv"]
    (row,) = [line.split() for line in lines if line.startswith("Umeda+2026 ")]
    assert row == ["Umeda+2026", "1", "2", "2", "5", "to", "10.4", "2504.04683"]
    assert any(line.startswith("Tang+2024*") for line in lines)  # all its rows are of one secondary source
    assert any(line.startswith("Umeda+2024 (*)") for line in lines)  # some are
    text = " ".join(" ".join(lines).split())
    assert "*: read in one secondary source only" in text
    assert "Overlaps: same quasar: Davies+2018" in text and "Umeda+2025 and Umeda+2025-ACF" in text
    assert "* x_HI: volume-averaged" in text and "Licence: plain numbers" in text


def test_the_rows_of_one_paper_are_listed_with_how_they_were_checked():
    text = " ".join(catalog_text(load_catalog("neutral_fraction"), reference="Gaikwad+2023").split())
    assert "Gaikwad+2023 6 5.95 6.05 0.1744 0.0925 0.1089 measurement 0.68" in text
    assert "Verified: * Gaikwad+2023: text of the paper" in text and "McGreer" not in text.partition("Overlaps")[0]
    assert "*: read in one secondary source" not in text  # no row of this paper is


def test_all_rows_are_listed_on_request():
    text = catalog_text(load_catalog("optical_depth"), rows=True)
    assert sum(line.startswith("Planck2018-VI") for line in text.split("\n\n")[1].splitlines()) == 3
    assert "Planck2018-VI* 0.0544 0.007 0.0081" in " ".join(text.split())


def test_datasets_of_one_name_share_a_line():
    text = catalog_text(load_catalog("hera_h1c_idr3"))
    (row,) = [line.split() for line in text.splitlines() if line.startswith("band1/field_A/delta2")]
    assert row == ["band1/field_A/delta2", "...", "10", "18,", "19,", "16", "mK2"]
    assert "* variance: (n_k,) variance of delta2" in text


def test_a_file_of_ones_own_needs_no_reference_and_no_description(tmp_path):
    text = catalog_text(own(tmp_path, {"z": [6.0, 7.0], "x": [1.0, float("nan")]}, {"remark": {"a": ["b", 2]}}))
    assert "z  x\n6  1\n7  -" in text and "* x: no description" in text and "remark: a: b; 2" in text


def test_a_long_table_without_references_is_cut(tmp_path):
    text = catalog_text(own(tmp_path, {"z": [float(i) for i in range(100)]}))
    assert "and 40 more rows" in text


def test_what_a_stranger_writes_cannot_control_the_terminal(tmp_path):
    table = {"reference": ["a\x1b[31m"], "z": [1.0], "verified": ["\x1b[2J"]}
    text = catalog_text(own(tmp_path, table, {"note\x07": "x\x1b]0;y"}))
    assert "\x1b" not in text and "\x07" not in text
    assert "\x1b" not in catalog_text(load_catalog(str(tmp_path / "mine.ecsv")), rows=True)


def test_an_unknown_paper_is_refused_with_the_nearest():
    with pytest.raises(ConfigurationError, match=r"no row has the reference 'Davies\+26'.*Did you mean 'Davies"):
        catalog_text(load_catalog("neutral_fraction"), reference="Davies+26")


def test_an_hdf5_file_has_no_rows(tmp_path):
    with pytest.raises(ConfigurationError, match="is an HDF5 file, which has no rows"):
        catalog_text(load_catalog("hera_h1c_idr3"), rows=True)


def test_a_file_that_is_missing_or_no_table_is_refused(tmp_path):
    with pytest.raises(DataError, match="there is no file"):
        catalog_text(Catalog("none", tmp_path / "none.ecsv"))
    (tmp_path / "bad.h5").write_text("no HDF5")
    with pytest.raises(DataError, match="is not the HDF5 file"):
        catalog_text(Catalog("bad", tmp_path / "bad.h5"))


def test_an_empty_hdf5_file_is_shown(tmp_path):
    with h5py.File(tmp_path / "empty.h5", "w") as file:
        file.attrs["title"] = "nothing"
    assert "empty: nothing" in catalog_text(Catalog("empty", tmp_path / "empty.h5"))
