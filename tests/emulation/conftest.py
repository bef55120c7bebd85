"""A simulator that is installed for a test, and what it simulates."""

from __future__ import annotations

import sys
from importlib.metadata import EntryPoint

import pytest

from astroemu.core.distributions import TruncatedNormal, Uniform
from astroemu.core.parameter import Parameter
from astroemu.core.prior import Prior
from astroemu.emulation.simulation import SimulationTask, _simulator
from astroemu.runtime import plugins

MODULE = """
import numpy as np
from astroemu import Axis, Observable, Parameter, Simulator
from astroemu.core.distributions import Uniform

calls = []
fail_at = [None]
bad = []

class Line(Simulator):
    parameters = (Parameter("a", Uniform(0.0, 1.0)), Parameter("b", Uniform(-1.0, 1.0)))
    version = "1"
    batch = 4
    settings = {}
    provides = {"y": Observable("y", (Axis("x", np.arange(3.0)),))}

    def __init__(self, slope: float = 1.0) -> None:
        self.slope = slope

    def simulate(self, theta):
        if fail_at[0] == len(calls):
            raise KeyboardInterrupt
        if bad and np.any(theta[:, 0] > bad[0]):
            raise FloatingPointError("it blew up")
        calls.append(len(theta))
        return {"y": self.slope * theta[:, :1] * np.arange(3.0) + theta[:, 1:]}
"""


@pytest.fixture
def line(tmp_path, monkeypatch):
    (tmp_path / "a_line.py").write_text(MODULE)
    monkeypatch.syspath_prepend(tmp_path)
    entry = EntryPoint("line", "a_line:Line", "astroemu.simulators")
    monkeypatch.setitem(plugins.SIMULATORS.__dict__, "entries", {"line": [entry]})
    _simulator.cache_clear()
    import a_line

    a_line.calls.clear()
    a_line.fail_at[0] = None
    yield a_line
    _simulator.cache_clear()
    del sys.modules["a_line"]


@pytest.fixture
def task(line):
    """A function that returns a task of the simulator; ``core`` gathers half of the points at a = 0.25."""

    def make(n=18, high=1.0, *, core=False, **options):
        prior = Prior((Parameter("b", Uniform(-1, 1)), Parameter("a", Uniform(0, high))))
        dense = Prior((Parameter("a", TruncatedNormal(0.25, 0.001)),)) if core else None
        return SimulationTask("line", options, prior, "sobol", n, 7, dense)

    return make
