"""Former modules: the new path of each module that was renamed before 0.1.0 was released.

Importing a former module fails with the new path in the message. Names of :mod:`astroemu` itself, such as
``astroemu.Probe``, did not move.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType

#: Modules that hold the names of a former module now, by its former name. Both without ``astroemu.``.
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
    """Finder that raises an error with the new path of a former module, and finds nothing else."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        package, _, name = fullname.partition(".")
        if package != "astroemu" or name not in MOVED:
            return None
        new = " and ".join(f"astroemu.{module}" for module in MOVED[name])
        raise ModuleNotFoundError(f"{fullname} has moved: import its names from {new}", name=fullname)


def explain_former_modules() -> None:
    """Install a finder, so that the import of a former module fails with the new path in the message.

    The finder comes last in ``sys.meta_path``. Python calls it only for modules that no other finder has found.
    Calling this function again has no effect.
    """
    if not any(isinstance(finder, _FormerModules) for finder in sys.meta_path):
        sys.meta_path.append(_FormerModules())
