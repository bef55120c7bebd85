"""Counts of evaluated and rejected points."""

from __future__ import annotations

from astroemu.core.evaluation_counts import EvaluationCounts


def test_counts_start_at_zero_and_add_up_in_place():
    counts = EvaluationCounts()
    assert (counts.evaluated, counts.outside, counts.not_finite) == (0, 0, 0)
    counts.add(EvaluationCounts(10, 3, 1))
    counts.add(EvaluationCounts(5, 0, 2))
    assert counts == EvaluationCounts(15, 3, 3)


def test_a_difference_is_what_came_after_the_copy():
    counts = EvaluationCounts(10, 3, 1)
    before = counts.copy()
    counts.add(EvaluationCounts(7, 2, 0))
    assert before == EvaluationCounts(10, 3, 1)
    assert counts.since(before) == EvaluationCounts(7, 2, 0)
    assert counts.since(counts.copy()) == EvaluationCounts()


def test_the_probes_that_gave_no_finite_value_are_counted_by_name():
    counts = EvaluationCounts()
    counts.blame({"a": 2, "b": 0})
    before = counts.copy()
    counts.add(EvaluationCounts(5, 0, 3, {"a": 1, "c": 3}))
    assert counts.by_probe == {"a": 3, "c": 3} and before.by_probe == {"a": 2}
    assert counts.since(before) == EvaluationCounts(5, 0, 3, {"a": 1, "c": 3})
