"""A small model with every kind of picture, for the pages of `astroemu explore`."""

from __future__ import annotations

import shutil

import numpy as np
from helpers import LINE_X, TAU, Stub, datum_probe, line_model, line_prior, uniform

from astroemu.core.distributions import LogUniform, Normal
from astroemu.core.observable import Axis, Observable
from astroemu.core.panel import Panel
from astroemu.core.parameter import Parameter
from astroemu.core.requirement import Requirement
from astroemu.model.model import Model
from astroemu.sampling.samples import Samples


def panel(**changed):
    """A panel of two data and an upper limit over the line."""
    data = {
        "title": "A line at $z_1$",
        "x_label": "$x$",
        "y_label": r"$\bar{y}$ [mK]",
        "x": np.array([1.0, 2.0, 3.0]),
        "y": np.array([1.0, 2.0, 4.0]),
        "error_low": np.array([0.5, 3.0, 0.0]),
        "error_high": np.array([0.5, 3.0, 0.0]),
        "kind": ("measurement", "measurement", "upper"),
        "curve": Requirement("y", {"x": LINE_X}),
        "curve_x": LINE_X,
    }
    return Panel(**data | changed)


def single(**changed):
    """A panel of a single number."""
    half = np.array([0.5])
    data = {"x": np.zeros(1), "y": np.ones(1), "error_low": half, "error_high": half, "kind": ("measurement",)}
    return panel(**data, curve=Requirement("y", {"x": np.array([2.5])}), curve_x=None, **changed)


def probe_with(*panels, parameters=(), **options):
    """A datum of the line, with these panels and nuisance parameters."""
    probe = datum_probe(**options)
    probe.panels, probe.parameters = (lambda: panels), parameters
    return probe


def explored_model(**options):
    """Three parameters of different priors, and two probes with three pictures."""
    probes = {
        "first": probe_with(panel(), panel(y_log=True, transform=lambda y: 10**y)),
        "second": probe_with(single(), datum=1.0, parameters=(Parameter("noise", LogUniform(1e-3, 10.0)),)),
    }
    return line_model(probes, prior=line_prior(offset=Normal(0.0, 2.0)), **options)


def chained_model():
    """A parameter that one provider computes for another, whose range is narrower."""
    first = Stub(("a",), {TAU: lambda theta: theta[:, 0]})
    line = Observable("y", (Axis("x", LINE_X),))
    second = Stub(("tau_e",), {line: lambda theta: theta[:, :1] * LINE_X}, bounds={"tau_e": (0.0, 0.1)})
    return Model(uniform(a=(0.0, 0.2)), {"first": first, "narrow": second}, {"it": probe_with(panel())})


def samples_of(names, centre, n=200, seed=1):
    """Equally weighted samples around a point."""
    theta = np.asarray(centre) + 0.1 * np.random.default_rng(seed).normal(size=(n, len(names)))
    zero = np.zeros(n)
    return Samples(tuple(names), theta, zero, zero, zero - np.log(n), "made", float(n), True, "", n)


def chromium():
    """Return the path of a Chromium of this machine, or None."""
    names = ("chromium", "chromium-browser", "google-chrome", "chrome")
    return next((path for name in names if (path := shutil.which(name))), None)
