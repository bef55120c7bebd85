"""Findings: what a check raises becomes its outcome, and a report states all of them."""

from __future__ import annotations

import pytest

from astroemu.testing.findings import Finding, NonConformance, Report, Skipped, ensure


def raising(error):
    def examine():
        raise error

    return examine


@pytest.fixture
def report():
    made = Report("probe 'mine'")
    assert made.run("good", lambda: "3 numbers") is True
    assert made.run("silent", lambda: None) is True
    assert made.run("not here", raising(Skipped("no data"))) is False
    assert made.run("bad", raising(NonConformance("it is wrong"))) is False
    assert made.run("broken", raising(ZeroDivisionError("division"))) is False
    return made


def test_every_outcome_is_stored_with_its_reason(report):
    assert report.findings == [
        Finding("good", "passed", "3 numbers"),
        Finding("silent", "passed", ""),
        Finding("not here", "skipped", "no data"),
        Finding("bad", "failed", "it is wrong"),
        Finding("broken", "failed", "ZeroDivisionError: division"),
    ]
    assert [finding.check for finding in report.failures] == ["bad", "broken"] and not report.passed


def test_the_table_has_a_line_for_every_check_and_the_counts(report):
    assert report.table().splitlines() == [
        "probe 'mine'",
        "  good      passed   3 numbers",
        "  silent    passed",
        "  not here  skipped  no data",
        "  bad       failed   it is wrong",
        "  broken    failed   ZeroDivisionError: division",
        "  2 passed, 2 failed, 1 skipped",
    ]


def test_a_demand_names_all_that_failed_and_nothing_else(report):
    with pytest.raises(NonConformance) as caught:
        report.demand()
    assert str(caught.value).splitlines() == [
        "probe 'mine' does not conform:",
        "  bad: it is wrong",
        "  broken: ZeroDivisionError: division",
    ]


def test_a_report_without_failures_passes_the_demand():
    report = Report("x", [Finding("a", "passed"), Finding("b", "skipped", "why")])
    assert report.passed and report.demand() is None
    assert Report("empty").passed and Report("empty").table().startswith("empty")


def test_ensure_raises_only_what_does_not_hold():
    assert ensure(True, "never") is None
    with pytest.raises(NonConformance, match=r"^this$"):
        ensure(False, "this")
