"""A record: what was computed is not computed again, and never given for anything else."""

from __future__ import annotations

import errno
import sys
import warnings
from pathlib import Path
from subprocess import run

import numpy as np
import pytest

from astroemu.core.evaluation_counts import EvaluationCounts
from astroemu.errors import DivergenceWarning, RunFolderError
from astroemu.sampling.replay import LikelihoodReplay


class Quadratic:
    """A target that counts its work, and finds the third point of every batch outside."""

    names = ("a", "b")

    def __init__(self):
        self.counts = EvaluationCounts()
        self.computed = 0
        self.shift = 0.0

    def prior_transform(self, u):
        return 2.0 * u - 1.0

    def log_prior(self, theta):
        return np.zeros(len(theta))

    def log_likelihood(self, theta):
        self.computed += len(theta)
        values = self.shift - np.sum(theta**2, axis=1)
        values[2:3] = -np.inf
        self.counts.add(EvaluationCounts(len(theta), len(values[2:3]), 0))
        return values

    def value_and_grad(self, theta):
        values = self.log_likelihood(theta)
        return values, np.where(np.isfinite(values)[:, None], -2.0 * theta, np.nan)


@pytest.fixture
def batches():
    rng = np.random.default_rng(1)
    return [rng.standard_normal((n, 2)) for n in (5, 1, 0, 7, 3)]


@pytest.fixture
def few(batches):
    """Four short batches, for tests that go through every byte of their record."""
    return [batches[0][:2], batches[3][:3], batches[2], batches[1]]


@pytest.fixture
def path(tmp_path):
    return tmp_path / "likelihoods.record"


def asked(path, batches):
    """Ask for every batch, every other one with its gradient; return the answers, the target and the record."""
    target, answers = Quadratic(), []
    with LikelihoodReplay(target, path) as record:
        for answer in questions(record, batches):
            answers += answer
    target.computed -= record.verified
    return answers, target, record


def questions(record, batches):
    """The answers, batch by batch."""
    for i, batch in enumerate(batches):
        yield record.value_and_grad(batch) if i % 2 else [record.log_likelihood(batch)]


def test_what_was_computed_comes_from_the_file_to_the_last_bit(path, batches):
    first, target, record = asked(path, batches)
    assert record.recalled == 0 and target.computed == 16
    again, target_again, record = asked(path, batches)
    assert record.recalled == 16 and target_again.computed == 0
    assert target_again.counts == target.counts == EvaluationCounts(16, 3, 0)
    for one, other in zip(first, again, strict=True):
        np.testing.assert_array_equal(one, other)
        assert other.dtype == np.float64 and other.flags.writeable


def test_it_goes_on_where_the_file_ends(path, batches):
    asked(path, batches[:2])
    _, target, record = asked(path, batches)
    assert (record.recalled, target.computed) == (6, 10)
    _, target, record = asked(path, batches)
    assert (record.recalled, target.computed) == (16, 0)


def test_a_file_that_is_cut_anywhere_is_good_up_to_there(path, few, monkeypatch):
    monkeypatch.setattr("os.fsync", lambda _: None)  # a file per byte: the disk would take the time
    expected, _, _ = asked(path, few)
    whole = path.read_bytes()
    for length in range(len(whole)):
        path.write_bytes(whole[:length])
        answers, target, record = asked(path, few)
        assert record.recalled + target.computed == 6
        for one, other in zip(expected, answers, strict=True):
            np.testing.assert_array_equal(one, other)
        assert path.read_bytes() == whole


def test_a_spoilt_byte_is_never_believed(path, few, monkeypatch):
    monkeypatch.setattr("os.fsync", lambda _: None)  # a file per byte: the disk would take the time
    expected, _, _ = asked(path, few)
    whole = path.read_bytes()
    head = whole.index(b"\n", whole.index(b"\n") + 1) + 1
    for place in range(head, len(whole)):
        spoilt = bytearray(whole)
        spoilt[place] ^= 0x40
        path.write_bytes(spoilt)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DivergenceWarning)
            answers, target, record = asked(path, few)
        assert record.recalled < 6 and target.counts == EvaluationCounts(6, 1, 0)
        for one, other in zip(expected, answers, strict=True):
            np.testing.assert_array_equal(one, other)


def test_other_questions_are_computed_and_said(path, batches):
    asked(path, batches)
    other = [batches[0], batches[1] + 1e-15, batches[3]]
    with pytest.warns(DivergenceWarning, match="after 5 points"):
        answers, target, record = asked(path, other)
    assert (record.recalled, target.computed) == (5, 8)
    np.testing.assert_array_equal(answers[1], -np.sum(other[1] ** 2, axis=1))
    np.testing.assert_array_equal(answers[2], -2.0 * other[1])
    _, target, record = asked(path, other)
    assert (record.recalled, target.computed) == (13, 0)


