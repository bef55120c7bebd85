"""The parts of the training: settings, losses, architectures, the loop and its checkpoints."""

from __future__ import annotations

import numpy as np
import pytest

from astroemu.core.observable import Axis, Observable
from astroemu.emulation.training_set import TrainingSet
from astroemu.emulation.transforms import Asinh, Fraction, IdentityTransform, Log10
from astroemu.errors import ConfigurationError, DataError
from astroemu.runtime.options import validate_options
from astroemu_plugins.emulators.neural import NeuralEmulator
from astroemu_plugins.training.loop import is_finished, plateau_rate
from astroemu_plugins.training.losses import loss_function
from astroemu_plugins.training.settings import NetworkSettings, Settings
from astroemu_plugins.training.targets import Split, Targets, in_data_errors

# TensorFlow and Keras warn about their own dependencies when they are imported.
pytestmark = pytest.mark.filterwarnings("default")

Z = Axis("z", np.linspace(5.0, 12.0, 8))


def data(n=1200):
    rng = np.random.default_rng(2)
    theta = rng.uniform(-1, 1, (n, 2))
    x = 1 / (1 + np.exp(-(Z.values - 8 - 2 * theta[:, :1])))
    k = np.array([0.1, 1.0, 10.0])
    power = 10 ** (theta[:, 1, None, None] + x[:, :, None] * k**0.2)
    observables = {"x": Observable("x", (Z,)), "power": Observable("power", (Z, Axis("k", k)), "mK^2")}
    return TrainingSet(("a", "b"), theta, observables, {"x": x, "power": power})


def settings(epochs=3, **network):
    small = {"hidden": [16, 16], "epochs": epochs, "batch_size": 64}
    return {
        "transforms": {"x": {"transform": "fraction"}, "power": {"transform": "log10"}},
        "validation_points": 200,
        "test_points": 200,
        "networks": {"all": {"outputs": ["x", "power"], **small, **network}},
    }


def trained(epochs=3, seed=1, folder=None, points=None, **network):
    quiet = {"seed": seed, "log": lambda _: None, "folder": folder}
    return NeuralEmulator.train(points or data(), settings(epochs, **network), **quiet)


# --- settings -------------------------------------------------------------------------------


def test_the_talk_preset_is_the_talks_network():
    talk = NetworkSettings(outputs=["x"], preset="talk")
    assert talk.hidden == [64, 128, 64] and talk.batch_norm and talk.activation == "relu"
    assert (talk.optimiser, talk.learning_rate, talk.loss) == ("adam", 1e-3, "mse")
    assert (talk.batch_size, talk.epochs) == (64, 300)
    assert (talk.schedule, talk.plateau_patience, talk.stop_patience) == ("plateau", 20, 50)


def test_what_a_network_states_goes_before_its_preset():
    assert NetworkSettings(outputs=["x"], preset="talk", epochs=7).epochs == 7


@pytest.mark.parametrize(
    ("network", "message"),
    [
        ({"activation": "swish"}, "silu"),
        ({"loss": "huber"}, "'mse', 'mae', 'msle' or 'chi2'"),
        ({"optimiser": "adamm"}, "adam"),
        ({"preset": "talks"}, "talk"),
        ({"architecture": "transformer"}, "gru"),
        ({"hidden": [16, 0]}, "at least 1"),
        ({"loss": "chi2"}, "needs data_errors for x, power"),
        ({"data_errors": {"x": {"absolute": 1.0}}}, "are for the loss chi2"),
        ({"loss": "chi2", "data_errors": {"x": {}, "power": {"absolute": 1.0}}}, "must be above 0"),
        ({"residual": True, "batch_norm": True}, "folded"),
    ],
)
def test_wrong_settings_are_named(network, message):
    with pytest.raises(ConfigurationError, match=message):
        validate_options(Settings, settings(**network), "[training]")


# --- targets and losses -----------------------------------------------------------------------


