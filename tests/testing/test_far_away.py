"""Far from its data: limits and heavy tails pass, what grows fails."""

from __future__ import annotations

import numpy as np
import pytest
from helpers import StubProbe
from scipy.special import log_ndtr

from astroemu.core.panel import Panel
from astroemu.core.requirement import Requirement
from astroemu.testing.far_away import falls_away, prefers_its_data
from astroemu.testing.findings import NonConformance, Skipped

AT = Requirement("y", {"x": np.array([1.0, 2.0, 4.0])}, "mK")
CENTRE, STEPS = {"it": np.full(3, 5.0)}, {"it": 0.1}


def each(function):
    return StubProbe(AT, lambda values: np.sum(function(values), axis=1))


GOOD = {
    "Gaussian": lambda y: -0.5 * ((y - 5.0) / 0.1) ** 2,
    "Student": lambda y: -2.0 * np.log1p(((y - 5.0) / 0.1) ** 2),
    "upper limit": lambda y: log_ndtr((5.0 - y) / 0.1),
    "error that grows with the model": lambda y: -0.5 * (y - 5.0) ** 2 / (0.01 + y * y) - 0.5 * np.log(0.01 + y * y),
    "top hat": lambda y: np.where(np.abs(y - 5.0) < 1.0, 0.0, -np.inf),
    "Poisson": lambda y: np.where(y > 0, 5.0 * np.log(np.maximum(y, 1e-300)) - y, -np.inf),
    "logarithm": lambda y: -0.5 * ((np.exp(np.minimum(y, 300.0)) - 100.0) / 9.0) ** 2,
}
BAD = {
    "Gaussian": lambda y: 0.5 * ((y - 5.0) / 0.1) ** 2,
    "Student": lambda y: 2.0 * np.log1p(((y - 5.0) / 0.1) ** 2),
    "norm": lambda y: -0.5 * (y - 5.0) ** 2 / (0.01 + y * y) + 0.5 * np.log(0.01 + y * y),
    "limit": lambda y: -log_ndtr((5.0 - y) / 0.1),
    "one side": lambda y: np.where(y > 5.0, 1.0, -1.0) * 0.5 * ((y - 5.0) / 0.1) ** 2,
    "linear": lambda y: y - 5.0,
}


@pytest.mark.parametrize("form", GOOD)
def test_an_honest_likelihood_passes(form):
    assert "rays" in falls_away(each(GOOD[form]), CENTRE, STEPS)


@pytest.mark.parametrize("form", BAD)
def test_what_grows_fails(form):
    with pytest.raises(NonConformance, match=r"grows without bound at .*(up|down)"):
        falls_away(each(BAD[form]), CENTRE, STEPS)


def test_one_value_of_many_with_a_wrong_sign_is_named():
    sign = np.array([1.0, -1.0, 1.0])
    probe = StubProbe(AT, lambda values: -0.5 * np.sum(sign * (values - 5.0) ** 2, axis=1))
    with pytest.raises(NonConformance, match=r"value 1 of requires\['it'\]"):
        falls_away(probe, CENTRE, STEPS)


def test_plus_infinity_is_refused():
    with pytest.raises(NonConformance, match="plus infinity at all predictions up"):
        falls_away(each(lambda y: np.where(y > 1e6, np.inf, 0.0)), CENTRE, STEPS)


class Shown(StubProbe):
    def panels(self):
        x, y, error = np.array([1.0, 2.0, 4.0]), np.full(3, 100.0), np.full(3, 1.0)
        return (
            Panel("y", "x", "y", x, y, error, error, ("measurement",) * 3, AT, curve_x=x, transform=lambda y: 10**y),
        )


def test_a_bounded_likelihood_of_the_wrong_sign_is_found_by_its_panel():
    good = Shown(AT, lambda values: -np.log1p(np.sum((values - 2.0) ** 2, axis=1)))
    assert prefers_its_data(good) == "it = 1.778"
    bad = Shown(AT, lambda values: np.tanh(np.sum((values - 2.0) ** 2, axis=1)))
    with pytest.raises(NonConformance, match="at predictions as large as the data"):
        prefers_its_data(bad)


def test_without_panels_there_is_nothing_to_compare():
    with pytest.raises(Skipped, match="no panel shows"):
        prefers_its_data(each(GOOD["Gaussian"]))
