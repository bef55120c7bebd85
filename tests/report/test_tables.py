"""Tables of results: every number and every warning of a result is printed."""

from __future__ import annotations

import numpy as np
import pytest

from astroemu.model.benchmark import Peak, Timing
from astroemu.report.tables import (
    _decimals,
    benchmark_table,
    check_table,
    comparison_table,
    profile_table,
    refinement_table,
    repetition_table,
    tension_table,
    text_table,
)


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
    assert "compatible with zero" in table and "31.0%" in table
    assert "3e-05 +- 2e-05" in table and "undefined" in table


STATISTICS = {
    **{"mean": 0.05, "std": 0.007, "median": 0.051, "q16": 0.043, "q84": 0.057},
    **{"hpd68_low": 0.044, "hpd68_high": 0.058, "q025": 0.036, "q975": 0.065},
}
SUMMARY = {
    "title": "tau alone",
    "parameters": {"tau_e": STATISTICS},
    "derived": {"x": STATISTICS | {"std": 2e-7}},
    "best_log_likelihood": {"a": -1.5, "b": 0.25},
    "log_evidence": -3.0,
    "log_evidence_err": 0.125,
    "sampler": "ultranest",
    "seed": 4,
    "n_likelihood": 12345,
    "wall_seconds": 2.5,
    "ess": 400.0,
    "converged": False,
    "converged_reason": "stopped",
    "evaluations": {"outside_emulator_range": 5, "not_finite": 3, "fraction_outside": 0.25},
}


def test_the_table_of_a_run_holds_its_numbers():
    table = text_table(SUMMARY)
    assert table.startswith("tau alone\n") and "[  0.0430,   0.0570]" in table and "[  0.0360,   0.0650]" in table
    assert "(x)" in table and "0.00000020" in table  # two digits of a small error
    assert "ln L at the best sample: a -1.50, b 0.25" in table and "ln Z = -3.00 +- 0.12" in table
    assert "ultranest, seed 4: 12,345 likelihoods in 2.5 s, 400 effective samples" in table
    assert "NOT converged: stopped" in table
    assert "25.00% of the evaluations were outside an emulator's range, 3 had no finite likelihood" in table


def test_the_table_of_a_good_run_has_no_warning():
    quiet = {"outside_emulator_range": 0, "not_finite": 0, "fraction_outside": 0.0}
    table = text_table(SUMMARY | {"converged": True, "log_evidence": None, "evaluations": quiet, "title": ""})
    assert table.startswith("Run\n") and "NOT" not in table and "ln Z" not in table and "outside" not in table


@pytest.mark.parametrize(("std", "places"), [(0.5, 4), (0.007, 4), (2e-7, 8), (1e-30, 12), (0.0, 4), (np.inf, 4)])
def test_two_digits_of_an_error_are_shown(std, places):
    assert _decimals(std) == places


class Run:
    def __init__(self, **parameters):
        self.parameters = parameters

    def table(self):
        return {name: STATISTICS | {"mean": mean} for name, mean in self.parameters.items()}


def test_runs_are_compared_with_the_first():
    table = comparison_table(
        {
            "one": (Run(a=0.05, b=0.05), SUMMARY | {"derived": {}}),
            "two": (Run(a=0.064), SUMMARY | {"derived": {}, "log_evidence": None, "converged": True}),
        }
    )
    first, second, third, fourth, *rest = table.splitlines()
    assert first.startswith("a  one") and "std" not in first and second.endswith("+2.00 std")
    assert third.startswith("b  one") and fourth.endswith("two                   not in this run")
    assert "one: ultranest" in rest[0] and "NOT converged, ln Z = -3.00 +- 0.12" in rest[0]
    assert "two: ultranest" in rest[1] and rest[1].endswith("effective samples, converged")


def test_a_posterior_check_states_shifts_and_distances():
    quantiles = {"median": 0.1, "q95": 0.2, "max": 0.3}
    found = {
        "n": 20,
        "delta_log_likelihood": {"total": quantiles, "scatter": quantiles, "tau": quantiles},
        "parameters": {"a": {"shift": -0.3, "error": 0.04}},
        "efficiency": 0.5,
        "impossible": 2,
        "far": {"acg": {"median": 1.5, "share": 0.75}},
    }
    table = check_table(found)
    assert "all probes, about the mean" in table and "-0.30 +- 0.04 sigma" in table
    assert "effective fraction of the 20 draws under the truth: 50%" in table
    assert "2 of them have no finite likelihood" in table
    assert "training points of 'acg': median 1.50, and above one for 75% of the draws" in table
    assert "finite" not in check_table(found | {"impossible": 0})


def test_a_refinement_states_shifts_and_efficiency():
    moments = {"mean": 1.0, "std": 0.5}
    found = {
        "parameters": {"a": {"before": moments, "after": moments | {"mean": 2.0}, "shift": 2.0}},
        "efficiency": {"before": 0.25, "after": None},
        "points": {"added": 300, "all": 556},
    }
    table = refinement_table(found)
    assert "1 +- 0.5" in table and "2 +- 0.5" in table and "2.00s" in table
    assert "before: 25.0%" in table and "after: " not in table and "300 added, 556 in all" in table


def test_a_repetition_names_every_difference():
    arrays = {
        "theta": {"identical": True},
        "log_weight": {"identical": False, "shape": [[3], [4]]},
        "log_prior": {"identical": False, "number": 2, "values": 1000, "first": 7, "largest": 0.5},
    }
    table = repetition_table({"arrays": arrays, "differs": ["host: a, b"], "identical": False})
    assert "theta           identical" in table and "of the shape [3] in the run, [4] now" in table
    assert "2 of 1,000 values differ, from row 7 on, by 0.5 at most" in table
    assert table.endswith("differs: host: a, b\nNOT identical")
    assert repetition_table({"arrays": {}, "differs": [], "identical": True}) == "identical"


def test_a_profile_has_a_line_for_every_component():
    profile = {
        "sampler_seconds": 1.5,
        "likelihood_seconds": 2.5,
        "components": {"acg": {"seconds": 2.0, "calls": 1234}},
    }
    lines = profile_table({"profile": profile}).splitlines()
    assert len(lines) == 4 and lines[1].split() == ["sampler", "1.50"] and lines[3].split() == ["acg", "2.00", "1,234"]


def test_a_benchmark_is_in_points_per_second():
    row = Timing("numpy", "cpu", 100, 2.5, 8.0, 0.5, float("nan"), 2e3, 0.0, 3)
    peak, head, line = benchmark_table(Peak(2e11, 1e11), [row])
    assert "200 GFLOP/s in float32, 100 in float64" in peak
    assert "us per point" in head and "points per s" in head and "kB per point" in head
    assert line.split() == ["numpy", "100", "2.50", "400,000", "8.0", "50", "%", "-", "2.0"]