def test_the_split_has_no_row_twice_and_can_be_cut():
    chosen = validate_options(Settings, settings(), "[training]")
    split = Split.drawn(1000, chosen, seed=3)
    assert np.array_equal(np.sort(np.concatenate([split.train, split.validation, split.test])), np.arange(1000))
    chosen.train_points = 50
    cut = Split.drawn(1000, chosen, seed=3)
    np.testing.assert_array_equal(cut.train, split.train[:50])
    np.testing.assert_array_equal(cut.test, split.test)


def targets(n=50):
    points = data(n)
    return points, Targets(points, ["x", "power"], [Fraction(), Log10()], np.arange(n))


def _loss(kind, which, truth, raw):
    import keras

    return float(loss_function(keras.ops, kind, which)(np.float32(truth), np.float32(raw)))


def test_losses_by_hand():
    _, which = targets()
    rng = np.random.default_rng(4)
    truth, raw = which.values.copy(), rng.normal(size=which.values.shape)
    truth[3, 10] = np.nan
    predicted = np.concatenate([1 / (1 + np.exp(-raw[:, :8])), raw[:, 8:]], axis=1)
    residual = np.where(np.isnan(truth), 0.0, predicted - truth)
    assert _loss("mse", which, truth, raw) == pytest.approx(np.mean(residual**2), rel=1e-5)
    assert _loss("mae", which, truth, raw) == pytest.approx(np.mean(np.abs(residual)), rel=1e-5)
    factor = rng.uniform(0.5, 2, truth.shape)
    both = np.concatenate([truth, factor], axis=1)
    assert _loss("chi2", which, both, raw) == pytest.approx(np.mean((residual * factor) ** 2), rel=1e-5)


def test_a_common_scale_is_the_mean_of_those_of_the_outputs():
    points = data(50)
    each, common = (
        Targets(points, ["x", "power"], [Fraction(), Log10()], np.arange(50), s) for s in ("each", "common")
    )
    np.testing.assert_allclose(common.std[8:], np.sqrt(np.mean(each.std[8:] ** 2)))
    np.testing.assert_array_equal(common.std[:8], 1.0)
    np.testing.assert_allclose(common.values * common.std, each.values * each.std, atol=1e-5)


def test_msle_is_of_the_outputs_before_standardisation():
    points = data(50)
    which = Targets(points, ["power"], [IdentityTransform()], np.arange(50))
    raw = np.random.default_rng(4).normal(size=which.values.shape)
    y, predicted = points.values["power"].reshape(50, -1), np.maximum(raw * which.std + which.mean, 0)
    expected = np.mean((np.log1p(predicted) - np.log1p(y)) ** 2)
    assert _loss("msle", which, which.values, raw) == pytest.approx(expected, rel=1e-4)
    with pytest.raises(DataError, match="not negative"):
        _loss("msle", Targets(points, ["power"], [Asinh(centre=50.0)], np.arange(50)), which.values, raw)


def test_chi2_factors_turn_a_residual_into_one_of_the_datas_errors():
    points, which = targets()
    errors = validate_options(Settings, settings(loss="chi2", data_errors=ERRORS), "").networks["all"].data_errors
    factor = in_data_errors(points, which, {"x": Fraction(), "power": Log10()}, errors)
    np.testing.assert_allclose(factor[:, :8], 20.0, rtol=1e-6)
    y, step = points.values["power"].reshape(50, -1), 1e-4
    moved = 10 ** (np.log10(y) + step * which.std[8:])
    np.testing.assert_allclose(factor[:, 8:] * step, (moved - y) / (0.1 * y), rtol=1e-3)


ERRORS = {"x": {"absolute": 0.05}, "power": {"fractional": 0.1}}

# --- the loop ---------------------------------------------------------------------------------


def test_the_rate_on_a_plateau_is_that_of_keras():
    import keras

    rng = np.random.default_rng(5)
    losses = np.exp(-np.linspace(0, 3, 60)) * rng.uniform(0.8, 1.2, 60)
    losses[30:] = 0.3
    model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)])
    model.compile(optimizer=keras.optimizers.Adam(1e-3))
    callback = keras.callbacks.ReduceLROnPlateau(monitor="val_loss", patience=7, min_lr=0.0)
    callback.set_model(model)
    callback.on_train_begin()
    for i, loss in enumerate(losses):
        callback.on_epoch_end(i, {"val_loss": loss})
        assert plateau_rate(1e-3, 7, losses[: i + 1]) == pytest.approx(float(model.optimizer.learning_rate), rel=1e-5)
    assert float(model.optimizer.learning_rate) < 1e-5


