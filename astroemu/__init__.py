"""astroemu: joint inference of the first billion years on neural emulators.

>>> import astroemu
>>> model = astroemu.load_model("reionization")  # doctest: +SKIP
>>> samples = model.sample("emcee", seed=1)  # doctest: +SKIP

Names are imported when they are used, so that ``import astroemu`` costs nothing.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

_HOME = {
    "Axis": "observable",
    "Catalog": "catalog",
    "Emulator": "emulator",
    "FileName": "files",
    "Model": "model",
    "Observable": "observable",
    "Panel": "panel",
    "Parameter": "parameter",
    "Prediction": "provider",
    "Prior": "prior",
    "Probe": "probe",
    "Provider": "provider",
    "Requirement": "requirement",
    "Sampler": "sampler",
    "Samples": "samples",
    "Simulator": "simulator",
    "TrainingSet": "training_set",
    "fit": "fitting",
    "load_catalog": "catalog",
    "load_configuration": "configuration",
    "load_emulator": "trained",
    "load_model": "configuration",
}

__all__ = ["__version__", *sorted(_HOME)]

if TYPE_CHECKING:
    from astroemu.catalog import Catalog, load_catalog
    from astroemu.configuration import load_configuration, load_model
    from astroemu.emulator import Emulator
    from astroemu.files import FileName
    from astroemu.fitting import fit
    from astroemu.model import Model
    from astroemu.observable import Axis, Observable
    from astroemu.panel import Panel
    from astroemu.parameter import Parameter
    from astroemu.prior import Prior
    from astroemu.probe import Probe
    from astroemu.provider import Prediction, Provider
    from astroemu.requirement import Requirement
    from astroemu.sampler import Sampler
    from astroemu.samples import Samples
    from astroemu.simulator import Simulator
    from astroemu.trained import load_emulator
    from astroemu.training_set import TrainingSet


def __getattr__(name: str) -> Any:
    if name in _HOME:
        return getattr(import_module(f"astroemu.{_HOME[name]}"), name)
    raise AttributeError(f"module 'astroemu' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
