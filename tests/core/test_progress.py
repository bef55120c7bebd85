"""Progress of a sampling run."""

from __future__ import annotations

import dataclasses

import pytest

from astroemu.core.progress import Progress, silent


def test_a_sampler_need_not_know_how_much_is_left():
    progress = Progress(10, 300, "tau 12")
    assert progress.fraction is None
    assert dataclasses.replace(progress, fraction=0.5).fraction == 0.5


def test_progress_is_a_value():
    with pytest.raises(dataclasses.FrozenInstanceError):
        Progress(1, 1, "").iteration = 2


def test_the_silent_callback_prints_nothing(capsys):
    assert silent(Progress(1, 1, "a status")) is None
    assert capsys.readouterr() == ("", "")
