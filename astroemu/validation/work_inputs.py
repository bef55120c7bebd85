"""What the work of a folder is made from: settings, content hashes of all inputs, and the code of the plugins.

The notes of work folders hold these tables (:mod:`astroemu.io.claim`). Files count by their content and options with
their defaults. Another path, a comment in a file or a default that is written out changes nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from astroemu.emulation.simulation import SimulationTask
from astroemu.emulation.simulator import Simulator
from astroemu.inference.configuration import Configuration
from astroemu.inference.fingerprint import RunFingerprint, of_likelihood
from astroemu.io.claim import CODE
from astroemu.io.files import sha256
from astroemu.model.model import Model
from astroemu.runtime.options import with_defaults
from astroemu.runtime.plugin_identity import identity_of
from astroemu.runtime.plugins import SIMULATORS
from astroemu.validation.truth import TruthModel

#: Fields of a fingerprint that describe code. They may be accepted.
_CODE = ("plugins", "source", "versions")


def inputs_of_fit(configuration: Configuration, model: Model, sampler: str, seed: int) -> dict[str, Any]:
    """Return what decides the samples of a fit, under ``fit``, and its code, under ``code``."""
    algorithm = configuration.sampler(sampler)
    found = RunFingerprint.of(configuration, model, algorithm, sampler=sampler, seed=seed)
    return _apart({**found.must_match, "stopping": dict(found.stopping)})


def inputs_of_likelihood(configuration: Configuration, model: Model) -> dict[str, Any]:
    """Return what decides the likelihood of a configuration, under ``fit``, and its code, under ``code``."""
    return _apart({**of_likelihood(configuration, model), "engine": model.engine.name})


def _apart(content: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "fit": {key: value for key, value in content.items() if key not in _CODE},
        CODE: {key: value for key, value in content.items() if key in _CODE},
    }


def inputs_of_truth(truth: TruthModel) -> dict[str, Any]:
    """Return what decides the predictions of a truth, under ``truth``, and its code, under ``code``."""
    options: dict[str, Any] = {}
    code: dict[str, Any] = {}
    if truth.simulator is not None:
        cls: type[Simulator] = SIMULATORS.load(truth.simulator)
        options, code = with_defaults(cls, truth.options), code_of(cls)
    simulations = None if truth.simulations is None else sha256(truth.simulations)
    content = {
        "simulator": truth.simulator,
        "options": options,
        "fixed": dict(truth.fixed),
        "simulations": simulations,
    }
    return {"truth": content, CODE: code}


def inputs_of_simulation(task: SimulationTask) -> dict[str, Any]:
    """Return the simulator of a task, its options and its box, under ``simulation``, and its code, under ``code``."""
    simulator = task.build()
    content = {
        "simulator": task.simulator,
        "version": simulator.version,
        "options": with_defaults(type(simulator), task.options),
        "settings": dict(simulator.settings),
        "box": {p.name: p.prior.support for p in task.prior.parameters},
    }
    return {"simulation": content, CODE: code_of(type(simulator))}


def code_of(cls: type) -> dict[str, Any]:
    """Return the identity of a plugin as a table."""
    found = identity_of([cls])
    return {"plugins": dict(found.plugins), "source": dict(found.source)}


def together(*parts: Mapping[str, Any]) -> dict[str, Any]:
    """Return several tables as one; their entries under ``code`` are joined."""
    code: dict[str, dict[str, Any]] = {}
    for part in parts:
        for key, table in part.get(CODE, {}).items():
            code.setdefault(key, {}).update(table)
    return {**{key: value for part in parts for key, value in part.items()}, CODE: code}
