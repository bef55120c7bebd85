"""astroemu: joint inference of the first billion years on neural emulators.

>>> import astroemu
>>> model = astroemu.load_model("reionization")  # doctest: +SKIP
>>> samples = model.sample("emcee", seed=1)  # doctest: +SKIP

Names are imported when they are used, so that ``import astroemu`` costs nothing.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from astroemu.runtime.moved import explain_former_modules
from astroemu.runtime.upper import register

__version__ = "0.1.0"

#: The module that defines each name.
_HOME = {
    "Axis": "core.observable",
    "Catalog": "core.catalog",
    "Emulator": "emulation.emulator",
    "FileName": "io.paths",
    "Model": "model.model",
    "NumberColumn": "core.columns",
    "Observable": "core.observable",
    "Panel": "core.panel",
    "Parameter": "core.parameter",
    "Prediction": "core.provider",
    "Prior": "core.prior",
    "Probe": "core.probe",
    "Provider": "core.provider",
    "Requirement": "core.requirement",
    "Sampler": "sampling.sampler",
    "Samples": "sampling.samples",
    "Simulator": "emulation.simulator",
    "TextColumn": "core.columns",
    "TrainingSet": "emulation.training_set",
    "explore": "report.explore",
    "fit": "inference.fitting",
    "load_catalog": "core.catalog",
    "load_configuration": "inference.configuration",
    "load_emulator": "emulation.loading",
    "load_model": "inference.configuration",
}
#: Modules of building blocks for plugins, under short names.
_MODULES = {
    "distributions": "core.distributions",
    "likelihoods": "core.likelihoods",
    "transforms": "emulation.transforms",
}

#: The module of each function that carries out a method of a class in a lower layer (astroemu.runtime.upper).
_UPPER = {
    "SampleTable": "analysis.export",
    "emulator_html": "report.notebook",
    "explore": "report.explore",
    "model_html": "report.notebook",
    "plot_corner": "report.pictures",
    "plot_observables": "report.pictures",
    "plot_predictive": "report.pictures",
    "plot_trace": "report.pictures",
    "prior_html": "report.notebook",
    "run_html": "report.notebook",
    "samples_html": "report.notebook",
}

__all__ = ["__version__", *sorted(_HOME), *_MODULES]

if TYPE_CHECKING:
    from astroemu.core import distributions, likelihoods
    from astroemu.core.catalog import Catalog, load_catalog
    from astroemu.core.columns import NumberColumn, TextColumn
    from astroemu.core.observable import Axis, Observable
    from astroemu.core.panel import Panel
    from astroemu.core.parameter import Parameter
    from astroemu.core.prior import Prior
    from astroemu.core.probe import Probe
    from astroemu.core.provider import Prediction, Provider
    from astroemu.core.requirement import Requirement
    from astroemu.emulation import transforms
    from astroemu.emulation.emulator import Emulator
    from astroemu.emulation.loading import load_emulator
    from astroemu.emulation.simulator import Simulator
    from astroemu.emulation.training_set import TrainingSet
    from astroemu.inference.configuration import load_configuration, load_model
    from astroemu.inference.fitting import fit
    from astroemu.io.paths import FileName
    from astroemu.model.model import Model
    from astroemu.report.explore import explore
    from astroemu.sampling.sampler import Sampler
    from astroemu.sampling.samples import Samples


explain_former_modules()
register({name: f"{__name__}.{module}" for name, module in _UPPER.items()})


def __getattr__(name: str) -> Any:
    if name in _HOME:
        return getattr(import_module(f"astroemu.{_HOME[name]}"), name)
    if name in _MODULES:
        return import_module(f"astroemu.{_MODULES[name]}")
    raise AttributeError(f"module 'astroemu' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
