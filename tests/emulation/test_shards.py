"""Parts of a design that separate jobs simulate, and their merge."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from helpers import command

from astroemu.emulation.shards import Shard, merge
from astroemu.emulation.simulation import _simulator, simulate
from astroemu.emulation.training_set import TrainingSet
from astroemu.errors import ConfigurationError, DataError
from astroemu_plugins.simulators.park19 import Park19


@pytest.fixture
def parts(task):
    """A function that simulates all parts of a design."""

    def make(path, of=3, **options):
        return [simulate(task(**options), path, part=Shard(i, of)) for i in range(1, of + 1)]

    return make


def test_parts_merged_are_what_one_job_makes(line, parts, task, tmp_path):
    line.bad.append(0.8)
    pieces = parts(tmp_path / "set.h5")
    whole = TrainingSet.load(simulate(task(), tmp_path / "whole.h5"))
    assert [path.name for path in pieces] == ["set.1-of-3.h5", "set.2-of-3.h5", "set.3-of-3.h5"]
    assert not (tmp_path / "set.h5").exists()
    data = merge(pieces[::-1])  # in any order
    np.testing.assert_array_equal(data.theta, whole.theta)
    np.testing.assert_array_equal(data.values["y"], whole.values["y"])
    assert data.metadata == whole.metadata and len(data.metadata["failed"]) > 0


def test_a_part_goes_on_where_it_stopped(line, task, tmp_path):
    line.fail_at[0] = 1
    with pytest.raises(KeyboardInterrupt):
        simulate(task(), tmp_path / "set.h5", part=Shard(1, 3))
    line.fail_at[0] = None
    assert len(TrainingSet.load(simulate(task(), tmp_path / "set.h5", part=Shard(1, 3)))) == 6
    assert line.calls == [4, 2]


def test_a_part_of_failures_alone_is_a_part(line, parts, tmp_path):
    line.bad.append(-1.0)
    pieces = parts(tmp_path / "set.h5", of=2)
    assert len(TrainingSet.load(pieces[0])) == 0
    with pytest.raises(DataError, match="every point failed; the first with FloatingPointError"):
        merge(pieces)


def test_what_is_no_whole_design_is_not_merged(line, parts, task, tmp_path):
    one, two, three = parts(tmp_path / "set.h5")
    with pytest.raises(DataError, match=r"rows 6 to 11 of the 18 of the design are missing: part\(s\) 2/3"):
        merge([one, three])
    with pytest.raises(DataError, match=r"rows 0 to 5, 12 to 17 of the 18 .*: part\(s\) 1/3, 3/3"):
        merge([two])
    halves = parts(tmp_path / "halves.h5", of=2)
    with pytest.raises(DataError, match=r"both hold row 6 of the design"):
        merge([halves[0], two, three])
    whole = simulate(task(), tmp_path / "whole.h5")
    with pytest.raises(DataError, match=r"whole\.h5 is not a part of a design"):
        merge([one, whole])


@pytest.mark.parametrize(
    ("other", "named"),
    [
        ({"slope": 2.0}, r"options\.slope was not there and is 2\.0"),
        ({"high": 0.5}, r"parameters\.a\.high was 1\.0 and is 0\.5"),
        ({"n": 24}, r"design\.n was 18 and is 24"),
        ({"core": True}, r"design\.core"),
    ],
)
def test_parts_of_another_design_or_setting_are_not_merged(line, task, tmp_path, other, named):
    one = simulate(task(), tmp_path / "set.h5", part=Shard(1, 3))
    two = simulate(task(**other), tmp_path / "other.h5", part=Shard(2, 3))
    with pytest.raises(DataError, match=f"are not parts of one design: .*{named}"):
        merge([one, two])


def test_parts_of_two_machines_with_different_code_are_not_merged(line, task, tmp_path):
    one = simulate(task(), tmp_path / "set.h5", part=Shard(1, 2))
    Path(line.__file__).write_text(Path(line.__file__).read_text() + "# a comment")
    _simulator.cache_clear()
    two = simulate(task(), tmp_path / "set.h5", part=Shard(2, 2))
    with pytest.raises(DataError, match=r"not parts of one design: code\.source\.a_line was .*--accept-changed-code"):
        merge([one, two])
    data = merge([one, two], accept_changed_code=True)
    assert len(data) == 18 and "code.source.a_line was" in data.metadata["accepted"][0]


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
