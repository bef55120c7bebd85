"""Lines of predictions, among which the kit chooses the truths of mock data.

A line is a list of nodes. Each node has a prediction of every requirement and values of the nuisance parameters. The
kit makes lines of constants for any probe. With a model, they are lines through its prior.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from astroemu.core.probe import Probe
from astroemu.core.provider import Prediction
from astroemu.core.typing import FloatArray
from astroemu.errors import ConfigurationError
from astroemu.model.model import Model
from astroemu.testing.findings import Skipped
from astroemu.testing.synthetic import likelihood, nuisance_at, read_only, spread

#: Nodes among which truths are drawn, and their largest distance from the centre in units of the spread.
NODES = 41
REACH = 3.0
#: Distances of further nodes in units of the spread: no truth is drawn there.
_FAR = (-1e3, -1e2, -1e1, 1e1, 1e2, 1e3)
#: Fall of ln L from the middle of a line through a prior to its ends.
_FALL = 18.0
#: Lines through a prior, or with other values of the nuisance parameters.
_LINES = 20


@dataclass(frozen=True)
class Line:
    """Predictions at nodes along one line.

    Attributes
    ----------
    levels : (n,) array
        Positions of the nodes, in units of the spread or of a prior's unit cube.
    values, errors : mapping of str to (n, size) array
        Predictions by requirement, and their errors. No errors if the mapping is empty.
    nuisance : mapping of str to (n,) array
    near : int
        Number of leading nodes among which truths are drawn; the others are far away.
    """

    levels: FloatArray
    values: Mapping[str, FloatArray]
    errors: Mapping[str, FloatArray]
    nuisance: Mapping[str, FloatArray]
    near: int

    def predictions(self, rows: slice = slice(None)) -> dict[str, Prediction]:
        """Return the predictions at some nodes, as read-only arrays."""
        return {
            key: Prediction(read_only(value[rows]), read_only(self.errors[key][rows]) if key in self.errors else None)
            for key, value in self.values.items()
        }

    def parameters(self, rows: slice = slice(None)) -> dict[str, FloatArray]:
        """Return the nuisance parameters at some nodes, as read-only arrays."""
        return {name: read_only(value[rows]) for name, value in self.nuisance.items()}

    def mock(self, probe: Probe, node: int, rng: np.random.Generator | None) -> Probe:
        """Return the probe with data drawn at one node."""
        rows = slice(node, node + 1)
        with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
            return probe.simulate(self.predictions(rows), self.parameters(rows), rng)

    def log_likelihood(self, probe: Probe) -> FloatArray:
        """Return the log-likelihood ``(n,)`` at all nodes; NaN becomes minus infinity."""
        found = likelihood(probe, self.values, self.nuisance, self.errors or None)
        return np.where(np.isnan(found), -np.inf, found)

    def log_normalisation(self, probe: Probe) -> FloatArray:
        """Return the log integral ``(n,)`` of the likelihood over the data of `simulate`, at all nodes."""
        with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
            found = probe.log_normalisation(self.predictions(), self.parameters())
        return np.array(np.broadcast_to(np.asarray(found, dtype=float), len(self.levels)))


def constant_lines(probe: Probe, centre: Mapping[str, FloatArray], *, error: bool = False) -> Iterator[Line]:
    """Yield lines along which the values of each requirement move by its spread in data without noise.

    Parameters
    ----------
    probe : Probe
    centre : mapping of str to (size,) array
        The values in the middle of each line.
    error : bool
        If true, the predictions have an error of that size.

    Raises
    ------
    Skipped
        If the likelihood of simulated data hardly depends on the values.
    """
    rng = np.random.default_rng(4)
    steps: dict[str, float] = {}  # those of the first line serve for all
    for _ in range(_LINES if probe.parameters else 1):
        u = rng.uniform(0.05, 0.95, (1, len(probe.parameters)))
        nuisance = nuisance_at(probe, u)

        def line(levels: FloatArray, near: int, nuisance: Any = nuisance) -> Line:
            values = {key: value + levels[:, None] * steps.get(key, 0.0) for key, value in centre.items()}
            errors = {key: np.full_like(value, steps[key]) for key, value in values.items()} if error and steps else {}
            repeated = {name: np.repeat(value, len(levels)) for name, value in nuisance.items()}
            return Line(levels, values, errors, repeated, near)

        if not steps:
            mock = line(np.zeros(1), 1).mock(probe, 0, None)
            steps.update(spread(mock, centre, nuisance))
        near = np.linspace(-REACH, REACH, NODES) / np.sqrt(len(centre))
        yield line(np.concatenate([near, _FAR]), NODES)


def model_lines(probe: Probe, model: Model, key: str, *, errors: bool = True) -> Iterator[Line]:
    """Yield lines through the prior of a model, in random directions through random points.

    Parameters
    ----------
    probe : Probe
    model : Model
        Predicts what the probe requires.
    key : str
        Name of the probe in the model.
    errors : bool
        If false, the errors of the predictions are left out.
    """
    if key not in model.probes:
        raise ConfigurationError(f"the model {model.name!r} does not have the probe {key!r}")
    rng = np.random.default_rng(5)
    d, made = len(model.names), 0
    for _ in range(10 * _LINES):
        start, direction = rng.uniform(0.1, 0.9, d), rng.standard_normal(d)
        direction /= np.abs(direction).max()
        try:
            chord = _Chord(model, key, start, direction, errors)
            ends = chord.informative(probe)
            if ends is None:
                continue
            yield chord.line(np.linspace(*ends, NODES), NODES)
        except ConfigurationError:  # a node lies outside the range of a provider
            continue
        made += 1
        if made == _LINES:
            return
    raise Skipped("most lines through the prior have no likelihood, or leave the range of a provider; narrow the prior")


@dataclass(frozen=True)
class _Chord:
    """A line through the unit cube of a model's prior, from wall to wall."""

    model: Model
    key: str
    start: FloatArray
    direction: FloatArray
    errors: bool

    def line(self, levels: FloatArray, near: int) -> Line:
        u = np.clip(self.start + levels[:, None] * self.direction, 1e-6, 1 - 1e-6)
        predictions, nuisance = self.model.probe_inputs(self.model.prior_transform(u))[self.key]
        values = {key: np.asarray(each.value) for key, each in predictions.items()}
        given = {key: np.asarray(each.error) for key, each in predictions.items() if each.error is not None}
        return Line(levels, values, given if self.errors else {}, nuisance, near)

    def informative(self, probe: Probe) -> tuple[float, float] | None:
        """Return the range of levels within which ln L is finite and falls by a few units; None if there is none."""
        along = np.abs(self.direction)
        steps = 10.0 ** np.arange(-4, 0.01, 0.125)
        levels = [np.zeros(1)]
        for sign in (-1.0, 1.0):
            wall = float(np.min(np.where(sign * self.direction > 0, 1 - self.start, self.start) / along))
            levels.append(sign * wall * steps)
        line = self.line(np.concatenate(levels), 1)
        log_l = line.log_likelihood(line.mock(probe, 0, None))
        if not np.isfinite(log_l[0]):
            return None
        ends = []
        for part, values in zip(levels[1:], np.split(log_l[1:], 2), strict=True):
            possible = np.isfinite(values)
            n = len(values) if possible.all() else int(np.argmin(possible))
            fallen = log_l[0] - values[:n] > _FALL
            ends.append(float(part[int(np.argmax(fallen)) if fallen.any() else n - 1]) if n else 0.0)
        return (ends[0], ends[1]) if ends[0] < ends[1] else None
