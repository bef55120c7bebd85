"""Bad recipes: exit code 2, one line that names the recipe, the key and the nearest right name, nothing written."""

from __future__ import annotations

from importlib.util import find_spec

import numpy as np
import pytest
from helpers import assert_refused, command

from astroemu.core.observable import Axis, Observable
from astroemu.emulation.training_set import TrainingSet
from astroemu_plugins.emulators.neural import NeuralEmulator

RECIPE = """
emulator = "neural"

[parameters.a]
distribution = "uniform"
low = 0.0
high = 1.0

[simulation]
simulator = "21cmemu"
n = 4

[simulation.options]
threads = 1

[training]
validation_points = 5
test_points = 5

[training.transforms]
y = { transform = "asinh", scale = 2.0 }

[training.networks.n]
outputs = ["y"]
hidden = [4]
epochs = 1
batch_size = 8
"""


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("n = 4", "nn = 4", ["'simulation.nn'", "Did you mean 'n'"]),
        ("[simulation]", '[simulation]\ndesign = "sobl"', ["simulation.design", "'sobol'"]),
        ('"21cmemu"', '"21cmem"', ["simulat", "Did you mean '21cmemu'"]),
        ("threads", "thread", ["options", "Did you mean 'threads'"]),
        ("[parameters.a]", "[parameters.alpha_str]", ["'alpha_str'", "'alpha_star'"]),
    ],
)
def test_a_bad_recipe_of_a_simulation(old, new, words, tmp_path):
    if find_spec("py21cmemu") is None:
        pytest.skip("py21cmemu is not installed")
    (tmp_path / "recipe.toml").write_text(RECIPE.replace(old, new, 1))
    out = tmp_path / "set.h5"
    assert_refused("simulate", tmp_path / "recipe.toml", "--out", out, words=["recipe.toml", *words])
    assert [path.name for path in tmp_path.iterdir()] == ["recipe.toml"]


def training_set(path):
    theta = np.random.default_rng(0).random((50, 2))
    observable = Observable("y", (Axis("x", np.arange(2.0)),))
    TrainingSet(("a", "b"), theta, {"y": observable}, {"y": theta}).save(path)
    return path


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("epochs", "epocs", ["training", "networks.n.epocs", "Did you mean 'epochs'"]),
        ("epochs = 1", "epochs = 0", ["networks.n.epochs = 0"]),
        ('["y"]', '["yy"]', ["training", "Did you mean 'y'"]),
        ('"neural"', '"neurl"', ["emulator", "Did you mean 'neural'"]),
        ("scale = 2.0", "scal = 2.0", ["transform", "'scal'", "Did you mean 'scale'"]),
        ('"asinh"', '"asin"', ["transform", "Did you mean 'asinh'"]),
        ("scale = 2.0", "scale = true", ["transforms.y", "scale = True", "number"]),
        ("scale = 2.0", "scale = 0.0", ["transforms.y", "scale"]),
    ],
)
def test_a_bad_recipe_of_a_training(old, new, words, tmp_path):
    (tmp_path / "recipe.toml").write_text(RECIPE.replace(old, new, 1))
    data, out = training_set(tmp_path / "set.h5"), tmp_path / "out.h5"
    assert_refused("train", tmp_path / "recipe.toml", "--data", data, "--out", out, words=["recipe.toml", *words])
    assert not out.exists()


def test_an_emulator_that_could_not_be_written_is_not_trained(tmp_path, monkeypatch):
    """An hour of training must not be begun where its end cannot be written."""
    begun = []

    def train(*_, **__):
        begun.append(True)
        raise KeyboardInterrupt

    monkeypatch.setattr(NeuralEmulator, "train", train)
    (tmp_path / "recipe.toml").write_text(RECIPE)
    (tmp_path / "file").write_text("")
    data = training_set(tmp_path / "set.h5")
    arguments = ["train", tmp_path / "recipe.toml", "--data", data, "--out"]
    for out in (data, tmp_path / "file" / "out.h5"):
        assert_refused(*arguments, out, words=[str(out.parent)])
    assert not begun
    # A missing folder may be made, or refused: but then at once.
    code, _, message = command(*map(str, arguments), str(tmp_path / "absent" / "out.h5"))
    assert (tmp_path / "absent").is_dir() if begun else (code == 2 and "absent" in message)
