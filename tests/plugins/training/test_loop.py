"""The training loop: learning rate, when it stops, optimisers, checkpoints."""

from __future__ import annotations

import numpy as np
import pytest
from small_training import trained

from astroemu.errors import DataError
from astroemu_plugins.training import loop
from astroemu_plugins.training.loop import is_finished, plateau_rate
from astroemu_plugins.training.settings import NetworkSettings

# TensorFlow and Keras warn about their own dependencies when they are imported.
pytestmark = [pytest.mark.filterwarnings("default"), pytest.mark.usefixtures("without_xla")]


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
