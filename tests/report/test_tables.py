"""Tables of results: every number and every warning of a result is printed."""

from __future__ import annotations

import pytest

from astroemu.report.emulator_tables import inspection_table, refinement_table, validation_table
from astroemu.report.tables import (
    calibration_table,
    check_table,
    comparison_table,
    profile_table,
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
    assert "ln R           1.50 +- 0.25" in table and "B has NOT converged: stopped" in table
    assert "in common, and p" not in table and "below zero" not in table


def test_it_says_where_the_numbers_mean_little():
    table = tension_table(
        a_result(
            dimensionality={"mean": 0.1, "std": 0.2}, p={"mean": 3e-5, "std": 2e-5}, sigma={"mean": None, "std": None}
        )
        | {"undefined": 0.31}
    )
    assert "compatible with zero" in table and "31.0%" in table
    assert "3.0e-05 +- 2.0e-05" in table and "undefined" in table


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
    "evaluations": {"evaluated": 20, "outside_emulator_range": 5, "not_finite": 3, "fraction_outside": 0.25},
}


def test_the_table_of_a_run_holds_its_numbers():
    table = text_table(SUMMARY)
    assert table.startswith("tau alone\n") and "0.0430 to 0.0570" in table and "0.0360 to 0.0650" in table
    words = " ".join(table.split())
    assert " tau_e 0.0500 0.0070 0.0510 0.0430" in words  # two digits of the standard deviation
    assert " x (derived) 0.05000000 0.00000020 0.05100000 " in words
    assert "ln L at the best sample: a -1.50, b 0.25" in table and "ln Z = -3.00 +- 0.12" in table
    assert "ultranest, seed 4: 12,345 likelihoods in 2.5 s, 400 effective samples" in table
    assert "NOT converged: stopped" in table
    assert "5 of 20 evaluations (25.00%) were outside an emulator's range" in table
    assert "3 of 20 evaluations (15.00%) were without a finite likelihood" in table


def test_points_without_a_likelihood_name_the_probe_that_gave_none():
    evaluations = SUMMARY["evaluations"] | {"not_finite_by_probe": {"a": 2, "b": 1}}
    words = " ".join(text_table(SUMMARY | {"evaluations": evaluations}).split())
    assert "3 of 20 evaluations (15.00%) were without a finite likelihood (a 2, b 1)" in words


QUANTILES = {"median": 1.234e-3, "q68": 2.345e-3, "q95": 3.456e-3, "max": 4.567e-2}
COVERED = {f"within_{n}{end}": 0.954 for n in (1, 2, 3) for end in ("", "_low", "_high")}
COVERED |= {f"chi2_{kind}": 1.234 for kind in ("mean", "of_99", "median")}


def wide_tables():
    """The tables of studies with names and numbers as long as those that are met."""
    name = "uv_luminosity_function"
    moments = {"mean": -12345.67, "std": 0.25}
    yield tension_table(a_result(log_r=moments))
    covered = {level: {"found": 0.504, "low": 0.432, "high": 0.571} for level in ("0.5", "0.68", "0.95")}
    fits = {
        "quantities": {name: {"p_value": 0.123, "corrected": 0.999, "coverage": covered}},
        "coverage": {"0.5": 0.5, "0.68": 0.68, "0.95": 0.95},
        "joint": {"0.68": {"found": 0.68}},
        "fits": 200, "unconverged": 3, "fewer_effective_samples": 4, "draws": 199, "median_cpu_seconds": 123.4,
        "median_n_likelihood": 123456, "median_ess": 1234, "unlikely_truths": {name: 3}, "passed": None, "p_value": 0.2,
    }  # fmt: skip
    yield calibration_table(fits)
    errors = {f"{kind}_{level}": v for kind in ("absolute", "stated") for level, v in QUANTILES.items()}
    probes = {name: {"delta_log_likelihood": QUANTILES, "not_finite": {"emulator": 0, "truth": 1}}}
    yield validation_table({"observables": {name: errors | COVERED}, "probes": probes, "used": {name: COVERED}})
    o = {
        "outputs": 1234,
        "nan_points": 123,
        "infinite_points": 0,
        "negative_points": 4321,
        "min": -1.23e-10,
        "max": 1e10,
    }
    box = {name: {"low": -1.5, "high": 2.5, "coverage": 0.98}}
    points = {"points": 5, "parameters": box, "pairs": {"names": [], "coverage": 0}, "remarks": ["a word " * 30]}
    yield inspection_table(points | {"observables": {name: o | {"farthest": {12345: 123.4, 5: 99.9}}}})


def test_the_tables_of_studies_fit_80_columns():
    for table in wide_tables():
        assert max(map(len, table.splitlines())) <= 80, table


def test_the_table_of_a_good_run_has_no_warning():
    quiet = {"outside_emulator_range": 0, "not_finite": 0, "fraction_outside": 0.0}
    table = text_table(SUMMARY | {"converged": True, "log_evidence": None, "evaluations": quiet, "title": ""})
    assert table.startswith("Run\n") and "NOT" not in table and "ln Z" not in table and "outside" not in table


@pytest.mark.case(35)
@pytest.mark.parametrize("width", [40, 80])
def test_a_table_fits_the_terminal(width):
    rows = {f"log10_parameter_{i}": STATISTICS for i in range(3)}
    table = text_table(
        SUMMARY | {"parameters": rows, "derived": {}, "converged_reason": "a reason of many words " * 6}, width
    )
    assert max(map(len, table.splitlines())) <= width
    for column in ("mean", "std", "median", "68 % interval", "shortest 68 %", "95 % interval"):
        assert table.count(column) == 1
    assert text_table(SUMMARY, 200).count("\nparameter") == text_table(SUMMARY, 200).count("\ntau_e  ") == 1


