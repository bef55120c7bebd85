"""A run folder holds the files that its configuration names, and can be used where they are not."""

from __future__ import annotations

import json
import shutil

import numpy as np
import pytest
from helpers import command

from astroemu.errors import RunFolderError, RunWarning
from astroemu.inference import stored_inputs
from astroemu.inference.configuration import configuration_from, load_configuration
from astroemu.inference.fitting import fit
from astroemu.inference.run_folder import RunFolder
from astroemu.inference.stored_inputs import described, input_files, store, with_copies
from astroemu.io.files import sha256
from astroemu.runtime.plugins import CATALOGS, TRAINED, locate

SMALL = """
[samplers.emcee]
walkers = 8
starting_draws = 100
check_every = 10
max_steps = 40
[parameters.tau_e]
distribution = "uniform"
low = 0.0
high = 0.2
[probes.optical_depth]
catalog = "data/tau.ecsv"
"""


@pytest.fixture(scope="module")
def moved(tmp_path_factory):
    """A run with a catalog of its own, copied to another place; the catalog and the configuration are gone."""
    here, there = tmp_path_factory.mktemp("here"), tmp_path_factory.mktemp("there")
    (here / "data").mkdir()
    shutil.copy(CATALOGS.load("optical_depth").path, here / "data" / "tau.ecsv")
    (here / "fit.toml").write_text(SMALL)
    fit(load_configuration(here / "fit.toml"), out=here / "run")
    shutil.copytree(here / "run", there / "run")
    shutil.rmtree(here)
    return there / "run"


@pytest.mark.case(28)
@pytest.mark.parametrize(
    "words",
    [
        ("report", "RUN"),
        ("report", "RUN", "--html"),
        ("export", "RUN", "--to", "csv"),
        ("cite", "RUN"),
        ("rerun", "RUN", "--out", "OUT"),
        ("reweight", "RUN", "--set", "probes.optical_depth.reference=Pagano+2020", "--min-ess", "0", "--no-report"),
    ],
    ids=lambda words: " ".join(words[::2]),
)
def test_a_run_that_was_copied_elsewhere_can_be_used(moved, tmp_path, words):
    shutil.copytree(moved, tmp_path / "run")
    given = [{"RUN": str(tmp_path / "run"), "OUT": str(tmp_path / "again")}.get(word, word) for word in words]
    code, said, error = command(*given)
    assert code == 0, error
    assert "changed" not in error.lower()
    if words[0] == "rerun":
        assert "identical" in said
        one, other = RunFolder.open(tmp_path / "run"), RunFolder.open(tmp_path / "again")
        np.testing.assert_array_equal(one.samples().theta, other.samples().theta)


def test_the_copy_is_the_file_of_the_run_or_the_run_is_refused(moved, tmp_path):
    shutil.copytree(moved, tmp_path / "run")
    run = RunFolder.open(tmp_path / "run")
    (copy,) = (run.path / "inputs").rglob("*.ecsv")
    (stored,) = json.loads(run.resolved_file.read_text())["inputs"]
    assert stored["sha256"] == sha256(copy) and stored["size"] == copy.stat().st_size
    assert run.path / stored["file"] == copy
    copy.write_text(copy.read_text().replace("0.0544", "0.0644"))
    with pytest.raises(RunFolderError, match=r"tau\.ecsv is not the file that .* was made with"):
        run.configuration()
    copy.unlink()
    with pytest.raises(RunFolderError, match=r"needs the file .*data/tau\.ecsv .* is not there\. Put it back, or put"):
        run.configuration()


def configuration_of(folder, **tables):
    raw = {"parameters": {}, "probes": {}, **tables}
    return configuration_from(raw, folder / "fit.toml")


