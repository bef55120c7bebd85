"""Validation against figures worked out by hand, for an emulator whose errors are known."""

from __future__ import annotations

import numpy as np
import pytest
from helpers import KnownEmulator, StubProbe, uniform

from astroemu.core.panel import Panel
from astroemu.core.requirement import Requirement
from astroemu.emulation.reference import ReferenceSimulations
from astroemu.errors import ConfigurationError, DataError
from astroemu.model.model import Model
from astroemu.report.emulator_tables import validation_table
from astroemu.validation.accuracy import error_quantiles, exceeded_limits, probe_errors, validate

Known, X = KnownEmulator, KnownEmulator.X


def simulations(n=40):
    theta = np.random.default_rng(0).random((n, 2))
    line = theta[:, :1] + theta[:, 1:] * X
    line[3, 2] = np.nan
    return ReferenceSimulations(theta, {"line": line, "level": theta[:, 0]})


class Line(StubProbe):
    """Gaussian in the line at two points, with a picture."""

    def panels(self):
        return (
            Panel(
                title="",
                x_label="",
                y_label="",
                x=np.array([0.5, 1.5]),
                y=np.array([1.0, 2.0]),
                error_low=np.array([0.2, 0.0]),
                error_high=np.array([0.3, 0.0]),
                kind=("measurement", "upper"),
                curve=Requirement("line", {"x": np.linspace(0, 2, 21)}, "mK"),
                curve_x=np.linspace(0, 2, 21),
            ),
        )


def model(emulator):
    probe = Line(Requirement("line", {"x": np.array([0.5])}, "mK"), lambda v: -0.5 * np.sum(v**2, axis=1))
    return Model(uniform(b=(0, 1), a=(0, 1)), {"e": emulator}, {"p": probe})


def test_quantiles_are_those_of_the_known_error():
    found = error_quantiles(Known(), simulations())
    for level in ("median", "q68", "q95", "max"):
        assert found["line"][f"absolute_{level}"] == pytest.approx(0.05)
        assert found["line"][f"stated_{level}"] == pytest.approx(0.5)
        assert found["level"][f"absolute_{level}"] == 0
    assert "stated_median" not in found["level"]
    assert validate(Known(), simulations())["observables"]["line"]["within_1"] == 1
    assert validate(Known(0.15), simulations())["observables"]["line"]["within_1"] == 0


def test_the_worst_points_come_first_with_their_parameters():
    data = simulations()
    data.values["line"][11] += 3.0
    worst = validate(Known(), data)["observables"]["line"]["worst"]
    assert len(worst) == 10 and worst[0]["row"] == 11 and worst[0]["error"] == pytest.approx(2.95)
    assert worst[0]["theta"] == dict(zip("ab", data.theta[11], strict=True))


def test_the_likelihood_of_the_emulator_and_of_the_truth():
    emulator, data = Known(), simulations()
    found = probe_errors(emulator, data, model(emulator))["p"]
    y = data.theta[:, 0] + 0.5 * data.theta[:, 1]
    difference = np.abs((y + 0.05) ** 2 - y**2) / 2
    assert found["delta_log_likelihood"]["median"] == pytest.approx(np.median(difference))
    assert found["delta_log_likelihood"]["max"] == pytest.approx(difference.max())
    assert found["not_finite"] == {"emulator": 0, "truth": 0}
    # 0.05 in units of the mean error bar 0.25, and of the limit 2; NaN where the truth has none.
    assert found["data_sigma"]["max"] == pytest.approx(0.2)
    assert found["data_sigma"]["median"] == pytest.approx(0.2, abs=0.18)


def test_a_likelihood_that_is_not_finite_is_counted():
    emulator, data = Known(), simulations()
    data.values["line"][5, :2] = np.nan
    found = probe_errors(emulator, data, model(emulator))["p"]
    assert found["not_finite"] == {"emulator": 0, "truth": 1}
    assert "{'emulator': 0, 'truth': 1}" in validation_table(
        {"observables": {}, "probes": {"p": {k: v for k, v in found.items() if k != "data_sigma"}}}
    )


def test_a_point_outside_the_training_box_is_refused():
    outside = ReferenceSimulations(np.array([[0.5, 1.5]]), {"line": np.zeros((1, 3))})
    with pytest.raises(DataError, match=r"b = 1\.5 is not in \[0, 1\]"):
        error_quantiles(Known(), outside)


def test_simulations_without_a_common_observable_are_refused():
    with pytest.raises(DataError, match=r"'other'.*'level', 'line'"):
        error_quantiles(Known(), ReferenceSimulations(np.zeros((1, 2)), {"other": np.zeros(1)}))


def test_a_gate_passes_or_names_what_exceeds_it():
    emulator = Known()
    found = validate(emulator, simulations(), model(emulator))
    assert exceeded_limits(found, {"line": {"absolute_q95": 0.06}, "p": {"delta_log_likelihood_max": 1.0}}) == []
    assert exceeded_limits(found, {"line": {"absolute_q95": 0.04}}) == ["line absolute_q95 = 0.05 exceeds 0.04"]
    assert exceeded_limits(found, {"p": {"data_sigma_max": 0.1}}) == ["p data_sigma_max = 0.2 exceeds 0.1"]


@pytest.mark.parametrize(
    ("gate", "message"),
    [
        ({"lin": {"absolute_q95": 1.0}}, r"\[gate.lin\].*Did you mean 'line'"),
        ({"line": {"absolute_q59": 1.0}}, "Did you mean 'absolute_q95'"),
    ],
)
def test_a_gate_on_what_was_not_measured_is_refused(gate, message):
    with pytest.raises(ConfigurationError, match=message):
        exceeded_limits(validate(Known(), simulations()), gate)
