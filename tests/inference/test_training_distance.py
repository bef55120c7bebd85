"""The share of a posterior that lies far from the training points of its emulators."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
from helpers import TAU, Stub, gapped_emulator, uniform

from astroemu.emulation.loading import load_emulator
from astroemu.errors import FarFromTrainingWarning
from astroemu.inference.training_distance import distance_from_training, warn_if_far
from astroemu.model.model import Model
from astroemu.sampling.samples import Samples
from astroemu_probes.optical_depth import OpticalDepth


def test_a_posterior_in_the_gap_is_warned_of(tmp_path):
    emulator = load_emulator(gapped_emulator(tmp_path))
    model = Model(uniform(a=(0.0, 2.0), b=(-1.0, 1.0)), {"tau": emulator}, {"tau": OpticalDepth()})
    rng = np.random.default_rng(4)
    gap, whole = rng.uniform([1.2, 0.2], [1.9, 0.9], (400, 2)), rng.uniform([0, -1], [1, 1], (400, 2))
    assert (
        distance_from_training(model, gap)["tau"]["share"] > 0.6
        and distance_from_training(model, whole)["tau"]["share"] < 0.15
    )

    def samples(theta):
        zero = np.zeros(len(theta))
        return Samples(model.names, theta, zero, zero, zero, "x", 400.0, True, "", 400)

    with pytest.warns(FarFromTrainingWarning, match="of the posterior lies farther from the training points of 'tau'"):
        warn_if_far(model, samples(gap))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warn_if_far(model, samples(whole))


def test_providers_that_were_not_trained_are_left_out():
    model = Model(uniform(t=(0.0, 0.1)), {"stub": Stub(("t",), {TAU: lambda x: x[:, 0]})}, {"tau": OpticalDepth()})
    assert distance_from_training(model, np.full((5, 1), 0.05)) == {}
