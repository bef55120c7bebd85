"""Files contain their provenance. The name of the machine is left out on request."""

from __future__ import annotations

import calendar
import json
import platform
import time

import h5py
import numpy as np
import pytest
from helpers import assert_provenance

from astroemu.core.observable import Observable
from astroemu.emulation.training_set import TrainingSet
from astroemu.runtime.provenance import provenance, without_host
from astroemu.sampling.samples import Samples
from astroemu_plugins.emulators.polynomial import PolynomialEmulator


def samples():
    zeros = np.zeros(3)
    return Samples(("a",), np.ones((3, 1)), zeros, zeros, zeros, "it", 1.0, True, "", 1)


def training_set():
    theta = np.random.default_rng(1).random((40, 1))
    box = {"a": {"low": 0.0, "high": 1.0}}
    return TrainingSet(("a",), theta, {"y": Observable("y")}, {"y": theta[:, 0] ** 2}, {"parameters": box})


def emulator():
    return PolynomialEmulator.train(training_set(), {"degree": 2, "outputs": ["y"]}, seed=1, log=lambda text: None)


WRITTEN = {"samples": samples, "training set": training_set, "emulator": emulator}


@pytest.fixture(params=WRITTEN)
def written(request):
    return WRITTEN[request.param]()


def block_of(path):
    with h5py.File(path) as file:
        return json.loads(file.attrs["provenance"])


def test_every_hdf5_file_says_what_made_it(written, tmp_path):
    written.save(tmp_path / "it.h5")
    block = block_of(tmp_path / "it.h5")
    assert_provenance(block)
    assert block["host"] == platform.node() and block["processes"] == 1
    age = time.time() - calendar.timegm(time.strptime(block["date"], "%Y-%m-%dT%H:%M:%SZ"))
    assert -1.0 <= age < 600.0


def test_the_host_is_left_out_by_a_switch(written, tmp_path, monkeypatch):
    monkeypatch.setenv("ASTROEMU_NO_HOST", "1")
    written.save(tmp_path / "it.h5")
    assert "host" not in block_of(tmp_path / "it.h5")
    if len(platform.node()) > 3:
        assert platform.node().encode() not in (tmp_path / "it.h5").read_bytes()


@pytest.mark.parametrize(("value", "there"), [("", True), ("0", True), ("1", False), ("yes", False)])
def test_what_the_switch_takes(monkeypatch, value, there):
    monkeypatch.setenv("ASTROEMU_NO_HOST", value)
    assert ("host" in provenance()) is there
    assert ("host" in without_host({"host": "elsewhere", "date": "then"})) is there


def test_with_a_stated_date_files_made_twice_are_the_same_to_the_byte(written, tmp_path, monkeypatch):
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1700000000")
    for name in ("one.h5", "two.h5"):
        written.save(tmp_path / name)
    assert (tmp_path / "one.h5").read_bytes() == (tmp_path / "two.h5").read_bytes()
    assert block_of(tmp_path / "one.h5")["date"] == "2023-11-14T22:13:20Z"


def test_the_processes_and_threads_are_those_of_the_job(monkeypatch):
    monkeypatch.setenv("PMI_SIZE", "12")
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    assert (provenance()["processes"], provenance()["threads"]) == (12, 1)
