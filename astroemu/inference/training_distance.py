"""The distance of points of a model, such as a posterior, from the training points of its emulators."""

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

#: Number of posterior samples examined, and the fraction of them that may lie far away before a fit warns.
_SAMPLES, _MOST_FAR = 1000, 0.5


def distance_from_training(model: Model, theta: FloatArray) -> dict[str, dict[str, float]]:
    """Return how far points of a model lie from the training points of its emulators.

    The unit is the distance within which 95 % of the training points have their nearest neighbour, see
    :mod:`astroemu.emulation.coverage`.

    Parameters
    ----------
    model : Model
    theta : (n, d) array
        Points, in the order of ``model.names``.

    Returns
    -------
    dict
        By emulator: ``median`` distance, and ``share``, the fraction of points beyond a distance of 1. An emulator is
        left out if its training points are not known or if other providers compute one of its parameters.
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
    """Warn for each emulator if most of the posterior lies far from its training points."""
    theta = samples.equal_weight(_SAMPLES, np.random.default_rng(0))
    for key, row in distance_from_training(model, theta).items():
        if row["share"] > _MOST_FAR:
            warnings.warn(
                f"{row['share']:.0%} of the posterior lies farther from the training points of {key!r} than "
                f"{NEAR:.0%} of these from each other: compare with the simulator (astroemu check-posterior)",
                FarFromTrainingWarning,
                stacklevel=2,
            )
