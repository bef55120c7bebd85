"""A model with one parameter of each kind of prior, whose posterior is known."""

from __future__ import annotations

import numpy as np
import pytest

from astroemu.core.distributions import Fixed, LogUniform, Normal, TruncatedNormal, Uniform
from astroemu.core.panel import MEASUREMENT, Panel
from astroemu.core.parameter import Parameter
from astroemu.core.prior import Prior
from astroemu.core.probe import Probe
from astroemu.core.requirement import Requirement
from astroemu.model.model import Model

PRIORS = {
    "flat": Uniform(0.0, 2.0),
    "logarithmic": LogUniform(0.1, 10.0),
    "bell": Normal(1.0, 1.0),
    "cut": TruncatedNormal(1.0, 1.0, low=0.0),
    "constant": Fixed(1.0),
}
ERROR = 0.1


class Known(Probe):
    """One datum of error 0.1 for each parameter."""

    def __init__(self, data=(1.0, 1.0, 1.0, 1.0, 1.0)):
        self.data = np.array(data)

    @property
    def requires(self):
        return {name: Requirement(name) for name in PRIORS}

    def log_likelihood(self, predictions, parameters, xp):
        values = xp.concatenate([predictions[name].value for name in PRIORS], axis=1)
        return -0.5 * xp.sum(((values - self.data) / ERROR) ** 2, axis=1)

    def simulate(self, predictions, parameters, rng):
        truth = np.array([predictions[name].value[0, 0] for name in PRIORS])
        return Known(truth + ERROR * rng.standard_normal(len(truth)))

    def panels(self):
        error = np.full(len(PRIORS), ERROR)
        kinds = (MEASUREMENT,) * len(PRIORS)
        return (Panel("", "", "", np.arange(len(PRIORS)), self.data, error, error, kinds, Requirement("flat")),)


@pytest.fixture
def known():
    """The model. The posterior of ``flat`` has the mean 1 and the standard deviation 0.1."""
    parameters = tuple(Parameter(name, prior, latex="x") for name, prior in PRIORS.items())
    return Model(Prior(parameters), {}, {"known": Known()})


@pytest.fixture
def points(known):
    """Points of the prior, and their log-likelihood and log prior."""
    theta = known.prior.sample(5, np.random.default_rng(3))
    return theta, known.log_likelihood(theta), known.log_prior(theta)