def test_it_stops_when_all_epochs_are_done_or_none_was_better_for_long():
    patient = NetworkSettings(outputs=["x"], epochs=10, stop_patience=3)
    assert not is_finished(patient, []) and not is_finished(patient, [3.0, 1.0, 2.0, 2.0])
    assert is_finished(patient, [3.0, 1.0, 2.0, 2.0, 2.0]) and is_finished(patient, np.arange(10.0)[::-1])


def test_a_training_that_was_killed_goes_on_as_if_nothing_had_happened(tmp_path, monkeypatch):
    from astroemu_plugins.training import loop

    monkeypatch.setattr(loop, "SECONDS_BETWEEN_CHECKPOINTS", 0.0)
    plateau = {"schedule": "plateau", "plateau_patience": 2, "learning_rate": 1e-2}
    whole = trained(6, **plateau)
    noted = loop.Loop._note

    def killed(self, logs, seconds):
        noted(self, logs, seconds)
        if len(self.history) == 3:
            raise KeyboardInterrupt

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(loop.Loop, "_note", killed)
        trained(6, folder=tmp_path, **plateau)
    resumed = trained(6, folder=tmp_path, **plateau)
    for ours, theirs in zip(*(e.networks["all"].layers.kernels for e in (resumed, whole)), strict=True):
        np.testing.assert_array_equal(ours, theirs)
    assert resumed.provenance["history"]["all"]["loss"] == whole.provenance["history"]["all"]["loss"]
    with pytest.raises(DataError, match="other settings, data or seed"):
        trained(5, folder=tmp_path, **plateau)


def test_a_training_that_diverges_says_so():
    with pytest.raises(DataError, match=r"networks.all.*diverged.*learning_rate"):
        trained(3, optimiser="sgd", learning_rate=1e6, schedule="constant")


@pytest.mark.parametrize("optimiser", ["adamw", "nadam", "rmsprop", "sgd"])
def test_every_optimiser_learns(optimiser):
    history = trained(4, optimiser=optimiser, learning_rate=1e-2, schedule="constant").provenance["history"]["all"]
    assert history["validation"][-1] < history["validation"][0]
    assert history["learning_rate"] == pytest.approx([1e-2] * 4)


# --- architectures ----------------------------------------------------------------------------

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


@pytest.mark.parametrize("form", FORMS, ids=lambda form: "-".join(str(v) for v in form.values()))
def test_the_file_holds_the_network_that_was_trained(form, tmp_path, monkeypatch):
    from astroemu_plugins.training import trainer

    kept = {}

    def layers_of(model, spec, which, centre, width):
        kept["model"], kept["targets"] = model, which
        return original(model, spec, which, centre, width)

    original = trainer.layers_of
    monkeypatch.setattr(trainer, "layers_of", layers_of)
    emulator = trained(2, **form)
    theta = np.random.default_rng(6).uniform(-0.9, 0.9, (5, 2))
    low, high = np.array([emulator.bounds[name] for name in "ab"]).T
    scaled = np.float32(2 * (theta - low) / (high - low) - 1)
    raw = np.asarray(kept["model"](scaled)) * kept["targets"].std + kept["targets"].mean
    emulator.save(tmp_path / "e.h5")
    found = NeuralEmulator.load(tmp_path / "e.h5").predict(theta)
    np.testing.assert_allclose(found["x"], 1 / (1 + np.exp(-raw[:, :8])), atol=2e-5)
    np.testing.assert_allclose(found["power"].reshape(5, -1), 10 ** raw[:, 8:], rtol=2e-4)


@pytest.mark.parametrize("architecture", ["conv1d", "gru"])
def test_a_sequence_learns(architecture):
    metrics = trained(25, architecture=architecture, hidden=[24, 24], learning_rate=1e-2).provenance["metrics"]["all"]
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
