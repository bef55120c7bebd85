"""Trained emulators, found by name and by path, and read by their kind."""

from __future__ import annotations

import h5py
import numpy as np
import pytest

from astroemu.emulation.loading import load_emulator, read_emulator
from astroemu.errors import DataError, PluginError
from astroemu.testing.problems import training_set
from astroemu_plugins.emulators.polynomial import PolynomialEmulator

THETA = np.array([[0.25, -0.5]])


@pytest.fixture(scope="module")
def trained():
    return PolynomialEmulator.train(training_set(100), {"degree": 2}, seed=1, log=lambda _: None)


def test_an_installed_emulator_is_found_by_its_name():
    emulator = load_emulator("cmb_background")
    middle = np.array([emulator.bounds[name] for name in emulator.parameters]).mean(axis=1)
    assert len(emulator.file_hash) == 64 and emulator.inside(middle[None]).tolist() == [True]
    assert all(np.all(np.isfinite(values)) for values in emulator.predict(middle[None]).values())


def test_a_file_is_read_by_the_kind_that_wrote_it(trained, tmp_path):
    trained.save(tmp_path / "mine.h5")
    emulator = load_emulator(tmp_path / "mine.h5")
    assert isinstance(emulator, PolynomialEmulator)
    np.testing.assert_allclose(emulator.predict(THETA)["number"], [0.25 * -0.5 + 2.0])


def test_an_emulator_may_lie_in_a_group_of_another_file(trained, tmp_path):
    with h5py.File(tmp_path / "both.h5", "w") as file:
        trained.write_to(file.create_group("first"))
        file.create_group("empty")
        np.testing.assert_array_equal(
            read_emulator(file["first"]).predict(THETA)["line"], trained.predict(THETA)["line"]
        )
        with pytest.raises(DataError, match=r"both\.h5, /empty holds no emulator"):
            read_emulator(file["empty"])
        file["first"].attrs["emulator"] = "polynomal"
        with pytest.raises(PluginError, match=r"both\.h5, /first: .*'polynomal'.*Did you mean 'polynomial'"):
            read_emulator(file["first"])


def test_a_name_or_file_that_is_not_there_is_refused(tmp_path):
    with pytest.raises(PluginError, match=r"'acgg'.*Did you mean 'acg'"):
        load_emulator("acgg")
    with pytest.raises(PluginError, match=r"none\.h5"):
        load_emulator(tmp_path / "none.h5")
    (tmp_path / "text.h5").write_text("no HDF5")
    with pytest.raises(DataError, match=r"text\.h5 is not an emulator file"):
        load_emulator(tmp_path / "text.h5")
