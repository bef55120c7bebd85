"""What all emulators share: their box, predictions by name, and the file around their own group."""

from __future__ import annotations

import json

import h5py
import numpy as np
import pytest
from helpers import KnownEmulator, assert_provenance

from astroemu.errors import DataError

THETA = np.array([[0.0, 1.0], [0.5, 0.25]])


def test_a_prediction_lies_on_the_full_grid_whatever_the_order_of_the_names():
    emulator = KnownEmulator(shift=0.0)
    found = emulator.predict(THETA)
    np.testing.assert_allclose(found["line"], [[0.0, 1.0, 2.0], [0.5, 0.75, 1.0]])
    np.testing.assert_allclose(found["level"], [0.0, 0.5])
    by_name = emulator.predict({"b": THETA[:, 1], "a": THETA[:, 0]})
    np.testing.assert_array_equal(by_name["line"], found["line"])
    assert emulator.predict(THETA, units=True)["line"].unit == "mK"


@pytest.mark.parametrize(
    ("theta", "message"),
    [
        ({"a": [0.5], "bb": [0.5]}, r"unknown parameter 'bb'\. Did you mean 'b'"),
        ({"a": [0.5]}, "missing parameters: 'b'"),
        (
            [0.5, 0.5],
            r"theta has the shape \(2,\); \(n, 2\) is needed, with the columns a, b\. One point is theta\[None\]",
        ),
        ([[0.5, 0.5], [0.5, 1.5], [2.0, 0.5]], r"2 point\(s\) .* number 1, where b = 1\.5 is not in \[0, 1\]"),
        ([[np.nan, 0.5]], "where a = nan is not in"),
    ],
)
def test_points_that_cannot_be_predicted_are_refused(theta, message):
    with pytest.raises(DataError, match=message):
        KnownEmulator().predict(theta if isinstance(theta, dict) else np.array(theta))


def test_the_box_is_a_unit_cube():
    class Wide(KnownEmulator):
        bounds = {"a": (-1.0, 3.0), "b": (10.0, 20.0)}  # noqa: RUF012

    theta = np.array([[-1.0, 20.0], [1.0, 12.5], [3.5, 15.0]])
    np.testing.assert_allclose(Wide().unit(theta), [[0.0, 1.0], [0.5, 0.25], [1.125, 0.5]])
    assert Wide().inside(theta).tolist() == [True, True, False]


def test_the_file_gives_the_same_back_and_is_not_overwritten(tmp_path):
    emulator = KnownEmulator(shift=0.2)
    emulator.training_points = np.array([[0.0, 1.0], [0.25, 0.5]])
    emulator.save(tmp_path / "known.h5")
    again = KnownEmulator.load(tmp_path / "known.h5")
    assert again.shift == 0.2 and emulator.sources == {} and again.sources == {"known": again.file_hash}
    assert len(again.file_hash) == 64
    np.testing.assert_allclose(again.training_points, emulator.training_points, atol=1e-5)
    with h5py.File(tmp_path / "known.h5") as file:
        assert file.attrs["emulator"] == "known" and file.attrs["format"] == 1
        assert_provenance(json.loads(file.attrs["provenance"]))
    with pytest.raises(DataError, match="not overwritten"):
        emulator.save(tmp_path / "known.h5")


def test_a_file_of_a_newer_format_or_without_its_parts_is_refused(tmp_path):
    for name in ("newer.h5", "lacking.h5"):
        KnownEmulator().save(tmp_path / name)
    with h5py.File(tmp_path / "newer.h5", "r+") as file:
        file.attrs["format"] = 2
    with h5py.File(tmp_path / "lacking.h5", "r+") as file:
        del file.attrs["shift"]
    with pytest.raises(DataError, match="is of format 2; this version reads 1"):
        KnownEmulator.load(tmp_path / "newer.h5")
    with pytest.raises(DataError, match=r"lacking\.h5.*not a whole known emulator"):
        KnownEmulator.load(tmp_path / "lacking.h5")


def test_what_to_cite_comes_from_the_simulation():
    emulator = KnownEmulator()
    assert emulator.citation == ""
    emulator.provenance = {"simulation": {"citation": "arXiv:0000.00000"}}
    assert emulator.citation == "arXiv:0000.00000"


@pytest.mark.attack("emulator files", "training points outside the box, which would wrap around in sixteen bits")
def test_training_points_outside_the_box_are_not_kept(tmp_path):
    emulator = KnownEmulator()
    emulator.training_points = np.array([[0.25, 0.5], [1.2, 0.5], [-0.1, 0.5], [np.nan, 0.5], [1.0, 0.0]])
    emulator.save(tmp_path / "known.h5")
    kept = KnownEmulator.load(tmp_path / "known.h5").training_points
    np.testing.assert_allclose(kept, [[0.25, 0.5], [1.0, 0.0]], atol=1e-5)


@pytest.mark.parametrize("edges", [(np.nan, 1.0), (1.0, 1.0), (2.0, 1.0)])
def test_a_range_whose_edges_do_not_increase_is_refused_for_every_kind(tmp_path, edges, monkeypatch):
    KnownEmulator().save(tmp_path / "known.h5")
    monkeypatch.setattr(KnownEmulator, "bounds", {"a": (0.0, 1.0), "b": edges})
    with pytest.raises(DataError, match=r"known\.h5: the training range of 'b'"):
        KnownEmulator.load(tmp_path / "known.h5")
