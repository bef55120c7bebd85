"""Ensembles: several emulators of one kind that differ in their seeds only.

The mean of the members is the prediction, and their standard deviation at each point gives its error (deep ensembles,
Lakshminarayanan et al. 2017). The standard deviation is calibrated on points that no member was trained on. It is
multiplied by one factor per output, such that 68 % of the true errors lie within it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar, Self

import h5py
import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field

from astroemu.core.array_namespace import NUMPY, Namespace
from astroemu.core.observable import Observable
from astroemu.core.provider import Evaluate, Prediction
from astroemu.core.typing import FloatArray
from astroemu.emulation.emulator import Emulator
from astroemu.emulation.loading import read_emulator
from astroemu.emulation.training_set import TrainingSet
from astroemu.errors import ConfigurationError, DataError
from astroemu.io.hdf5_fields import read_floats, read_group, read_names
from astroemu.runtime.options import validate_options
from astroemu.runtime.plugins import EMULATORS


class Settings(BaseModel):
    """The table ``[training]`` of an ensemble."""

    model_config = ConfigDict(extra="forbid")

    name: str = "ensemble"
    kind: str = "neural"
    members: int = Field(default=5, ge=2)
    calibration_points: int = Field(default=2000, ge=100)
    member: dict[str, Any]


class EnsembleEmulator(Emulator):
    """Emulator that averages several emulators.

    Parameters
    ----------
    members : sequence of Emulator
        With the same parameters and observables.
    factors : mapping of str to (m,) array
        By observable: the calibration factor of the members' standard deviation, one per output.
    provenance : mapping
        JSON; see :class:`astroemu.emulation.emulator.Emulator`.

    Raises
    ------
    DataError
        If the members differ in parameters or observables, or the factors do not fit the observables.
    """

    kind = "ensemble"
    trial: ClassVar[Mapping[str, Any]] = {
        "members": 2,
        "calibration_points": 100,
        "member": {
            "validation_points": 100,
            "test_points": 100,
            "networks": {"all": {"outputs": ["line", "number"], "hidden": [8], "epochs": 2, "batch_size": 100}},
        },
    }

    def __init__(
        self, members: Sequence[Emulator], factors: Mapping[str, FloatArray], provenance: Mapping[str, Any]
    ) -> None:
        first = members[0]
        for member in members[1:]:
            if (member.parameters, dict(member.provides), dict(member.bounds)) != (
                first.parameters,
                dict(first.provides),
                dict(first.bounds),
            ):
                raise DataError("the members of an ensemble must have the same parameters, ranges and observables")
        if {name: observable.size for name, observable in first.provides.items()} != {
            name: np.size(factor) for name, factor in factors.items()
        } or any(np.ndim(factor) != 1 or np.any(np.asarray(factor) < 0) for factor in factors.values()):
            raise DataError("the factors of an ensemble must match its observables: one positive factor per output")
        self.members = tuple(members)
        self.factors = {name: np.asarray(factor, dtype=float) for name, factor in factors.items()}
        self.provenance = dict(provenance)
        self.parameters = first.parameters
        self.host_only = any(member.host_only for member in members)

    @property
    def provides(self) -> Mapping[str, Observable]:
        return self.members[0].provides

    @property
    def bounds(self) -> Mapping[str, tuple[float, float]]:
        return self.members[0].bounds

    def evaluator(self, rows: Mapping[str, NDArray[np.intp]]) -> Evaluate:
        parts = [member.evaluator(rows) for member in self.members]
        factors = {name: self.factors[name][wanted] for name, wanted in rows.items()}

        def evaluate(theta: Any, observables: Mapping[str, Prediction], xp: Namespace) -> dict[str, Prediction]:
            found = [part(theta, observables, xp) for part in parts]
            made = {}
            for name, factor in factors.items():
                mean, spread = _mean_and_spread(xp.stack([one[name].value for one in found]), xp)
                made[name] = Prediction(mean, factor * spread)
            return made

        return evaluate

    @classmethod
    def train(
        cls,
        data: TrainingSet,
        settings: Mapping[str, Any],
        *,
        seed: int,
        log: Any = print,
        reuse: Emulator | None = None,
        folder: Path | None = None,
        logs: Path | None = None,
    ) -> Self:
        chosen: Settings = validate_options(Settings, dict(settings), "[training]")
        if len(data) <= chosen.calibration_points:
            raise ConfigurationError(
                f"[training] calibration_points = {chosen.calibration_points}, but there are {len(data)} points"
            )
        kind: type[Emulator] = EMULATORS.load(chosen.kind)
        order = np.random.default_rng(seed).permutation(len(data))
        calibration = data.subset(np.sort(order[: chosen.calibration_points]))
        rest = data.subset(np.sort(order[chosen.calibration_points :]))
        old = reuse.members if isinstance(reuse, EnsembleEmulator) else ()
        members = []
        for i in range(chosen.members):
            members.append(
                kind.train(
                    rest,
                    chosen.member,
                    seed=seed + 1000 * i,
                    log=lambda line, i=i: log(f"member {i + 1} of {chosen.members}: {line}"),
                    reuse=old[i] if i < len(old) else None,
                    folder=None if folder is None else folder / f"member{i}",
                    logs=None if logs is None else logs / f"member{i}",
                )
            )
        factors, metrics = _calibrated(members, calibration)
        provenance = {
            "name": chosen.name,
            "simulation": dict(data.metadata),
            "points": len(data),
            "settings": {**chosen.model_dump(), "seed": seed},
            "metrics": metrics,
        }
        return cls(members, factors, provenance)

    @classmethod
    def resolved(cls, settings: Mapping[str, Any]) -> Mapping[str, Any]:
        chosen: Settings = validate_options(Settings, dict(settings), "[training]")
        kind: type[Emulator] = EMULATORS.load(chosen.kind)
        return {**chosen.model_dump(mode="json"), "member": kind.resolved(chosen.member)}

    def write(self, group: h5py.Group) -> None:
        group.attrs["members"] = len(self.members)
        group.attrs["observables"] = json.dumps(list(self.factors))
        for name, factor in self.factors.items():
            group[f"factors/{name}"] = factor
        for i, member in enumerate(self.members):
            member.write_to(group.create_group(f"members/{i}"))

    @classmethod
    def read(cls, group: h5py.Group, provenance: Mapping[str, Any]) -> Self:
        count = group.attrs["members"]
        if not isinstance(count, int | np.integer) or count < 2:
            raise DataError(f"an ensemble needs at least 2 members, not {count!r}")
        members = [read_emulator(group[f"members/{i}"]) for i in range(int(count))]
        factors = {name: read_floats(read_group(group, "factors"), name) for name in read_names(group, "observables")}
        return cls(members, factors, provenance)


def _mean_and_spread(values: Any, xp: Namespace) -> tuple[Any, Any]:
    """Return the mean and the standard deviation ``(n, m)`` of predictions ``(k, n, m)`` of ``k`` members."""
    n = values.shape[0]
    mean = xp.sum(values, axis=0) / n
    return mean, xp.sqrt(xp.sum((values - mean) ** 2, axis=0) / (n - 1))


def _calibrated(members: Sequence[Emulator], data: TrainingSet) -> tuple[dict[str, FloatArray], dict[str, Any]]:
    """Return the calibration factors ``(m,)`` by observable, and error metrics on the calibration points."""
    theta = data.theta[:, [data.names.index(name) for name in members[0].parameters]]
    predicted = [member.predict(theta) for member in members]
    factors, metrics = {}, {}
    for name, observable in members[0].provides.items():
        stacked = np.stack([one[name] for one in predicted]).reshape(len(members), len(data), -1)
        mean, spread = _mean_and_spread(stacked, NUMPY)
        truth = np.asarray(data.values[name], dtype=float).reshape(len(data), -1)
        # Where all members agree to rounding (for example a fraction of exactly 1), the ratio is meaningless.
        measurable = np.isfinite(truth) & (spread > 1e-6 * np.abs(mean) + 1e-12)
        with np.errstate(divide="ignore", invalid="ignore"):
            ratio = np.where(measurable, np.abs(mean - truth) / spread, np.nan)
        enough = measurable.sum(axis=0) >= 50
        whole = float(np.nanquantile(ratio, 0.6827)) if measurable.any() else 1.0
        factor = np.full(observable.size, whole)
        factor[enough] = np.nanquantile(ratio[:, enough], 0.6827, axis=0)
        factors[name] = factor
        metrics[name] = {
            "absolute_median": float(np.nanmedian(np.abs(mean - truth))),
            "absolute_q95": float(np.nanquantile(np.abs(mean - truth), 0.95)),
            "factor_median": float(np.median(factor)),
        }
    return factors, metrics
