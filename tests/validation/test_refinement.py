"""Refinement of a small emulator of a known function, in a fit of its one summary."""

from __future__ import annotations

import json
from importlib.metadata import EntryPoint

import numpy as np
import pytest
from helpers import assert_provenance, command

from astroemu.emulation.simulation import _simulator
from astroemu.emulation.training_set import TrainingSet
from astroemu.runtime import plugins

MODULE = """
import numpy as np
from astroemu import Observable, Parameter, Simulator
from astroemu.core.distributions import Uniform

class Depth(Simulator):
    parameters = (Parameter("a", Uniform(0.0, 1.0)), Parameter("b", Uniform(0.0, 1.0)))
    version = "1"
    batch = 500
    settings = {}
    provides = {"tau_e": Observable("tau_e")}

    def simulate(self, theta):
        return {"tau_e": 0.02 + 0.1 * np.sin(2.5 * theta[:, 0]) ** 3 * np.sqrt(theta[:, 1] + 0.01)}
"""
RECIPE = """
emulator = "polynomial"

[simulation]
simulator = "depth"
n = 256

[parameters]
a = { distribution = "uniform", low = 0.0, high = 1.0 }
b = { distribution = "uniform", low = 0.0, high = 1.0 }

[training]
degree = 4
"""
FIT = """
[parameters]
a = { distribution = "uniform", low = 0.0, high = 1.0 }
b = { distribution = "uniform", low = 0.0, high = 1.0 }

[emulators.acg]
provides = ["tau_e"]

[probes.optical_depth]

[samplers.emcee]
walkers = 16
max_steps = 500
starting_draws = 1000
"""


@pytest.fixture
def folder(tmp_path, monkeypatch):
    (tmp_path / "a_depth.py").write_text(MODULE)
    monkeypatch.syspath_prepend(tmp_path)
    entry = EntryPoint("depth", "a_depth:Depth", "astroemu.simulators")
    monkeypatch.setitem(plugins.SIMULATORS.__dict__, "entries", {"depth": [entry]})
    _simulator.cache_clear()
    (tmp_path / "recipe.toml").write_text(RECIPE)
    (tmp_path / "fit.toml").write_text(FIT.replace("[emulators.acg]", f'[emulators.acg]\nfile = "{tmp_path}/depth.h5"'))
    recipe, data, out = (str(tmp_path / name) for name in ("recipe.toml", "set.h5", "depth.h5"))
    assert command("simulate", recipe, "--out", data)[0] == 0
    assert command("train", recipe, "--data", data, "--out", out)[0] == 0
    yield tmp_path
    _simulator.cache_clear()


def refine(folder, *more):
    names = {"emulator": "depth.h5", "data": "set.h5", "model": "fit.toml", "out": "refined"}
    options = [part for key, name in names.items() for part in (f"--{key}", str(folder / name))]
    return command("refine", str(folder / "recipe.toml"), *options, "--n", "300", "--check", "150", *more)


def test_points_are_added_where_the_posterior_is_and_it_goes_on(folder):
    code, said, message = refine(folder)
    assert code == 0, message
    assert "effective fraction of the samples under the true simulator, after" in said and "556 in all" in said
    found = json.loads((folder / "refined" / "refinement.json").read_text())
    assert_provenance(found["provenance"], "refined")
    assert set(found["parameters"]) == {"a", "b"} and found["points"] == {"added": 300, "all": 556}
    assert (
        0.5 < found["efficiency"]["after"] <= 1 and found["efficiency"]["after"] > found["efficiency"]["before"] - 0.05
    )
    tau = TrainingSet.load(folder / "refined" / "added.h5").values["tau_e"]
    assert np.mean(np.abs(tau - 0.055) < 0.025) > 0.8  # of the design: a third
    whole = TrainingSet.load(folder / "refined" / "set.h5")
    assert whole.metadata["added"][0]["design"]["kind"] == "given" and len(whole) == 556
    # All files are there: nothing is made again.
    (folder / "refined" / "set.h5").unlink()
    code, again, _ = refine(folder)
    assert code == 0 and not (folder / "refined" / "set.h5").exists() and "simulates" not in again
    code, _, message = refine(folder, "--temperature", "3")
    assert code == 2 and "refinement of something else" in message and "temperature was 2.0 and is 3.0" in message
