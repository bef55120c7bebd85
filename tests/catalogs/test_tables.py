"""The shipped tables against the data pack, and their marks."""

from __future__ import annotations

import numpy as np
import pytest

from astroemu.core.catalog import load_catalog
from astroemu.io.ecsv import read_ecsv
from astroemu_probes.ionizing_background import IonizingEmissivity, MeanFreePath, PhotoionizationRate
from astroemu_probes.neutral_fraction import NeutralFraction
from astroemu_probes.optical_depth import OpticalDepth
from astroemu_probes.patchy_ksz import PatchyKsz
from astroemu_probes.uv_luminosity_function import UVLuminosityFunction

#: Tables of the pack by catalog, the columns of a measurement, and those of text.
PACK = {
    "neutral_fraction": ("xhi", ("z", "z_lo", "z_hi", "x_HI", "err_up", "err_lo", "cl"), ("kind", "method", "arxiv")),
    "optical_depth": ("tau", ("tau", "err_up", "err_lo"), ("data", "arxiv")),
    "uv_luminosity_function": ("uvlf", ("z", "M_UV", "phi", "err_up", "err_lo"), ("kind", "arxiv")),
}
MARKED = ("neutral_fraction", "optical_depth", "uv_luminosity_function", "mean_free_path", "patchy_ksz")
#: Rows of the pack whose values were corrected, by reference and redshift; with those of the paper.
CORRECTED = {("Morales+2021", 7.3): (0.83, 0.06, 0.07)}
LEFT_OUT = ("Heinrich+Hu2021", ("Adams+2024", 10.5, -19.75))


def texts(table, name):
    return np.ma.filled(np.ma.asarray(table[name]).astype(str), "").tolist()


def rows(table, numbers, words):
    """The rows of a table, each as a tuple of reference, texts and numbers; NaN as None."""
    columns = [texts(table, name) for name in ("reference", *words)]
    values = [np.asarray(table[name], dtype=float).tolist() for name in numbers]
    return [tuple(None if x != x else x for x in row) for row in zip(*columns, *values, strict=True)]


@pytest.mark.parametrize("name", PACK)
def test_the_earlier_rows_are_those_of_the_pack_in_its_order(name, shared_data):
    file, numbers, words = PACK[name]
    old = rows(read_ecsv(shared_data / f"{file}.ecsv"), numbers, words)
    assert rows(load_catalog(name).table(), numbers, words)[: len(old)] == old


def expected(table, file):
    """The rows of the additions as the catalogs have them: without those left out, with the labels of the catalog."""
    for row in table:
        reference = str(row["reference"])
        if reference in LEFT_OUT or (file == "uvlf" and (reference, row["z"], row["M_UV"]) in LEFT_OUT):
            continue
        yield "Davies+2026-secondary" if reference == "Davies+2026" else reference, row


@pytest.mark.parametrize("name", PACK)
def test_every_added_row_of_the_pack_is_there(name, shared_data):
    file, *_ = PACK[name]
    added = list(expected(read_ecsv(shared_data / f"{file}_additions.ecsv"), file))
    table = load_catalog(name).table()
    assert len(table) == len(read_ecsv(shared_data / f"{file}.ecsv")) + len(added)
    value = {"xhi": "x_HI", "tau": "tau", "uvlf": "phi"}[file]
    place = {"xhi": ["z", "method"], "tau": ["data"], "uvlf": ["z", "M_UV"]}[file]
    for reference, row in added:
        here = np.asarray(table["reference"] == reference)
        for key in place:
            here &= np.asarray(table[key] == row[key])
        assert here.sum() == 1, (reference, *(row[key] for key in place))
        found = [float(table[key][here][0]) for key in (value, "err_up", "err_lo")]
        wanted = CORRECTED.get((reference, row["z"] if file == "xhi" else None))
        wanted = [float(row[key]) for key in (value, "err_up", "err_lo")] if wanted is None else wanted
        # The pack has Gaikwad+23 to two digits, the catalog to those of the paper.
        tolerance = {"atol": 0.006} if reference == "Gaikwad+2023" else {"rtol": 0, "atol": 0}
        np.testing.assert_allclose(found, wanted, **{"rtol": 0, **tolerance})


def test_the_upper_error_of_gaikwad_is_that_of_x_hi():
    """x_HI(6.0) = 0.174 +0.093 -0.109; with the errors exchanged, x_HI(5.6) = 0.016 would reach below zero."""
    table = load_catalog("neutral_fraction").table()
    here = table[np.asarray(table["reference"] == "Gaikwad+2023")]
    by_z = {float(row["z"]): tuple(float(row[key]) for key in ("x_HI", "err_up", "err_lo")) for row in here}
    assert by_z[6.0] == (0.1744, 0.0925, 0.1089)
    assert by_z[5.6][1] > by_z[5.6][0] > by_z[5.6][2]


@pytest.mark.parametrize("name", MARKED)
def test_a_number_that_was_read_in_one_secondary_source_only_is_marked(name):
    table = load_catalog(name).table()
    for mark, verified in zip(texts(table, "mark"), texts(table, "verified"), strict=True):
        assert mark == "-" or mark.startswith("single source")
        if verified.startswith(("corecon only", "GALLUMI only", "limit: corecon only", "corecon 1.4.4")):
            assert mark == "single source", verified


@pytest.mark.parametrize(
    "probe",
    [
        *(NeutralFraction, OpticalDepth, UVLuminosityFunction, MeanFreePath),
        *(PhotoionizationRate, IonizingEmissivity, PatchyKsz),
    ],
)
def test_no_default_uses_a_marked_row(probe):
    made = probe()
    table = made._table if hasattr(made, "_table") else made._row
    assert set(texts(table, "mark")) == {"-"}


def test_the_default_neutral_fraction_stays_that_of_the_abstract():
    assert NeutralFraction().z.tolist() == [6.043]
    both = NeutralFraction(references=("Davies+2026", "Davies+2026-secondary"))
    assert both.z.tolist() == [6.043, 6.225] and both.contains == {"quasar dark fraction"}


@pytest.mark.parametrize("name", [*MARKED, "photoionization_rate", "ionizing_emissivity"])
def test_a_table_states_what_overlaps(name):
    assert len(load_catalog(name).table().meta["not_independent"]) > 30
