"""Samples and finished runs that no sampler made."""

from __future__ import annotations

import numpy as np
import pytest

from astroemu.core.distributions import Uniform
from astroemu.core.parameter import Parameter
from astroemu.core.prior import Prior
from astroemu.inference.configuration import load_configuration
from astroemu.inference.run_folder import RunFolder
from astroemu.inference.summary import summarise
from astroemu.sampling.samples import Samples
from astroemu.sampling.statistics import kish_ess

FIT = """
title = "A <small> fit & its page"
[simulators.park19]
[probes.neutral_fraction]
[probes.optical_depth]
[parameters]
log10_f_star10 = { distribution = "uniform", low = -3.0, high = 0.0, latex = '\\log_{10} f_*' }
log10_f_esc10 = { distribution = "uniform", low = -2.0, high = 0.0, latex = '\\notlatex{' }
alpha_star = { distribution = "fixed", value = 0.5 }
alpha_esc = { distribution = "fixed", value = -0.3 }
log10_m_turn = { distribution = "fixed", value = 8.7 }
t_star = { distribution = "fixed", value = 0.5 }
clumping = { distribution = "fixed", value = 3.0 }
h = { distribution = "fixed", value = 0.6774 }
omega_m = { distribution = "fixed", value = 0.3075 }
omega_b = { distribution = "fixed", value = 0.0486 }
sigma_8 = { distribution = "fixed", value = 0.811 }
n_s = { distribution = "fixed", value = 0.97 }
[samplers.emcee]
walkers = 8
max_steps = 100
starting_draws = 400
"""


def weighted(model, seed=1, n=300):
    """Importance samples of a posterior, with their evidence."""
    theta = model.prior.sample(n, np.random.default_rng(seed))
    log_l = model.log_likelihood(theta)
    theta, log_l = theta[np.isfinite(log_l)], log_l[np.isfinite(log_l)]
    log_weight = log_l - np.logaddexp.reduce(log_l)
    ess = kish_ess(log_weight)
    evidence = (float(np.logaddexp.reduce(log_l) - np.log(n)), float(ess**-0.5))
    return Samples(
        model.names, theta, log_l, model.log_prior(theta), log_weight, "made", ess, True, "made", n, *evidence
    )


@pytest.fixture(scope="session")
def configuration(tmp_path_factory):
    """A fit of two parameters, one of which has a symbol that cannot be drawn."""
    path = tmp_path_factory.mktemp("fit") / "fit.toml"
    path.write_text(FIT)
    return load_configuration(path)


@pytest.fixture(scope="session")
def made_run():
    """A function that writes the finished run of a configuration into a folder."""

    def make(configuration, folder, seed=1):
        model = configuration.model()
        samples = weighted(model, seed)
        run = RunFolder.create(folder)
        run.start(configuration, {"path": str(configuration.path), "configuration": dict(configuration.raw)}, None)
        run.finish(samples, summarise(samples, model, configuration, seed=seed, wall_seconds=1.0))
        return run

    return make


@pytest.fixture
def prior():
    """Two parameters; the symbol of the first cannot be drawn."""
    return Prior(
        (Parameter("a", Uniform(0, 1), r"\text{no such}"), Parameter("b", Uniform(0, 1), r"\beta_{\rm x}", "keV"))
    )


@pytest.fixture
def made_samples():
    """A function that returns Gaussian samples of these parameters: a chain, or weighted ones."""

    def make(seed, weighted=False):
        rng = np.random.default_rng(seed)
        n = 400
        log_weight = np.log(rng.exponential(size=n)) if weighted else np.zeros(n)
        log_weight -= np.logaddexp.reduce(log_weight)
        theta, zero = rng.normal(0.5, 0.1, (n, 2)), np.zeros(n)
        return Samples(("a", "b"), theta, zero, zero, log_weight, "emcee", 100.0, True, "", n)

    return make
