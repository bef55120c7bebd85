"""Simulation in blocks: no finished block is lost, and no two designs are mixed."""

from __future__ import annotations

import numpy as np
import pytest

from astroemu.core.distributions import Fixed, Uniform
from astroemu.core.parameter import Parameter
from astroemu.core.prior import Prior
from astroemu.emulation.simulation import SimulationTask, simulate
from astroemu.emulation.training_set import TrainingSet
from astroemu.errors import ConfigurationError, DataError


def test_parameters_are_matched_by_name(line, task, tmp_path):
    data = TrainingSet.load(simulate(task(), tmp_path / "set.h5"))
    assert data.names == ("a", "b") and len(data) == 18 and line.calls == [4, 4, 4, 4, 2]
    assert data.theta[:, 0].min() >= 0
    np.testing.assert_allclose(data.values["y"][:, 2], 2 * data.theta[:, 0] + data.theta[:, 1], rtol=1e-6)
    assert data.metadata["design"] == {"kind": "sobol", "n": 18, "seed": 7}
    assert [path.name for path in tmp_path.iterdir() if "parts" in path.name] == []


def test_an_interrupted_run_goes_on_where_it_stopped(line, task, tmp_path):
    line.fail_at[0] = 3
    with pytest.raises(KeyboardInterrupt):
        simulate(task(), tmp_path / "set.h5")
    assert len(line.calls) == 3 and not (tmp_path / "set.h5").exists()
    line.fail_at[0] = None
    data = TrainingSet.load(simulate(task(), tmp_path / "set.h5"))
    assert line.calls == [4, 4, 4, 4, 2]
    whole = TrainingSet.load(simulate(task(), tmp_path / "again.h5"))
    np.testing.assert_array_equal(data.theta, whole.theta)


def test_another_design_or_option_is_not_mixed_in(line, task, tmp_path):
    line.fail_at[0] = 1
    with pytest.raises(KeyboardInterrupt):
        simulate(task(), tmp_path / "set.h5")
    line.fail_at[0] = None
    for other in (task(n=20), task(slope=2.0), task(high=0.5), task(core=True)):
        with pytest.raises(DataError, match="another design"):
            simulate(other, tmp_path / "set.h5")


def test_half_of_the_points_gather_at_the_core(line, task, tmp_path):
    data = TrainingSet.load(simulate(task(n=64, core=True), tmp_path / "set.h5"))
    assert np.mean(np.abs(data.theta[:, 0] - 0.25) < 0.004) == pytest.approx(0.5, abs=0.1)
    described = {"a": {"distribution": "truncated_normal", "mean": 0.25, "std": 0.001}}
    assert data.metadata["design"]["core"] == described and data.metadata["design"]["core_share"] == 0.5


def test_a_fixed_parameter_is_simulated_but_is_no_column(line, tmp_path):
    prior = Prior((Parameter("b", Uniform(-1, 1)), Parameter("a", Fixed(0.5))))
    data = TrainingSet.load(simulate(SimulationTask("line", {}, prior, "sobol", 18, 7), tmp_path / "set.h5"))
    assert data.names == ("b",) and data.metadata["fixed"] == {"a": 0.5} and set(data.metadata["parameters"]) == {"b"}
    np.testing.assert_allclose(data.values["y"][:, 2], 1.0 + data.theta[:, 0], rtol=1e-6)
    outside = Prior((Parameter("b", Uniform(-1, 1)), Parameter("a", Fixed(1.5))))
    with pytest.raises(ConfigurationError, match="'a' covers"):
        simulate(SimulationTask("line", {}, outside, "sobol", 18, 7), tmp_path / "other.h5")


def test_nothing_is_overwritten_and_nothing_leaves_the_box(line, task, tmp_path):
    (tmp_path / "set.h5").write_text("mine")
    with pytest.raises(DataError, match="not overwritten"):
        simulate(task(), tmp_path / "set.h5")
    assert (tmp_path / "set.h5").read_text() == "mine"
    with pytest.raises(ConfigurationError, match="'a' covers"):
        simulate(task(high=2.0), tmp_path / "other.h5")
    with pytest.raises(ConfigurationError, match="slop"):
        simulate(task(slop=2.0), tmp_path / "other.h5")


def test_a_point_that_fails_is_left_out_and_recorded(line, task, tmp_path):
    line.bad.append(0.8)
    data = TrainingSet.load(simulate(task(), tmp_path / "set.h5"))
    line.bad.clear()
    whole = TrainingSet.load(simulate(task(), tmp_path / "whole.h5"))
    failed = data.metadata["failed"]
    bad = np.flatnonzero(whole.theta[:, 0] > 0.8)
    assert len(bad) > 0 and [point["row"] for point in failed] == bad.tolist()
    assert {point["error"] for point in failed} == {"FloatingPointError: it blew up"}
    np.testing.assert_array_equal([point["theta"] for point in failed], whole.theta[bad])
    np.testing.assert_array_equal(data.theta, np.delete(whole.theta, bad, axis=0))
    np.testing.assert_array_equal(data.values["y"], np.delete(whole.values["y"], bad, axis=0))
    assert whole.metadata["failed"] == []


def test_where_every_point_fails_the_first_error_is_told(line, task, tmp_path):
    line.bad.append(-1.0)
    with pytest.raises(DataError, match="every point failed; the first with FloatingPointError: it blew up"):
        simulate(task(), tmp_path / "set.h5")
    assert not (tmp_path / "set.h5").exists()