def test_a_likelihood_is_not_given_for_a_gradient_of_the_same_points(path, batches):
    asked(path, batches[:1])
    target = Quadratic()
    with LikelihoodReplay(target, path) as record, pytest.warns(DivergenceWarning, match="after 0 points"):
        _, gradient = record.value_and_grad(batches[0])
    np.testing.assert_array_equal(np.delete(gradient, 2, axis=0), -2.0 * np.delete(batches[0], 2, axis=0))
    assert np.all(np.isnan(gradient[2])) and target.computed == 5


def test_a_record_of_the_earlier_form_is_refused_and_kept(path, batches):
    for version in (1, 2):
        path.write_bytes(b"astroemu record %d\n" % version + bytes(100))
        with pytest.raises(RunFolderError, match=r"earlier version of astroemu, .* does not read; nothing"):
            LikelihoodReplay(Quadratic(), path)
        assert len(path.read_bytes()) == 118


def test_the_record_of_another_fingerprint_is_never_used(path, batches):
    mine, other = "a" * 64, "b" * 64
    with LikelihoodReplay(Quadratic(), path, (mine,)) as record:
        record.log_likelihood(batches[0])
    before = path.read_bytes()
    with pytest.raises(RunFolderError, match="likelihoods of another run, or of this one with other code; nothing was"):
        LikelihoodReplay(Quadratic(), path, (other,))
    assert path.read_bytes() == before
    with LikelihoodReplay(Quadratic(), path, (other, mine)) as record:  # a change that was accepted
        record.log_likelihood(batches[0])
    assert record.recalled == 5


@pytest.mark.attack("resuming", "a file that a plugin reads by itself is replaced between two calls of a fit")
def test_a_likelihood_that_has_changed_without_a_trace_is_found(path, batches):
    asked(path, batches)
    before = path.read_bytes()
    target = Quadratic()
    target.shift = 0.1
    with (
        pytest.raises(RunFolderError, match=r"holds ln L = \S+ for a point at which the model gives \S+ now"),
        LikelihoodReplay(target, path) as record,
    ):
        record.log_likelihood(batches[0])
    assert path.read_bytes() == before


def test_a_finished_run_needs_none(path, batches):
    record = LikelihoodReplay(Quadratic(), path)
    record.log_likelihood(batches[0])
    record.remove()
    assert not path.exists()


def test_another_file_is_refused_and_kept(path):
    path.write_text("my notes, which are longer than the first line of a record")
    with pytest.raises(RunFolderError, match="is not a record of likelihoods; nothing was changed"):
        LikelihoodReplay(Quadratic(), path)
    assert path.read_text().startswith("my notes")


def test_a_folder_that_is_not_there_is_said(tmp_path):
    with pytest.raises(RunFolderError, match="cannot write"):
        LikelihoodReplay(Quadratic(), tmp_path / "none" / "likelihoods.record")


def test_a_disk_that_fills_up_ends_the_run_and_what_was_written_is_good(path, batches, monkeypatch):
    def full(_):
        raise OSError(errno.ENOSPC, "No space left on device")

    expected, _, _ = asked(path, batches[:2])
    record = LikelihoodReplay(Quadratic(), path)
    monkeypatch.setattr("astroemu.sampling.replay.EVERY", 0.0)
    with monkeypatch.context() as disk, pytest.raises(RunFolderError, match=r"cannot write .*No space left.* intact"):
        disk.setattr("os.fsync", full)
        with record:
            list(questions(record, batches))
    answers, target, record = asked(path, batches)
    assert record.recalled >= 6 and record.recalled + target.computed == 16
    for one, other in zip(expected, answers[: len(expected)], strict=True):
        np.testing.assert_array_equal(one, other)


def test_a_file_that_may_not_grow_is_good_up_to_there(path, batches):
    """The same by the system: a limit for the size of files, as a quota is."""
    code = f"""
import resource, signal, sys
sys.path.insert(0, {str(Path(__file__).parent)!r})
from test_replay import Quadratic, questions
from astroemu.errors import RunFolderError
from astroemu.sampling.replay import LikelihoodReplay
import astroemu.sampling.replay, numpy
from pathlib import Path
astroemu.sampling.replay.EVERY = 0.0
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (315, 315))
rng, record = numpy.random.default_rng(1), LikelihoodReplay(Quadratic(), Path({str(path)!r}))
try:
    with record:
        list(questions(record, [rng.standard_normal((n, 2)) for n in (5, 1, 0, 7, 3)]))
except RunFolderError as error:
    print(error)
"""
    done = run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False)
    assert "what was written before is intact" in done.stdout and "File too large" in done.stdout, done.stderr
    assert path.stat().st_size == 315
    _, target, record = asked(path, batches)
    assert record.recalled == 6 and target.computed == 10
    assert asked(path, batches)[2].recalled == 16
