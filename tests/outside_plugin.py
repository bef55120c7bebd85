"""A probe of a stranger: a package beside the project, installed by an entry point, edited between two commands."""

from __future__ import annotations

import importlib
import sys
from importlib.metadata import distributions

from astroemu.runtime import plugins

NAME = "outside_toy"
CODE = '''
"""A Gaussian in a, whose centre is a nuisance parameter."""

from astroemu import Parameter, Probe
from astroemu.core.distributions import Normal

from outside_helper import width


class Toy(Probe):
    parameters = (Parameter("a", Normal(0.0, 1.0)), Parameter("shift", Normal(0.0, 0.1)))

    def __init__(self, centre: float = 1, label: str = "") -> None:
        self.centre = centre

    @property
    def requires(self):
        return {}

    def log_likelihood(self, predictions, parameters, xp):
        return -0.5 * ((parameters["a"] - self.centre - parameters["shift"]) / width()) ** 2
'''
HELPER = "def width():\n    return 0.5\n"
FIT = """
title = "toy"
[probes.toy]
[parameters.a]
distribution = "uniform"
low = -5.0
high = 5.0
[samplers.emcee]
walkers = 8
starting_draws = 100
check_every = 10
max_steps = 60
"""


class OutsidePlugin:
    """The package, its metadata, and a configuration that uses it."""

    def __init__(self, folder, monkeypatch):
        self.folder = folder / "plugin"
        self.package = self.folder / NAME
        self.package.mkdir(parents=True)
        self.configuration = folder / "toy.toml"
        self.configuration.write_text(FIT)
        monkeypatch.syspath_prepend(str(self.folder))
        self.patch = monkeypatch
        self.install()

    def install(self, code=CODE, *, version="1.0", helper=HELPER):
        """Write the package and its metadata, as ``pip install -e`` would, and forget what was imported."""
        (self.package / "__init__.py").write_text("from outside_toy.probe import Toy\n")
        (self.package / "probe.py").write_text(code)
        (self.folder / "outside_helper.py").write_text(helper)
        metadata = self.folder / f"{NAME}.dist-info"
        metadata.mkdir(exist_ok=True)
        (metadata / "METADATA").write_text(f"Metadata-Version: 2.1\nName: outside-toy\nVersion: {version}\n")
        (metadata / "entry_points.txt").write_text("[astroemu.probes]\ntoy = outside_toy:Toy\n")
        for name in (NAME, f"{NAME}.probe", "outside_helper"):
            sys.modules.pop(name, None)
        sys.dont_write_bytecode, before = True, sys.dont_write_bytecode
        importlib.invalidate_caches()
        (found,) = distributions(path=[str(self.folder)])
        (entry,) = [e for e in found.entry_points if e.group == "astroemu.probes"]
        entries = {**plugins.PROBES.entries, "toy": [entry]}
        self.patch.setitem(vars(plugins.PROBES), "entries", entries)
        plugins.PROBES.load("toy")
        sys.dont_write_bytecode = before

    def edit(self, old, new, **options):
        """Install the package with another text in its probe."""
        assert old in CODE
        self.install(CODE.replace(old, new), **options)
