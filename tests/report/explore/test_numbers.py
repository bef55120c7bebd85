"""The texts of the page."""

from __future__ import annotations

import numpy as np

from astroemu.core.distributions import Uniform
from astroemu.core.parameter import Parameter
from astroemu.inference.best_fit import BestFit
from astroemu.report.explore.controls import Scale
from astroemu.report.explore.curves import State
from astroemu.report.explore.numbers import COLOURS, fit_message, head, legend, number_table, title


def state(log_prior=-1.0, reason="", derived=(), **by_probe):
    return State(np.zeros(1), by_probe, log_prior, (), reason, dict(derived))


def test_the_table_has_each_probe_and_the_total():
    text = number_table(state(a=-1.25, b=-2.5), [])
    assert "<td>0.000</td>" in number_table(state(a=-1e-5), [])
    assert "<td>-1.250</td>" in text and "<td>-2.500</td>" in text and "<td>-3.750</td>" in text and "pin" not in text


def test_pinned_states_have_columns_of_their_colours():
    text = number_table(state(a=-1.0), [state(a=-2.0), state(a=-3.0)])
    assert "pin 1" in text and "pin 2" in text and COLOURS[0] in text and COLOURS[1] in text and "-3.000" in text


def test_derived_numbers_are_shown_with_their_units():
    here, pinned = state(a=-1.0, derived={"tau_e": 0.0543217, "<b>": np.nan}), state(a=-1.0)
    text = number_table(here, [pinned], {"tau_e": "mK", "<b>": ""})
    assert "<code>tau_e</code> [mK], derived</td><td>0.054322</td><td>-</td>" in text and "<b>" not in text


def test_a_point_without_a_likelihood_says_why():
    text = number_table(state(a=-np.inf, reason="tau < 0"), [])
    assert "-∞" in text and "No likelihood here: tau &lt; 0." in text


def test_a_point_that_the_prior_excludes_is_marked():
    assert "The prior excludes this point." in number_table(state(-np.inf, a=-1.0), [])
    assert "excludes" not in number_table(state(a=-1.0), [])


def test_names_cannot_hold_markup():
    assert "<script>" not in number_table(state(**{"<script>": 1.0}), []) + title("<script>") + legend("<script>")
    parameter = Parameter("a", Uniform(0, 1), "", "<b>")
    assert "<b>" not in head(Scale.of(parameter))


def test_a_slider_has_its_symbol_name_unit_and_range():
    text = head(Scale.of(Parameter("t_star", Uniform(0.0, 1.0), "t_*", "Myr")))
    assert 'alt="t_*"' in text and "t_star" in text and "0 to 1 [Myr]" in text
    assert "<img" not in head(Scale.of(Parameter("a", Uniform(0.0, 1.0), r"\notlatex{")))


def test_the_formulas_of_a_title_are_images():
    text = title(r"Power at $z = 8$ and $\notlatex{$")
    assert text.count("<img") == 1 and text.startswith("Power at <img") and text.endswith(r"and \notlatex{")


def test_the_legend_names_the_run():
    assert "68 and 95 % of runs/a" in legend("runs/a") and "68" not in legend("")


def test_a_best_fit_is_told_with_what_is_odd_about_it():
    starts = np.array([-1.0, -1.05, -7.0])
    best = BestFit(("a", "b"), np.zeros(2), -1.0, -1.0, {"x": -1.0}, starts, 5, ("a",), ("b",))
    assert fit_message(best) == (
        "Best fit: log-posterior -1.000, where 2 of 3 starts ended. At an edge of the prior: a. "
        "Any value near by is as good for b"
    )
