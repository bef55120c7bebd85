"""Coverage of stated errors against figures worked out by hand."""

from __future__ import annotations

import numpy as np
import pytest
from helpers import KnownEmulator

from astroemu.core.provider import Prediction
from astroemu.emulation.reference import ReferenceSimulations
from astroemu.report.emulator_tables import validation_table
from astroemu.validation.accuracy import exceeded_limits, validate
from astroemu.validation.coverage import error_coverage, missed_targets

L = np.array([0.06, 0.08, 0.03])


class WithModes(KnownEmulator):
    """The error 0.1 of the line contains one common amplitude with the factors ``L``."""

    def evaluator(self, rows):
        evaluate = super().evaluator(rows)

        def with_modes(theta, observables, xp):
            found = evaluate(theta, observables, xp)
            line = found["line"]
            found["line"] = Prediction(line.value, line.error, np.tile(L[rows["line"]], (len(theta), 1, 1)))
            return found

        return with_modes


def drawn(n=6000, scale=1.0, seed=0):
    """Simulations whose differences from the emulator have the stated covariance, times ``scale`` squared."""
    rng = np.random.default_rng(seed)
    theta = rng.random((n, 2))
    noise = L * rng.normal(size=(n, 1)) + np.sqrt(0.01 - L**2) * rng.normal(size=(n, 3))
    return ReferenceSimulations(theta, {"line": theta[:, :1] + theta[:, 1:] * KnownEmulator.X + 0.05 + scale * noise})


def test_right_errors_pass_every_target():
    found = error_coverage(WithModes(), drawn())["line"]
    assert found["within_1"] == pytest.approx(0.683, abs=0.01) and found["within_2"] == pytest.approx(0.954, abs=0.01)
    assert found["within_1_low"] <= found["within_1"] <= found["within_1_high"]
    assert found["chi2_mean"] == pytest.approx(1.0, abs=0.05)
    assert missed_targets({"line": found}) == []


@pytest.mark.parametrize(("scale", "share"), [(0.5, 0.954), (2.0, 0.383)])
def test_wrong_errors_are_named_with_their_figures(scale, share):
    found = error_coverage(WithModes(), drawn(scale=scale))
    assert found["line"]["within_1"] == pytest.approx(share, abs=0.01)
    assert found["line"]["chi2_mean"] == pytest.approx(scale**2, rel=0.05)
    missed = missed_targets(found)
    assert missed[0].startswith("line within_1 = 0.") and any("chi2_mean" in line for line in missed)


def test_errors_that_are_wrong_in_one_quarter_only_are_found():
    data = drawn()
    small = data.theta[:, 1] < 0.25
    truth = data.theta[:, :1] + data.theta[:, 1:] * KnownEmulator.X + 0.05
    data.values["line"][small] = truth[small] + 0.5 * (data.values["line"] - truth)[small]
    found = error_coverage(WithModes(), data)["line"]
    assert found["within_1_high"] == pytest.approx(0.954, abs=0.02) and found["within_1_low"] < 0.7


def test_chi2_is_that_of_the_full_covariance():
    data, emulator = drawn(5), WithModes()
    residual = data.theta[:, :1] + data.theta[:, 1:] * KnownEmulator.X + 0.05 - data.values["line"]
    covariance = np.outer(L, L)
    covariance[np.diag_indices(3)] = 0.01
    expected = np.einsum("ni,ij,nj->n", residual, np.linalg.inv(covariance), residual) / 3
    found = error_coverage(emulator, data)["line"]
    assert found["chi2_mean"] == pytest.approx(expected.mean())
    assert found["chi2_median"] == pytest.approx(np.median(expected))


def test_undefined_values_and_values_at_a_limit_are_left_out_and_counted():
    data = drawn(400)
    value = data.theta[:, :1] + data.theta[:, 1:] * KnownEmulator.X + 0.05
    data.values["line"][...] = np.maximum(data.values["line"], 0.3)  # many simulations have exactly 0.3
    data.values["line"][7, 1] = np.nan
    found = error_coverage(KnownEmulator(), data)["line"]
    assert found["undefined"] == 1
    assert found["at_limit"] == np.sum((np.abs(value - 0.3) < 0.1) & np.isfinite(data.values["line"])) > 50
    assert "chi2_mean" not in found  # the correlation is unknown


def test_an_emulator_without_an_error_has_no_coverage():
    data = ReferenceSimulations(np.random.default_rng(0).random((9, 2)), {"level": np.zeros(9)})
    assert error_coverage(KnownEmulator(), data) == {}


def test_the_table_and_the_gate_have_the_figures():
    found = validate(WithModes(), drawn(800))
    table = validation_table(found)
    assert "within 1 sigma" in table and "all within the targets" in table
    assert exceeded_limits(found, {"line": {"within_1_high": 0.5, "chi2_mean": 2.0}})[0].startswith(
        "line within_1_high"
    )
    assert "outside the targets" in validation_table(validate(WithModes(), drawn(800, scale=2.0)))
