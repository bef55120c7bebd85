"""Bad files of a user: catalogs, spectra, emulators, simulations, places to write to.

Exit code 2, one line that names the file and what to do, no traceback, nothing left behind.
"""

from __future__ import annotations

import dataclasses
import errno
import os

import h5py
import numpy as np
import pytest
from helpers import assert_fit_refused, assert_refused, command

import astroemu_catalogs
from astroemu.core.observable import Axis, Observable
from astroemu.emulation.training_set import TrainingSet
from astroemu.runtime.plugins import TRAINED, locate


@pytest.fixture
def default(examples):
    return (examples / "reionization.toml").read_text()


@pytest.mark.parametrize(
    "content",
    [
        "z x_HI\n6.0 0.1\n",
        "# %ECSV 1.0\n# ---\n# datatype:\n# - {name: z, datatype: float64}\n# schema: astropy-2.0\nz\n6.0\n",
    ],
    ids=["no ECSV", "other columns"],
)
@pytest.mark.parametrize("probe", ["uv_luminosity_function", "neutral_fraction", "optical_depth"])
def test_a_table_of_another_form(probe, content, tmp_path, default):
    """A user's own catalog is the likeliest file of all to be wrong."""
    (tmp_path / "mine.ecsv").write_text(content)
    text = default.replace(f"[probes.{probe}.sets]", f"[probes.{probe}]\n[probes.{probe}.sets]")
    text = text.replace(f"[probes.{probe}]", f'[probes.{probe}]\ncatalog = "mine.ecsv"')
    assert_fit_refused(tmp_path, text, f"[probes.{probe}]", "mine.ecsv")


@pytest.mark.parametrize("damage", ["no groups", "no arrays", "no redshift", "no HDF5", "a dataset for a group"])
def test_spectra_of_another_form(damage, tmp_path, default):
    path = tmp_path / "mine.h5"
    if damage == "no HDF5":
        path.write_text("k delta2\n")
    else:
        with h5py.File(path, "w") as file:
            if damage == "no arrays":
                file.create_group("band1/field_A")
                file["band1"].attrs["redshift"] = 8.0
            elif damage == "no redshift":
                file["band1/field_A/k"] = np.ones(2)
            elif damage == "a dataset for a group":
                file["band1"] = np.ones(3)
                file["band1"].attrs["redshift"] = 8.0
    text = default.replace('catalog = "hera_h1c_idr3"', 'catalog = "mine.h5"')
    assert_fit_refused(tmp_path, text, "[probes.power_spectrum_21cm]", "mine.h5")


@pytest.mark.parametrize("share", [0.001, 0.3, 0.99])
def test_an_emulator_cut_short(share, tmp_path, default):
    whole = locate(TRAINED, "acg").read_bytes()
    (tmp_path / "mine.h5").write_bytes(whole[: int(len(whole) * share)])
    text = default.replace("[emulators.acg]", '[emulators.acg]\nfile = "mine.h5"')
    assert_fit_refused(tmp_path, text, "[emulators.acg]", "mine.h5")


def test_an_emulator_of_an_unknown_kind(tmp_path, default):
    with h5py.File(tmp_path / "mine.h5", "w") as file:
        file.attrs["emulator"] = "neurl"
    text = default.replace("[emulators.acg]", '[emulators.acg]\nfile = "mine.h5"')
    assert_fit_refused(tmp_path, text, "[emulators.acg]", "mine.h5", "Did you mean 'neural'")


@pytest.mark.parametrize(
    "content", [b"", b"no HDF5 here", b"\x80\x04\x95\x0a\x00\x00\x00\x00\x00\x00\x00\x8c\x06posix."]
)
def test_an_emulator_file_that_is_none(content, tmp_path, default):
    (tmp_path / "mine.h5").write_bytes(content)
    text = default.replace("[emulators.acg]", '[emulators.acg]\nfile = "mine.h5"')
    assert_fit_refused(tmp_path, text, "mine.h5", "not an emulator file")


