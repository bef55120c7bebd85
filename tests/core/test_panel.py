"""Panels: numbers for a figure, without a plotting library."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from astroemu.core.panel import MEASUREMENT, Panel
from astroemu.core.requirement import Requirement

ZERO = np.zeros(1)


def panel(**options):
    data = {"x": ZERO, "y": ZERO + 2.0, "error_low": ZERO, "error_high": ZERO, "kind": (MEASUREMENT,)}
    return Panel("title", "z", "tau_e", curve=Requirement("tau_e"), **{**data, **options})


def test_a_single_number_has_no_curve_and_keeps_its_unit():
    made = panel()
    assert made.curve_x is None and not made.x_log and not made.y_log
    assert made.kind == ("measurement",)
    np.testing.assert_array_equal(made.transform(made.y), made.y)


def test_a_transform_converts_to_the_unit_of_the_figure():
    np.testing.assert_allclose(panel(transform=lambda x: 10**x).transform(np.array([1.0, 2.0])), [10.0, 100.0])


def test_a_panel_is_a_value():
    with pytest.raises(dataclasses.FrozenInstanceError):
        panel().title = "other"
