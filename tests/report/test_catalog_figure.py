"""Pictures of catalogs: what is recognised, and what cannot be drawn."""

from __future__ import annotations

import h5py
import numpy as np
import pytest
from astropy.table import Table

from astroemu.core.catalog import Catalog, load_catalog
from astroemu.errors import ConfigurationError
from astroemu.report import catalog_figure
from astroemu.report.catalog_figure import draw_catalog


@pytest.fixture
def drawn(monkeypatch):
    """The series and labels that would be drawn."""
    kept = {}
    monkeypatch.setattr(catalog_figure, "_draw", lambda title, found, labels, path: kept.update(s=found, labels=labels))

    def draw(catalog):
        draw_catalog(catalog, None)
        return kept["s"], kept["labels"]

    return draw


def own(tmp_path, **columns):
    Table(columns).write(tmp_path / "mine.ecsv", format="ascii.ecsv")
    return load_catalog(str(tmp_path / "mine.ecsv"))


@pytest.mark.parametrize("name", ["neutral_fraction", "act_dr6_lite"])
def test_a_picture_is_written(tmp_path, name):
    draw_catalog(load_catalog(name), tmp_path / "picture.png")
    assert (tmp_path / "picture.png").read_bytes()[:4] == b"\x89PNG"


def test_neutral_fractions_by_redshift(drawn):
    found, labels = drawn(load_catalog("neutral_fraction"))
    assert labels == ("z", "x_HI") and {series.panel for series in found} == {""}
    (gaikwad,) = [series for series in found if series.label == "Gaikwad+2023"]
    assert gaikwad.x[0] == 6.0 and gaikwad.y[0] == 0.1744 and gaikwad.low[0] == 0.1089 and gaikwad.high[0] == 0.0925
    (mcgreer,) = [series for series in found if series.label == "McGreer+2015"]
    assert mcgreer.kind == ("upper",) * 3


def test_luminosity_functions_in_panels_by_redshift(drawn):
    found, labels = drawn(load_catalog("uv_luminosity_function"))
    assert labels == ("M_UV [mag]", "phi [1 / (mag Mpc3)]")
    panels = list(dict.fromkeys(series.panel for series in found))
    assert panels[:3] == ["z = 4", "z = 5", "z = 6"] and panels[-1] == "z = 16"


def test_values_without_an_axis_are_drawn_by_row(drawn):
    found, labels = drawn(load_catalog("optical_depth"))
    assert labels == ("row", "tau") and found[0].x.tolist() == [0, 1, 2] and found[0].y[0] == 0.0544


def test_one_error_bar_for_both_sides(drawn):
    (series,), labels = drawn(load_catalog("global_signal_mock"))
    assert labels == ("nu [MHz]", "t_sky [mK]")
    np.testing.assert_array_equal(series.low, series.high)


def test_limits_without_errors(drawn, tmp_path):
    (series,), labels = drawn(own(tmp_path, z=[8.0], k=[0.3], delta2_limit=[457.0]))
    assert labels == ("k", "delta2_limit") and series.kind == ("upper",) and series.panel == "z = 8"


def test_datasets_with_their_errors(drawn):
    found, _ = drawn(load_catalog("hera_h1c_idr3"))
    assert len(found) == 10 and {series.panel for series in found} == {f"band{i} delta2 against k" for i in (1, 2)}
    with load_catalog("hera_h1c_idr3").hdf5() as file:
        field = file["band1/field_A"]
        np.testing.assert_array_equal(found[0].x, field["k"])
        np.testing.assert_allclose(found[0].high, np.sqrt(field["variance"][()]))
    spectra, _ = drawn(load_catalog("act_dr6_lite"))
    assert {"TT", "TE", "EE"} <= {series.label.split()[-1] for series in spectra}


def test_what_has_no_values_is_refused(tmp_path):
    with pytest.raises(ConfigurationError, match="'planck2018_low_ell' has nothing that can be drawn"):
        draw_catalog(load_catalog("planck2018_low_ell"), tmp_path / "x.png")
    with h5py.File(tmp_path / "no.h5", "w") as file:
        file["values"] = np.arange(3.0)
    with pytest.raises(ConfigurationError, match="nothing that can be drawn"):
        draw_catalog(Catalog("no", tmp_path / "no.h5"), tmp_path / "x.png")
    assert not (tmp_path / "x.png").exists()
