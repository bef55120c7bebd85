"""Errors of an emulator from points that it was not trained on, and the check that it was not."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from astroemu.core.array_namespace import NUMPY
from astroemu.core.typing import FloatArray
from astroemu.emulation.emulator import Emulator
from astroemu.emulation.training_set import TrainingSet
from astroemu.errors import DataError, listing
from astroemu_plugins.networks.error_network import ErrorNetwork
from astroemu_plugins.networks.network import Scaling, TrainedNetworks
from astroemu_plugins.training.errors import fit_residuals, residuals
from astroemu_plugins.training.settings import ErrorSettings

#: Steps of the unit cube in which training points are stored, and largest number of chance coincidences.
_STEPS, _BY_CHANCE = 65535, 3
#: A share of so many held-out points measures the coverage that the provenance states.
_MEASURED = 5


def with_errors(
    made: TrainedNetworks,
    data: TrainingSet,
    settings: ErrorSettings | None,
    *,
    seed: int,
    log: Callable[[str], Any] = print,
) -> TrainedNetworks:
    """Return networks with errors that depend on the point, and a note on them in the provenance.

    A fifth of the points measures the coverage. The errors that are kept are those of the other points.

    Parameters
    ----------
    made : TrainedNetworks
    data : TrainingSet
        Points that were not used to train the networks.
    settings : ErrorSettings or None
        None keeps one error per output.
    seed : int
    log : callable
        Takes one line of text.
    """
    if settings is None:
        return replace(made, errors=None)
    if len(data) < settings.least_points:
        log(
            f"errors: {len(data)} points are too few to say how the errors depend on the point "
            f"({settings.least_points} are needed); the file states one error per output"
        )
        return replace(made, errors=None)
    theta = data.theta[:, [data.names.index(i.name) for i in made.inputs]]
    data = TrainingSet(tuple(i.name for i in made.inputs), theta, data.observables, data.values, data.metadata)
    scaled = Scaling(made.inputs)(theta, NUMPY)
    found = residuals(made.networks, scaled, data)
    measured, rest = np.split(np.random.default_rng((seed, 1)).permutation(len(data)), [len(data) // _MEASURED])
    errors = fit_residuals(scaled[rest], {k: r[rest] for k, r in found.items()}, settings, seed=seed, log=log)
    within = _within(errors, scaled[measured], {k: r[measured] for k, r in found.items()})
    for name, shares in within.items():
        log(f"errors: {name}: " + ", ".join(f"{share:.1%} within {n}" for n, share in enumerate(shares, 1)))
    note = {
        "data": data.digest,
        "points": len(rest),
        "simulation": dict(data.metadata),
        "settings": settings.model_dump(mode="json"),
        "seed": seed,
        "coverage": {"points": len(measured), "within": within},
    }
    return replace(made, errors=errors, provenance={**made.provenance, "errors": note})


def _within(errors: ErrorNetwork, scaled: FloatArray, found: Mapping[str, FloatArray]) -> dict[str, list[float]]:
    """Return the shares of residuals of each observable within one, two and three errors."""
    rows = {name: np.arange(each.shape[1]) for name, each in found.items()}
    stated = errors.evaluator(rows)(scaled, NUMPY)
    shares = {}
    for name, each in found.items():
        units = (np.abs(each) / stated[name][0])[np.isfinite(each)]
        shares[name] = [float(np.mean(units <= n)) if len(units) else float("nan") for n in (1, 2, 3)]
    return shares


def demand_new_points(emulator: Emulator, data: TrainingSet) -> None:
    """Raise an error unless data are of the same kind as those of an emulator, and of other points.

    Raises
    ------
    DataError
        If parameters or grids differ, points lie outside the training range, or the emulator was trained on the data.
    """
    data.demand_trainable()
    if set(data.names) != set(emulator.parameters):
        raise DataError(f"the data have {listing(data.names)}; the emulator takes {listing(emulator.parameters)}")
    for name, observable in emulator.provides.items():
        if name not in data.observables:
            raise DataError(
                f"the data have no {name!r}, whose errors are wanted; they have {listing(data.observables)}"
            )
        if not observable.same_grid(data.observables[name]):
            raise DataError(f"{name!r} has another grid or unit in the data than in the emulator")
    theta = data.theta[:, [data.names.index(name) for name in emulator.parameters]]
    outside = np.flatnonzero(~emulator.inside(theta))
    if outside.size:
        raise DataError(f"{outside.size} points lie outside the training range, the first in row {outside[0]}")
    made = emulator.provenance
    if made.get("data") == data.digest:
        raise DataError("these are the data that the emulator was trained on; its errors there are too small")
    ours, theirs = list(_designs(made.get("simulation", {}))), list(_designs(data.metadata))
    for design in theirs:
        if design in ours:
            raise DataError(
                f"the data are of the design {design[0]} with the seed {design[1]}, like those that the emulator was "
                "trained on, so that points repeat; simulate with another seed"
            )
    kept = emulator.training_points
    if kept is not None:
        again = _coinciding(np.asarray(kept), emulator.unit(theta))
        expected = len(data) * len(kept) / (_STEPS + 1.0) ** len(emulator.parameters)
        if again > _BY_CHANCE + 2 * expected:
            raise DataError(f"{again} points of the data are training points of the emulator; simulate new ones")


def _designs(metadata: Mapping[str, Any]) -> Iterator[tuple[Any, Any]]:
    """Yield the kind and the seed of each design of a training set. A longer Sobol sequence repeats a shorter one."""
    for part in (metadata, *metadata.get("added", ())):
        design = part.get("design") if isinstance(part, Mapping) else None
        if isinstance(design, Mapping) and "seed" in design:
            yield design.get("kind"), design["seed"]


def _coinciding(kept: FloatArray, points: FloatArray) -> int:
    """Return the number of points ``(n, d)`` of the unit cube that are among those kept, to the digits of the file."""
    known = {row.tobytes() for row in np.round(kept * _STEPS).astype(np.uint16)}
    return sum(row.tobytes() in known for row in np.round(np.clip(points, 0, 1) * _STEPS).astype(np.uint16))
