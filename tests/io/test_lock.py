"""Locks: one process and one thread in a folder; nothing stays that blocks, or makes a folder look used."""

from __future__ import annotations

import errno
import fcntl
import os
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import pytest

from astroemu.errors import AstroemuError, DataError, RunFolderError
from astroemu.io import lock
from astroemu.io.lock import alone, locked, temporary_folder


def test_a_locked_folder_is_made_and_keeps_nothing(tmp_path):
    with locked(tmp_path / "new" / "run"):
        assert list((tmp_path / "new" / "run").iterdir()) == []
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["run"]


def test_a_folder_is_refused_while_another_thread_has_it_and_free_afterwards(tmp_path):
    found = []

    def second():
        try:
            with locked(tmp_path / "run", "calibration"):
                found.append("in")
        except RunFolderError as error:
            found.append(str(error))

    with locked(tmp_path / "run"):
        thread = threading.Thread(target=second)
        thread.start()
        thread.join()
    assert f"{tmp_path / 'run'} is in use by another calibration (process {os.getpid()} on" in found[0]
    second()
    assert found[1:] == ["in"]


def test_the_same_folder_by_another_path_is_the_same_folder(tmp_path):
    (tmp_path / "link").symlink_to(tmp_path / "run")
    with locked(tmp_path / "run"), pytest.raises(RunFolderError, match="in use"), locked(tmp_path / "link"):
        pass


def test_a_killed_owner_leaves_nothing_that_blocks(tmp_path):
    program = (
        "import os, sys; from pathlib import Path; from astroemu.io.lock import locked\n"
        "with locked(Path(sys.argv[1])): os.kill(os.getpid(), 9)"
    )
    assert subprocess.run([sys.executable, "-c", program, str(tmp_path / "run")], check=False).returncode == -9
    assert (tmp_path / ".run.lock").is_file() and list((tmp_path / "run").iterdir()) == []
    with locked(tmp_path / "run"):
        pass
    assert not (tmp_path / ".run.lock").exists()


def test_a_new_folder_goes_again_if_nothing_was_written(tmp_path):
    for name, content in (("empty", None), ("used", "x")):
        with pytest.raises(DataError), locked(tmp_path / name):
            if content:
                (tmp_path / name / "file").write_text(content)
            raise DataError("no")
    assert [path.name for path in tmp_path.iterdir()] == ["used"]


@pytest.mark.parametrize("number", [errno.ENOLCK, errno.EOPNOTSUPP, errno.ENOSYS])
def test_a_file_system_without_locks_works_with_one_warning(tmp_path, monkeypatch, number):
    def refuse(*_):
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(fcntl, "flock", refuse)
    with pytest.warns(UserWarning, match="has no locks") as said, locked(tmp_path / "run"):
        pass
    assert len(said) == 1 and [p.name for p in tmp_path.iterdir()] == ["run"]


def test_another_error_of_a_lock_is_told(tmp_path, monkeypatch):
    def refuse(*_):
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(fcntl, "flock", refuse)
    with pytest.raises(AstroemuError, match="run cannot be locked: Input/output error"), locked(tmp_path / "run"):
        pass


@pytest.mark.attack("locks", "a link in the place of the lock file, to a file of somebody else")
def test_a_link_in_the_place_of_a_lock_is_not_followed(tmp_path):
    (tmp_path / "precious").write_text("mine")
    (tmp_path / ".run.lock").symlink_to(tmp_path / "precious")
    with locked(tmp_path / "run"), pytest.raises(RunFolderError, match="in use"), locked(tmp_path / "run"):
        pass
    assert (tmp_path / "precious").read_text() == "mine"


@pytest.mark.attack("locks", "a folder whose name is as long as the file system allows")
def test_the_longest_name_can_be_locked(tmp_path):
    longest = tmp_path / ("x" * 255)
    with locked(longest), pytest.raises(RunFolderError, match="in use"), locked(longest):
        pass


def test_a_file_is_made_by_one_process_and_its_folder_is_made(tmp_path):
    path = tmp_path / "new" / "set.h5"
    with alone(path), pytest.raises(RunFolderError, match=r"set\.h5 is in use"), alone(path):
        pass
    assert list(path.parent.iterdir()) == []


@pytest.mark.filterwarnings("ignore:.*fork:RuntimeWarning", "ignore:.*fork:DeprecationWarning")  # JAX, Python 3.12
def test_a_fork_does_not_hold_the_lock(tmp_path):
    read, write = os.pipe()
    with locked(tmp_path / "run"):
        child = os.fork()
        if not child:  # lives on after the lock of its parent
            os.close(write)
            os.read(read, 1)
            os._exit(0)
    os.close(read)
    try:
        with locked(tmp_path / "run"):
            pass
    finally:
        os.close(write)
        os.waitpid(child, 0)


@pytest.fixture
def temporary(tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return tmp_path


def test_temporary_folders_of_the_dead_are_removed_and_no_others(temporary):
    def aged(name):
        path = temporary / name
        path.mkdir()
        (path / "log").write_text("")
        os.utime(path, (time.time() - 3600,) * 2)
        return path

    dead, mine = aged(".astroemu-work-abcd1234"), [aged("astroemu_results"), aged(".astroemu-work-of-mine")]
    link = temporary / ".astroemu-work-00000000"
    link.symlink_to(mine[0])
    with temporary_folder() as alive:
        os.utime(alive, (time.time() - 3600,) * 2)
        with temporary_folder() as other:
            assert alive.is_dir() and other.is_dir()
        assert not dead.exists() and all((path / "log").is_file() for path in mine) and link.is_symlink()
    assert not alive.exists() and not other.exists()


def test_a_young_folder_may_be_about_to_be_locked(temporary):
    (temporary / ".astroemu-work-abcd1234").mkdir()
    lock._sweep(Path(temporary))
    assert (temporary / ".astroemu-work-abcd1234").is_dir()
