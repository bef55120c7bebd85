"""``log.txt`` in a run folder: what the commands that made it have said."""

from __future__ import annotations

import os

import pytest
from helpers import FIT_OF_TAU, command

from astroemu.cli.run_log import LOG, RunLog
from astroemu.errors import Terminated

SMALL = FIT_OF_TAU + "\n[samplers.emcee]\nwalkers = 8\nmax_steps = 40\nstarting_draws = 100\n"


@pytest.fixture(scope="module")
def fit(tmp_path_factory):
    """The folder of a finished run, and a function that fits into it and returns the exit code and the log."""
    folder = tmp_path_factory.mktemp("log")
    (folder / "fit.toml").write_text(SMALL)

    def again(*options):
        code, _, _ = command("fit", str(folder / "fit.toml"), "--out", str(folder / "run"), "--no-report", *options)
        return code, (folder / "run" / LOG).read_text()

    assert again()[0] == 0
    return folder / "run", again


def test_a_repetition_has_a_log_of_its_own_and_the_same_samples(fit):
    run, _ = fit
    code, _, _ = command("rerun", str(run), "--out", str(run.parent / "again"))
    log = (run.parent / "again" / LOG).read_text()
    assert code == 0 and "astroemu rerun" in log and log.endswith("again\n") and "    identical\n" in log


def test_a_resumed_run_appends_and_a_finished_one_is_left_as_it_is(fit):
    run, again = fit
    log = (run / LOG).read_text()
    assert log.splitlines()[0].endswith("--no-report") and "Z  astroemu fit " in log.splitlines()[0]
    for words in ("building the model", "emcee: first points", "effective samples", "NOT converged"):
        assert words in log
    before = {path.name: path.read_bytes() for path in run.iterdir()}
    assert again("--resume")[0] == 0  # with the same stopping criteria nothing is sampled
    assert {path.name: path.read_bytes() for path in run.iterdir()} == before
    code, longer = again("--resume", "--set", "samplers.emcee.max_steps=60")
    assert code == 0 and longer.startswith(log) and longer.count("emcee: first points") == 2


def test_warnings_and_the_end_are_in_the_log(tmp_path):
    with pytest.raises(Terminated), RunLog("astroemu fit") as log:
        log.write("before the folder\nis known\x1b[2J")
        log.open(tmp_path)
        log.write("after")
        raise Terminated(130)
    lines = (tmp_path / LOG).read_text().splitlines()
    assert lines[0].endswith("Z  astroemu fit") and lines[1].endswith("before the folder")
    assert lines[2] == "    is known\\x1b[2J" and lines[3].endswith("after")
    assert "ended by a signal, with the exit code 130" in lines[4]


def test_a_folder_that_a_run_did_not_enter_gets_no_log(tmp_path):
    with pytest.raises(ValueError, match="no"), RunLog("astroemu fit"):
        raise ValueError("no")
    assert not list(tmp_path.iterdir())


@pytest.mark.attack("files", "a link in the place of the log of a run")
def test_a_link_in_the_place_of_the_log_is_not_followed(tmp_path):
    (tmp_path / "mine").write_text("mine")
    (tmp_path / LOG).symlink_to(tmp_path / "mine")
    with RunLog("astroemu fit") as log:
        log.open(tmp_path)
    assert (tmp_path / "mine").read_text() == "mine"


def test_a_full_disk_ends_the_log_and_not_the_run(tmp_path):
    with RunLog("astroemu fit") as log:
        log.open(tmp_path)
        assert log._file is not None
        os.close(log._file.fileno())  # every write fails from now on
        log.write("lost")
        log.write("lost too")
    assert "lost" not in (tmp_path / LOG).read_text()
