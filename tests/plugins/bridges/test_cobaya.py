"""A model as a likelihood of Cobaya: the same numbers, and a short chain."""

from __future__ import annotations

import logging
import sys

import numpy as np
import pytest

from astroemu_plugins.bridges.cobaya import cobaya_input

pytest.importorskip("cobaya")


@pytest.fixture
def quiet(monkeypatch):
    """Cobaya sets the logging of the process, and this machine may have mpi4py without an MPI."""
    from cobaya import mpi

    level, handlers, disabled = logging.root.level, list(logging.root.handlers), mpi.is_disabled()
    monkeypatch.setattr(sys, "excepthook", sys.excepthook)
    mpi.set_mpi_disabled(True)
    yield
    mpi.set_mpi_disabled(disabled)
    logging.root.setLevel(level)
    logging.root.handlers[:] = handlers


def test_cobaya_gives_the_same_prior_and_likelihood(known, points, quiet):
    from cobaya.model import get_model

    theirs = get_model({**cobaya_input(known), "debug": logging.CRITICAL})
    for theta, log_l, log_prior in zip(*points, strict=True):
        found = theirs.logposterior(dict(zip(known.names, theta, strict=True)))
        assert found.loglikes[0] == pytest.approx(log_l, rel=1e-12)
        assert found.logpriors[0] == pytest.approx(log_prior, rel=1e-10)


def test_cobaya_samples_a_model(known, quiet):
    from cobaya.run import run

    settings = {"max_samples": 300, "seed": 1, "learn_proposal": False, "proposal_scale": 1.0, "burn_in": 0}
    start = {name: {"ref": 1.0, "proposal": 0.1} for name in known.names}
    given = cobaya_input(known)
    given["params"] = {name: given["params"][name] | start[name] for name in known.names}
    _, sampler = run({**given, "sampler": {"mcmc": settings}, "debug": logging.CRITICAL})
    chain = sampler.products()["sample"]
    assert len(chain) >= 300
    assert np.average(chain["flat"], weights=chain["weight"]) == pytest.approx(1.0, abs=0.1)


def test_labels_are_those_of_the_parameters(known):
    assert cobaya_input(known)["params"]["flat"] == {"prior": {"min": 0.0, "max": 2.0}, "latex": "x"}
