"""Training the networks of an emulator: what they learn, same weights from the same seed, clear errors."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from astroemu.core.array_namespace import NUMPY
from astroemu.core.observable import Axis, Observable
from astroemu.emulation.training_set import TrainingSet
from astroemu.errors import ConfigurationError, DataError
from astroemu_plugins.emulators.neural import NeuralEmulator
from astroemu_plugins.training import trainer
from astroemu_plugins.training.settings import Settings
from astroemu_plugins.training.targets import Split

# TensorFlow and Keras warn about their own dependencies when they are imported.
pytestmark = [pytest.mark.filterwarnings("default"), pytest.mark.usefixtures("without_xla")]

NETWORK = {"hidden": [32, 32], "epochs": 20, "batch_size": 64, "learning_rate": 5e-3}
SETTINGS = {
    "name": "waves",
    "transforms": {"filled": {"transform": "fraction"}, "power": {"transform": "log10"}},
    "validation_points": 500,
    "test_points": 500,
    "networks": {
        "history": {"outputs": ["filled"], **NETWORK},
        "power": {"outputs": ["power", "wave"], "features": ["filled"], **NETWORK},
    },
}
X = np.linspace(0, 1, 5)


def truth(theta):
    """The observables ``(n, 5)`` of points ``(n, 2)``."""
    filled = 1 / (1 + np.exp(-6 * (theta[:, :1] + X - 0.5)))
    power = 10 ** (theta[:, 1:] + np.sin(2 * X) * theta[:, :1] + filled)
    return {"filled": filled, "power": power, "wave": np.sin(2 * theta[:, :1] + X)}


def waves(n=3000, **constant):
    theta = np.random.default_rng(0).uniform(-1, 1, (n, 2))
    for name, value in constant.items():
        theta[:, "ab".index(name)] = value
    values = truth(theta)
    values["wave"][::7, 2] = np.nan
    observables = {name: Observable(name, (Axis("x", X),)) for name in values}
    return TrainingSet(("a", "b"), theta, observables, values)


def changed(**networks):
    return {**SETTINGS, "networks": {**SETTINGS["networks"], **networks}}


@pytest.fixture(scope="module")
def trained(without_xla):
    return NeuralEmulator.train(waves(), SETTINGS, seed=3, log=lambda _: None)


def test_it_learns_what_it_is_shown(trained):
    metrics = trained.provenance["metrics"]
    assert metrics["history"]["filled"]["absolute_q95"] < 0.03
    assert metrics["power"]["power"]["fractional_q95"] < 0.3  # of two decades
    assert metrics["power"]["wave"]["absolute_q95"] < 0.15


def test_the_stated_error_covers_two_thirds_of_new_points(trained):
    theta = np.random.default_rng(9).uniform(-0.99, 0.99, (2000, 2))
    found = trained.evaluator({"power": np.arange(5)})(theta, {}, NUMPY)["power"]
    assert 0.6 < np.mean(np.abs(found.value - truth(theta)["power"]) < found.error) < 0.76


@pytest.mark.slow
def test_the_seed_decides_every_weight():
    short = {"hidden": [8], "epochs": 2, "batch_size": 64}
    networks = {key: {**network, **short} for key, network in SETTINGS["networks"].items()}
    one, other = (NeuralEmulator.train(waves(1200), changed(**networks), seed=3, log=lambda _: None) for _ in range(2))
    for key, network in one.networks.items():
        for ours, theirs in zip(network.layers.kernels, other.networks[key].layers.kernels, strict=True):
            np.testing.assert_array_equal(ours, theirs)


def test_the_file_says_how_it_was_made(trained):
    provenance = trained.provenance
    assert provenance["split"]["train"] == 2000 and len(provenance["split"]["sha256_of_order"]) == 64
    assert provenance["settings"]["networks"]["power"]["features"] == ["filled"]
    assert "tensorflow" in provenance["versions"]["backend"]


@pytest.mark.parametrize(
    ("data", "settings", "message"),
    [
        (waves(), changed(more={"outputs": ["powr"]}), "'powr'.*Did you mean 'power'"),
        (waves(), changed(more={"outputs": ["power"], "inputs": ["q"]}), "parameter 'q'"),
        (waves(), changed(more={"outputs": ["power"], "activation": "swish"}), "activation"),
        (waves(), changed(more={"outputs": ["power"], "epoch": 3}), "Did you mean 'epochs'"),
        (waves(), {**SETTINGS, "networks": {"power": SETTINGS["networks"]["power"]}}, "no network before it gives"),
        (waves(1050), SETTINGS, "fewer than one batch of 64"),
        (waves(a=0.5), SETTINGS, "'a'.*constant"),
        (waves(), {**SETTINGS, "transforms": {"wave": {"transform": "log10"}}}, "positive"),
    ],
)
def test_what_cannot_be_trained_is_refused(data, settings, message):
    with pytest.raises((ConfigurationError, DataError), match=message):
        NeuralEmulator.train(data, settings, seed=1, log=lambda _: None)


def small(**replaced):
    """Two hundred points, for one network of four neurons and one epoch: nothing is learnt from them."""
    theta = np.random.default_rng(0).uniform(-1, 1, (200, 2))
    values = {"filled": 1 / (1 + np.exp(-4 * theta)), "power": 10.0**theta} | replaced
    observables = {name: Observable(name, (Axis("x", np.arange(2.0)),)) for name in values}
    settings = {
        "transforms": {"filled": {"transform": "fraction"}, "power": {"transform": "log10"}},
        "validation_points": 40,
        "test_points": 40,
        "networks": {"all": {"outputs": ["filled", "power"], "hidden": [4], "epochs": 1, "batch_size": 32}},
    }
    return NeuralEmulator.train(
        TrainingSet(("a", "b"), theta, observables, values), settings, seed=1, log=lambda _: None
    )


def predictions(emulator):
    rows = {name: np.arange(2) for name in ("filled", "power")}
    return emulator.evaluator(rows)(np.random.default_rng(1).uniform(-0.9, 0.9, (50, 2)), {}, NUMPY)


def test_a_fraction_has_an_error_even_with_few_test_points():
    """Its error is that of all outputs where one alone has too few points between 0 and 1."""
    for prediction in predictions(small()).values():
        assert np.all(np.isfinite(prediction.value)) and np.all(np.isfinite(prediction.error))
        assert np.all(prediction.error > 0)


def test_an_output_that_is_defined_nowhere_is_refused_or_left_out():
    """A spin temperature after reionization, say: all NaN. It may not make a likelihood NaN silently."""
    nowhere = 10.0 ** np.random.default_rng(2).uniform(-1, 1, (200, 2))
    nowhere[:, 1] = np.nan
    try:
        found = predictions(small(power=nowhere))
    except DataError as error:
        assert "'power'" in str(error)
        return
    assert np.all(np.isfinite(found["power"].value[:, 0])) and np.all(np.isfinite(found["power"].error[:, 0]))
    assert np.all(np.isfinite(found["filled"].value))


def task(data=None, seed=3, settings=SETTINGS, **more):
    data = waves(1200) if data is None else data
    chosen = Settings.model_validate({**settings, **more})
    return trainer._Task(data, chosen, (), Split.drawn(len(data), chosen, seed), seed, print, None, None)


def file_of(task):
    """Return what an earlier file says of its training, without a training."""
    every = {name: {} for name in task.settings.networks}
    return SimpleNamespace(provenance=task._provenance(every, every))


def other_values():
    """The same points and grids as in :func:`waves`, simulated with another option."""
    data = waves(1200)
    return replace(data, values={**data.values, "wave": data.values["wave"] * 1.01})


@pytest.mark.parametrize(
    ("new", "why"),
    [
        ({}, ""),
        ({"name": "another"}, ""),
        ({"data": other_values()}, "the data changed"),
        ({"seed": 4}, "the seed changed"),
        ({"train_points": 100}, "train_points changed"),
        ({"test_points": 400}, "test_points changed"),
        ({"validation_points": 400}, "validation_points changed"),
        ({"log10_inputs": ["a"]}, "log10_inputs changed"),
        ({"transforms": {}}, "transforms changed"),
        ({"settings": changed(history={**SETTINGS["networks"]["history"], "epochs": 3})}, "networks.history] changed"),
    ],
)
def test_a_network_is_reused_only_if_nothing_that_decides_it_has_changed(new, why):
    found = task(**new)._changed(file_of(task()), "history", set())
    assert found == why or (why and found.endswith(why))


def test_a_network_is_trained_again_if_one_that_it_builds_on_is():
    wave = {"outputs": ["wave"], "features": ["power"], **NETWORK}
    power = {"outputs": ["power"], "features": ["filled"], **NETWORK}
    before = file_of(task(settings=changed(power=power, wave=wave)))
    history = {**SETTINGS["networks"]["history"], "epochs": 3}
    now = task(settings=changed(history=history, power=power, wave=wave))
    kept = set()
    assert "networks.history] changed" in now._changed(before, "history", kept)
    assert now._changed(before, "power", kept) == "history changed"
    assert now._changed(before, "wave", kept) == "power changed"  # its own settings and those of power are the same


def test_a_file_that_does_not_state_its_data_is_not_reused():
    earlier = file_of(task())
    del earlier.provenance["data"]
    assert task()._changed(earlier, "history", set()) == "the earlier file does not state the hash of its data"


def test_a_checkpoint_belongs_to_the_values_of_its_data_too():
    assert task()._identity("history", 3) == task()._identity("history", 3)
    assert task()._identity("history", 3) != task(other_values())._identity("history", 3)
