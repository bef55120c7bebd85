"""From a trained Keras model to the layers in the file, for every kind of network."""

from __future__ import annotations

import numpy as np
import pytest
from small_training import data, settings, targets, trained

from astroemu.core.observable import Observable
from astroemu.emulation.training_set import TrainingSet
from astroemu.emulation.transforms import Fraction, Log10
from astroemu.errors import ConfigurationError, DataError
from astroemu.runtime.options import validate_options
from astroemu_plugins.emulators.neural import NeuralEmulator
from astroemu_plugins.networks.keras_models import build_model
from astroemu_plugins.networks.network import Input, Network, Output
from astroemu_plugins.training import trainer
from astroemu_plugins.training.architectures import layers_of, specification
from astroemu_plugins.training.settings import Settings

# TensorFlow and Keras warn about their own dependencies when they are imported.
pytestmark = [pytest.mark.filterwarnings("default"), pytest.mark.usefixtures("without_xla")]

FORMS = [
    *({"activation": a} for a in ("alsing", "elu", "leaky_relu", "maxout", "relu", "sigmoid", "silu", "tanh")),
    {"batch_norm": True, "activation": "relu"},
    {"batch_norm": True, "activation": "maxout"},
    {"residual": True, "hidden": [16, 16, 24, 24]},
    {"architecture": "conv1d", "hidden": [12, 12]},
    {"architecture": "conv1d", "hidden": [8], "activation": "maxout", "batch_norm": True},
    {"architecture": "gru", "hidden": [12]},
    {"architecture": "lstm", "hidden": [12, 8]},
]
#: One of each kind of layers and of what is folded into them.
TRAINED = [FORMS[i] for i in (0, 9, 10, 12, 13)]
THETA = np.random.default_rng(6).uniform(-0.9, 0.9, (5, 2))


def named(form):
    return "-".join(str(value) for value in form.values())


def assert_predicts(path, emulator, model, which):
    """Compare the prediction from a file with that of the Keras model it was made of."""
    low, high = np.array([emulator.bounds[name] for name in "ab"]).T
    scaled = np.float32(2 * (THETA - low) / (high - low) - 1)
    raw = np.asarray(model(scaled)) * which.std + which.mean
    emulator.save(path)
    found = NeuralEmulator.load(path).predict(THETA)
    np.testing.assert_allclose(found["x"], 1 / (1 + np.exp(-raw[:, :8])), atol=2e-5)
    np.testing.assert_allclose(found["power"].reshape(5, -1), 10 ** raw[:, 8:], rtol=2e-4)


@pytest.mark.parametrize("form", FORMS, ids=named)
def test_the_file_holds_the_weights_of_the_model(form, tmp_path):
    """With random weights, among them those that a training moves from one or zero."""
    points, which = targets()
    observables = [points.observables[name] for name in ("x", "power")]
    chosen = validate_options(Settings, settings(**form), "[training]").networks["all"]
    spec = specification(chosen, observables, 2)
    model = build_model(spec)
    rng = np.random.default_rng(7)
    model.set_weights([rng.uniform(0.5, 1.5) * w + rng.uniform(0.0, 0.3, w.shape) for w in model.get_weights()])
    blank = tuple(Output(o, t, np.zeros(o.size)) for o, t in zip(observables, (Fraction(), Log10()), strict=True))
    layers = layers_of(model, spec, which, np.zeros(2, np.float32), np.ones(2, np.float32))
    inputs = (Input("a", -1.0, 1.0), Input("b", -1.0, 1.0))
    emulator = NeuralEmulator(inputs, {"all": Network(("a", "b"), (), blank, layers)}, {"name": "it"})
    assert_predicts(tmp_path / "e.h5", emulator, model, which)


@pytest.mark.parametrize("form", TRAINED, ids=named)
def test_the_file_holds_the_network_that_was_trained(form, tmp_path, monkeypatch):
    kept = {}

    def layers_of_kept(model, spec, which, centre, width):
        kept["model"], kept["targets"] = model, which
        return layers_of(model, spec, which, centre, width)

    monkeypatch.setattr(trainer, "layers_of", layers_of_kept)
    emulator = trained(2, **form)
    assert_predicts(tmp_path / "e.h5", emulator, kept["model"], kept["targets"])


@pytest.mark.slow
@pytest.mark.parametrize("architecture", ["conv1d", pytest.param("gru", marks=pytest.mark.slow)])
def test_a_sequence_learns(architecture):
    metrics = trained(12, architecture=architecture, hidden=[24], learning_rate=2e-2).provenance["metrics"]["all"]
    assert metrics["x"]["absolute_q68"] < 0.05


def test_a_sequence_needs_outputs_along_one_axis():
    points = data()
    other = Observable("tau")
    more = TrainingSet(
        points.names, points.theta, {**points.observables, "tau": other}, {**points.values, "tau": points.theta[:, 0]}
    )
    with pytest.raises(ConfigurationError, match="along the first axis"):
        trained(points=more, architecture="gru", outputs=["x", "tau"])


def test_an_unknown_architecture_in_a_file_is_not_built(tmp_path):
    import h5py

    trained(1, architecture="gru", hidden=[4]).save(tmp_path / "e.h5")
    with h5py.File(tmp_path / "e.h5", "r+") as file:
        group = file["networks/all"]
        group.attrs["header"] = group.attrs["header"].replace('"gru"', '"lambda"')
    with pytest.raises(DataError, match="lambda"):
        NeuralEmulator.load(tmp_path / "e.h5")
