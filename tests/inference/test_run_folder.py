"""The folder of a run: created once, read again, and never overwritten."""

from __future__ import annotations

import json

import numpy as np
import pytest

from astroemu.errors import RunFolderError
from astroemu.inference.fingerprint import RunFingerprint
from astroemu.inference.run_folder import RunFolder
from astroemu.sampling.samples import Samples

ZEROS = np.zeros(4)
SAMPLES = Samples(("tau_e",), np.linspace(0.04, 0.07, 4)[:, None], ZEROS, ZEROS, ZEROS, "made", 4.0, True, "", 4)
SUMMARY = {"provenance": {}, "seed": 3}


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
    assert (
        configuration.source == folder.configuration_file and configuration.source.read_text() == tau.path.read_text()
    )


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
    for name in ("run", "run-2"):
        made = RunFolder.fresh(tmp_path, "run")
        assert made.path == tmp_path / name
        (made.path / "file").write_text("")
    assert RunFolder.free(tmp_path, "run") == tmp_path / "run-3"
    assert RunFolder.last(tmp_path, "run").path == tmp_path / "run-2"


def test_only_the_same_run_is_resumed(tau, fingerprint, tmp_path):
    folder = RunFolder(tmp_path / "run")
    assert folder.resume(fingerprint) is False and folder.path.is_dir()
    folder.configuration_file.write_text("killed while this was written")
    assert folder.resume(fingerprint) is False
    folder.start(tau, resolved(tau), fingerprint)
    assert folder.resume(fingerprint) is True
    other = RunFingerprint({**fingerprint.must_match, "seed": 2}, {})
    with pytest.raises(RunFolderError, match="holds another run"):
        folder.resume(other)
    (tmp_path / "strange").mkdir()
    (tmp_path / "strange" / "file").write_text("")
    with pytest.raises(RunFolderError, match="holds no run that could be resumed"):
        RunFolder(tmp_path / "strange").resume(fingerprint)


@pytest.mark.parametrize(
    ("text", "message"),
    [("{", "is damaged"), ("[]", "holds no table"), ("{}", "lacks the configuration or its path")],
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
