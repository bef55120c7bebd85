"""States of runs: whole, exact, and the one before at hand."""

from __future__ import annotations

import numpy as np
import pytest

from astroemu.checkpoint import Checkpoint
from astroemu.errors import DataError


def test_a_state_comes_back_exactly_with_the_one_before(tmp_path):
    checkpoint = Checkpoint(tmp_path / "new" / "state.h5")
    generator = np.random.RandomState(1)
    keys = generator.get_state()[1]
    for step in (1, 2, 3):
        checkpoint.save({"step": step, "gauss": 0.1 + 0.2}, {"keys": keys, "chain": np.full((step, 2), 1 / 3)})
    newest, before = checkpoint.load()
    assert newest.facts == {"step": 3, "gauss": 0.1 + 0.2} and before.facts["step"] == 2
    np.testing.assert_array_equal(newest.arrays["keys"], keys)
    assert newest.arrays["keys"].dtype == keys.dtype and newest.arrays["chain"].shape == (3, 2)
    assert sorted(p.name for p in (tmp_path / "new").iterdir()) == ["state.h5", "state.h5.previous"]


def test_killed_between_the_two_renames_the_previous_one_is_found(tmp_path):
    checkpoint = Checkpoint(tmp_path / "state.h5")
    for step in (1, 2):
        checkpoint.save({"step": step}, {})
    (tmp_path / "state.h5").unlink()
    assert [state.facts["step"] for state in checkpoint.load()] == [1]


def test_what_cannot_be_read_is_passed_over_or_refused(tmp_path):
    checkpoint = Checkpoint(tmp_path / "state.h5")
    assert checkpoint.load() == []
    checkpoint.save({"step": 1}, {})
    checkpoint.save({"step": 2}, {})
    (tmp_path / "state.h5").write_bytes(b"cut")
    assert [state.facts["step"] for state in checkpoint.load()] == [1]
    (tmp_path / "state.h5.previous").write_bytes(b"cut")
    with pytest.raises(DataError, match="start afresh"):
        checkpoint.load()


def test_it_is_due_after_its_time_and_never_without_a_file(tmp_path):
    assert Checkpoint(tmp_path / "state.h5", every=0).due()
    assert not Checkpoint(tmp_path / "state.h5", every=100).due()
    assert not Checkpoint(None, every=0).due() and Checkpoint(None).load() == []