def test_a_truncated_emulator(tmp_path):
    whole = locate(TRAINED, "acg").read_bytes()
    (tmp_path / "mine.h5").write_bytes(whole[: len(whole) // 2])
    assert_refused("validate", tmp_path / "mine.h5", "--data", tmp_path / "x.h5", words=["mine.h5"])


def test_a_catalog_whose_checksum_fails(tmp_path, monkeypatch):
    catalog = astroemu_catalogs.OPTICAL_DEPTH
    changed = tmp_path / "tau.ecsv"
    changed.write_text(catalog.path.read_text().replace("0.0544", "0.0644"))
    monkeypatch.setattr(astroemu_catalogs, "OPTICAL_DEPTH", dataclasses.replace(catalog, path=changed))
    assert_refused("fit", "--out", tmp_path / "run", words=["optical_depth", "SHA-256"])
    assert not (tmp_path / "run").exists()


def test_files_and_folders_that_are_not_there(tmp_path):
    for arguments in (
        ["fit", tmp_path / "none.toml"],
        ["fit", "--sampler", "emce"],
        ["report", tmp_path],
        ["train", "train_acg", "--data", tmp_path / "none.h5", "--out", tmp_path / "out.h5"],
        ["validate", tmp_path / "none.h5", "--data", tmp_path / "none.h5"],
    ):
        assert_refused(*arguments)


def test_out_that_cannot_be_a_folder(tmp_path):
    (tmp_path / "file").write_text("mine")
    assert_refused("fit", "--out", tmp_path / "file", words=["file", "--out"])
    assert_refused("fit", "--out", tmp_path / "file" / "run", words=["file"])
    assert (tmp_path / "file").read_text() == "mine"


def test_figures_into_a_missing_folder(tmp_path, monkeypatch):
    """The folder is made, or its absence is said; no traceback after the work is done."""
    import astroemu.model.benchmark

    row = astroemu.model.benchmark.Timing("numpy", "cpu", 1, 1.0, 1.0, 0.1, 0.1, 1.0, 0.0, 3)
    found = (astroemu.model.benchmark.Peak(1e11, 5e10), [row])
    monkeypatch.setattr(astroemu.model.benchmark, "bench_model", lambda *_, **__: found)
    out = tmp_path / "absent" / "bench.json"
    code, _, message = command("bench", "--batch", "1", "--out", str(out))
    assert out.exists() if code == 0 else (code == 2 and "absent" in message)


def test_simulations_that_do_not_fit(tmp_path):
    theta = np.random.default_rng(0).random((50, 2))
    data = tmp_path / "set.h5"
    TrainingSet(("a", "b"), theta, {"y": Observable("y", (Axis("x", np.arange(2.0)),))}, {"y": theta}).save(data)
    assert_refused("validate", "acg", "--data", data, words=["'a', 'b'", "'log10_l_x'"])
    (tmp_path / "none.h5").write_text("no HDF5")
    assert_refused("validate", "acg", "--data", tmp_path / "none.h5", words=["none.h5"])
    assert_refused("validate", "agc", "--data", data, words=["Did you mean 'acg'"])


def test_report_of_what_is_no_run(tmp_path):
    assert_refused("report", tmp_path / "absent", words=["absent", "finished run"])
    (tmp_path / "samples.h5").write_text("no samples")
    assert_refused("report", tmp_path, words=[str(tmp_path), "summary.json"])


@pytest.mark.parametrize(
    ("error", "code"), [("ENOSPC", 2), ("EDQUOT", 2), ("EROFS", 2), ("EACCES", 2), ("ENOENT", None), ("EPIPE", None)]
)
@pytest.mark.attack("full disk", "an error of the disk at a place where no writer of ours is, such as a full /tmp")
def test_a_disk_that_is_full_anywhere_is_no_traceback(monkeypatch, error, code):
    number = getattr(errno, error)

    def full():
        raise OSError(number, os.strerror(number), "/tmp/work")

    monkeypatch.setattr("astroemu.cli.app", full)
    if code is None:
        with pytest.raises(OSError, match="tmp"):
            command("list")
        return
    found, _, message = command("list")
    assert found == code and message.count("\n") == 1
    assert message.startswith(f"astroemu: cannot write /tmp/work: {os.strerror(number)}; ")
