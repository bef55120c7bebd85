"""HDF5 files are written completely or not at all, whatever the disk does."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
from pathlib import Path

import h5py
import numpy as np
import pytest
from helpers import KnownEmulator, no_file_above

from astroemu.core.catalog import write_datasets
from astroemu.core.observable import Observable
from astroemu.emulation.training_set import TrainingSet
from astroemu.errors import DataError
from astroemu.io.files import write_json, write_text
from astroemu.io.hdf5 import write_hdf5
from astroemu.io.untrusted import open_hdf5
from astroemu.sampling.samples import Samples


def samples():
    one = np.zeros(4000)
    return Samples(("a",), one[:, None], one, one, one, "emcee", 50.0, True, "made", 100)


def training_set():
    return TrainingSet(("a",), np.ones((500, 1)), {"tau": Observable("tau")}, {"tau": np.ones(500)})


#: Everything that writes a file, by a name: a function of its path.
WRITERS = {
    "samples": lambda path: samples().save(path),
    "training set": lambda path: training_set().save(path),
    "emulator": lambda path: KnownEmulator().save(path),
    "catalog": lambda path: write_datasets(path, {"x": (np.ones(1000), "Mpc")}, {}),
    "plain": lambda path: write_hdf5(path, lambda file: file.create_dataset("x", data=np.ones(1000))),
    "JSON": lambda path: write_json(path, {"x": [1.0] * 3000}),
    "text": lambda path: write_text(path, "x" * 30_000),
}
#: Those that replace an old file.
REPLACING = [name for name in WRITERS if name not in ("emulator", "catalog")]


def content(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@pytest.mark.parametrize("writer", WRITERS)
@pytest.mark.attack("full disk", "no space at each of many bytes of a file, for every writer")
def test_a_disk_that_is_full_at_any_byte_leaves_no_file(tmp_path, writer):
    write, whole = WRITERS[writer], tmp_path / "whole" / "file"
    whole.parent.mkdir()
    write(whole)
    size = whole.stat().st_size
    path = tmp_path / "full" / "file"
    path.parent.mkdir()
    for byte in sorted({0, 1, size // 2, size - 1, *range(0, size, max(1, size // 6))}):
        with (
            no_file_above(byte),
            pytest.raises(DataError, match=rf"cannot write {path}: File too large; .*another disk"),
        ):
            write(path)
        assert content(path.parent) == {}, byte
    with no_file_above(size):
        write(path)
    assert path.stat().st_size == size


@pytest.mark.parametrize("writer", REPLACING)
def test_a_full_disk_leaves_the_old_file_as_it_was(tmp_path, writer):
    path = tmp_path / "file"
    WRITERS[writer](path)
    before = content(tmp_path)
    with no_file_above(len(before["file"]) // 2), pytest.raises(DataError):
        WRITERS[writer](path)
    assert content(tmp_path) == before


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt, MemoryError])
def test_a_writer_that_fails_leaves_nothing(tmp_path, error):
    def write(file):
        file["x"] = np.ones(10)
        raise error

    with pytest.raises(error):
        write_hdf5(tmp_path / "a.h5", write)
    assert content(tmp_path) == {}


def test_the_same_content_gives_the_same_bytes_at_another_time(tmp_path):
    """HDF5 stores times in seconds where it keeps the order of datasets."""
    for name in ("one.h5", "two.h5"):
        write_hdf5(tmp_path / name, lambda file: file.create_dataset("b", data=np.arange(3.0)))
        time.sleep(1.05)
    assert (tmp_path / "one.h5").read_bytes() == (tmp_path / "two.h5").read_bytes()


def test_what_is_written_is_what_h5py_writes_itself(tmp_path):
    def write(file):
        file["größe/h"] = np.arange(5.0)
        file["größe/h"].attrs["units"] = "Mpc/h"
        file["text"] = "é" * 100_000
        file.attrs["b"], file.attrs["a"] = 1, 2

    write_hdf5(tmp_path / "ours.h5", write)
    with h5py.File(tmp_path / "theirs.h5", "w") as file:
        write(file)
    for name in ("ours.h5", "theirs.h5"):
        with open_hdf5(tmp_path / name, "a file") as file:
            assert file["größe/h"][()].tolist() == [0, 1, 2, 3, 4] and file["größe/h"].attrs["units"] == "Mpc/h"
            assert file["text"].asstr()[()] == "é" * 100_000 and list(file.attrs) == ["a", "b"]


@pytest.mark.attack("files", "a folder that may not be written to")
@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_that_is_read_only_is_an_error(tmp_path):
    tmp_path.chmod(0o500)
    with pytest.raises(DataError, match="you may not write there"):
        samples().save(tmp_path / "a.h5")


def test_nothing_else_writes_hdf5():
    """h5py ignores errors when it closes a file, so only `write_hdf5` may write one."""
    root = Path(__file__).parents[2]
    sources = [path for name in ("astroemu", "plugins", "probes", "catalogs") for path in (root / name).rglob("*.py")]
    assert len(sources) > 100
    opened = {p: re.findall(r"h5py\.File\(([^)]*)\)", p.read_text(encoding="utf-8")) for p in sources}
    writing = [call for calls in opened.values() for call in calls if re.search(r"['\"](w|a|x|r\+)", call)]
    assert (
        writing and [call for call in writing if "image, " not in call and "backing_store=False" not in call] == []
    )  # in memory


FULL = """
import os, sys
from pathlib import Path
sys.path[:0] = sys.argv[2:]
from test_hdf5 import WRITERS
from astroemu.errors import DataError
disk, found = Path(sys.argv[1]), []
for name, write in WRITERS.items():
    write(Path(f"{disk}-{name}"))
    size = Path(f"{disk}-{name}").stat().st_size
    for left in (0, 4096, size // 8192 * 4096):
        free = os.statvfs(disk).f_bavail * 4096
        (disk / "ballast").write_bytes(bytes(max(free - left, 0)))
        try:
            write(disk / "file")
            found.append(f"{name} was written with {left} of {size} bytes left")
        except DataError as error:
            if "No space left on device; free some space" not in str(error):
                found.append(f"{name}: {error}")
        found += [f"{name} left {path}" for path in disk.iterdir() if path.name != "ballast"]
        (disk / "ballast").unlink()
print("\\n".join(found) or "none")
"""


@pytest.mark.slow
@pytest.mark.attack("full disk", "every writer on a small file system that is really full")
def test_a_file_system_that_is_really_full_leaves_no_file(tmp_path):
    (tmp_path / "disk").mkdir()
    mount = ["unshare", "-rm", "sh", "-c", 'mount -t tmpfs -o size=1m tmpfs "$0" && exec "$@"', str(tmp_path / "disk")]
    if subprocess.run([*mount, "true"], capture_output=True, check=False).returncode:
        pytest.skip("a small file system cannot be mounted here")
    here = Path(__file__).parent
    run = [sys.executable, "-c", FULL, str(tmp_path / "disk"), str(here), str(here.parent)]
    done = subprocess.run([*mount, *run], capture_output=True, text=True, check=False)
    assert done.stdout == "none\n", done.stdout + done.stderr