@pytest.mark.case(31)
def test_a_number_that_the_inputs_fix_is_printed_as_a_constant():
    row = STATISTICS | {"mean": 0.673580375, "median": 0.673580375, "std": 8.5e-8, "constant": True}
    table = text_table(SUMMARY | {"derived": {"h": row}})
    assert "h (derived)  0.6736 (fixed by the inputs)\n" in table and "0.67358" not in table
    assert table.count("h (derived)") == 1


@pytest.mark.case(20)
def test_the_table_states_how_many_draws_were_undefined():
    row = STATISTICS | {"draws": 1000, "undefined": 188, "infinite": 2}
    nothing = dict.fromkeys(STATISTICS, float("nan")) | {"draws": 1000, "undefined": 1000, "infinite": 0}
    table = text_table(SUMMARY | {"derived": {"z_half": row, "none": nothing}})
    words = " ".join(table.split())
    assert "z_half (derived): over 812 of 1,000 draws, undefined at the others; infinite at 2 of 1,000" in words
    assert "none (derived): over 0 of 1,000 draws" in table
    line = next(line for line in table.splitlines() if line.startswith("none (derived) "))
    assert set(line.split()[2:]) == {"-"}


def test_the_table_of_a_run_of_an_earlier_version_has_dashes_for_null():
    table = text_table(SUMMARY | {"derived": {"x": dict.fromkeys(STATISTICS)}})
    assert set(next(line for line in table.splitlines() if line.startswith("x (")).split()[2:]) == {"-"}


@pytest.mark.attack("report", "a title with terminal codes, line feeds and a direction override")
def test_a_title_cannot_control_the_terminal():
    names = {"derived": {"\x1b[31mx": STATISTICS}, "remarks": ["\x1b]0;x\x07 failed"]}
    table = text_table(SUMMARY | {"title": "\x1b[2J\x07red\rblue\n\u202egreen", **names})
    compared = comparison_table({"\x1b[2Jrun": (Run(a=1.0), SUMMARY | names)})
    assert "\x1b" not in compared and r"\x1b[31mx" in compared and r"\x1b[2Jrun" in compared
    assert table.startswith("\\x1b[2J\\x07red blue \\u202egreen\n") and "\x1b" not in table
    assert "\\x1b]0;x\\x07 failed" in table


def test_what_failed_after_the_sampling_is_stated():
    table = text_table(SUMMARY | {"remarks": ["derived numbers: not computed (ValueError: no)"], "derived": {}})
    assert table.endswith("derived numbers: not computed (ValueError: no)\n")


@pytest.mark.attack("report", "a probe whose best log-likelihood is minus infinity, tiny negative, or 1e22")
def test_any_log_likelihood_can_be_written():
    best = {"a": float("-inf"), "b": -0.001, "c": float("nan"), "d": -1.851e22}
    table = text_table(SUMMARY | {"best_log_likelihood": best})
    assert "a -inf, b 0.00, c -, d -1.85100000000000e+22" in table
    assert "ln L at the best sample: -\n" in text_table(SUMMARY | {"best_log_likelihood": {}})


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
    lines = table.splitlines()
    assert lines[0].split() == ["mean", "+-", "std", "shortest", "68", "%"]
    assert lines[1] == "a" and lines[2] == "  one  0.0500 +- 0.0070  0.0440 to 0.0580"
    assert lines[3] == "  two  0.0640 +- 0.0070  0.0440 to 0.0580  +2.00 std of the first run"
    assert lines[4] == "b" and lines[6] == "  two  not in this run"
    below = " ".join(" ".join(lines[7:]).split())
    assert "NOT converged, ln Z = -3.00 +- 0.12" in below and below.endswith("effective samples, converged")
    assert "two: ultranest" in below and max(map(len, lines)) <= 80


def test_a_parameter_that_is_fixed_in_another_run_is_compared_as_fixed():
    runs = {
        "one": (Run(a=0.05, b=0.05), SUMMARY | {"derived": {"h": STATISTICS | {"constant": True}}}),
        "two": (Run(a=0.064), SUMMARY | {"derived": {}, "fixed": {"b": 0.5}}),
    }
    table = comparison_table(runs)
    assert "  two  fixed at 0.5\n" in table and "  one  0.05100 (fixed by the inputs)\n" in table


@pytest.mark.attack("compare", "a first run in which a parameter has no spread, or is NaN")
def test_runs_without_a_spread_are_compared():
    rows = {"one": STATISTICS | {"std": 0.0}, "two": dict.fromkeys(STATISTICS, float("nan"))}

    class Odd:
        def __init__(self, row):
            self.row = row

        def table(self):
            return {"a": self.row}

    runs = {label: (Odd(row), SUMMARY | {"derived": {}}) for label, row in rows.items()}
    assert "two  - +- -" in comparison_table(runs) and "of the first run" not in comparison_table(runs)
    again = comparison_table(dict(reversed(runs.items())))
    assert "one  0.05000" in again and "nan" not in again


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
    assert "training points of 'acg': median 1.50, and above one for 75% of the draws" in " ".join(table.split())
    assert "finite" not in check_table(found | {"impossible": 0})


def test_a_refinement_states_shifts_and_efficiency():
    moments = {"mean": 1.0, "std": 0.5}
    found = {
        "parameters": {"a": {"before": moments, "after": moments | {"mean": 2.0}, "shift": 2.0}},
        "efficiency": {"before": 0.25, "after": None},
        "points": {"added": 300, "all": 556},
    }
    table = refinement_table(found)
    assert "1.00 +- 0.50" in table and "2.00 +- 0.50" in table and "2.00s" in table
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
