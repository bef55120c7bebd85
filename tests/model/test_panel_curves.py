"""Curves of panels: those of an emulator, and those of a probe with its nuisance parameters."""

from __future__ import annotations

import numpy as np
import pytest
from helpers import LINE_X, StubProbe, line_model, line_prior

from astroemu.core.distributions import Uniform
from astroemu.core.panel import Panel
from astroemu.core.parameter import Parameter
from astroemu.core.requirement import Requirement
from astroemu.errors import ProbeError
from astroemu.model.panel_curves import panel_curves
from astroemu.report.predictive import draw_predictive

ZERO = np.zeros(1)
X = np.array([1.0, 2.5, 4.0])
THETA = np.array([[0.5, 1.0, 10.0], [-0.5, 2.0, 20.0]])


class Shifted(StubProbe):
    """A datum of a line with an unknown zero level, drawn with it."""

    def __init__(self, curve, requires=None):
        parameters = (Parameter("zero", Uniform(0.0, 30.0)),)
        super().__init__(Requirement("y", {"x": np.array([2.5])}), parameters=parameters)
        self.curve, self.finer = curve, requires

    def panels(self):
        points = {"x": ZERO, "y": ZERO, "error_low": ZERO + 1.0, "error_high": ZERO + 1.0, "kind": ("measurement",)}
        return (Panel("line", "x", "y", **points, curve=self.curve, curve_x=X, requires=self.finer),)


def curves(probe):
    model = line_model({"shifted": probe})
    assert model.names == (*line_prior().names, "zero")
    return panel_curves(model, "shifted", probe.panels(), THETA)[0]


def shifted(predictions, parameters):
    return predictions["line"].value + parameters["zero"][:, None]


def test_a_requirement_is_the_curve_of_the_emulator():
    expected = THETA[:, :1] * X + THETA[:, 1:2]
    np.testing.assert_allclose(curves(Shifted(Requirement("y", {"x": X}))), expected)


def test_a_function_draws_the_model_of_the_probe_with_its_nuisance_parameters():
    found = curves(Shifted(shifted, {"line": Requirement("y", {"x": X})}))
    np.testing.assert_allclose(found, THETA[:, :1] * X + THETA[:, 1:2] + THETA[:, 2:])


def test_without_requirements_of_its_own_a_function_receives_those_of_the_probe():
    found = curves(Shifted(lambda p, _: np.repeat(p["it"].value, 3, axis=1)))
    np.testing.assert_allclose(found, np.repeat(THETA[:, :1] * 2.5 + THETA[:, 1:2], 3, axis=1))
    assert 2.5 not in LINE_X


def test_a_curve_of_another_shape_is_refused():
    with pytest.raises(ProbeError, match=r"'line' has the shape \(2, 1\); \(2, 3\) is needed"):
        curves(Shifted(lambda p, _: p["it"].value))


def test_a_function_that_fails_is_named():
    with pytest.raises(ProbeError, match="'shifted': the curve of the panel 'line' raised KeyError: 'other'"):
        curves(Shifted(lambda p, _: p["other"].value))


def test_the_figure_is_drawn_with_the_function(tmp_path):
    probe = Shifted(shifted, {"line": Requirement("y", {"x": X})})
    assert draw_predictive(line_model({"shifted": probe}), "shifted", THETA, tmp_path / "it.png")
    assert (tmp_path / "it.png").stat().st_size > 1000
