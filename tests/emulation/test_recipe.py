"""A recipe: its tables, and each step of the work in one process."""

from __future__ import annotations

import h5py
import numpy as np
import pytest

from astroemu.core.distributions import Uniform
from astroemu.emulation.recipe import Recipe
from astroemu.emulation.shards import Shard
from astroemu.emulation.training_set import TrainingSet
from astroemu.errors import ConfigurationError
from astroemu.sampling.samples import Samples

PARAMETERS = """
[parameters]
b = { distribution = "uniform", low = -1.0, high = 1.0 }
a = { distribution = "uniform", low = 0.0, high = 1.0 }
"""
RECIPE = f"""
emulator = "polynomial"
seed = 5
{PARAMETERS}
[simulation]
simulator = "line"
options = {{ slope = 2.0 }}
n = 40
seed = 3
core = {{ a = {{ distribution = "normal", mean = 0.5, std = 0.1 }} }}
core_share = 0.25
[cleaning]
range = {{ y = [-1.0, 3.5] }}
[training]
degree = 2
[gate]
y = {{ absolute_q95 = 0.01 }}
[import]
theta = "theta"
citation = "Mine et al."
[import.observables.y]
values = "curve"
axes = [{{ name = "x", values = [0.0, 1.0, 2.0] }}]
"""


def recipe(tmp_path, text=RECIPE):
    (tmp_path / "recipe.toml").write_text(text)
    return Recipe(tmp_path / "recipe.toml")


def test_the_tables_become_a_design_and_limits(tmp_path):
    mine = recipe(tmp_path)
    task = mine.simulation()
    assert mine.prior().names == ("b", "a") and mine.prior()["a"].prior == Uniform(0.0, 1.0)
    assert (task.simulator, dict(task.options), task.kind, task.n, task.seed) == (
        "line",
        {"slope": 2.0},
        "sobol",
        40,
        3,
    )
    assert task.core.names == ("a",) and task.core_share == 0.25
    assert mine.gate() == {"y": {"absolute_q95": 0.01}}


def test_from_simulations_to_an_emulator(line, tmp_path):
    """The simulator is y = slope a x + b, which the polynomial learns exactly."""
    mine = recipe(tmp_path)
    path = mine.simulate(tmp_path / "set.h5")
    counts = mine.clean(path, tmp_path / "clean.h5")
    data = TrainingSet.load(tmp_path / "clean.h5")
    assert sum(counts.values()) == 40 - len(data) > 0 and data.values["y"].max() <= 3.5
    emulator = mine.train(data, log=lambda _: None)
    found = emulator.predict({"a": [0.5], "b": [0.25]})["y"]
    np.testing.assert_allclose(found, [[0.25, 1.25, 2.25]], atol=1e-5)
    assert emulator.training_points.shape == (len(data), 2)
    assert np.all((emulator.training_points >= 0) & (emulator.training_points <= 1))


def test_a_part_of_the_simulations_has_its_own_file(line, tmp_path):
    path = recipe(tmp_path).simulate(tmp_path / "set.h5", part=Shard(2, 4))
    assert path.name == "set.2-of-4.h5" and len(TrainingSet.load(path)) == 10


def samples_of(names, theta):
    n = len(theta)
    zero = np.zeros(n)
    return Samples(names, np.asarray(theta, dtype=float), zero, zero, np.full(n, -np.log(n)), "it", n, True, "", n)


def test_samples_of_a_posterior_are_simulated_instead_of_the_design(line, tmp_path):
    theta = np.random.default_rng(0).random((100, 3))
    mine = recipe(tmp_path)
    points = mine.points_of(samples_of(("a", "other", "b"), theta))
    assert points.shape == (40, 2)
    assert {tuple(point) for point in points} <= {(b, a) for a, _, b in theta}
    data = TrainingSet.load(mine.simulate(tmp_path / "set.h5", points=points))
    assert data.metadata["design"]["kind"] == "given"
    np.testing.assert_array_equal(data.theta[:, [data.names.index("b"), data.names.index("a")]], points)


def test_samples_that_the_recipe_does_not_cover_are_refused(tmp_path):
    mine = recipe(tmp_path)
    with pytest.raises(ConfigurationError, match=r"the samples have no 'a', which .*recipe\.toml varies"):
        mine.points_of(samples_of(("b",), np.zeros((9, 1))))
    with pytest.raises(ConfigurationError, match=r"\[parameters\.b\] covers -1 to 1, but 40 of the 40 drawn samples"):
        mine.points_of(samples_of(("a", "b"), np.full((9, 2), 1.5)))


def test_arrays_are_imported_with_the_box_of_the_recipe(tmp_path):
    theta = np.random.default_rng(0).random((6, 2))
    with h5py.File(tmp_path / "arrays.h5", "w") as file:
        file["theta"], file["curve"] = theta, np.ones((6, 3))
    data = recipe(tmp_path).imported(tmp_path / "arrays.h5")
    assert data.names == ("b", "a") and data.metadata["citation"] == "Mine et al."
    assert (data.metadata["parameters"]["b"]["low"], data.metadata["parameters"]["b"]["high"]) == (-1.0, 1.0)
    np.testing.assert_array_equal(data.theta, theta)


@pytest.mark.parametrize(
    ("method", "table"),
    [("simulation", "simulation"), ("gate", "gate"), ("train", "training"), ("imported", "import")],
)
def test_a_table_that_a_step_needs_is_named(tmp_path, method, table):
    mine = recipe(tmp_path, f'emulator = "polynomial"\n{PARAMETERS}')
    arguments = [None] if method in ("train", "imported") else []
    with pytest.raises(ConfigurationError, match=rf"recipe\.toml has no table \[{table}\], which this command needs"):
        getattr(mine, method)(*arguments)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("core_share = 0.25", "core_share = 1.5", "core_share"),
        ("n = 40", "n = 0", "simulation"),
        ("[gate]", "[gates]", "gates"),
        ('distribution = "normal"', 'distribution = "norml"', r"\[simulation\.core\.a\].*norml"),
    ],
)
def test_wrong_entries_are_refused(tmp_path, old, new, message):
    assert RECIPE.count(old) == 1
    with pytest.raises(ConfigurationError, match=message):
        recipe(tmp_path, RECIPE.replace(old, new)).simulation()
