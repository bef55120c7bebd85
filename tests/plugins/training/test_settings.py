"""The settings of a training: presets, and clear errors."""

from __future__ import annotations

import pytest
from small_training import settings

from astroemu.errors import ConfigurationError
from astroemu.runtime.options import validate_options
from astroemu_plugins.training.settings import NetworkSettings, Settings


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
