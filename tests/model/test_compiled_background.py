"""The ionizing background, the patchy kSZ power and the global signal, compiled: values and gradients."""

from __future__ import annotations

import numpy as np
import pytest
from helpers import uniform

from astroemu.core.observable import Axis, Observable
from astroemu.core.provider import Prediction, Provider
from astroemu.model.backends.base import BACKENDS, load_backend
from astroemu.model.compiled_engine import CompiledEngine
from astroemu.model.model import Model
from astroemu_plugins.derived.ionizing_background import IonizingBackground
from astroemu_plugins.derived.ionizing_emissivity import IonizingEmissivity
from astroemu_plugins.derived.patchy_ksz import PatchyKsz as Power
from astroemu_probes.global_signal import GlobalSignal
from astroemu_probes.ionizing_background import MeanFreePath, PhotoionizationRate
from astroemu_probes.patchy_ksz import PatchyKsz

GRID = np.linspace(4.0, 30.0, 261)
FIXED = ("h", "omega_m", "omega_b", "t_star")
VALUES = (0.68, 0.31, 0.049, 0.5)


class Universe(Provider):
    """A history, its photons and a 21-cm signal with one error for all redshifts, written against `xp`."""

    parameters = ("middle", "width")

    @property
    def provides(self):
        z = Axis("z", GRID)
        made = (Observable("x_hi", (z,)), Observable("n_ion", (z,)), Observable("t_b", (z,), "mK"))
        return {o.name: o for o in (*made, *(Observable(name) for name in FIXED))}

    def evaluator(self, rows):
        def evaluate(theta, observables, xp):
            x = xp.sigmoid((GRID - theta[:, 0:1]) / theta[:, 1:2])
            made = {
                "x_hi": x,
                "n_ion": 3.0 * (1.0 - x) + 1e-3,
                "t_b": -100.0 * x * xp.exp(-((GRID - 15.0) ** 2) / 20.0),
            }
            made |= {name: 0.0 * theta[:, 0:1] + value for name, value in zip(FIXED, VALUES, strict=True)}
            return {
                name: Prediction(xp.take(made[name], rows[name]), 0.02 * xp.abs(xp.take(made[name], rows[name])))
                if name in ("x_hi", "n_ion", "t_b")
                else Prediction(made[name])
                for name in rows
            }

        return evaluate


@pytest.fixture(scope="module")
def model():
    providers = {"u": Universe(), "e": IonizingEmissivity(), "b": IonizingBackground(), "p": Power()}
    probes = {"path": MeanFreePath(modelling_fraction=0.1), "rate": PhotoionizationRate(), "power": PatchyKsz()}
    prior = uniform(middle=(6.5, 9.0), width=(0.2, 0.8), log10_mfp_6=(-0.5, 0.5), mfp_slope=(5.0, 20.0))
    return Model(prior, providers, {**probes, "sky": GlobalSignal(terms=5, nu_min=60.0)}, engine="numpy")


@pytest.mark.parametrize("name", [pytest.param("tensorflow", marks=pytest.mark.slow), "jax"])
def test_a_compiled_model_is_the_same(model, name, monkeypatch):
    pytest.importorskip(BACKENDS[name][1])
    monkeypatch.setenv("KERAS_BACKEND", name)
    engine = CompiledEngine(model.pipeline, load_backend())
    theta = model.prior.sample(16, np.random.default_rng(1))
    expected, _ = model.pipeline.log_likelihoods(theta)
    found, _ = engine.log_likelihoods(theta)
    for probe, values in expected.items():
        np.testing.assert_allclose(found[probe], values, rtol=1e-8, err_msg=probe)
        assert np.all(np.isfinite(values))


@pytest.mark.slow
def test_its_gradient_is_that_of_finite_differences(model, monkeypatch):
    pytest.importorskip(BACKENDS["jax"][1])
    monkeypatch.setenv("KERAS_BACKEND", "jax")
    engine = CompiledEngine(model.pipeline, load_backend())
    theta = model.prior.sample(4, np.random.default_rng(2))
    _, gradient = engine.value_and_grad(theta)
    step = 1e-6

    def total(points):
        return sum(model.pipeline.log_likelihoods(points)[0].values())

    for j in range(theta.shape[1]):
        shift = step * np.eye(theta.shape[1])[j]
        numeric = (total(theta + shift) - total(theta - shift)) / (2 * step)
        np.testing.assert_allclose(gradient[:, j], numeric, rtol=1e-3, atol=1e-2)
