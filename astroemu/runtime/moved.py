"""Where modules went that plugins may still import by the name that they had before 0.1.0 was released.

Importing one of them fails with the new path in the message. Names that are given by :mod:`astroemu` itself, such as
``astroemu.Probe``, did not move.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType

#: By the former name, without ``astroemu.``: the modules that hold its names now.
MOVED = {
    "calibration": ("validation.sbc",),
    "catalog": ("core.catalog",),
    "citation": ("inference.bibliography",),
    "configuration": ("inference.configuration",),
    "convergence": ("sampling.convergence",),
    "direct": ("emulation.simulator",),
    "distribution": ("core.distributions",),
    "emulator": ("emulation.emulator",),
    "evidence": ("analysis.bayes_factor",),
    "export": ("analysis.export",),
    "files": ("io.paths", "io.files", "io.untrusted"),
    "fitting": ("inference.fitting",),
    "inspection": ("emulation.inspection",),
    "interpolation": ("core.interpolation",),
    "likelihood": ("core.likelihoods",),
    "mock": ("validation.mock",),
    "namespace": ("core.array_namespace",),
    "neighbourhood": ("emulation.coverage", "inference.training_distance"),
    "observable": ("core.observable",),
    "options": ("runtime.options",),
    "panel": ("core.panel",),
    "parallel": ("runtime.mpi",),
    "parameter": ("core.parameter",),
    "posterior_check": ("validation.posterior_check",),
    "prior": ("core.prior",),
    "probe": ("core.probe",),
    "provenance": ("runtime.provenance", "inference.inputs"),
    "provider": ("core.provider",),
    "refinement": ("validation.refinement",),
    "registry": ("runtime.plugins",),
    "remote": ("core.remote_catalog",),
    "requirement": ("core.requirement",),
    "reweight": ("analysis.reweight",),
    "run": ("inference.run_folder",),
    "sampler": ("sampling.sampler", "sampling.target", "core.progress"),
    "samples": ("sampling.samples", "sampling.statistics"),
    "simulator": ("emulation.simulator",),
    "tension": ("analysis.tension",),
    "trained": ("emulation.loading",),
    "training_set": ("emulation.training_set", "core.observable"),
    "transform": ("emulation.transforms",),
    "truth": ("validation.truth", "core.adapters"),
    "units": ("core.units",),
    "workshop": ("emulation.recipe",),
}


class _FormerModules(MetaPathFinder):
    """Raise an error that names the new path of a former module; know nothing of any other one."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        package, _, name = fullname.partition(".")
        if package != "astroemu" or name not in MOVED:
            return None
        new = " and ".join(f"astroemu.{module}" for module in MOVED[name])
        raise ModuleNotFoundError(f"{fullname} has moved: import its names from {new}", name=fullname)


def explain_former_modules() -> None:
    """Let the import of a former module say where its names are now.

    The finder is the last one that Python asks, and asked only for what nothing else has found.
    """
    if not any(isinstance(finder, _FormerModules) for finder in sys.meta_path):
        sys.meta_path.append(_FormerModules())
