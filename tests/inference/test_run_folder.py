"""The folder of a run: created once, read again, and never overwritten."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from helpers import summary_of

from astroemu.errors import DataError, RunFolderError
from astroemu.inference.fingerprint import RunFingerprint
from astroemu.inference.run_folder import RunFolder
from astroemu.sampling.samples import Samples

ZEROS = np.zeros(4)
SAMPLES = Samples(("tau_e",), np.linspace(0.04, 0.07, 4)[:, None], ZEROS, ZEROS, ZEROS, "made", 4.0, True, "", 4)
SUMMARY = summary_of(("tau_e",), seed=3)


@pytest.fixture
def fingerprint(tau):
    model, algorithm = tau.model(), tau.sampler()
    return RunFingerprint.of(tau, model, algorithm, sampler="emcee", seed=1)


def resolved(configuration):
    return {"path": str(configuration.path), "configuration": {**configuration.raw, "seed": 3}}


def test_a_run_is_written_and_read_again(tau, fingerprint, tmp_path):
    folder = RunFolder.create(tmp_path / "run")
    folder.start(tau, resolved(tau), fingerprint)
    assert not folder.finished and folder.identity_file.is_file()
    with pytest.raises(RunFolderError, match=r"does not hold a finished run: samples\.h5 is missing"):
        RunFolder.open(folder.path)
    folder.finish(SAMPLES, SUMMARY)
    again = RunFolder.open(folder.path)
    assert again.finished and again.summary() == SUMMARY
    np.testing.assert_array_equal(again.samples().theta, SAMPLES.theta)
    configuration = again.configuration()
    assert configuration.document.seed == 3 and configuration.path == tau.path
    assert configuration.text == folder.configuration_file.read_text() == tau.text


def test_a_folder_with_anything_in_it_is_no_new_one(tmp_path):
    (tmp_path / "mine").write_text("")
    with pytest.raises(RunFolderError, match="already holds a run or other files; nothing was changed"):
        RunFolder.create(tmp_path)
    with pytest.raises(RunFolderError, match="already holds"):
        RunFolder.create(tmp_path / "mine")
    with pytest.raises(RunFolderError, match="cannot create the folder"):
        RunFolder.create(tmp_path / "mine" / "run")
    (tmp_path / "empty").mkdir()
    assert RunFolder.create(tmp_path / "empty").path == tmp_path / "empty"


def test_folders_are_numbered(tmp_path):
    assert RunFolder.last(tmp_path, "run").path == tmp_path / "run"
    with RunFolder.claimed(None, tmp_path, "run") as first, RunFolder.claimed(None, tmp_path, "run") as second:
        # The second starts while the first, which has written nothing yet, has taken its folder.
        assert [folder.path.name for folder in (first, second)] == ["run", "run-2"]
        for made in (first, second):
            (made.path / "file").write_text("")
    assert RunFolder.free(tmp_path, "run") == tmp_path / "run-3"
    assert RunFolder.last(tmp_path, "run").path == tmp_path / "run-2"
    assert {path.name for path in tmp_path.iterdir()} == {"run", "run-2"}


def test_one_folder_has_one_run(tau, fingerprint, tmp_path):
    """Of several starts at once the first one wins, and the others leave it as it is."""
    for resume in (False, True):
        with RunFolder.claimed(tmp_path / "run", tmp_path, "", resume=resume) as folder:
            for other in (False, True):
                with (
                    pytest.raises(RunFolderError, match="is in use by another run"),
                    RunFolder.claimed(tmp_path / "run", tmp_path, "", resume=other),
                ):
                    pass
            if not resume:
                folder.start(tau, resolved(tau), fingerprint)
    refused = RunFolder.claimed(tmp_path / "run", tmp_path, "")
    with pytest.raises(RunFolderError, match=r"holds an unfinished run; nothing was changed\. Add --resume"), refused:
        pass


@pytest.mark.attack("run folder", "killed at each of the first moments of a run: in each write, and between them")
def test_a_start_that_was_killed_blocks_no_folder(tau, fingerprint, tmp_path, monkeypatch):
    class Killed(Exception):
        pass

    def start(folder, last):
        """Start a run, and end when ``last`` files are complete and one more is written in part."""
        done = []

        def replace(temporary, path):
            done.append(path)
            if len(done) > last:
                raise Killed
            return rename(temporary, path)

        rename = Path.replace
        with monkeypatch.context() as patch:
            patch.setattr(Path, "replace", replace)
            patch.setattr(Path, "unlink", lambda *_, **__: None)
            with pytest.raises(Killed):
                folder.start(tau, resolved(tau), fingerprint)

    for count in range(3):
        for resume in (False, True):
            path = tmp_path / f"run-{count}-{resume}"
            path.mkdir()
            start(RunFolder(path), count)
            assert [file for file in path.iterdir() if file.name.endswith(".part")]
            with RunFolder.claimed(path, tmp_path, "", resume=resume) as folder:
                assert folder.fingerprint() is None and not list(path.iterdir())


@pytest.mark.attack("run folder", "a user's own folder with a file called configuration.toml is given as --out")
def test_a_file_of_the_user_is_never_taken_for_a_start_that_was_killed(tmp_path):
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "configuration.toml").write_text("mine")
    with (
        pytest.raises(RunFolderError, match="holds no run that could be resumed"),
        RunFolder.claimed(tmp_path / "run", tmp_path, "", resume=True) as folder,
    ):
        folder.fingerprint()
    with pytest.raises(RunFolderError, match="already holds"), RunFolder.claimed(tmp_path / "run", tmp_path, ""):
        pass
    assert (tmp_path / "run" / "configuration.toml").read_text() == "mine"


def test_old_results_stay_until_the_new_ones_are_complete(tau, fingerprint, tmp_path, monkeypatch):
    folder = RunFolder.create(tmp_path / "run")
    folder.start(tau, resolved(tau), fingerprint)
    folder.finish(SAMPLES, SUMMARY)
    before = {path.name: path.read_bytes() for path in folder.path.iterdir()}

    def full(*_):
        raise DataError("No space left on device")

    with monkeypatch.context() as patch, pytest.raises(DataError, match="No space"):
        patch.setattr("astroemu.inference.run_folder.write_json", full)
        folder.finish(SAMPLES, SUMMARY)
    assert {name: (folder.path / name).read_bytes() for name in before} == before
    with RunFolder.claimed(folder.path, tmp_path, "", resume=True):
        assert {path.name for path in folder.path.iterdir()} == before.keys()


@pytest.mark.attack("run folder", "samples.h5 of another run is copied into the folder")
def test_samples_of_other_parameters_are_refused(tau, fingerprint, tmp_path):
    folder = RunFolder.create(tmp_path / "run")
    folder.start(tau, resolved(tau), fingerprint)
    folder.finish(replace(SAMPLES, names=("log10_l_x",)), SUMMARY)
    with pytest.raises(RunFolderError, match="are of different parameters; one of them was exchanged"):
        folder.samples()


@pytest.mark.parametrize(
    ("text", "message"),
    [("{", "is damaged"), ("[]", "holds no table"), ("{}", "is damaged: the key 'path' is missing")],
)
def test_a_damaged_file_is_named(tmp_path, text, message):
    folder = RunFolder(tmp_path)
    folder.resolved_file.write_text(text)
    with pytest.raises(RunFolderError, match=rf"resolved\.json {message}|resolved\.json is damaged: it {message}"):
        folder.configuration()


def test_the_files_have_the_names_of_the_manual(tau, fingerprint, tmp_path):
    folder = RunFolder.create(tmp_path / "run")
    folder.start(tau, resolved(tau), fingerprint)
    folder.finish(SAMPLES, SUMMARY)
    assert {path.name for path in folder.path.iterdir()} == {
        *("configuration.toml", "resolved.json", "identity.json", "samples.h5", "summary.json"),
    }
    assert folder.record_file.name == "likelihoods.record"
    assert json.loads(folder.resolved_file.read_text())["configuration"]["seed"] == 3
