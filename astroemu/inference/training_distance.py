"""inference.training_distance."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from typing import Any

import numpy as np

from astroemu.core.adapters import unwrapped
from astroemu.core.typing import FloatArray
from astroemu.emulation.coverage import NEAR, training_coverage
from astroemu.emulation.emulator import Emulator
from astroemu.errors import FarFromTrainingWarning
from astroemu.model.model import Model
from astroemu.sampling.samples import Samples

#: Posterior samples that are looked at, and the share of them that may lie far before a fit warns.
_SAMPLES, _MOST_FAR = 1000, 0.5


def distance_from_training(model: Model, theta: FloatArray) -> dict[str, dict[str, float]]:
    """How far points ``(n, d)`` of a model lie from the training of its emulators.

    Returns
    -------
    dict
        By emulator: ``median`` distance and ``share`` of the points that lie ``far``, beyond 1. Emulators whose
        training points are not known, or that take parameters that others compute, are left out.
    """
    found: dict[str, dict[str, float]] = {}
    columns: Mapping[str, Any] = {
        **{name: np.full(len(theta), value) for name, value in model.prior.fixed.items()},
        **{name: theta[:, j] for j, name in enumerate(model.names)},
    }
    for key, provider in model.providers.items():
        emulator = unwrapped(provider)
        if not isinstance(emulator, Emulator) or not set(emulator.parameters) <= set(columns) & set(emulator.bounds):
            continue
        known = training_coverage(emulator)
        if known is not None:
            points = np.stack([columns[name] for name in emulator.parameters], axis=1)
            distance = known.distance(emulator.unit(points))
            found[key] = {"median": float(np.median(distance)), "share": float(np.mean(distance > 1.0))}
    return found


def warn_if_far(model: Model, samples: Samples) -> None:
    """Warn of every emulator far from whose training points most of a posterior lies."""
    theta = samples.equal_weight(_SAMPLES, np.random.default_rng(0))
    for key, row in distance_from_training(model, theta).items():
        if row["share"] > _MOST_FAR:
            warnings.warn(
                f"{row['share']:.0%} of the posterior lies farther from the training points of {key!r} than "
                f"{NEAR:.0%} of these from each other: compare with the simulator (astroemu check-posterior)",
                FarFromTrainingWarning,
                stacklevel=2,
            )
