"""Simulation in blocks: nothing finished is lost, nothing is mixed up."""

from __future__ import annotations

from importlib.metadata import EntryPoint

import numpy as np
import pytest
from helpers import command

from astroemu.core.distributions import Fixed, TruncatedNormal, Uniform
from astroemu.core.parameter import Parameter
from astroemu.core.prior import Prior
from astroemu.emulation.shards import Shard, merge
from astroemu.emulation.simulation import SimulationTask, _simulator, simulate
from astroemu.emulation.training_set import TrainingSet
from astroemu.errors import ConfigurationError, DataError
from astroemu.runtime import plugins
from astroemu_plugins.simulators.park19 import Park19

MODULE = """
import numpy as np
from astroemu import Axis, Observable, Parameter, Simulator
from astroemu.core.distributions import Uniform

calls = []
fail_at = [None]
bad = []

class Line(Simulator):
    parameters = (Parameter("a", Uniform(0.0, 1.0)), Parameter("b", Uniform(-1.0, 1.0)))
    version = "1"
    batch = 4
    settings = {}
    provides = {"y": Observable("y", (Axis("x", np.arange(3.0)),))}

    def __init__(self, slope: float = 1.0) -> None:
        self.slope = slope

    def simulate(self, theta):
        if fail_at[0] == len(calls):
            raise KeyboardInterrupt
        if bad and np.any(theta[:, 0] > bad[0]):
            raise FloatingPointError("it blew up")
        calls.append(len(theta))
        return {"y": self.slope * theta[:, :1] * np.arange(3.0) + theta[:, 1:]}
"""


@pytest.fixture
def line(tmp_path, monkeypatch):
    (tmp_path / "a_line.py").write_text(MODULE)
    monkeypatch.syspath_prepend(tmp_path)
    entry = EntryPoint("line", "a_line:Line", "astroemu.simulators")
    monkeypatch.setitem(plugins.SIMULATORS.__dict__, "entries", {"line": [entry]})
    _simulator.cache_clear()
    import a_line

    a_line.calls.clear()
    a_line.fail_at[0] = None
    yield a_line
    _simulator.cache_clear()
    import sys

    del sys.modules["a_line"]


CORE = Prior((Parameter("a", TruncatedNormal(0.25, 0.001)),))


def task(n=18, high=1.0, core=None, **options):
    prior = Prior((Parameter("b", Uniform(-1, 1)), Parameter("a", Uniform(0, high))))
    return SimulationTask("line", options, prior, "sobol", n, 7, core)


def test_parameters_are_matched_by_name(line, tmp_path):
    data = TrainingSet.load(simulate(task(), tmp_path / "set.h5"))
    assert data.names == ("a", "b") and len(data) == 18 and line.calls == [4, 4, 4, 4, 2]
    assert data.theta[:, 0].min() >= 0
    np.testing.assert_allclose(data.values["y"][:, 2], 2 * data.theta[:, 0] + data.theta[:, 1], rtol=1e-6)
    assert data.metadata["design"] == {"kind": "sobol", "n": 18, "seed": 7}
    assert [path.name for path in tmp_path.iterdir() if "parts" in path.name] == []


def test_an_interrupted_run_goes_on_where_it_stopped(line, tmp_path):
    line.fail_at[0] = 3
    with pytest.raises(KeyboardInterrupt):
        simulate(task(), tmp_path / "set.h5")
    assert len(line.calls) == 3 and not (tmp_path / "set.h5").exists()
    line.fail_at[0] = None
    data = TrainingSet.load(simulate(task(), tmp_path / "set.h5"))
    assert line.calls == [4, 4, 4, 4, 2]
    whole = TrainingSet.load(simulate(task(), tmp_path / "again.h5"))
    np.testing.assert_array_equal(data.theta, whole.theta)


def test_another_design_or_option_is_not_mixed_in(line, tmp_path):
    line.fail_at[0] = 1
    with pytest.raises(KeyboardInterrupt):
        simulate(task(), tmp_path / "set.h5")
    line.fail_at[0] = None
    for other in (task(n=20), task(slope=2.0), task(high=0.5), task(core=CORE)):
        with pytest.raises(DataError, match="another design"):
            simulate(other, tmp_path / "set.h5")


def test_half_of_the_points_gather_at_the_core(line, tmp_path):
    data = TrainingSet.load(simulate(task(n=64, core=CORE), tmp_path / "set.h5"))
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


def test_nothing_is_overwritten_and_nothing_leaves_the_box(line, tmp_path):
    (tmp_path / "set.h5").write_text("mine")
    with pytest.raises(DataError, match="not overwritten"):
        simulate(task(), tmp_path / "set.h5")
    assert (tmp_path / "set.h5").read_text() == "mine"
    with pytest.raises(ConfigurationError, match="'a' covers"):
        simulate(task(high=2.0), tmp_path / "other.h5")
    with pytest.raises(ConfigurationError, match="slop"):
        simulate(task(slop=2.0), tmp_path / "other.h5")


def test_a_point_that_fails_is_left_out_and_recorded(line, tmp_path):
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


