"""From plain arrays to a clean training set on the command line."""

from __future__ import annotations

import json
from importlib.util import find_spec

import numpy as np
import pytest
from helpers import assert_provenance, command

from astroemu.emulation.training_set import TrainingSet

RECIPE = """
[parameters.a]
distribution = "uniform"
low = 0.0
high = 1.0
latex = "a"

[parameters.b]
distribution = "uniform"
low = 0.0
high = 1.0

[import]
theta = "theta"

[import.observables.wave]
values = "wave"
axes = [{ name = "x", values = "x", unit = "Mpc" }]
latex = "w"

[import.observables.level]
values = "level"

[cleaning]
positive = ["wave"]
"""


@pytest.fixture
def imported(tmp_path):
    rng = np.random.default_rng(0)
    theta, x = rng.random((300, 2)), np.linspace(0, 1, 4)
    wave = np.exp(theta[:, :1] + theta[:, 1:] * x)
    wave[7, 0] = -1.0
    np.savez(tmp_path / "arrays.npz", theta=theta, wave=wave, level=theta.sum(axis=1), x=x)
    (tmp_path / "recipe.toml").write_text(RECIPE)
    code, said, _ = command(
        "import",
        str(tmp_path / "recipe.toml"),
        "--data",
        str(tmp_path / "arrays.npz"),
        "--out",
        str(tmp_path / "set.h5"),
    )
    assert code == 0 and "(300 points)" in said
    return tmp_path


def test_arrays_become_a_training_set_that_is_looked_at_and_cleaned(imported):
    code, said, _ = command("inspect", str(imported / "set.h5"), "--out", str(imported / "look"))
    assert code == 0 and "300 points" in said and "wave" in said
    assert {path.name for path in (imported / "look").iterdir()} == {"inspection.json", "wave.png", "level.png"}
    found = json.loads((imported / "look" / "inspection.json").read_text())
    assert found["points"] == 300
    assert_provenance(found["provenance"])
    arguments = ["clean", str(imported / "recipe.toml"), "--data", str(imported / "set.h5"), "--out"]
    code, said, _ = command(*arguments, str(imported / "clean.h5"))
    assert code == 0 and "1  wave is not positive" in said and "1  dropped in all" in said
    assert len(TrainingSet.load(imported / "clean.h5")) == 299
    assert (imported / "clean.dropped.csv").read_text().splitlines()[1].startswith("7,wave is not positive,")
    code, _, message = command(*arguments, str(imported / "clean.h5"))
    assert code == 2 and "exists and is not overwritten" in message


@pytest.mark.parametrize("name", ["simulate", "train"])
def test_a_command_whose_table_is_not_in_the_recipe_is_refused(imported, name):
    arguments = ["--out", str(imported / "out.h5")] + (["--data", str(imported / "set.h5")] if name == "train" else [])
    code, _, message = command(name, str(imported / "recipe.toml"), *arguments)
    assert code == 2 and "recipe.toml has no table [" in message and not (imported / "out.h5").exists()


def test_a_misspelt_key_of_the_import_names_the_nearest(imported):
    (imported / "recipe.toml").write_text(RECIPE.replace('latex = "w"', 'latx = "w"'))
    code, _, message = command(
        "import", str(imported / "recipe.toml"), "--data", str(imported / "arrays.npz"), "--out", str(imported / "b.h5")
    )
    assert code == 2 and "unknown key 'import.observables.wave.latx'. Did you mean 'latex'" in message


TRAINING = """
[training]
name = "wave"
validation_points = 50
test_points = 50

[training.networks.all]
preset = "talk"
outputs = ["wave", "level"]
epochs = 4
batch_size = 32

[gate.wave]
absolute_q95 = {limit}
"""


# TensorFlow and Keras warn about their own dependencies when they are imported.
@pytest.mark.filterwarnings("default")
def test_train_and_validate(imported):
    recipe, data, out = (imported / name for name in ("more.toml", "clean.h5", "wave.h5"))
    recipe.write_text(RECIPE + TRAINING.format(limit=100))
    assert command("clean", str(recipe), "--data", str(imported / "set.h5"), "--out", str(data))[0] == 0
    arguments = ["train", str(recipe), "--data", str(data), "--out", str(out)]
    if find_spec("tensorboard") is None:
        code, _, message = command(*arguments, "--logs", str(imported / "logs"))
        assert code == 2 and "astroemu-inference[tensorboard]" in message
    code, said, _ = command(*arguments)
    assert code == 0 and "all: epoch 4 of 4" in said
    assert sorted(path.name for path in imported.glob("wave*")) == ["wave.h5"]
    folder = imported / "validation"
    arguments = ["validate", str(out), "--data", str(data), "--gate", str(recipe)]
    code, said, _ = command(*arguments, "--out", str(folder))
    assert code == 0 and "gate: passed" in said and "stated errors, all outputs" in said
    found = json.loads((folder / "validation.json").read_text())
    assert len(found["observables"]["wave"]["worst"]) == 10
    assert_provenance(found["provenance"], data.name)
    pictures = {"errors.png", "calibration.png", "history.png", "agreement.png", "wave.png", "level.png"}
    assert {path.name for path in folder.iterdir()} == pictures | {"validation.json"}
    recipe.write_text(RECIPE + TRAINING.format(limit=1e-9))
    code, _, message = command(*arguments)
    assert code == 3 and "gate: wave absolute_q95" in message and "exceeds 1e-09" in message