def test_every_table_that_names_a_file_is_looked_through(tmp_path):
    """An emulator by its table, and by the name of the table; nested options; each file once."""
    for name in ("a.h5", "b.h5", "c.txt", "d.txt"):
        (tmp_path / name).write_text(name)
    configuration = configuration_of(
        tmp_path,
        title="a.h5",
        emulators={"first": {"file": "a.h5"}, "b.h5": {}, "acg": {}},
        probes={"p": {"nested": {"files": ["c.txt", str(tmp_path / "c.txt"), "none.txt"]}, "text": "a/b" * 2000}},
        simulators={"s": {"options": {"table": "d.txt"}}},
    )
    files = input_files(configuration)
    assert sorted(file.path for file in files) == [str(tmp_path / n) for n in ("a.h5", "b.h5", "c.txt", "d.txt")]
    run = tmp_path / "run"
    store(files, run)
    found = with_copies(configuration.raw, tmp_path, described(files), run)
    place = {file.path: str(run / file.file) for file in files}
    assert found["emulators"] == {
        "first": {"file": place[str(tmp_path / "a.h5")]},
        "b.h5": {"file": place[str(tmp_path / "b.h5")]},
        "acg": {},
    }
    assert found["title"] == "a.h5"
    assert found["probes"]["p"]["nested"]["files"] == [place[str(tmp_path / "c.txt")]] * 2 + ["none.txt"]
    assert found["simulators"]["s"]["options"]["table"] == place[str(tmp_path / "d.txt")]


def test_an_emulator_file_of_the_user_is_copied(tmp_path):
    shutil.copy(locate(TRAINED, "cmb_background"), tmp_path / "mine.h5")
    configuration = configuration_of(tmp_path, emulators={"mine.h5": {}})
    (file,) = input_files(configuration)
    store([file], tmp_path / "run")
    (tmp_path / "mine.h5").unlink()
    raw = with_copies(configuration.raw, tmp_path, described([file]), tmp_path / "run")
    (emulator,) = configuration_from(raw, configuration.path).emulators().values()
    assert emulator.file_hash == file.sha256


def test_what_is_too_large_is_named_and_stays_where_it_is(tmp_path, monkeypatch):
    monkeypatch.setattr(stored_inputs, "LARGEST", 2000)
    (tmp_path / "small.txt").write_text("small")
    (tmp_path / "large.txt").write_text("large" * 1000)
    configuration = configuration_of(tmp_path, probes={"p": {"files": ["large.txt", "small.txt"]}})
    files = input_files(configuration)
    with pytest.warns(RunWarning, match=r"large\.txt \(0 MiB\): not copied into .*run.*bound to their content"):
        store(files, tmp_path / "run")
    assert [path.name for path in (tmp_path / "run").rglob("*.txt")] == ["small.txt"]
    found = with_copies(configuration.raw, tmp_path, described(files), tmp_path / "run")
    assert found["probes"]["p"]["files"][0] == str(tmp_path / "large.txt")
    (tmp_path / "large.txt").write_text("other" * 1000)
    with pytest.raises(RunFolderError, match=r"large\.txt is not the file that"):
        with_copies(configuration.raw, tmp_path, described(files), tmp_path / "run")
    (tmp_path / "large.txt").unlink()
    with pytest.raises(RunFolderError, match=r"needs the file .*large\.txt.*Put it back$"):
        with_copies(configuration.raw, tmp_path, described(files), tmp_path / "run")


@pytest.mark.attack("run folder", "a catalog is replaced while the run starts, between its checksum and its copy")
def test_a_file_that_changes_at_the_start_is_found(tmp_path):
    (tmp_path / "a.txt").write_text("before")
    files = input_files(configuration_of(tmp_path, probes={"p": {"file": "a.txt"}}))
    (tmp_path / "a.txt").write_text("after")
    with pytest.raises(RunFolderError, match=r"a\.txt was changed while the run started; start it again"):
        store(files, tmp_path / "run")


@pytest.mark.attack("run folder", "two files of one name from two folders")
def test_two_files_of_one_name_are_both_kept(tmp_path):
    for folder in ("x", "y"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "data.txt").write_text(folder)
    files = input_files(configuration_of(tmp_path, probes={"p": {"files": ["x/data.txt", "y/data.txt"]}}))
    store(files, tmp_path / "run")
    assert {path.read_text() for path in (tmp_path / "run").rglob("data.txt")} == {"x", "y"}