def test_where_every_point_fails_the_first_error_is_told(line, tmp_path):
    line.bad.append(-1.0)
    with pytest.raises(DataError, match="every point failed; the first with FloatingPointError: it blew up"):
        simulate(task(), tmp_path / "set.h5")
    assert not (tmp_path / "set.h5").exists()


def parts(path, of=3, **options):
    return [simulate(task(**options), path, part=Shard(i, of)) for i in range(1, of + 1)]


def test_parts_merged_are_what_one_job_makes(line, tmp_path):
    line.bad.append(0.8)
    pieces = parts(tmp_path / "set.h5")
    whole = TrainingSet.load(simulate(task(), tmp_path / "whole.h5"))
    assert [path.name for path in pieces] == ["set.1-of-3.h5", "set.2-of-3.h5", "set.3-of-3.h5"]
    assert not (tmp_path / "set.h5").exists()
    data = merge(pieces[::-1])  # in any order
    np.testing.assert_array_equal(data.theta, whole.theta)
    np.testing.assert_array_equal(data.values["y"], whole.values["y"])
    assert data.metadata == whole.metadata and len(data.metadata["failed"]) > 0


def test_a_part_goes_on_where_it_stopped(line, tmp_path):
    line.fail_at[0] = 1
    with pytest.raises(KeyboardInterrupt):
        simulate(task(), tmp_path / "set.h5", part=Shard(1, 3))
    line.fail_at[0] = None
    assert len(TrainingSet.load(simulate(task(), tmp_path / "set.h5", part=Shard(1, 3)))) == 6
    assert line.calls == [4, 2]


def test_a_part_of_failures_alone_is_a_part(line, tmp_path):
    line.bad.append(-1.0)
    pieces = parts(tmp_path / "set.h5", of=2)
    assert len(TrainingSet.load(pieces[0])) == 0
    with pytest.raises(DataError, match="every point failed; the first with FloatingPointError"):
        merge(pieces)


def test_what_is_no_whole_design_is_not_merged(line, tmp_path):
    one, two, three = parts(tmp_path / "set.h5")
    with pytest.raises(DataError, match=r"rows 6 to 11 of the 18 of the design are missing: part\(s\) 2/3"):
        merge([one, three])
    with pytest.raises(DataError, match=r"rows 0 to 5, 12 to 17 of the 18 .*: part\(s\) 1/3, 3/3"):
        merge([two])
    halves = parts(tmp_path / "halves.h5", of=2)
    with pytest.raises(DataError, match=r"both hold row 6 of the design"):
        merge([halves[0], two, three])
    whole = simulate(task(), tmp_path / "whole.h5")
    with pytest.raises(DataError, match=r"whole\.h5 is no part of a design"):
        merge([one, whole])


@pytest.mark.parametrize(
    ("other", "named"),
    [({"slope": 2.0}, "options"), ({"high": 0.5}, "parameters"), ({"n": 24}, "design"), ({"core": CORE}, "design")],
)
def test_parts_of_another_design_or_setting_are_not_merged(line, tmp_path, other, named):
    one = simulate(task(), tmp_path / "set.h5", part=Shard(1, 3))
    two = simulate(task(**other), tmp_path / "other.h5", part=Shard(2, 3))
    with pytest.raises(DataError, match=f"are no parts of one design: .*{named}"):
        merge([one, two])


@pytest.mark.parametrize("text", ["0/3", "4/3", "3", "1/0", "a/b", "-1/3", "1/3/4"])
def test_a_part_that_cannot_be_is_refused(text):
    with pytest.raises(ConfigurationError, match="must read I/N"):
        Shard.parse(text)


def test_parts_cover_a_design_once():
    for n, of in ((18, 3), (7, 7), (100, 16)):
        assert [row for i in range(of) for row in Shard(i + 1, of).rows(n)] == list(range(n))
    with pytest.raises(ConfigurationError, match="part 1/9 of 8 points is empty"):
        Shard(1, 9).rows(8)


def test_the_commands_simulate_parts_and_merge_them(tmp_path):
    recipe = tmp_path / "recipe.toml"
    recipe.write_text(
        'seed = 1\nemulator = "polynomial"\n[simulation]\nsimulator = "park19"\nn = 4\n'
        + "\n".join(
            f'[parameters.{p.name}]\ndistribution = "uniform"\nlow = {p.prior.low}\nhigh = {p.prior.high}'
            for p in Park19().parameters
        )
    )
    for i in (1, 2):
        code, said, error = command("simulate", str(recipe), "--out", str(tmp_path / "set.h5"), "--part", f"{i}/2")
        assert code == 0 and f"set.{i}-of-2.h5 (2 points, 0 failed)" in said, error
    pieces = [str(tmp_path / f"set.{i}-of-2.h5") for i in (1, 2)]
    code, _, error = command("merge", pieces[0], "--out", str(tmp_path / "set.h5"))
    assert code == 2 and "part(s) 2/2 were not given" in error
    code, said, error = command("merge", *pieces, "--out", str(tmp_path / "set.h5"))
    assert code == 0 and "set.h5 (4 points, 0 failed)" in said, error
    code, _, error = command("simulate", str(recipe), "--out", str(tmp_path / "set.h5"), "--part", "3/2")
    assert code == 2 and "must read I/N" in error
