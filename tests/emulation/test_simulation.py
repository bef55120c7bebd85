"""Simulation in blocks: no finished block is lost, and no two designs are mixed."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from astroemu.core.distributions import Fixed, Uniform
from astroemu.core.parameter import Parameter
from astroemu.core.prior import Prior
from astroemu.emulation.simulation import SimulationTask, _simulator, simulate
from astroemu.emulation.training_set import TrainingSet
from astroemu.errors import ConfigurationError, DataError, ProbeError, RunFolderError, WorkerError
from astroemu.io.lock import alone


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


@pytest.fixture
def begun(line, task, tmp_path):
    """The path of a training set of which two blocks are there."""
    line.fail_at[0] = 2
    with pytest.raises(KeyboardInterrupt):
        simulate(task(), tmp_path / "set.h5")
    line.fail_at[0] = None
    line.calls.clear()
    return tmp_path / "set.h5"


def changed(line, text="# a comment"):
    """Change the code of the simulator on the disk."""
    path = Path(line.__file__)
    path.write_text(path.read_text() + text)
    _simulator.cache_clear()


def test_blocks_of_changed_code_are_not_mixed_unless_that_is_accepted(line, task, begun):
    before = sorted(path.name for path in (begun.parent / "set.h5.parts").iterdir())
    changed(line)
    with pytest.raises(
        DataError, match=r"code\.source\.a_line was \w{8}\.\.\. and is \w{8}\.\.\..*--accept-changed-code"
    ):
        simulate(task(), begun)
    with pytest.raises(DataError, match=r"options\.slope was 1\.0 and is 2\.0"):  # only code can be accepted
        simulate(task(slope=2.0), begun, accept_changed_code=True)
    assert line.calls == [] and sorted(path.name for path in (begun.parent / "set.h5.parts").iterdir()) == before
    data = TrainingSet.load(simulate(task(), begun, accept_changed_code=True))
    assert line.calls == [4, 4, 2]
    assert len(data.metadata["accepted"]) == 1 and "code.source.a_line was" in data.metadata["accepted"][0]


def test_a_default_that_is_written_out_is_the_same_simulation(line, task, begun):
    assert len(TrainingSet.load(simulate(task(slope=1.0), begun))) == 18 and line.calls == [4, 4, 2]


@pytest.mark.attack("simulate", "a kill in the first moments: no note yet, half a note, half a block")
def test_what_a_kill_leaves_does_not_block(line, task, tmp_path):
    folder = tmp_path / "set.h5.parts"
    folder.mkdir()
    (folder / ".design.json.0123456789abcdef.part").write_text("{")
    (folder / ".000000.h5.77.part").write_text("half")
    assert len(TrainingSet.load(simulate(task(), tmp_path / "set.h5"))) == 18
    assert not folder.exists()


def test_a_note_without_a_block_binds_nothing(line, task, tmp_path):
    line.fail_at[0] = 0
    with pytest.raises(KeyboardInterrupt):
        simulate(task(), tmp_path / "set.h5")
    line.fail_at[0] = None
    assert TrainingSet.load(simulate(task(n=20), tmp_path / "set.h5")).metadata["design"]["n"] == 20


@pytest.mark.attack("simulate", "a block of another design copied into the folder")
def test_a_block_of_other_points_is_not_joined(line, task, begun):
    with pytest.raises(KeyboardInterrupt):
        line.fail_at[0] = 2
        simulate(task(high=0.5), begun.with_name("other.h5"))
    line.fail_at[0] = None
    other = begun.with_name("other.h5.parts") / "000001.h5"
    (begun.with_name("set.h5.parts") / "000001.h5").write_bytes(other.read_bytes())
    with pytest.raises(DataError, match=r"000001\.h5 holds other points than this design; remove it"):
        simulate(task(), begun)
    assert not begun.exists()


def test_two_cannot_make_one_file(line, task, tmp_path):
    with alone(tmp_path / "set.h5"), pytest.raises(RunFolderError, match=r"set\.h5 is in use by another simulation"):
        simulate(task(), tmp_path / "set.h5")
    assert line.calls == [] and not (tmp_path / "set.h5.parts").exists()


@pytest.mark.parametrize(
    ("error", "kind"), [(SystemExit(0), ProbeError), (MemoryError(), WorkerError), ("shape", ProbeError)]
)
@pytest.mark.attack("simulate", "a simulator that ends the process, or returns another shape at some points")
def test_a_defect_ends_the_run_and_is_no_failed_point(line, task, tmp_path, monkeypatch, error, kind):
    def simulate_wrongly(self, theta):
        if error == "shape":
            return {"y": np.zeros((len(theta), 2))}
        raise error

    monkeypatch.setattr(line.Line, "simulate", simulate_wrongly)
    with pytest.raises(kind, match=r"the simulator a_line\.Line"):
        simulate(task(), tmp_path / "set.h5")
    assert not (tmp_path / "set.h5").exists()


@pytest.mark.attack("simulate", "the code of the simulator is edited while workers start")
def test_workers_with_other_code_than_that_of_the_start_are_refused(line, task, tmp_path, monkeypatch):
    import astroemu.emulation.simulation as module

    run_jobs = module.run_jobs

    def edited(*arguments):
        changed(line)
        return run_jobs(*arguments)

    monkeypatch.setattr(module, "run_jobs", edited)
    with pytest.raises(DataError, match="the code of the simulator 'line' was changed after the start; start again"):
        simulate(task(), tmp_path / "set.h5")
