"""A model with a Gaussian posterior, and a small fit that no emulator is needed for."""

from __future__ import annotations

from importlib.util import find_spec
from types import SimpleNamespace

import numpy as np
import pytest
from helpers import StubProbe, uniform

from astroemu.core.observable import Axis, Observable
from astroemu.core.provider import Prediction, Provider
from astroemu.core.requirement import Requirement
from astroemu.inference.configuration import load_configuration
from astroemu.model.backends.base import BACKENDS
from astroemu.model.model import Model

PAIR = Observable("pair", (Axis("i", np.array([0.0, 1.0])),))
CENTRE = np.array([0.3, 2.0])
COVARIANCE = np.array([[0.01, 0.012], [0.012, 0.09]])
TAU = """
title = "tau alone"

[probes.optical_depth]

[parameters.tau_e]
distribution = "uniform"
low = 0.0
high = 0.2

[samplers.emcee]
walkers = 8
effective_samples = 100.0
check_every = 50
starting_draws = 400
"""


class Both(Provider):
    """Two parameters as an observable of two values."""

    parameters = ("a", "b")

    @property
    def provides(self):
        return {"pair": PAIR}

    def evaluator(self, rows):
        return lambda theta, observables, xp: {"pair": Prediction(xp.take(theta, rows["pair"]))}


class Gaussian(StubProbe):
    """A normalised Gaussian at the centre, up to a constant: its highest log-likelihood is zero."""

    def log_likelihood(self, predictions, parameters, xp):
        residual = predictions["it"].value - CENTRE
        return -0.5 * xp.sum(residual * xp.matmul(residual, np.linalg.inv(COVARIANCE)), axis=1)


def of_pair(probe_class, prior):
    probe = probe_class(Requirement("pair", at={"i": PAIR.axes[0].values}))
    return Model(prior, {"both": Both()}, {"probe": probe}, engine="numpy")


@pytest.fixture
def jax_if_installed(monkeypatch):
    """Gradients by JAX if it is installed: it compiles faster than TensorFlow."""
    monkeypatch.setenv("KERAS_BACKEND", "jax" if find_spec(BACKENDS["jax"][1]) else "tensorflow")


@pytest.fixture
def gaussian():
    """The Gaussian of two parameters a and b: ``centre``, ``covariance``, and models of it by ``model(prior)``."""
    return SimpleNamespace(
        centre=CENTRE,
        covariance=COVARIANCE,
        model=lambda prior=None: of_pair(Gaussian, prior or uniform(a=(-1, 1), b=(0, 10))),
        other=of_pair,
    )


@pytest.fixture
def tau(tmp_path):
    """The configuration of a fit of the optical depth alone, which is itself the parameter."""
    (tmp_path / "tau.toml").write_text(TAU)
    return load_configuration(tmp_path / "tau.toml")


@pytest.fixture(scope="session")
def tau_of_the_emulator():
    """Options that leave one datum and two free parameters of the default fit, which then compiles fast."""
    fixed = {
        "log10_f_star10": -1.3,
        "alpha_star": 0.5,
        "alpha_esc": -0.5,
        "t_star": 0.5,
        "log10_l_x": 40.5,
        "e_0_keV": 0.5,
        "alpha_x": 1.0,
    }
    options = [part for name, value in fixed.items() for part in ("--set", f"parameters.{name}={value_table(value)}")]
    for probe in ("power_spectrum_21cm", "uv_luminosity_function", "neutral_fraction"):
        options += ["--without", probe]
    return options


def value_table(value):
    return f'{{distribution = "fixed", value = {value}}}'
