"""The table of a tension: what it must not keep to itself."""

from __future__ import annotations

from astroemu.report.tables import tension_table


def a_result(**statistics):
    moments = {"mean": 1.5, "std": 0.25}
    run = {"log_evidence": moments, "d_kl": moments, "mean_log_likelihood": moments, "dimensionality": moments}
    run |= {"converged": True, "converged_reason": ""}
    keys = ("log_r", "information", "log_s", "dimensionality", "p", "sigma")
    return {
        "title": "",
        "between": [["a"], ["b", "c"]],
        "left_out": ["d"],
        "statistics": dict.fromkeys(keys, moments) | statistics,
        "undefined": 0.0,
        "runs": {"a": run, "b+c": run | {"converged": False, "converged_reason": "stopped"}, "a+b+c": run},
        "sampler": "ultranest",
        "seed": 1,
        "draws": 1000,
    }


def test_it_names_the_sets_and_what_was_left_out():
    table = tension_table(a_result())
    assert "A: a\n" in table and "B: b + c\n" in table and "left out: d" in table
    assert "ln R         1.500 +- 0.250" in table and "B has NOT converged: stopped" in table
    assert "in common, and p" not in table and "below zero" not in table


def test_it_says_where_the_numbers_mean_little():
    table = tension_table(
        a_result(
            dimensionality={"mean": 0.1, "std": 0.2}, p={"mean": 3e-5, "std": 2e-5}, sigma={"mean": None, "std": None}
        )
        | {"undefined": 0.31}
    )
    assert "compatible with none" in table and "31.0%" in table
    assert "3e-05 +- 2e-05" in table and "undefined" in table
